"""Finds the files that each row of the table names: by path, by folder, or by DICOM series."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom

from proctor_workers.hidden_data.ingest.sources import Source
from proctor_workers.hidden_data.problems import Problems
from proctor_workers.hidden_data.rows import Row


def with_files(
    rows: Sequence[Row],
    source: Source,
    stamps: Mapping[str, str],
    problems: Problems,
    *,
    complete: bool,
) -> list[Row]:
    """Return the rows with the names of all their files.

    A name that ends with `/` stands for every file below that folder. Files are checked to exist
    and to belong to one case; with `complete` every file of the source must belong to one.
    """
    series = _series_of(source, stamps) if any(row.series for row in rows) else {}
    below = _by_folder(stamps) if any(name.endswith("/") for r in rows for name in r.files) else {}
    found = [replace(row, files=tuple(_named(row, series, below, problems))) for row in rows]
    owners: dict[str, int] = {}
    for row in found:
        for name in row.files:
            _check(row, "files", name, stamps, owners, problems)
        if row.reference_file:
            _check(row, "reference_file", row.reference_file, stamps, owners, problems)
    unowned = len(stamps.keys() - owners.keys()) if complete else 0
    if unowned:
        problems.add(
            0, "files", f"{unowned} uploaded files belong to no case",
            "Name each in a row's files, or leave it out.",
        )  # fmt: skip
    return found


def _named(
    row: Row,
    series: Mapping[str, Sequence[str]],
    below: Mapping[str, Sequence[str]],
    problems: Problems,
) -> Iterator[str]:
    for name in row.files:
        if not name.endswith("/"):
            yield name
        elif name in below:
            yield from below[name]
        else:
            problems.add(
                row.number, "files", "names a folder that has no files", "Correct the path."
            )
    for uid in row.series:
        if uid in series:
            yield from series[uid]
        else:
            problems.add(
                row.number, "series", "names a series that no file belongs to",
                "Look whether its files lie in one of the sources.",
            )  # fmt: skip


def _by_folder(stamps: Mapping[str, str]) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {}
    for name in sorted(stamps):
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            below.setdefault("/".join(parts[:depth]) + "/", []).append(name)
    return below


def _series_of(source: Source, stamps: Mapping[str, str]) -> dict[str, list[str]]:
    """Look into every file for its series; what is no DICOM object belongs to none."""
    found: dict[str, list[str]] = {}
    for name in sorted(stamps):
        with TemporaryDirectory() as folder:
            uid = _series_uid(source.fetch(name, Path(folder)))
        if uid:
            found.setdefault(uid, []).append(name)
    return found


def _series_uid(path: Path) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"], force=True
            )
            return str(header.get("SeriesInstanceUID", ""))
    except Exception:  # noqa: BLE001 - foreign bytes: whatever it raises, this is no series
        return ""


def _check(
    row: Row,
    column: str,
    name: str,
    stamps: Mapping[str, str],
    owners: dict[str, int],
    problems: Problems,
) -> None:
    if name not in stamps:
        problems.add(
            row.number, column, "names a file that is not there",
            "Add it, or correct the path.",
        )  # fmt: skip
    if (first := owners.setdefault(name, row.number)) != row.number:
        problems.add(
            row.number, column, f"names a file that belongs to row {first}",
            "One file belongs to one case.",
        )  # fmt: skip
    elif column == "reference_file" and name in row.files:
        problems.add(
            row.number, column, "is one of the case's own files too",
            "A model would see it: name it once.",
        )  # fmt: skip
