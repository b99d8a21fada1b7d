"""Reads a partner's table of cases and tells what is wrong with it before anything is sent.

What the values mean, and what of a file may be kept, the platform decides at ingest.
"""

from __future__ import annotations

import csv
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from proctor_sdk.errors import Problem, ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

REQUIRED = ("patient",)
REFERENCES = ("reference_value", "reference_outputs", "reference_file")
OPTIONAL = (
    *REFERENCES, "case", "site", "imaging_study", "files", "reference_status", "reference_method",
    "sampling_stratum", "sampling_weight", "partition",
)  # fmt: skip
PREFIXES = ("attr.", "input.", "rater.")
LONGEST_CELL = 32 << 20  # a reference standard may be a mask
STATUSES = ("verified", "equivocal", "missing")
PARTITIONS = ("exploratory", "confirmatory")
MOST_PROBLEMS = 50
_READ = 1 << 20
_THREADS = 16


class CohortError(ProctorSdkError):
    """The table or its files cannot be sent; `problems` says where and why."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        shown = list(problems[:MOST_PROBLEMS])
        message = f"{source}: {len(problems)} problem(s)."
        if len(problems) > len(shown):
            message += f" The first {len(shown)}:"
        super().__init__("cohort_invalid", message, problems=shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortFile:
    """A file to send: content-addressed."""

    path: str
    sha256: str
    size: int

    def as_dict(self) -> dict[str, Any]:
        """The form in which the platform is told of it."""
        return {"path": self.path, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortTable:
    """A checked table: its format, its number of cases, the files it names."""

    path: Path
    format: str
    cases: int
    files: tuple[str, ...]


def read_table(path: Path, folder: Path) -> CohortTable:
    """Check the table and that every file it names lies in the folder; raises `CohortError`."""
    kind = "parquet" if path.suffix == ".parquet" else "csv"
    check = _Check(path.name, folder)
    count = 0
    for line, row in _rows(path, kind, check):
        check.row(line, row)
        count += 1
    if not count and not check.problems:
        check.report(None, "", "holds no case", "Write one row per case.")
    if check.problems:
        raise CohortError(path.name, check.problems)
    return CohortTable(path=path, format=kind, cases=count, files=tuple(check.files))


def hash_files(
    folder: Path, paths: Sequence[str], advance: Callable[[int], None]
) -> list[CohortFile]:
    """Digest the files in parallel; `advance` is told of each file."""

    def one(path: str) -> CohortFile:
        described = hash_file(folder / path, path)
        advance(1)
        return described

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(one, paths))


def hash_file(file: Path, path: str) -> CohortFile:
    """Digest one file."""
    sha256, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(_READ):
            sha256.update(block)
            size += len(block)
    return CohortFile(path=path, sha256=sha256.hexdigest(), size=size)


class _Check:
    """One pass over a table."""

    def __init__(self, source: str, folder: Path) -> None:
        self._source = source
        self._folder = folder.resolve()
        self._cases: set[str] = set()
        self.files: dict[str, None] = {}
        self.problems: list[Problem] = []

    def report(self, line: int | None, field: str, what: str, cure: str) -> None:
        self.problems.append(
            Problem(source=self._source, line=line, field=field, what=what, cure=cure)
        )

    def columns(self, names: Sequence[str]) -> bool:
        known = set(REQUIRED) | set(OPTIONAL)
        for name in REQUIRED:
            if name not in names:
                self.report(1, name, "is not among the columns", f"Add the column {name}.")
        for name in names:
            if name not in known and not name.startswith(PREFIXES):
                cure = (
                    "Name it attr.… (for subgroups), input.… (for the model) or rater.… (what "
                    "another rater said), or drop it."
                )
                self.report(1, name, "is not a known column", cure)
        if not any(name in names for name in REFERENCES):
            cure = f"Add one of the columns {', '.join(REFERENCES)}."
            self.report(1, "reference_value", "is not among the columns", cure)
        if len(set(names)) != len(names):
            self.report(1, "", "has a column twice", "Drop one.")
        return not self.problems

    def row(self, line: int, row: Mapping[str, str]) -> None:
        if not row["patient"]:
            self.report(line, "patient", "is empty", "Every case belongs to a patient.")
        self._case(line, row.get("case", ""))
        self._reference(line, row)
        self._sampling(line, row)
        for column in ("files", "reference_file"):
            for name in filter(None, map(str.strip, row.get(column, "").split(";"))):
                self._file(line, name)

    def _case(self, line: int, case: str) -> None:
        if case and case in self._cases:
            self.report(line, "case", "stands twice in the table", "Give each case its own name.")
        self._cases.add(case)

    def _reference(self, line: int, row: Mapping[str, str]) -> None:
        value = next((row[name] for name in REFERENCES if row.get(name)), "")
        status = row.get("reference_status") or ("verified" if value else "missing")
        if status not in STATUSES:
            cure = f"Write one of {', '.join(STATUSES)}."
            self.report(line, "reference_status", "is not a known status", cure)
        elif (status == "missing" and value) or (status == "verified" and not value):
            cure = "A value goes with verified, no value with missing."
            self.report(line, "reference_value", "does not go with its status", cure)

    def _sampling(self, line: int, row: Mapping[str, str]) -> None:
        if (row.get("partition") or PARTITIONS[0]) not in PARTITIONS:
            cure = f"Write one of {', '.join(PARTITIONS)}."
            self.report(line, "partition", "is not a known partition", cure)
        if not _is_weight(row.get("sampling_weight") or "1"):
            self.report(line, "sampling_weight", "is not a positive number", "Write 1 for none.")

    def _file(self, line: int, name: str) -> None:
        if name in self.files:
            what = f"{name!r} is named twice"
            self.report(line, "files", what, "One file belongs to one case.")
            return
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            self.report(
                line, "files", f"{name!r} leads outside the folder", "Name it from --files."
            )
        elif not (self._folder / name).is_file():
            self.report(line, "files", f"{name!r} is not in the folder", "Check --files and name.")
        elif not (self._folder / name).resolve().is_relative_to(self._folder):
            self.report(line, "files", f"{name!r} links outside the folder", "Copy it there.")
        elif not (self._folder / name).stat().st_size:
            self.report(line, "files", f"{name!r} is empty", "Copy it again.")
        else:
            self.files[name] = None


def _is_weight(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def _rows(path: Path, kind: str, check: _Check) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        yield from _parquet_rows(path, check) if kind == "parquet" else _csv_rows(path, check)
    except FileNotFoundError:
        check.report(None, "", f"There is no {path}", "Check the path of the table.")
    except (csv.Error, UnicodeDecodeError) as error:
        check.report(None, "", f"is not CSV in UTF-8: {error}", "Export it again as CSV, UTF-8.")


def _csv_rows(path: Path, check: _Check) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if not check.columns(reader.fieldnames or ()):
            return
        for row in reader:
            if None in row or None in row.values():
                what = "has another number of cells than the header"
                check.report(reader.line_num, "", what, "Quote cells that hold a comma.")
            else:
                yield reader.line_num, {name: cell.strip() for name, cell in row.items()}


def _parquet_rows(path: Path, check: _Check) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        from pyarrow import parquet  # noqa: PLC0415 - only partners with Parquet need it
    except ImportError:
        cure = "Run `pip install pyarrow`, or write the table as CSV."
        check.report(None, "", "is Parquet, which needs pyarrow", cure)
        return
    with path.open("rb") as file:
        table = parquet.ParquetFile(file)
        if not check.columns(table.schema_arrow.names):
            return
        line = 0
        for batch in table.iter_batches():
            for row in batch.to_pylist():
                line += 1
                yield line, {n: "" if cell is None else str(cell) for n, cell in row.items()}
