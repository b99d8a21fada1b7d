"""Finds identifiers in the columns of a table of cases, and cleans the columns that a plan names.

What is looked at is what travels on: attributes, inputs, reference standard, raters, site, stratum.
The columns that name patient, case and files stay with the partner; only a note says where the
names of files tell too much.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from proctor_sdk.canonical import canonical_bytes
from proctor_workers.hidden_data.deidentify.text import cleaned, scan
from proctor_workers.hidden_data.deidentify.vocabulary import TELLING_COLUMNS
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.pseudonyms import OLDEST_AGE, POOLED_AGE, PatientKeys
from proctor_workers.hidden_data.rows import Row

_PLAIN = ("site", "reference_value", "reference_method", "sampling_stratum")
_SHORTEST_ID = 4  # signs of a patient's or case's name that are looked for in other columns
_TELLING_NUMBER = 7  # digits; a shorter one is a measured value now and then
_EQUAL_SHARE = 0.1  # of rows in which a column's number is the patient's own
_FEWEST_ROWS = 10  # from which the share of different values says something
_UNIQUE_SHARE = 0.9
_MOST_FILE_NAMES = 2_000  # looked at; a partner names files by one rule
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_TELLING_PAIRS = (("birth", "date"), ("patient", "name"), ("patient", "id"), ("last", "name"),
                  ("first", "name"), ("full", "name"), ("accession", "number"))  # fmt: skip
_MEASURED = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
_AGE_WORDS = frozenset({"age", "alter", "years"})
_CODE_LIKE = re.compile(r"(?=\S*\d)(?!\d+\.\d+$)[\w./:-]{4,40}|[0-9a-fA-F-]{16,}")
_SHORT_NUMBER = re.compile(r"-?\d{1,6}|-\d+\.\d+|-?\d(?:\.\d+)?e[+-]\d{2,3}")
_PERSON_LIKE = re.compile(r"[^\W\d_a-z][\w'’-]+(?:, ?| |\^)[^\W\d_a-z][\w'’-]+")


@dataclass(slots=True)
class _Column:
    """What was seen of one column, value by value."""

    rows: int = 0
    identifying: Counter[str] = field(default_factory=Counter)  # kind → rows
    values: set[str] = field(default_factory=set)
    shapes: Counter[str] = field(default_factory=Counter)
    equal: int = 0  # rows whose short number is the patient's or case's own


def scan_table(rows: Sequence[Row]) -> tuple[Finding, ...]:
    """Return a finding for each column that holds identifiers, by the column's name.

    An error: dates, contacts, numbers of persons, names with a title, a patient's or case's own
    name, ages above 89, and columns of codes or of two capitalised words that differ from row to
    row. A note where the names of files hold any of these: they are never kept.
    """
    columns: defaultdict[str, _Column] = defaultdict(_Column)
    for row in rows:
        own = _own_names(row)
        for name, text in _texts(row):
            _look(columns[name], name, text, own)
    found = [_finding(name, columns[name]) for name in sorted(columns)]
    return (*(one for one in found if one), *_file_names(rows))


def cleaned_row(row: Row, columns: Collection[str], keys: PatientKeys) -> Row:
    """Return the row with the texts of these columns cleaned; those not of the row are passed by.

    In `reference_outputs` and `rater.` columns the texts inside the answers are cleaned.
    """

    def clean(text: str) -> str:
        return cleaned(text, keys.names)

    changed: dict[str, Any] = {
        name: clean(value)
        for name in _PLAIN
        if name in columns and (value := getattr(row, name)) is not None
    }
    if "reference_outputs" in columns and row.reference_outputs:
        changed["reference_outputs"] = _within(row.reference_outputs, clean)
    return replace(
        row,
        **changed,
        attributes=_cleaned(row.attributes, "attr.", columns, clean),
        inputs=_cleaned(row.inputs, "input.", columns, clean),
        raters=_cleaned(row.raters, "rater.", columns, lambda text: _within(text, clean)),
    )


def _cleaned(
    cells: Mapping[str, Any], prefix: str, columns: Collection[str], clean: Callable[[str], str]
) -> dict[str, Any]:
    return {
        name: clean(value) if prefix + name in columns and isinstance(value, str) else value
        for name, value in cells.items()
    }


def _within(answer: str, clean: Callable[[str], str]) -> str:
    """Return an answer's canonical JSON with each text in it cleaned."""

    def walked(value: Any) -> Any:
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, list):
            return [walked(one) for one in value]
        if isinstance(value, dict):
            return {name: walked(one) for name, one in value.items()}
        return value

    return canonical_bytes(walked(json.loads(answer))).decode()


