"""What ingest writes can be seen by a reviewer: volumes, stacks, slides, signals and tables."""

import csv
import io
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from proctor_backend.viewer.app import _shown
from proctor_backend.viewer.render import UnreadableError, signal_to_png, table_rows, to_png
from proctor_backend.viewer.upright import Turn

# A patient with a bright left hand in front: seen upright, it is at the top right of a slice.
LPS = np.zeros((12, 20, 30), np.int16)  # slices to the head, rows to the back, columns to the left
LPS[:, 2:6, 22:28] = 500


def seen(content: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(to_png(content))))


def nifti(voxels: NDArray[Any], affine: NDArray[Any]) -> bytes:
    made: bytes = nibabel.Nifti1Image(voxels, affine).to_bytes()
    return made


def stored_as(axes: str) -> bytes:
    """Return the patient as a NIfTI whose array axes run in the directions named, such as RAS."""
    voxels, affine = LPS.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0])
    codes = nibabel.orientations.axcodes2ornt(tuple(axes))
    moved = nibabel.Nifti1Image(voxels, affine)
    own = nibabel.io_orientation(moved.affine)
    return bytes(moved.as_reoriented(nibabel.orientations.ornt_transform(own, codes)).to_bytes())


@pytest.mark.parametrize("axes", ["LPS", "RAS", "RPS", "LAS", "PLS", "ARS", "LPI", "RAI"])
def test_axial_slice_stands_upright_however_it_is_stored(axes: str) -> None:
    picture = seen(stored_as(axes))
    assert picture.shape == (20, 30)
    assert picture[4, 25] == 255
    assert picture[15, 4] == 0


@pytest.mark.parametrize(("axes", "shape"), [("LSP", (12, 30)), ("PSL", (12, 20))])
def test_coronal_and_sagittal_slices_have_the_head_at_the_top(
    axes: str, shape: tuple[int, int]
) -> None:
    assert seen(stored_as(axes)).shape == shape


def test_turn_is_undone_to_the_last_voxel() -> None:
    for exchanged in (False, True):
        turn = Turn(exchanged=exchanged, rows_mirrored=True, columns_mirrored=exchanged)
        np.testing.assert_array_equal(turn.undone(turn.applied(LPS)), LPS)


def test_slices_of_tall_voxels_are_stretched() -> None:
    picture = seen(nifti(LPS.transpose(2, 0, 1), np.diag([-1.0, -3.0, 1.0, 1.0])))
    assert picture.shape == (36, 30)


def test_nrrd_shows_its_middle_slice() -> None:
    voxels = np.zeros((3, 4, 5), np.uint8)
    voxels[1, 0, 4] = 9
    head = (
        b"NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 5 4 3\n"
        b"space directions: (1.0,0.0,0.0) (0.0,1.0,0.0) (0.0,0.0,1.0)\n"
        b"space origin: (0.0,0.0,0.0)\nendian: little\nencoding: raw\n\n"
    )
    assert np.argwhere(seen(head + voxels.tobytes()) == 255).tolist() == [[0, 4]]


def test_volume_that_knows_no_left_is_shown_as_stored() -> None:
    made = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), None).to_bytes()
    assert seen(made).shape == (3, 2)


def test_stack_shows_its_middle_page() -> None:
    pages = np.zeros((5, 8, 9), np.uint16)
    pages[2, 3, 4] = 1000
    out = io.BytesIO()
    tifffile.imwrite(out, pages, photometric="minisblack", metadata=None)
    assert np.argwhere(seen(out.getvalue()) == 255).tolist() == [[3, 4]]


def test_slide_shows_the_largest_level_that_is_quick() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=True) as writer:
        for side, value in ((4096, 10), (1024, 20), (256, 30)):
            level = np.full((side, side, 3), value, np.uint8)
            writer.write(level, photometric="rgb", tile=(256, 256), compression="zlib")
    assert int(seen(out.getvalue()).max()) == 20


def test_colours_of_sixteen_bits_are_shown() -> None:
    out = io.BytesIO()
    colours = np.random.default_rng(0).integers(0, 65535, (9, 8, 3)).astype(np.uint16)
    tifffile.imwrite(out, colours, photometric="rgb", metadata=None)
    assert seen(out.getvalue()).shape == (9, 8, 3)


HEADER = b"0 2 500.0 4000\n0.dat 16 200.0(0)/mV 16 0 0 0 0 II\n0.dat 16 200.0(0)/mV 16 0 0 0 0 V1\n"


def test_signal_is_drawn_lead_under_lead() -> None:
    seconds = np.arange(4000) / 500
    leads = np.stack([np.sin(7 * seconds) * 200, np.full(4000, -32768)], axis=1).astype("<i2")
    picture = np.asarray(
        Image.open(io.BytesIO(signal_to_png(HEADER, leads.tobytes()))).convert("L")
    )
    ink = picture[:, 110:] < 100
    assert ink[:84].any(axis=0).mean() > 0.99
    assert not ink[84:168].any()  # a lead without samples has no line


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_table_shows_its_first_rows(ending: str) -> None:
    assert table_rows(table(ending)).columns == ("time", "heart_rate")
    assert table_rows(table(ending)).rows[:2] == (("0", "80"), ("1", ""))
    assert len(table_rows(table(ending)).rows) == 60
    assert table_rows(table(ending)).cut


def table(ending: str) -> bytes:
    rate = [80, None, *range(98)]
    if ending == "parquet":
        out = io.BytesIO()
        pq.write_table(pa.table({"time": range(100), "heart_rate": rate}), out)
        return out.getvalue()
    text = io.StringIO()
    csv.writer(text).writerows([("time", "heart_rate"), *zip(range(100), rate, strict=True)])
    return text.getvalue().encode()


WHOLE = [nifti(LPS[:2, :3, :4], np.eye(4)), table("parquet"), HEADER]


@settings(max_examples=60, deadline=10_000, derandomize=True)
@given(st.data())
def test_damaged_files_are_unreadable_and_nothing_else(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(3):
        at = data.draw(st.integers(0, min(len(content) - 1, 400)))
        content[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)))
    for show in (to_png, table_rows, lambda made: signal_to_png(made, bytes(400))):
        for made in (bytes(content), bytes(content[:end])):
            try:
                show(made)
            except UnreadableError:
                continue


def test_real_head_is_shown_with_the_nose_at_the_top() -> None:
    head = Path("/usr/share/mricron/templates/ch2.nii.gz")
    image = nibabel.load(head)
    picture = seen(nibabel.Nifti1Image(np.asanyarray(image.dataobj), image.affine).to_bytes())
    assert picture.shape == (217, 181)


def case_of(*files: tuple[str, str]) -> dict[str, Any]:
    return {"files": [{"name": name, "role": role, "sha256": name} for name, role in files]}


def test_of_a_series_the_middle_file_is_shown() -> None:
    line = case_of(*((f"{number}.dcm", "image") for number in range(5)))
    assert _shown(line, None).files == ("2.dcm",)


def test_of_a_signal_header_and_samples_of_one_record_are_shown() -> None:
    line = case_of(*((name, "signal") for name in ("0.dat", "0.hea", "1.dat", "1.hea")))
    assert _shown(line, None).files == ("0.hea", "0.dat")


def test_of_a_case_without_files_its_inputs_are_shown() -> None:
    assert _shown({"inputs": {"age": 3}}, None).files == ()
