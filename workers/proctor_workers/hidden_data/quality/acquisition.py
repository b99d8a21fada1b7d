"""Looks at how the pictures of a cohort were acquired: counts, and numbers that cannot be."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.facts import FACTS
from proctor_workers.hidden_data.quality.seen_cases import SeenCase
from proctor_workers.hidden_data.quality.tables import Table

COUNTED = (
    ("format", "Format"), ("modality", "Modality"), ("manufacturer", "Manufacturer"),
    ("model", "Model"), ("scanner", "Scanner"), ("transfer_syntax", "Transfer syntax"),
    ("photometric", "Photometric interpretation"), ("body_part", "Body part"),
    ("view", "View"), ("orientation", "Orientation"), ("laterality", "Side"),
)  # fmt: skip
ONE_OF_ITS_KIND = ("modality", "orientation", "format")
MEASURED = (
    "rows", "columns", "slices", "row_spacing", "column_spacing", "slice_spacing", "bits_stored",
    "files", "sampling_rate", "leads", "samples", "magnification", "levels",
)  # fmt: skip
LENGTHS = ("row_spacing", "column_spacing", "slice_spacing", "sampling_rate")
ENOUGH = 20  # cases of a modality, before one of them is called unlike the others
FOLD = 4.0  # times the median of the modality, or a fourth of it
RARE = 0.01  # share of the cases that a second modality, format or orientation may have by mistake
MOST_ROWS = 50


def acquisition_findings(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    """Yield facts that cannot be, cases unlike the others, and pictures without a modality."""
    with_files = [one for one in cases if one.files]
    yield from _implausible(with_files)
    yield from _unlike(with_files)
    yield from _strangers(with_files)


def acquisition_tables(cases: Sequence[SeenCase]) -> Iterator[Table]:
    """Yield the counts of words, and the range of numbers by modality."""
    yield _counts(cases, "site", "Site", [one.site for one in cases])
    with_files = [one for one in cases if one.files]
    for name, title in COUNTED:
        words = [one.word(name) for one in with_files]
        if any(words):
            yield _counts(with_files, name, title, words)
    if with_files and (ranges := _ranges(with_files)):
        yield Table(
            name="acquisition.ranges",
            title="Size and geometry",
            columns=("modality", "quantity", "cases", "lowest", "median", "highest"),
            rows=tuple(ranges),
        )


def _counts(cases: Sequence[SeenCase], name: str, title: str, words: Sequence[str]) -> Table:
    patients: defaultdict[str, set[str]] = defaultdict(set)
    for one, word in zip(cases, words, strict=True):
        patients[word].add(one.patient)
    rows = [
        (word or "not told", number, len(patients[word]), number / len(cases))
        for word, number in Counter(words).most_common()
    ]
    return Table(
        name=f"counts.{name}",
        title=title,
        columns=(title, "cases", "patients", "share"),
        rows=tuple(rows[:MOST_ROWS]),
        omitted=max(0, len(rows) - MOST_ROWS),
    )


def _ranges(
    cases: Sequence[SeenCase],
) -> list[tuple[str, str, int, float, float, float]]:
    rows = []
    for modality, members in sorted(_by_modality(cases).items()):
        for name in MEASURED:
            values = [value for one in members if (value := one.number(name)) is not None]
            if values:
                low, middle, high = np.quantile(values, (0, 0.5, 1))
                rows.append(
                    (modality or "not told", name, len(values), float(low), float(middle),
                     float(high))
                )  # fmt: skip
    return rows


def _by_modality(cases: Sequence[SeenCase]) -> dict[str, list[SeenCase]]:
    groups: defaultdict[str, list[SeenCase]] = defaultdict(list)
    for one in cases:
        groups[one.word("modality")].append(one)
    return dict(groups)


def _implausible(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    for one in cases:
        for name, fact in FACTS.items():
            value = one.number(name)
            if value is None or fact.low is None or fact.high is None:
                continue
            if not fact.low <= value <= fact.high:
                yield Finding(
                    code="acquisition.implausible",
                    severity=Severity.WARNING,
                    message=f"{value:g} cannot be: {fact.meaning} lies in "
                    f"{fact.low:g} to {fact.high:g}.",
                    cure="Look at the header of the original file.",
                    case=one.name,
                    column=name,
                )


def _unlike(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    """Yield cases whose spacing or rate is four times that of their modality, or a fourth."""
    for modality, members in _by_modality(cases).items():
        for name in LENGTHS:
            known = [
                (one, value)
                for one in members
                if (value := one.number(name)) is not None and value > 0
            ]
            if len(known) < ENOUGH:
                continue
            middle = float(np.median([value for _, value in known]))
            for one, value in known:
                if not middle / FOLD <= value <= middle * FOLD:
                    yield Finding(
                        code="acquisition.unlike_others",
                        severity=Severity.NOTE,
                        message=f"The value is more than {FOLD:g} times off the median of "
                        f"{modality or 'all'} cases.",
                        cure="Look whether the case belongs into the cohort.",
                        case=one.name,
                        column=name,
                    )


def _strangers(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    """Yield the few cases of a modality, format or orientation that nearly nobody else has."""
    for name in ONE_OF_ITS_KIND:
        words = Counter(one.word(name) for one in cases)
        words.pop("", None)
        rare = {word for word, number in words.items() if number <= RARE * len(cases)}
        for one in cases if rare else ():
            if (word := one.word(name)) in rare:
                yield Finding(
                    code="acquisition.rare",
                    severity=Severity.NOTE,
                    message=f"{word} is rare in this cohort.",
                    cure="Look whether the case belongs into the cohort.",
                    case=one.name,
                    column=name,
                )
