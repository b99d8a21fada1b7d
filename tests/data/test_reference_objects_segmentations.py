"""DICOM segmentations become masks on the grid of the case's pictures, exactly."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import RLELossless
from tests.data.annotations import (
    TEST_FILES,
    grid_of,
    pixels_of,
    read,
    segmentation,
    series,
)

from proctor_workers.hidden_data.case_files import Grid, Refusal
from proctor_workers.hidden_data.findings import Severity

SLICES = series()
GRID = grid_of(SLICES)


def blobs(seed: int = 1) -> dict[str, np.ndarray]:
    """Two structures that overlap, each absent from some slices."""
    random = np.random.default_rng(seed)
    liver = random.random((5, 16, 16)) < 0.4
    lesion = random.random((5, 16, 16)) < 0.2
    liver[0], lesion[3:] = False, False
    return {"Liver": liver.astype(np.uint8), "Lesion": lesion.astype(np.uint8)}


def one_of_each(masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same without overlap: what a label map can hold."""
    return {"Liver": masks["Liver"], "Lesion": masks["Lesion"] & ~masks["Liver"] & 1}


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_every_kind_of_segmentation_keeps_its_pixels(tmp_path: Path, kind: str) -> None:
    masks = one_of_each(blobs())
    made = segmentation(
        SLICES, {name: mask.astype(float) for name, mask in masks.items()}
        if kind == "FRACTIONAL" else masks, kind,
    )  # fmt: skip

    outputs, findings = read(made, tmp_path, GRID)

    assert findings == {}
    assert outputs["mask"]["size"] == [5, 16, 16]
    assert outputs["mask"]["spacing"] == pytest.approx([2.5, 0.488281, 0.488281])
    for name, mask in masks.items():
        assert (pixels_of(outputs, name) == mask.astype(bool)).all(), name


def test_structures_may_overlap(tmp_path: Path) -> None:
    masks = blobs()

    outputs, _ = read(segmentation(SLICES, masks), tmp_path, GRID)

    for name, mask in masks.items():
        assert (pixels_of(outputs, name) == mask.astype(bool)).all(), name


def test_fractional_values_of_half_the_maximum_are_inside(tmp_path: Path) -> None:
    shares = np.zeros((5, 16, 16))
    shares[2, 4, 4:8] = [0.25, 0.5, 0.75, 1.0]

    outputs, _ = read(segmentation(SLICES, {"Liver": shares}, "FRACTIONAL"), tmp_path, GRID)

    assert np.argwhere(pixels_of(outputs, "Liver"))[:, 2].tolist() == [5, 6, 7]


def test_compressed_fractional_frames_are_decoded(tmp_path: Path) -> None:
    shares = blobs()["Liver"].astype(float)
    made = segmentation(SLICES, {"Liver": shares}, "FRACTIONAL", transfer_syntax_uid=RLELossless)

    outputs, _ = read(made, tmp_path, GRID)

    assert (pixels_of(outputs, "Liver") == shares.astype(bool)).all()


def test_frames_go_where_they_lie_whatever_the_order_of_the_slices(tmp_path: Path) -> None:
    masks = blobs()
    backwards = grid_of(SLICES[::-1])

    outputs, findings = read(segmentation(SLICES, masks), tmp_path, backwards)

    assert findings == {}
    assert (pixels_of(outputs, "Lesion") == masks["Lesion"][::-1].astype(bool)).all()


def test_pictures_turned_against_the_segmentation_are_matched_exactly(tmp_path: Path) -> None:
    masks = blobs()
    affine = np.array(GRID.affine)
    turned = affine[:, [2, 1, 0, 3]].copy()  # columns first, and the rows from below
    turned[:3, 3] += 15 * turned[:3, 1]
    turned[:3, 1] *= -1
    grid = Grid(size=(16, 16, 5), affine=tuple(map(tuple, turned.tolist())))

    outputs, findings = read(segmentation(SLICES, masks), tmp_path, grid)

    assert findings == {}
    expected = masks["Liver"].transpose(2, 1, 0)[:, ::-1].astype(bool)
    assert (pixels_of(outputs, "Liver") == expected).all()


def test_without_positions_frames_follow_the_instance_they_refer_to(tmp_path: Path) -> None:
    masks = blobs()
    grid = grid_of(SLICES, affine=None, spacing=None)

    outputs, findings = read(segmentation(SLICES, masks), tmp_path, grid)

    assert findings == {}
    assert (pixels_of(outputs, "Liver") == masks["Liver"].astype(bool)).all()


