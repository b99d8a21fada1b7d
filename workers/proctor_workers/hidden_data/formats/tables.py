"""Reads case files that are tables (CSV, Parquet): series of measurements, events, results.

Rows keep their order, columns their names; nothing else of the file is kept.
"""

import csv
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from proctor_workers.hidden_data.case_files import (
    CanonicalFile,
    CaseContent,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.findings import Finding
from proctor_workers.hidden_data.formats.base import HEAD_BYTES, Format
from proctor_workers.hidden_data.formats.column_types import Typed, retyped, typed
from proctor_workers.hidden_data.formats.table_columns import (
    check_names,
    findings,
    first_moment,
    made_safe,
)

PARQUET_MAGIC = b"PAR1"
LARGEST_FILE = 1 << 28  # bytes of a CSV file, and of a Parquet file's columns once decoded
MOST_COLUMNS, MOST_CELLS = 4096, 1 << 26
_SEPARATORS = {".csv": ",;\t|", ".tsv": "\t"}
_NOTHING = ["", "NA", "NaN", "nan", "NULL", "null"]
_ROWS_A_GROUP = 1 << 16
_BROKEN = (
    pa.ArrowException, csv.Error, OSError, ValueError, OverflowError, MemoryError, KeyError,
)  # fmt: skip


def recognises(head: bytes, name: str) -> bool:
    """Say whether a file is a table: Parquet by its bytes, CSV by its name."""
    if head.startswith(PARQUET_MAGIC):
        return True
    return PurePosixPath(name).suffix.lower() in _SEPARATORS and b"\0" not in head


def read(request: ReadRequest) -> CaseContent:
    """Rewrite one case's tables; times of all of them count from the case's first one.

    Raises:
        UnreadableFileError: a file is damaged, too large, or holds what identifies.
    """
    tables = []
    for file in request.files:
        with _blamed(file.name):
            tables.append((file, _columns(file, request)))
    first = first_moment([column for _, columns in tables for column in columns])
    files: list[CanonicalFile] = []
    found: list[Finding] = []
    cleaned = 0
    for position, (file, columns) in enumerate(tables):
        with _blamed(file.name):
            table, texts = _safe(columns, first, request, file.name, found)
            files.append(_written(table, position, request, file))
            cleaned += texts
    rows = sum(len(columns[0].values) for _, columns in tables)
    return CaseContent(
        files=tuple(files),
        facts={
            "format": "Parquet" if _is_parquet(request.files[0].path) else "CSV",
            "modality": "table",
            "samples": float(rows),
            "variables": float(sum(len(columns) for _, columns in tables)),
            "files": float(len(files)),
        },
        findings=tuple(found),
        actions={
            "texts_cleaned": cleaned,
            "times_made_relative": sum(one.moments for _, columns in tables for one in columns),
        },
    )


@contextmanager
def _blamed(name: str) -> Iterator[None]:
    """Name the file in a refusal; refuse it for what its bytes make the reader raise."""
    try:
        yield
    except UnreadableFileError as exc:
        exc.file = exc.file or name
        raise
    except _BROKEN as exc:
        raise UnreadableFileError("is a damaged table", "Export it again.", file=name) from exc


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES).startswith(PARQUET_MAGIC)


def _columns(file: SourceFile, request: ReadRequest) -> list[Typed]:
    parquet = _is_parquet(file.path)
    table = _parquet(file.path) if parquet else _csv(file)
    if not table.num_columns or not table.num_rows:
        raise UnreadableFileError("is an empty table", "Leave it out.")
    check_names(table.column_names, request.keys.names)
    make = retyped if parquet else typed
    columns = []
    for position, name in enumerate(table.column_names, start=1):
        with _at(position):
            columns.append(make(name, table.column(name)))
    return columns


@contextmanager
def _at(position: int) -> Iterator[None]:
    """Say which column is meant, by its position: its name stays out of messages."""
    try:
        yield
    except UnreadableFileError as exc:
        what = f"{exc.refusal.what} (column {position})"
        raise UnreadableFileError(what, exc.refusal.cure) from exc


def _parquet(path: Path) -> pa.Table:
    with pq.ParquetFile(path, memory_map=True) as file:
        said = file.metadata
        size = sum(said.row_group(index).total_byte_size for index in range(said.num_row_groups))
        cells = said.num_rows * said.num_columns
        if size > LARGEST_FILE or cells > MOST_CELLS or said.num_columns > MOST_COLUMNS:
            raise UnreadableFileError("is too large once decoded", "Split it.")
        batches, rows = [], 0
        for batch in file.iter_batches(batch_size=_ROWS_A_GROUP):
            rows += batch.num_rows
            if rows > said.num_rows:
                raise UnreadableFileError("has more rows than it says", "Export it again.")
            batches.append(batch)
        return pa.Table.from_batches(batches, schema=file.schema_arrow)


def _csv(file: SourceFile) -> pa.Table:
    if file.path.stat().st_size > LARGEST_FILE:
        raise UnreadableFileError("is too large", "Split it, or save it as Parquet.")
    with file.path.open("rb") as opened:
        line = opened.readline(1 << 20)
    try:
        heading = line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as exc:
        raise UnreadableFileError("is not in UTF-8", "Save it in UTF-8.") from exc
    separators = _SEPARATORS.get(PurePosixPath(file.name).suffix.lower(), ",")
    separator = max(separators, key=heading.count)
    names = next(csv.reader([heading], delimiter=separator), [])
    if len(names) > MOST_COLUMNS:
        raise UnreadableFileError("has too many columns", "Split it.")
    check_unique = names if len(set(names)) == len(names) else [str(at) for at in range(len(names))]
    table: pa.Table = pa_csv.read_csv(
        file.path,
        read_options=pa_csv.ReadOptions(
            column_names=check_unique, skip_rows=1, use_threads=False, block_size=1 << 22
        ),
        parse_options=pa_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(check_unique, pa.string()),
            null_values=_NOTHING,
            strings_can_be_null=True,
        ),
    )
    return table.rename_columns(names)


def _safe(
    columns: list[Typed], first: int | None, request: ReadRequest, file: str, found: list[Finding]
) -> tuple[pa.Table, int]:
    kept, texts = {}, 0
    for position, column in enumerate(columns, start=1):
        clean = column.name in request.deidentification.text_columns
        with _at(position):
            values, changed = made_safe(column, first, request.keys.names, clean=clean)
        found += findings(column, values, file)
        kept[column.name] = values
        texts += changed
    return pa.table(kept), texts


def _written(
    table: pa.Table, position: int, request: ReadRequest, source: SourceFile
) -> CanonicalFile:
    path = request.folder / f"{position}.{request.form.tables}"
    bare = table.replace_schema_metadata(None).combine_chunks()
    if request.form.tables == "csv":
        pa_csv.write_csv(bare, path)
    else:
        pq.write_table(
            bare, path, compression="zstd", row_group_size=_ROWS_A_GROUP, store_schema=False
        )
    with source.path.open("rb") as original:
        digest = hashlib.file_digest(original, "sha256").hexdigest()
    content = path.read_bytes()
    return CanonicalFile(
        name=path.name,
        role="table",
        path=path,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        source_sha256=digest,
    )


FORMATS = (Format(name="table", recognises=recognises, read=read),)