def _texts(row: Row) -> Iterator[tuple[str, str]]:
    """Yield column and text of all that travels on; numbers as they are written."""
    for name in _PLAIN:
        if value := getattr(row, name):
            yield name, value
    for name, value in row.attributes.items():
        yield f"attr.{name}", value
    for name, value in row.inputs.items():
        if value is not None and not isinstance(value, bool):
            yield f"input.{name}", f"{value:.15g}" if isinstance(value, float) else str(value)
    answers = {f"rater.{name}": answer for name, answer in row.raters.items()}
    if row.reference_outputs:
        answers["reference_outputs"] = row.reference_outputs
    for name, answer in answers.items():
        for text in _strings(answer):
            yield name, text


@lru_cache(maxsize=4096)
def _strings(answer: str) -> tuple[str, ...]:
    """Return the texts in an answer; masks and numbers, the bulk of it, are none."""
    if '":"' not in answer and '["' not in answer:
        return ()
    found: list[str] = []
    waiting = [json.loads(answer)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list | dict):
            waiting += value.values() if isinstance(value, dict) else value
    return tuple(found)


def _own_names(row: Row) -> tuple[str, ...]:
    names = {row.patient, row.case, row.imaging_study}
    return tuple(name.casefold() for name in names if len(name) >= _SHORTEST_ID)


def _look(column: _Column, name: str, text: str, own: Collection[str]) -> None:
    column.rows += 1
    folded = text.casefold()
    if math.isfinite(_number(text)):
        short = len(text) < _TELLING_NUMBER
        column.equal += short and folded in own
        column.identifying["the name of a patient or case"] += not short and folded in own
    elif any(one in folded for one in own):
        column.identifying["the name of a patient or case"] += 1
    for kind in _kinds(text):
        column.identifying[kind] += 1
    if _AGE_WORDS & _words(name) and _number(text) > max(OLDEST_AGE, POOLED_AGE):
        column.identifying["age above 89"] += 1
    column.values.add(text)
    column.shapes[_shape(text)] += 1


@lru_cache(maxsize=1 << 16)
def _kinds(text: str) -> frozenset[str]:
    if _MEASURED.fullmatch(text):
        return frozenset()
    return frozenset(match.kind for match in scan(text))


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return float("nan")
    return value if abs(value) < float("inf") else float("nan")


@lru_cache(maxsize=1 << 12)
def _words(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORDS.findall(name))


def _shape(text: str) -> str:
    if _PERSON_LIKE.fullmatch(text):
        return "person"
    if _CODE_LIKE.fullmatch(text) and not _SHORT_NUMBER.fullmatch(text):
        return "code"
    return "other"


def _finding(name: str, column: _Column) -> Finding | None:
    said = [f"{kind} in {rows} rows" for kind, rows in column.identifying.most_common(3) if rows]
    # A measured value equals a patient's number now and then; a column of them does so throughout.
    if column.equal > _EQUAL_SHARE * column.rows:
        said.append(f"the number of a patient or case in {column.equal} rows")
    words = _words(name.split(".", maxsplit=1)[-1])
    if words & TELLING_COLUMNS or any(words.issuperset(pair) for pair in _TELLING_PAIRS):
        said.append("a name that says so")
    if column.rows >= _FEWEST_ROWS and len(column.values) >= _UNIQUE_SHARE * column.rows:
        for shape, what in (("code", "codes"), ("person", "names")):
            if column.shapes[shape] >= _UNIQUE_SHARE * column.rows:
                said.append(f"{what} that differ from row to row")
    if not said:
        return None
    return Finding(
        code="text.identifier",
        severity=Severity.ERROR,
        message=f"The column looks like it identifies patients: {', '.join(said)}.",
        cure="Remove or recode the column, or name it in text_columns to have its text cleaned.",
        column=name,
        values={"rows": max(column.identifying.values(), default=column.rows)},
    )


def _file_names(rows: Sequence[Row]) -> Iterator[Finding]:
    looked = rows[:_MOST_FILE_NAMES]
    telling = sum(1 for row in looked if _tells(row))
    if telling:
        yield Finding(
            code="text.file_name",
            severity=Severity.NOTE,
            message=f"Names of files identify patients in {telling} of {len(looked)} rows.",
            cure="Nothing need be done: no name of a file is kept.",
            column="files",
            values={"rows": telling},
        )


def _tells(row: Row) -> bool:
    own = _own_names(row)
    return any(any(one in name.casefold() for one in own) or scan(name) for name in row.files)
