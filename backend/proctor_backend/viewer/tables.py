"""Reads the first rows of a table as ingest writes it, Parquet or CSV."""

import csv
import io
from dataclasses import dataclass

import pyarrow.parquet as pq

ROWS, COLUMNS = 60, 40
LONGEST_CELL = 200
_PARQUET = b"PAR1"
_MOST_TEXT = 1 << 20  # bytes of a CSV file that are looked at


@dataclass(frozen=True, slots=True)
class FirstRows:
    """A table's first rows and columns as text, and whether there are more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    cut: bool


def first_rows(content: bytes) -> FirstRows:
    """Return what fits a page.

    Raises:
        ValueError, OSError: the bytes are no such table.
    """
    names, rows, more = _parquet(content) if content.startswith(_PARQUET) else _csv(content)
    cut = more or len(names) > COLUMNS
    return FirstRows(tuple(names[:COLUMNS]), tuple(map(_cells, rows)), cut)


def _cells(row: list[object]) -> tuple[str, ...]:
    return tuple("" if cell is None else str(cell)[:LONGEST_CELL] for cell in row[:COLUMNS])


def _parquet(content: bytes) -> tuple[list[str], list[list[object]], bool]:
    with pq.ParquetFile(io.BytesIO(content)) as file:
        names = list(file.schema_arrow.names)
        batch = next(file.iter_batches(batch_size=ROWS, columns=names[:COLUMNS]), None)
        found = batch.to_pylist() if batch is not None else []
        more = file.metadata.num_rows > ROWS
    return names, [list(row.values()) for row in found], more


def _csv(content: bytes) -> tuple[list[str], list[list[object]], bool]:
    lines = csv.reader(io.StringIO(content[:_MOST_TEXT].decode("utf-8", "replace")))
    names = next(lines, [])
    rows: list[list[object]] = [list(row) for row, _ in zip(lines, range(ROWS + 1), strict=False)]
    return names, rows[:ROWS], len(rows) > ROWS
