"""What raters said about each case, read from the one long table; its meaning is the kind's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from sys import intern
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_sdk.canonical import strict_loads
from proctor_workers.statistics.arrays import Floats, Ints

Texts = NDArray[np.object_]
OK, INDETERMINATE, FAILED = "ok", "indeterminate", "failed"


class Answer(NamedTuple):
    """One row of the long table: one output, or one part of it."""

    output: str | None  # the tag of the contract: scores, call, category, boxes, …
    unit: str | None = None  # which part: a box, a landmark, a quantile
    category: str | None = None
    operating_point: str | None = None
    call: bool | None = None
    score: float | None = None
    value: float | None = None
    location: Floats | None = None


_RATED = pa.schema(
    [
        *((name, pa.string()) for name in ("case", "status", "output", "unit", "category")),
        ("operating_point", pa.string()),
        ("call", pa.bool_()),
        ("score", pa.float64()),
        ("value", pa.float64()),
        ("location", pa.list_(pa.float64())),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """The cases that count, ordered by (patient, case), with their reference standard."""

    case: Texts
    reference: pa.Table  # one row a case, in this order

    def __len__(self) -> int:
        return len(self.case)

    def texts(self, column: str) -> Texts:
        """Return a column of the reference table; None everywhere if it is not there."""
        if column not in self.reference.column_names:
            return np.full(len(self), None, dtype=object)
        values: Texts = np.array(self.reference[column].to_pylist(), dtype=object)
        return values

    def truth(self) -> Iterator[list[Answer]]:
        """Yield each case's reference standard, in the form of the outputs that it is set against.

        A plain reference value becomes one "category".
        """
        plain, rich = self.texts("reference_value"), self.texts("reference_outputs")
        for value, text in zip(plain, rich, strict=True):
            if text is not None:
                yield list(rows_of(strict_loads(text.encode())))
            elif value is not None:
                yield [Answer("category", category=str(value))]
            else:
                yield []

    def raters(self) -> dict[str, str]:
        """Return the readers and devices that the cohort brings along: name to kind."""
        found: dict[str, str] = {}
        for said in self.said():
            found |= {name: str(one["kind"]) for name, one in said.items()}
        return dict(sorted(found.items()))

    def rater(self, name: str) -> "Answers":
        """Return what a reader or device of the cohort said; nothing said counts as failed.

        Raises:
            InvalidInputError: the cohort has no such rater.
        """
        known = self.raters()
        if name not in known:
            raise InvalidInputError(
                f"The cohort has no rater '{name}'.",
                cure="Use one of: " + (", ".join(known) or "none") + ".",
            )
        rows: list[dict[str, Any]] = []
        for case, said in zip(self.case.tolist(), self.said(), strict=True):
            outputs = said[name]["outputs"] if name in said else {}
            status = OK if outputs else FAILED
            parts = list(rows_of(outputs)) or [Answer(None)]
            rows += [{"case": case, "status": status} | part._asdict() for part in parts]
        return Answers(self, pa.Table.from_pylist(rows, schema=_RATED))

    def said(self) -> Iterator[Mapping[str, Any]]:
        """Yield what each case's raters said: {name: {kind, outputs}}."""
        for text in self.texts("raters"):
            yield strict_loads(text.encode()) if text else {}


class Answers:
    """The outputs of one rater in the order of the cases."""

    def __init__(self, cases: Cases, table: pa.Table) -> None:
        """Sort a long table of one rater by case.

        Raises:
            DataError: a row names an unknown case, or a case has no row.
        """
        self._table = table
        place = {name: index for index, name in enumerate(cases.case.tolist())}
        try:
            self.row_case: Ints = np.array(
                [place[name] for name in table["case"].to_pylist()], dtype=np.int64
            )
        except KeyError:
            raise DataError("An observation names a case that is not in the cohort.") from None
        self._order = _emitted(table, self.row_case)
        counts = np.bincount(self.row_case, minlength=len(cases))
        if len(counts) and counts.min() == 0:
            raise DataError(
                "A case of the cohort has no observation.", cure="Run the evaluation again."
            )
        self._first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        status = np.empty(len(cases), dtype=object)
        status[self.row_case] = np.array(table["status"].to_pylist(), dtype=object)
        self.status: Texts = status

    def __len__(self) -> int:
        return len(self.status)

    def __iter__(self) -> Iterator[list[Answer]]:
        """Yield each case's answers, as emitted."""
        for case in range(len(self)):
            rows = self._order[self._first[case] : self._first[case + 1]]
            yield [self._answer(int(row)) for row in rows if self._parts["output"][row] is not None]

    def column(self, name: str) -> Texts:
        """Return a column of the long table in the table's own order; see `row_case`."""
        values: Texts = np.array(self._table[name].to_pylist(), dtype=object)
        return values

    @cached_property
    def _parts(self) -> Mapping[str, Texts]:
        names = ("output", "unit", "category", "operating_point", "call", "score", "value")
        return {name: self.column(name) for name in names}

    @cached_property
    def _locations(self) -> tuple[Ints, Floats, NDArray[np.bool_]]:
        column = self._table["location"].combine_chunks()
        filled = column.is_valid().to_numpy(zero_copy_only=False)
        return (
            column.offsets.to_numpy().astype(np.int64),
            column.values.to_numpy(zero_copy_only=False),
            filled,
        )

    def _answer(self, row: int) -> Answer:
        offsets, values, filled = self._locations
        location = values[offsets[row] : offsets[row + 1]] if filled[row] else None
        parts = {name: values[row] for name, values in self._parts.items()}
        return Answer(**parts, location=location)


