"""One row of a partner's table: what it may say, and what it means once checked."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from sys import intern
from typing import Any

from proctor_sdk.canonical import canonical_bytes
from proctor_workers.hidden_data.case_files import Refusal
from proctor_workers.hidden_data.problems import Problems
from proctor_workers.hidden_data.pseudonyms import pooled_age
from proctor_workers.hidden_data.reference_objects.json_outputs import checked_outputs

PLAIN_COLUMNS = (
    "case", "patient", "site", "imaging_study", "reference_value", "reference_status",
    "reference_method", "reference_outputs", "reference_file", "sampling_stratum",
    "sampling_weight", "partition", "files", "series",
)  # fmt: skip
PREFIXES = ("attr.", "input.", "rater.")
STATUSES = ("verified", "equivocal", "missing")
PARTITIONS = ("confirmatory", "exploratory")
LONGEST_TEXT = 200
AGE = "age"
# Words that results use beside the names of levels: such a level would pass for no level at all.
RESERVED_LEVELS = frozenset({"all", "rest", "heterogeneity", "random-effects", "prediction"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case as its partner described it; identifiers are still the original ones.

    Words that many rows share are interned: all rows of a cohort are held at once.
    """

    number: int
    case: str
    patient: str
    site: str
    imaging_study: str
    reference_value: str | None
    reference_status: str
    reference_method: str
    reference_outputs: str | None  # canonical JSON, from the cell or from the reference file
    reference_file: str | None
    raters: Mapping[str, str]  # what other raters said: canonical JSON of their outputs
    sampling_stratum: str
    sampling_weight: float
    partition: str
    files: tuple[str, ...]
    series: tuple[str, ...]  # Series Instance UIDs whose files are the case's
    attributes: Mapping[str, str]
    inputs: Mapping[str, Any]