def test_one_picture_gets_a_mask_of_two_sides(tmp_path: Path) -> None:
    masks = {name: mask[2:3] for name, mask in blobs().items()}
    affine = np.array(GRID.affine)
    affine[:3, 3] += 2 * affine[:3, 0]
    grid = grid_of(SLICES, size=(1, 16, 16), instances=GRID.instances[2:3],
                   affine=tuple(map(tuple, affine.tolist())))  # fmt: skip

    outputs, findings = read(segmentation(SLICES[2:3], masks), tmp_path, grid)

    assert findings == {}
    assert outputs["mask"]["size"] == [16, 16]
    assert len(outputs["mask"]["spacing"]) == 2
    assert (pixels_of(outputs, "Liver") == masks["Liver"][0].astype(bool)).all()


def test_frames_outside_a_shorter_case_are_told_and_left_out(tmp_path: Path) -> None:
    masks = blobs()

    outputs, findings = read(segmentation(SLICES, masks), tmp_path, grid_of(SLICES[:3]))

    assert findings["reference.outside"].severity is Severity.WARNING
    assert (pixels_of(outputs, "Liver") == masks["Liver"][:3].astype(bool)).all()


@pytest.mark.parametrize("shift", [0.5, 0.2])
def test_pictures_between_the_segmentations_voxels_are_another_grid(
    tmp_path: Path, shift: float
) -> None:
    affine = np.array(GRID.affine)
    affine[:3, 3] += shift * affine[:3, 2]
    grid = grid_of(SLICES, affine=tuple(map(tuple, affine.tolist())))

    _, findings = read(segmentation(SLICES, blobs()), tmp_path, grid)

    assert findings["reference.geometry"].severity is Severity.ERROR


def test_another_frame_of_reference_is_told(tmp_path: Path) -> None:
    grid = grid_of(SLICES, frame_of_reference="1.2.3", instances=())

    _, findings = read(segmentation(SLICES, blobs()), tmp_path, grid)

    assert findings["reference.geometry"].severity is Severity.ERROR


def test_segments_are_named_by_the_plan_and_others_left_out(tmp_path: Path) -> None:
    masks = blobs()

    outputs, findings = read(
        segmentation(SLICES, masks), tmp_path, GRID, labels={"lesion": "tumour"}
    )

    assert list(outputs["mask"]["labels"]) == ["tumour"]
    assert (pixels_of(outputs, "tumour") == masks["Lesion"].astype(bool)).all()
    assert findings["reference.not_taken"].severity is Severity.NOTE


def test_two_segments_of_one_name_are_one_structure(tmp_path: Path) -> None:
    masks = blobs()

    outputs, _ = read(
        segmentation(SLICES, masks), tmp_path, GRID, labels={"1": "organ", "2": "organ"}
    )

    both = (masks["Liver"] | masks["Lesion"]).astype(bool)
    assert (pixels_of(outputs, "organ") == both).all()


def test_segments_of_which_the_plan_names_none_hold_the_cohort_back(tmp_path: Path) -> None:
    outputs, findings = read(
        segmentation(SLICES, blobs()), tmp_path, GRID, labels={"spleen": "spleen"}
    )

    assert outputs["mask"]["labels"] == {}
    assert findings["reference.not_named"].severity is Severity.ERROR


def test_an_empty_segmentation_is_told(tmp_path: Path) -> None:
    empty = {"Liver": np.zeros((5, 16, 16), dtype=np.uint8)}

    outputs, findings = read(segmentation(SLICES, empty, omit_empty_frames=False), tmp_path, GRID)

    assert outputs["mask"]["labels"] == {"Liver": []}
    assert findings["reference.empty"].severity is Severity.WARNING


def test_a_real_segmentation_lies_on_the_slices_it_was_made_of(tmp_path: Path) -> None:
    import data_store

    path = Path(data_store.__file__).parent / "data" / "liver.dcm"
    instances = tuple(f"1.2.392.200103.20080913.113635.2.2009.6.22.21.43.10.2343{n}.1"
                      for n in (1, 2, 3))  # fmt: skip
    grid = Grid(size=(3, 512, 512), instances=instances)

    outputs, findings = read(path, tmp_path, grid)

    import pydicom

    frames = pydicom.dcmread(path).pixel_array.astype(bool)  # refer to 3, 2, 1
    assert findings == {}
    assert (pixels_of(outputs, "Liver") == frames[::-1]).all()


@pytest.mark.parametrize("name", ["liver_1frame.dcm", "liver_expb_1frame.dcm"])
def test_a_segmentation_without_all_its_frames_is_refused(tmp_path: Path, name: str) -> None:
    refused, _ = read(TEST_FILES / name, tmp_path, Grid(size=(3, 512, 512)))

    assert isinstance(refused, Refusal)
    assert "fewer pixels" in refused.what
