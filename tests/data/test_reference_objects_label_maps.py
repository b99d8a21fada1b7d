"""Label maps of volumes and pictures become masks on the grid of the case, or say why not."""

import gzip
import io
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image
from tests.data.annotations import grid_of, pixels_of, read, series

from proctor_workers.hidden_data.case_files import Grid, Refusal, SourceFile
from proctor_workers.hidden_data.findings import Severity
from proctor_workers.hidden_data.reference_objects import reference_outputs

SLICES = series()
GRID = grid_of(SLICES)
LABELS = {"1": "liver", "2": "lesion"}
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def labelled(size: tuple[int, ...] = (5, 16, 16)) -> np.ndarray:
    random = np.random.default_rng(5)
    return random.choice(3, size=size, p=[0.6, 0.3, 0.1]).astype(np.uint8)


def nifti(voxels: np.ndarray, affine: np.ndarray, *, as_float: bool = False) -> bytes:
    """A NIfTI of voxels (slices, rows, columns) with their affine in LPS."""
    ordered = voxels.transpose(2, 1, 0).astype(np.float32 if as_float else np.uint8)
    return nibabel.Nifti1Image(ordered, LPS_TO_RAS @ affine[:, [2, 1, 0, 3]]).to_bytes()


def itk(voxels: np.ndarray, affine: np.ndarray, path: Path) -> Path:
    image = SimpleITK.GetImageFromArray(voxels)
    ordered = affine[:, [2, 1, 0, 3]]
    spacing = np.linalg.norm(ordered[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((ordered[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(ordered[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path), useCompression=True)
    return path


def check(outputs: dict, expected: np.ndarray) -> None:
    assert outputs["mask"]["size"] == [*expected.shape]
    for value, name in LABELS.items():
        assert (pixels_of(outputs, name) == (expected == int(value))).all(), name


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("as_float", [False, True])
def test_a_nifti_label_map_becomes_a_mask(tmp_path: Path, packed: bool, as_float: bool) -> None:  # noqa: FBT001
    content = nifti(labelled(), np.array(GRID.affine), as_float=as_float)

    outputs, findings = read(gzip.compress(content) if packed else content, tmp_path, GRID, LABELS)

    assert findings == {}
    assert outputs["mask"]["spacing"] == pytest.approx([2.5, 0.488281, 0.488281])
    check(outputs, labelled())


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_label_maps_of_other_programs_become_masks(tmp_path: Path, ending: str) -> None:
    path = itk(labelled(), np.array(GRID.affine), tmp_path / f"truth.{ending}")

    outputs, findings = read(path, tmp_path, GRID, LABELS)

    assert findings == {}
    check(outputs, labelled())


def test_axes_that_are_swapped_and_flipped_are_put_in_order_exactly(tmp_path: Path) -> None:
    affine = np.array(GRID.affine)
    turned = affine[:, [1, 2, 0, 3]].copy()  # rows, columns, slices …
    turned[:3, 3] += 15 * turned[:3, 1]  # … and the columns from the right
    turned[:3, 1] *= -1
    voxels = labelled().transpose(1, 2, 0)[:, ::-1]

    outputs, findings = read(nifti(voxels, turned), tmp_path, GRID, LABELS)

    assert findings == {}
    check(outputs, labelled())


@pytest.mark.parametrize("change", ["shift", "spacing", "cropped", "direction"])
def test_a_label_map_on_another_grid_is_told(tmp_path: Path, change: str) -> None:
    affine, voxels = np.array(GRID.affine), labelled()
    if change == "shift":
        affine[:3, 3] += 0.5 * affine[:3, 1]
    elif change == "spacing":
        affine[:3, 1] *= 1.05
    elif change == "cropped":
        voxels = voxels[1:]
        affine[:3, 3] += affine[:3, 0]
    else:
        affine[:3, :3] = affine[:3, :3] @ [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]

    outputs, findings = read(nifti(voxels, affine), tmp_path, GRID, LABELS)

    assert findings["reference.geometry"].severity is Severity.ERROR
    check(outputs, voxels)  # kept as it is: the partner may say that it is right


def test_rounding_of_positions_is_no_other_grid(tmp_path: Path) -> None:
    affine = np.array(GRID.affine)
    affine[:3, :3] *= 1 + 1e-5
    affine[:3, 3] += 1e-3

    _, findings = read(nifti(labelled(), affine), tmp_path, GRID, LABELS)

    assert findings == {}


def test_without_positions_sizes_decide(tmp_path: Path) -> None:
    content = nifti(labelled(), np.array(GRID.affine))

    outputs, findings = read(content, tmp_path, Grid(size=(5, 16, 16)), LABELS)
    _, wrong = read(content, tmp_path, Grid(size=(16, 16, 5)), LABELS)

    assert findings == {}
    check(outputs, labelled())
    assert "5 × 16 × 16" in wrong["reference.geometry"].message


def test_a_header_finds_its_data_among_the_companions(tmp_path: Path) -> None:
    itk(labelled(), np.array(GRID.affine), tmp_path / "truth.mhd")
    header, *data = (
        SourceFile(name=f"masks/{path.name}", path=path)
        for path in (tmp_path / "truth.mhd", tmp_path / "truth.zraw")
    )

    alone, _ = reference_outputs(header, labels=LABELS, grid=GRID)
    together, _ = reference_outputs(header, labels=LABELS, grid=GRID, companions=data)

    assert isinstance(alone, Refusal)
    assert isinstance(together, str)


def test_a_probability_map_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.full((16, 16, 5), 0.3, dtype=np.float32), np.eye(4))

    refused, _ = read(image.to_bytes(), tmp_path, GRID, LABELS)

    assert isinstance(refused, Refusal)
    assert "between whole numbers" in refused.what


@pytest.mark.parametrize("pages", [1, 5])
def test_a_tiff_label_map_becomes_a_mask(tmp_path: Path, pages: int) -> None:
    voxels = labelled((pages, 16, 20)).squeeze()
    tifffile.imwrite(tmp_path / "truth", voxels, compression="zlib", photometric="minisblack")

    outputs, findings = read(tmp_path / "truth", tmp_path, Grid(size=voxels.shape), LABELS)

    assert findings == {}
    check(outputs, voxels)


def test_a_tiff_of_one_bit_has_the_value_one(tmp_path: Path) -> None:
    voxels = labelled((16, 20)) == 1
    Image.fromarray(voxels).save(tmp_path / "truth", format="TIFF")

    outputs, _ = read(tmp_path / "truth", tmp_path, Grid(size=(16, 20)), LABELS)

    assert (pixels_of(outputs, "liver") == voxels).all()


def test_a_png_of_another_size_than_the_picture_is_told(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(labelled((16, 20))).save(out, format="PNG")

    _, findings = read(out.getvalue(), tmp_path, Grid(size=(20, 16)), LABELS)

    assert findings["reference.geometry"].severity is Severity.ERROR


@pytest.mark.parametrize(("value", "code"), [(0, "reference.empty"), (1, "reference.full")])
def test_a_mask_of_one_value_is_told(tmp_path: Path, value: int, code: str) -> None:
    voxels = np.full((5, 16, 16), value, dtype=np.uint8)

    _, findings = read(nifti(voxels, np.array(GRID.affine)), tmp_path, GRID, LABELS)

    assert findings[code].severity is Severity.WARNING
