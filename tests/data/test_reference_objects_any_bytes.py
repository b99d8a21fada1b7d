"""Whatever the bytes of a reference object are, it is taken or refused; nothing is raised."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from tests.data.annotations import (
    grid_of,
    measurement_report,
    planar_group,
    region,
    segmentation,
    series,
    structure_set,
)
from tests.data.test_reference_objects_label_maps import itk, labelled, nifti
from tests.data.test_reference_objects_reports import cad_finding, cad_report
from tests.data.test_reference_objects_structure_sets import millimetres, square

from proctor_workers.hidden_data.case_files import Refusal, SourceFile
from proctor_workers.hidden_data.reference_objects import reference_outputs

SLICES = series()
GRID = grid_of(SLICES)
AFFINE = np.array(GRID.affine)


def dicom(made: Dataset) -> bytes:
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def packed(ending: str) -> bytes:
    with TemporaryDirectory() as folder:
        return itk(labelled(), AFFINE, Path(folder) / f"a.{ending}").read_bytes()


def tiff() -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, labelled(), compression="zlib", photometric="minisblack")
    return out.getvalue()


MADE: dict[str, Callable[[], bytes]] = {
    "seg": lambda: dicom(segmentation(SLICES, {"Liver": labelled() & 1})),
    "fractional": lambda: dicom(
        segmentation(SLICES, {"Liver": (labelled() & 1).astype(float)}, "FRACTIONAL")
    ),
    "rtstruct": lambda: dicom(structure_set({"GTV": [millimetres(square(2.5, 8.5))]})),
    "sr": lambda: dicom(
        measurement_report(SLICES, [planar_group(region("CIRCLE", [(5, 5), (5, 8)], SLICES[1]))])
    ),
    "cad": lambda: dicom(cad_report(cad_finding("Nodule", "POLYLINE", [2, 3, 8, 3, 8, 9]))),
    "nifti": lambda: nifti(labelled(), AFFINE),
    "nrrd": lambda: packed("nrrd"),
    "mha": lambda: packed("mha"),
    "tiff": tiff,
}
made = cache(lambda kind: MADE[kind]())
CHANGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=8
)


@pytest.mark.parametrize("kind", MADE)
@given(changes=CHANGES, cut=st.floats(0.02, 1))
@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck])
def test_damaged_objects_are_taken_or_refused(
    kind: str, changes: list[tuple[float, bytes]], cut: float
) -> None:
    content = bytearray(made(kind))
    for place, some in changes:
        at = int(place * len(content))
        content[at : at + len(some)] = some
    content = content[: max(1, int(cut * len(content)))] if cut < 0.9 else content

    with TemporaryDirectory() as folder:
        path = Path(folder) / "truth"
        path.write_bytes(content)
        file = SourceFile(name="truth", path=path)
        found, _ = reference_outputs(file, labels={"1": "a", "2": "b"}, grid=GRID)

    assert isinstance(found, str | Refusal)


@pytest.mark.parametrize("kind", MADE)
def test_objects_are_taken_before_they_are_damaged(kind: str, tmp_path: Path) -> None:
    (tmp_path / "truth").write_bytes(made(kind))
    file = SourceFile(name="truth", path=tmp_path / "truth")

    found, _ = reference_outputs(file, labels={"1": "a", "2": "b"}, grid=GRID)

    assert isinstance(found, str)
