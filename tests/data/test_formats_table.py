"""Every file of pydicom and pydicom-data goes through the readers; what becomes of each is written.

The table stands in build/formats.json, and for people in docs/reference/formats.md.
"""

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import data_store
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import UID, ImplicitVRLittleEndian
from tests.data.dicom_cases import KEYS

from proctor_workers.hidden_data.case_files import (
    CanonicalForm,
    CaseContent,
    QuarantineError,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.deidentify.profile import Deidentification
from proctor_workers.hidden_data.formats.registry import read_case

ROOT = Path(__file__).resolve().parents[2]
PAGE, TABLE = ROOT / "docs" / "reference" / "formats.md", ROOT / "build" / "formats.json"
PLACES = {
    "pydicom/test_files": Path(pydicom.__file__).parent / "data" / "test_files",
    "pydicom/charset_files": Path(pydicom.__file__).parent / "data" / "charset_files",
    "pydicom-data": Path(data_store.__file__).parent / "data",
}
# Two files whose transfer syntax pydicom must be told before it decodes them.
TOLD = {"OT-PAL-8-face.dcm": ImplicitVRLittleEndian}
ALIKE = 8  # files of one folder and one fate that make one line
FAMILIES = (
    (
        "DICOM images",
        (
            "Part 10 with or without preamble, bare data sets, DICOMDIR; implicit, explicit, big "
            "endian, deflated; RLE, JPEG baseline, extended and lossless, JPEG-LS, JPEG 2000, "
            "HTJ2K; grey, RGB, YBR, palette; 1 to 64 bits, floats; single, multi-frame, enhanced, "
            "dose"
        ),
        (
            "one DICOM file each, explicit little endian, uncompressed; or one NIfTI or NRRD for a "
            "volume (`canonical.volumes`)"
        ),
    ),
    (
        "DICOM waveforms",
        "12-lead, general and ambulatory ECG, haemodynamics, respiration",
        "WFDB records",
    ),
    (
        "whole slides",
        "DICOM VL whole slide; SVS and tiled TIFF pyramids",
        "their tiles, without label and overview",
    ),
    ("volumes", "NIfTI 1 and 2, Analyze, NRRD, MetaImage", "NIfTI or NRRD, unpacked"),
    ("pictures", "PNG, JPEG, TIFF of 8 or 16 bits", "PNG or TIFF, upright"),
    ("signals", "WFDB, EDF, BDF", "WFDB records"),
    ("tables", "CSV, Parquet", "Parquet or CSV"),
)
INTRODUCTION = """\
# Formats

What a case's files may be, what of them is kept, and what the readers do with each file of two
public collections. Files are known by their bytes, not by their names. The canonical file is
written once, at ingest, and is what a model reads; pixels are those of the original, value by
value.

| family | taken | kept as |
|---|---|---|
{families}

Of DICOM headers the readers keep what is needed to read the pixels: layout, spacing, position and
orientation, rescale, windows, modality and VOI lookup tables, palettes (as tables; segmented ones
written out in full), real-world value mappings, ultrasound regions, frame times, the offsets and
scaling of a dose, and of functional groups pixel measures, plane position and orientation, value
transformation, window and frame order. Everything else is gone unless the plan's de-identification
keeps it. Unused high bits are cleared, which is told where they held something. Lossless colours
keep their space; those of lossy JPEG become RGB; ICC profiles are left out. Private elements that
stand after the pixels are never kept.

A volume that becomes NIfTI keeps its stored values, with slope and intercept in the header (32-bit
floats). NRRD has no place for them, and slices of a PET series may each have their own: then values
are scaled, as whole numbers where slope and intercept are whole, else as floats of 32 bits (64
where the stored values have more than 24), from which each stored value can be had back. A single
picture stays DICOM; slices that make no single volume are refused, with the reason.

Segmentations, structure sets and structured reports are read as reference standard
(`reference_file`), never as an image. Videos, presentation states, plans and documents are refused.

## What becomes of each file

`exact`: the canonical file's pixels equal pydicom's decoding of the original; `–`: there are no
pixels to compare. Written by `PROCTOR_WRITE_DOCS=1 pytest tests/data/test_formats_table.py`; a test
keeps it equal.

| file | transfer syntax | outcome | reason | exact |
|---|---|---|---|---|
"""


@pytest.fixture(scope="module")
def entries() -> list[dict[str, Any]]:
    """Read each file as a case of its own; write the table."""
    found = [_entry(place, folder, path) for place, folder, path in _files()]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def test_no_file_makes_a_reader_fail(entries: list[dict[str, Any]]) -> None:
    assert {entry["outcome"] for entry in entries} <= {"read", "quarantined", "refused"}
    assert sum(entry["outcome"] == "read" for entry in entries) > 150


def test_pixels_of_every_image_equal_the_originals(entries: list[dict[str, Any]]) -> None:
    assert [entry["file"] for entry in entries if entry["pixel_exact"] is False] == []
    assert sum(entry["pixel_exact"] is True for entry in entries) > 150


def test_every_refusal_has_a_reason(entries: list[dict[str, Any]]) -> None:
    assert all(entry["reason"] for entry in entries if entry["outcome"] != "read")


@pytest.mark.parametrize("name", ["liver.dcm", "rtstruct.dcm", "reportsi.dcm"])
def test_reference_objects_say_where_they_belong(entries: list[dict[str, Any]], name: str) -> None:
    (entry,) = (entry for entry in entries if entry["file"].endswith(f"/{name}"))

    assert "reference_file" in entry["reason"]


def test_the_page_of_formats_is_what_the_readers_do(entries: list[dict[str, Any]]) -> None:
    families = "\n".join(f"| {' | '.join(family)} |" for family in FAMILIES)
    written = INTRODUCTION.format(families=families) + "\n".join(_lines(entries)) + "\n"
    if os.environ.get("PROCTOR_WRITE_DOCS"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text("utf-8") == written, (
        "Run `PROCTOR_WRITE_DOCS=1 pytest tests/data/test_formats_table.py`."
    )


def _files() -> Iterator[tuple[str, Path, Path]]:
    for place, folder in PLACES.items():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                yield place, folder, path


def _entry(place: str, folder: Path, path: Path) -> dict[str, Any]:
    name = f"{place}/{path.relative_to(folder).as_posix()}"
    entry: dict[str, Any] = {
        "file": name, "format": "", "transfer_syntax": _syntax(path), "outcome": "read",
        "reason": "", "pixel_exact": None,
    }  # fmt: skip
    with TemporaryDirectory() as canonical:
        request = ReadRequest(
            files=(SourceFile(name=name, path=path),),
            keys=KEYS,
            deidentification=Deidentification(),
            form=CanonicalForm(),
            folder=Path(canonical),
        )
        try:
            content = read_case(request)
        except UnreadableFileError as refused:
            entry["outcome"] = "quarantined" if isinstance(refused, QuarantineError) else "refused"
            entry["reason"] = f"{refused.refusal.what}. {refused.refusal.cure}"
            return entry
        entry["format"] = str(content.facts.get("format", ""))
        entry["pixel_exact"] = _is_exact(content, path)
    return entry


def _syntax(path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            meta = pydicom.dcmread(path, stop_before_pixels=True).file_meta
        except Exception:  # noqa: BLE001 - no DICOM file
            return ""
    return UID(str(meta.get("TransferSyntaxUID", ""))).name


def _is_exact(content: CaseContent, path: Path) -> bool | None:
    """Compare with pydicom's own decoding; None where it has none of the original."""
    canonical = content.files[0].path
    if len(content.files) != 1 or canonical.suffix != ".dcm":
        return None
    expected = _decoded(path)
    if expected is None:
        return None
    found = _decoded(canonical)
    return found is not None and np.array_equal(found, expected)


def _decoded(path: Path) -> NDArray[Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        if path.name in TOLD:
            dataset.file_meta.TransferSyntaxUID = TOLD[path.name]
        try:
            return dataset.pixel_array
        except (AttributeError, RuntimeError):
            return None


def _lines(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each file; many alike in one folder share one."""
    for _, alike in groupby(entries, key=_fate):
        group = list(alike)
        if len(group) < ALIKE:
            yield from (_line(entry, f"`{entry['file']}`") for entry in group)
        else:
            folder = group[0]["file"].rpartition("/")[0]
            yield _line(group[0], f"`{folder}/` ({len(group)} files)")


def _fate(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    folder = entry["file"].rpartition("/")[0]
    return folder, *(value for name, value in entry.items() if name != "file")


def _line(entry: Mapping[str, Any], file: str) -> str:
    exact = {True: "yes", False: "**no**", None: "–"}[entry["pixel_exact"]]
    syntax = entry["transfer_syntax"] or "–"
    return f"| {file} | {syntax} | {entry['outcome']} | {entry['reason']} | {exact} |"
