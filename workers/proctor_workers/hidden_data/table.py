"""Reads a partner's table of cases, CSV or Parquet, and checks it as a whole."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from proctor_workers.hidden_data.problems import Problems
from proctor_workers.hidden_data.rows import (
    LONGEST_TEXT,
    PLAIN_COLUMNS,
    PREFIXES,
    Row,
    RowReader,
)

REQUIRED = ("patient",)
REFERENCES = ("reference_value", "reference_outputs", "reference_file")
BATCH = 4096
LONGEST_NAME = 1 << 17  # of a column, before anything else is read
_RATER = re.compile(r"rater\.(?:[A-Za-z][A-Za-z0-9_-]{0,47})?")


def read_rows(path: Path, table_format: str, problems: Problems) -> list[Row]:
    """Return the table's rows; everything wrong is noted in `problems`."""
    table = _read_table(path, table_format, problems)
    if table is None or not _columns_fit(table.column_names, problems):
        return []
    reader = RowReader(problems)
    rows = [reader.read(number, cells) for number, cells in _cells(_typed(table))]
    if not rows:
        problems.add(0, "", "The table has no cases", "Add at least one row.")
    _check_together(rows, problems)
    return rows


def _read_table(path: Path, table_format: str, problems: Problems) -> pa.Table | None:
    try:
        if table_format == "parquet":
            table = pq.read_table(path)
            table.validate(full=True)  # a text that is not UTF-8
            return table
        if table_format == "csv":
            return _read_csv(path)
    except (pa.ArrowException, csv.Error, OSError):
        problems.add(0, "", f"The table cannot be read as {table_format}", "Export it again.")
        return None
    problems.add(0, "", "The table's format is unknown", "Use csv or parquet.")
    return None


def _read_csv(path: Path) -> pa.Table:
    """Read every cell as text, so that identifiers keep their zeros; inputs are typed later."""
    csv.field_size_limit(LONGEST_NAME)  # of this process: somebody else may have raised it
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        names = next(csv.reader(lines), [])
    return pa_csv.read_csv(
        path,
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=["", "NA", "NaN", "nan"],
        ),
    )


def _columns_fit(names: list[str], problems: Problems) -> bool:
    before = problems.count
    for name, times in Counter(names).items():
        if len(name) > LONGEST_TEXT or not name.isprintable():
            problems.add(
                0, ascii(name[:40]), "The column's name is too long or not printable", "Rename it."
            )
            continue
        if name.startswith("rater.") and not _RATER.fullmatch(name):
            problems.add(
                0, name, "The rater's name is not one that a protocol can write",
                "Use a letter and then at most 47 letters, digits, _ or -.",
            )  # fmt: skip
        if times > 1:
            problems.add(0, name, "The column stands in the table twice", "Remove one.")
        if name not in PLAIN_COLUMNS and not _is_prefixed(name):
            problems.add(
                0, name, "The column is not known",
                "Write attr.NAME for an attribute, input.NAME for what a model may see, "
                "rater.NAME for what another rater said.",
            )  # fmt: skip
    for name in REQUIRED:
        if name not in names:
            problems.add(0, name, "The column is not in the table", "Add it.")
    if not any(name in names for name in REFERENCES):
        problems.add(
            0, "reference_value", "The table has no reference standard",
            f"Add one of the columns {', '.join(REFERENCES)}.",
        )  # fmt: skip
    return problems.count == before


def _is_prefixed(name: str) -> bool:
    return any(name.startswith(prefix) and len(name) > len(prefix) for prefix in PREFIXES)


def _typed(table: pa.Table) -> pa.Table:
    """Turn a text column of inputs into numbers if every cell in it is one."""
    for index, name in enumerate(table.column_names):
        column = table.column(index)
        if name.startswith("input.") and pa.types.is_string(column.type):
            try:
                numbers = pc.cast(column, pa.float64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(index, name, numbers)
    return table


def _cells(table: pa.Table) -> Iterator[tuple[int, Mapping[str, Any]]]:
    number = 0
    for batch in table.to_batches(max_chunksize=BATCH):
        for cells in batch.to_pylist():
            number += 1
            yield number, cells


def _check_together(rows: list[Row], problems: Problems) -> None:
    cases: dict[str, int] = {}
    for row in rows:
        if (first := cases.setdefault(row.case, row.number)) != row.number:
            problems.add(
                row.number, "case", f"names the same case as row {first}",
                "Give each case its own name.",
            )  # fmt: skip