class RowReader:
    """Checks cells one by one and notes every problem under its row and column."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._unnamed: Counter[str] = Counter()

    def read(self, number: int, cells: Mapping[str, Any]) -> Row:
        """Return the row; where a cell is wrong a problem is noted and a neutral value stands."""
        patient = self._text(number, cells, "patient")
        if not patient:
            self._problems.add(
                number, "patient", "is empty", "Name the patient; the patient is the unit."
            )
        site = self._text(number, cells, "site") or "1"
        self._check_levels(number, "site", site)
        outputs, file = self._rich_reference(number, cells)
        value, status = self._reference(number, cells, rich=bool(outputs or file))
        case = self._text(number, cells, "case") or self._default_case(cells)
        return Row(
            number=number,
            case=case,
            patient=patient,
            site=intern(site),
            imaging_study=self._text(number, cells, "imaging_study") or case,
            reference_value=value,
            reference_status=status,
            reference_method=intern(self._text(number, cells, "reference_method")),
            reference_outputs=outputs,
            reference_file=file,
            raters=self._raters(number, cells),
            sampling_stratum=intern(self._text(number, cells, "sampling_stratum")),
            sampling_weight=self._weight(number, cells),
            partition=self._choice(number, cells, "partition", PARTITIONS, PARTITIONS[0]),
            files=self._files(number, cells, "files"),
            series=tuple(self._text(number, cells, "series").replace(";", " ").split()),
            attributes=self._attributes(number, cells),
            inputs=self._inputs(number, cells),
        )

    def _default_case(self, cells: Mapping[str, Any]) -> str:
        """Name a case by what it is of, so that the order of the rows changes no name."""
        of = ("patient", "imaging_study", "series", "files")
        name = "/".join(str(cells.get(column) or "") for column in of)
        self._unnamed[name] += 1
        return name if self._unnamed[name] == 1 else f"{name}#{self._unnamed[name]}"

    def _rich_reference(
        self, number: int, cells: Mapping[str, Any]
    ) -> tuple[str | None, str | None]:
        """Return the reference's outputs as given in the cell, and the file that holds them."""
        files = self._files(number, cells, "reference_file")
        if len(files) > 1:
            self._problems.add(number, "reference_file", "names several files", "Name one.")
        outputs = self._outputs(number, cells, "reference_outputs")
        if files and outputs:
            self._problems.add(
                number, "reference_file", "is given beside reference_outputs", "Give one of both."
            )
        return outputs, files[0] if files else None

    def _raters(self, number: int, cells: Mapping[str, Any]) -> dict[str, str]:
        """Return what others said of the case: a plain word is a category."""
        raters: dict[str, str] = {}
        for column, value in cells.items():
            if not column.startswith("rater.") or value is None or value == "":
                continue
            name = intern(column.removeprefix("rater."))
            if str(value).lstrip().startswith("{"):
                outputs = self._outputs(number, cells, column)
            else:
                text = self._text(number, cells, column)
                outputs = canonical_bytes({"category": text}).decode() if text else None
            if outputs:
                raters[name] = intern(outputs)
        return raters

    def _outputs(self, number: int, cells: Mapping[str, Any], column: str) -> str | None:
        value = cells.get(column)
        if value is None or value == "":
            return None
        found = checked_outputs(str(value).encode())
        if isinstance(found, Refusal):
            self._problems.add(number, column, found.what, found.cure)
            return None
        return found

    def _reference(
        self, number: int, cells: Mapping[str, Any], *, rich: bool
    ) -> tuple[str | None, str]:
        value = intern(self._text(number, cells, "reference_value")) or None
        known = value is not None or rich
        default = "verified" if known else "missing"
        status = self._choice(number, cells, "reference_status", STATUSES, default)
        if status == "verified" and not known:
            self._problems.add(
                number, "reference_value", "is empty although its status is verified",
                "Give the value, or set the status to missing.",
            )  # fmt: skip
        if status == "missing" and known:
            self._problems.add(
                number, "reference_status", "is missing although there is a value",
                "Remove the value, or say verified or equivocal.",
            )  # fmt: skip
        return value, status

    def _text(self, number: int, cells: Mapping[str, Any], column: str) -> str:
        value = cells.get(column)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        text = f"{value:.15g}" if isinstance(value, float) else str(value).strip()
        if len(text) > LONGEST_TEXT or not text.isprintable():
            self._problems.add(
                number, column, f"is longer than {LONGEST_TEXT} characters or not printable",
                "Use a short code.",
            )  # fmt: skip
            return ""
        return text

    def _choice(
        self,
        number: int,
        cells: Mapping[str, Any],
        column: str,
        choices: tuple[str, ...],
        default: str,
    ) -> str:
        text = self._text(number, cells, column) or default
        if text not in choices:
            self._problems.add(
                number, column, "is not one of the allowed words", f"Use {', '.join(choices)}."
            )
            return default
        return intern(text)

    def _weight(self, number: int, cells: Mapping[str, Any]) -> float:
        text = self._text(number, cells, "sampling_weight") or "1"
        weight = _float(text)
        if weight is None or weight <= 0:
            self._problems.add(
                number, "sampling_weight", "is not a number above zero",
                "Give the inverse of the case's sampling probability, or leave it empty.",
            )  # fmt: skip
            return 1.0
        return weight

    def _files(self, number: int, cells: Mapping[str, Any], column: str) -> tuple[str, ...]:
        raw = cells.get(column)
        names = [name.strip() for name in str(raw or "").split(";") if name.strip()]
        for name in names:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name:
                self._problems.add(
                    number, column, "names a path outside the upload",
                    "Use relative paths with forward slashes.",
                )  # fmt: skip
        if len(set(names)) < len(names):
            self._problems.add(number, column, "names one file twice", "Name each file once.")
        return tuple(names)

    def _attributes(self, number: int, cells: Mapping[str, Any]) -> dict[str, str]:
        attributes: dict[str, str] = {}
        for column in cells:
            if not column.startswith("attr."):
                continue
            name = intern(column.removeprefix("attr."))
            text = self._text(number, cells, column)
            if name == AGE and text:
                text = self._age(number, column, text)
            self._check_levels(number, column, text)
            levels = "|".join(sorted(p.strip() for p in text.split("|")))
            attributes[name] = intern(levels)
        return attributes

    def _check_levels(self, number: int, column: str, text: str) -> None:
        if any(one.strip() in RESERVED_LEVELS or "-vs-" in one for one in text.split("|")):
            self._problems.add(
                number, column, "is a word that results keep for comparisons",
                f"Name it otherwise than {', '.join(sorted(RESERVED_LEVELS))}, without -vs-.",
            )  # fmt: skip

    def _age(self, number: int, column: str, text: str) -> str:
        years = _float(text)
        if years is None or not 0 <= years < 150:
            self._problems.add(number, column, "is not an age in years", "Give a number.")
            return ""
        return f"{pooled_age(years):.15g}"

    def _inputs(self, number: int, cells: Mapping[str, Any]) -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        for column, value in cells.items():
            if not column.startswith("input."):
                continue
            name = intern(column.removeprefix("input."))
            if isinstance(value, bool | int):
                inputs[name] = value
            elif isinstance(value, float):
                inputs[name] = value if math.isfinite(value) else None
            else:
                inputs[name] = self._text(number, cells, column) or None
            if name == AGE and isinstance(inputs[name], int | float):
                inputs[name] = pooled_age(inputs[name])
        return inputs


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
