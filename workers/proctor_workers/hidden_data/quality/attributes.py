"""Looks at the attributes of patients: what is missing, cannot be, or is written in two ways."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import numpy as np

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.seen_cases import SeenCase, attribute_names

MUCH_MISSING = 0.2  # of the cases: beyond it subgroups describe the rest only
UNEVEN = 0.1  # difference of the share that is missing between two classes
UNEVEN_CHI = 6.635  # 1 % of a chi-squared with one degree of freedom
ENOUGH = 20  # cases, before a share is judged
MOSTLY_NUMBERS = 0.9
FAR = 10.0  # times the scaled median absolute deviation from the median
# DICOM PS3.3 C.7.1.1 (Patient's Sex) and HL7 FHIR administrative-gender.
SEX_CODES = frozenset({"f", "m", "o", "u", "female", "male", "other", "unknown", "intersex"})
SEX_NAMES = frozenset({"sex", "gender"})
CONSTANT_NAMES = SEX_NAMES | {"race", "ethnicity", "ethnic_group", "birth_year"}
PLACEHOLDERS = frozenset(
    {"?", "-", "--", ".", "n/a", "none", "null", "nil", "unk", "not known", "not available",
     "missing", "-1", "-9", "-99", "99", "999", "9999", "-999"}
)  # fmt: skip
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_YEAR = re.compile(r"\d{4}")
_YEAR_NAME = re.compile(r"(?:^|_)(?:year|date)(?:_|$)")


class _Column:
    """One attribute over all cases; `values` are texts, "" where it is not known."""

    def __init__(self, name: str, cases: Sequence[SeenCase]) -> None:
        self.name, self.cases = name, cases
        self.column = f"attr.{name}"
        self.values = [one.attributes.get(name, "") for one in cases]
        self.counts = Counter(value for value in self.values if value)
        self.known = sum(self.counts.values())

    def finding(self, code: str, severity: Severity, message: str, cure: str) -> Finding:
        return Finding(code=code, severity=severity, message=message, cure=cure, column=self.column)

    def at(
        self, wrong: Mapping[str, str] | set[str], code: str, severity: Severity, cure: str
    ) -> Iterator[Finding]:
        """Yield a finding for each case with one of the wrong values."""
        for one, value in zip(self.cases, self.values, strict=True):
            if value and value in wrong:
                message = wrong[value] if isinstance(wrong, Mapping) else ""
                yield Finding(
                    code=code, severity=severity, message=message, cure=cure,
                    case=one.name, column=self.column,
                )  # fmt: skip


def attribute_findings(
    cases: Sequence[SeenCase], *, today: date | None = None
) -> Iterator[Finding]:
    """Yield what is to be known of each attribute; `today` (UTC) tells what lies in the future."""
    names = attribute_names(cases)
    classes = [one.value for one in cases]
    for name in names:
        column = _Column(name, cases)
        yield from _missing(column)
        if column.known:
            yield from _missing_by_class(column, classes)
            yield from _spelling(column)
            yield from _codes(column)
            yield from _numbers(column)
            yield from _identifying(column)
            if today is not None:
                yield from _future(column, today)
    yield from _inconsistent(cases, [name for name in names if name.lower() in CONSTANT_NAMES])


def completeness(cases: Sequence[SeenCase]) -> list[tuple[str, int, int, float, int]]:
    """Return for each attribute: name, cases with a value, cases without, share known, levels."""
    rows = []
    for name in attribute_names(cases):
        column = _Column(name, cases)
        share = column.known / len(cases)
        rows.append((name, column.known, len(cases) - column.known, share, len(column.counts)))
    return rows


def _missing(column: _Column) -> Iterator[Finding]:
    missing = len(column.values) - column.known
    if not column.known:
        yield column.finding(
            "attribute.empty", Severity.WARNING, "No case has a value.",
            "Give values, or leave the column out.",
        )  # fmt: skip
    elif missing:
        share = missing / len(column.values)
        severity = Severity.WARNING if share > MUCH_MISSING else Severity.NOTE
        yield column.finding(
            "attribute.missing", severity,
            f"{missing} of {len(column.values)} cases ({share:.0%}) have no value.",
            "Give the value where it is known: cases without are in no subgroup.",
        )  # fmt: skip


def _missing_by_class(column: _Column, classes: Sequence[str]) -> Iterator[Finding]:
    """Tell that values are missing in one class more than in the others: results would be biased.

    Pearson's chi-squared of missing against class, the class with the most missing against all
    others; told beyond its 1 % limit and a difference of 10 percentage points.
    """
    totals = Counter(classes)
    missing = Counter(
        label for label, value in zip(classes, column.values, strict=True) if not value
    )
    totals.pop("", None)
    missing.pop("", None)
    if len(totals) < 2 or not missing or min(totals.values()) < ENOUGH:
        return
    worst = max(missing, key=lambda label: missing[label] / totals[label])
    inside, outside = totals[worst], sum(totals.values()) - totals[worst]
    share = missing[worst] / inside
    rest = (sum(missing.values()) - missing[worst]) / outside
    overall = sum(missing.values()) / (inside + outside)
    spread = overall * (1 - overall) * (1 / inside + 1 / outside)
    if spread > 0 and share - rest >= UNEVEN and (share - rest) ** 2 / spread > UNEVEN_CHI:
        yield column.finding(
            "attribute.missing_by_class", Severity.WARNING,
            f"The value is missing in {share:.0%} of the cases of class {worst} "
            f"and in {rest:.0%} of the others.",
            "Find out why: a subgroup result would describe a selection.",
        )  # fmt: skip


def _spelling(column: _Column) -> Iterator[Finding]:
    plain: defaultdict[str, set[str]] = defaultdict(set)
    for value in column.counts:
        plain[re.sub(r"[\s_-]+", " ", value).strip().casefold()].add(value)
    for spellings in plain.values():
        if len(spellings) > 1:
            yield column.finding(
                "attribute.spelling", Severity.WARNING,
                f"One level seems to be written in several ways: {_listed(spellings)}.",
                "Write it in one way: each spelling is a subgroup of its own.",
            )  # fmt: skip


def _codes(column: _Column) -> Iterator[Finding]:
    placeholders = {value for value in column.counts if value.casefold() in PLACEHOLDERS}
    if column.name.lower() not in SEX_NAMES:
        numeric = {value for value in column.counts if _NUMBER.fullmatch(value)}
        # 99 may be a measurement: it is a placeholder only beyond everything else.
        others = [float(value) for value in numeric - placeholders]
        for value in placeholders & numeric:
            if others and min(others) <= float(value) <= 2 * max(map(abs, others)):
                placeholders = placeholders - {value}
    if placeholders:
        yield from column.at(
            {value: f"{value} stands for a missing value." for value in placeholders},
            "attribute.placeholder", Severity.WARNING,
            "Leave the cell empty: the word would be a subgroup.",
        )  # fmt: skip
    if column.name.lower() in SEX_NAMES:
        wrong = {
            value: f"{value} is no code for sex."
            for value in column.counts
            if not all(part.casefold() in SEX_CODES for part in value.split("|"))
            and value not in placeholders
        }
        yield from column.at(
            wrong, "attribute.code", Severity.WARNING,
            "Use F, M, O or U, or female, male, other, unknown.",
        )  # fmt: skip


def _numbers(column: _Column) -> Iterator[Finding]:
    numbers = {value: float(value) for value in column.counts if _NUMBER.fullmatch(value)}
    given = sum(column.counts[value] for value in numbers)
    if column.known < ENOUGH or given < MOSTLY_NUMBERS * column.known:
        return
    words = set(column.counts) - set(numbers)
    known = {value for value in words if value.casefold() in PLACEHOLDERS}
    yield from column.at(
        dict.fromkeys(words - known, "The value is no number, unlike nearly all others."),
        "attribute.not_a_number", Severity.WARNING, "Correct it, or leave the cell empty.",
    )  # fmt: skip
    every = np.repeat(
        np.fromiter(numbers.values(), dtype=np.float64), [column.counts[v] for v in numbers]
    )
    middle = float(np.median(every))
    spread = 1.4826 * float(np.median(np.abs(every - middle)))
    if spread > 0:
        yield from column.at(
            {
                value: "The value lies far from all others."
                for value, number in numbers.items()
                if abs(number - middle) > FAR * spread
            },
            "attribute.outlier", Severity.NOTE, "Look whether the unit or the point is right.",
        )  # fmt: skip


def _identifying(column: _Column) -> Iterator[Finding]:
    words = [value for value in column.counts if not _NUMBER.fullmatch(value)]
    if len(words) >= ENOUGH and len(words) > column.known / 2:
        yield column.finding(
            "attribute.nearly_unique", Severity.WARNING,
            f"{len(words)} different words stand in {column.known} cases.",
            "If it is a name, a number or free text, leave the column out; else use fewer levels.",
        )  # fmt: skip


def _future(column: _Column, today: date) -> Iterator[Finding]:
    wrong = {
        value: "The date lies in the future."
        for value in column.counts
        if _after(value, column.name.lower(), today)
    }
    yield from column.at(wrong, "attribute.future", Severity.WARNING, "Correct the date.")


def _after(value: str, name: str, today: date) -> bool:
    if found := _DAY.fullmatch(value):
        year, month, day = map(int, found.groups())
        return (year, month, day) > (today.year, today.month, today.day) and year < 2200
    return bool(_YEAR_NAME.search(name) and _YEAR.fullmatch(value)) and int(value) > today.year


def _inconsistent(cases: Sequence[SeenCase], names: Sequence[str]) -> Iterator[Finding]:
    """Tell patients whose sex, race or year of birth differs between their cases."""
    first: dict[tuple[str, str], str] = {}
    for one in cases:
        for name in names:
            value = one.attributes.get(name, "")
            if value and first.setdefault((one.patient, name), value) != value:
                yield Finding(
                    code="attribute.inconsistent",
                    severity=Severity.WARNING,
                    message="A patient has another value in an earlier case.",
                    cure="Correct the value, or the patient: two people may share a number.",
                    case=one.name,
                    column=f"attr.{name}",
                )


def _listed(values: set[str]) -> str:
    first = sorted(values)[:5]
    return ", ".join(first) + (" …" if len(values) > len(first) else "")