def _emitted(table: pa.Table, row_case: Ints) -> Ints:
    """Order rows by case and within it as emitted, however the table lies: a mask's frame first.

    Numbered parts follow their numbers, named ones and classes their names.
    """
    if len(np.unique(row_case)) == len(row_case):
        return np.argsort(row_case, kind="stable")
    unit, category = table["unit"].to_pylist(), table["category"].to_pylist()
    part = np.array(
        [one is not None or other is not None for one, other in zip(unit, category, strict=True)]
    )
    number = np.array([int(one) if one is not None and one.isdecimal() else -1 for one in unit])
    names = [
        np.unique([one or "" for one in column], return_inverse=True)[1].reshape(-1)
        for column in (category, unit)
    ]
    return np.lexsort((*names, number, part, row_case))


def rows_of(outputs: Mapping[str, object]) -> Iterator[Answer]:
    """Yield the rows of one answer's outputs, tag by tag, in the order of the contract."""
    for tag, content in outputs.items():
        yield from _ROWS[tag](tag, content)


def _scores(tag: str, content: Any) -> Iterator[Answer]:
    for category, score in sorted(content.items()):
        yield Answer(tag, category=intern(category), score=float(score))


def _calls(tag: str, content: Any) -> Iterator[Answer]:
    for point, call in sorted(content.items()):
        yield Answer(tag, operating_point=intern(point), call=bool(call))


def _category(tag: str, content: Any) -> Iterator[Answer]:
    yield Answer(tag, category=content)


def _parts(tag: str, content: Any) -> Iterator[Answer]:
    """Boxes or points: one row each, numbered as emitted unless they have names."""
    place = "box" if tag == "boxes" else "point"
    if not content:
        yield Answer(tag)
    for number, part in enumerate(content):
        yield Answer(
            tag,
            unit=part.get("name", str(number)),
            category=part.get("category"),
            score=_maybe(part.get("score")),
            location=np.array(part[place], dtype=np.float64),
        )


def _mask(tag: str, content: Any) -> Iterator[Answer]:
    """First a row with the size and spacing (0 for none), then one with the runs of each part."""
    yield Answer(tag, location=_frame(content))
    for label, runs in sorted(content.get("labels", {}).items()):
        yield Answer(tag, category=label, location=np.array(runs, dtype=np.float64))
    for number, part in enumerate(content.get("instances", ())):
        yield Answer(
            tag,
            unit=str(number),
            category=part.get("category"),
            score=_maybe(part.get("score")),
            location=np.array(part["runs"], dtype=np.float64),
        )


def _frame(content: Any) -> Floats:
    size = content["size"]
    return np.array([*size, *content.get("spacing", [0] * len(size))], dtype=np.float64)


def _values(tag: str, content: Any) -> Iterator[Answer]:
    for quantity, value in sorted(content.items()):
        yield Answer(tag, unit=quantity, value=float(value))


def _intervals(tag: str, content: Any) -> Iterator[Answer]:
    for quantity, limits in sorted(content.items()):
        yield Answer(tag, unit=quantity, location=np.array(limits, dtype=np.float64))


def _survival(tag: str, content: Any) -> Iterator[Answer]:
    """One row: the risk, and times followed by as many probabilities."""
    curve = [*content.get("times", ()), *content.get("probabilities", ())]
    yield Answer(tag, score=_maybe(content.get("risk")), location=np.array(curve, dtype=np.float64))


def _forecast(tag: str, content: Any) -> Iterator[Answer]:
    if "mean" in content:
        yield Answer(tag, unit="mean", location=np.array(content["mean"], dtype=np.float64))
    for level, values in sorted(content.get("quantiles", {}).items(), key=lambda q: float(q[0])):
        yield Answer(tag, unit=level, location=np.array(values, dtype=np.float64))


def _transform(tag: str, content: Any) -> Iterator[Answer]:
    """A matrix row by row; or a field's size and spacing, and then its vectors."""
    if "matrix" in content:
        matrix = np.array(content["matrix"], dtype=np.float64)
        yield Answer(tag, unit="matrix", location=matrix.ravel())
        return
    field = content["displacement"]
    yield Answer(tag, unit="frame", location=_frame(field))
    yield Answer(tag, unit="vectors", location=np.array(field["vectors"], dtype=np.float64))


def _image(tag: str, content: Any) -> Iterator[Answer]:
    yield Answer(tag, unit="frame", location=_frame(content))
    yield Answer(tag, unit="pixels", location=np.array(content["pixels"], dtype=np.float64))


def _event(tag: str, content: Any) -> Iterator[Answer]:
    """Time in `value`, and whether the event was observed in `call`."""
    yield Answer(tag, value=float(content["time"]), call=bool(content["observed"]))


def _series(tag: str, content: Any) -> Iterator[Answer]:
    for part in ("history", "values"):
        yield Answer(tag, unit=part, location=np.array(content.get(part, ()), dtype=np.float64))


def _maybe(number: float | None) -> float | None:
    return None if number is None else float(number)


_ROWS: Mapping[str, Callable[[str, Any], Iterator[Answer]]] = {
    "scores": _scores,
    "call": _calls,
    "category": _category,
    "boxes": _parts,
    "points": _parts,
    "mask": _mask,
    "value": _values,
    "interval": _intervals,
    "survival": _survival,
    "forecast": _forecast,
    "transform": _transform,
    "image": _image,
    "event": _event,
    "series": _series,
}
