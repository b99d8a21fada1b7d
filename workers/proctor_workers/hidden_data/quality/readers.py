"""How far several raters of one cohort agree, where they gave a category or a call."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.seen_cases import SeenCase
from proctor_workers.hidden_data.quality.tables import Table
from proctor_workers.metrics.agreement import COEFFICIENTS, Ratings, TooFewRatingsError
from proctor_workers.statistics.arrays import Ints
from proctor_workers.statistics.categories import NONE

MODERATE = 0.41  # Landis & Koch, Biometrics 1977;33:159: 0.41 to 0.60 is moderate agreement
ENOUGH = 20  # subjects with two ratings, before agreement is judged
MOST_CATEGORIES = 50
MOST_IN_PAIRS = 8  # raters who are compared two by two; more are compared with the reference only
REFERENCE = "reference standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far some raters agree on the cases that two of them rated.

    `kappa` is Cohen's for two and Fleiss' for more, None where one category only was used. It is
    `judged` where all are readers, or one reader meets the reference standard.
    """

    who: str
    cases: int
    percent: float | None
    kappa: float | None
    judged: bool


def agreements(cases: Sequence[SeenCase]) -> list[Agreement]:
    """Return the agreement of all readers, of pairs, and with the reference standard.

    Nothing where nobody beside the reference standard gave a category.
    """
    said = _said(cases)
    if not said:
        return []
    reference = [one.value or None for one in cases]
    codes, number = _codes(said | ({REFERENCE: reference} if any(reference) else {}))
    if number > MOST_CATEGORIES:
        return []
    readers = [name for name in said if name not in cases[0].devices]
    chosen = [tuple(readers)] if len(readers) > 2 else []
    pairs = list(combinations(codes, 2))
    if len(said) > MOST_IN_PAIRS:
        pairs = [pair for pair in pairs if REFERENCE in pair]
    chosen += pairs
    human = {*readers, REFERENCE}
    return [
        _agreement(
            who,
            np.column_stack([codes[name] for name in who]),
            number,
            judged=human.issuperset(who) and (len(readers) < 3 or who == tuple(readers)
                                              or REFERENCE in who),
        )
        for who in chosen
    ]  # fmt: skip


def agreement_table(found: Sequence[Agreement]) -> Table:
    """Return the figures as a table."""
    return Table(
        name="agreement",
        title="Agreement between readers",
        columns=("raters", "cases rated by two", "percent agreement", "kappa"),
        rows=tuple((one.who, one.cases, one.percent, one.kappa) for one in found),
        note="Kappa: Fleiss for more than two raters, Cohen for a pair; blank where one category "
        "only was used.",
    )


def agreement_findings(found: Sequence[Agreement]) -> Iterator[Finding]:
    """Yield readers who agree less than moderately, with each other or the reference standard."""
    for one in found:
        judged = one.judged and one.cases >= ENOUGH and one.kappa is not None
        if judged and one.kappa is not None and one.kappa < MODERATE:
            yield Finding(
                code="readers.low_agreement",
                severity=Severity.WARNING,
                message=f"{one.who}: kappa {one.kappa:.2f}, less than moderate agreement.",
                cure="Say in the cohort's description how disagreement was adjudicated.",
                column=one.who,
            )


def _said(cases: Sequence[SeenCase]) -> dict[str, list[str | None]]:
    """Return by rater the category of each case, None where there is none."""
    names = sorted({name for one in cases for name in one.raters})
    found = {name: [_category(one.raters.get(name)) for one in cases] for name in names}
    return {name: categories for name, categories in found.items() if any(categories)}


def _category(outputs: str | None) -> str | None:
    if outputs is None or len(outputs) > 1000:  # a mask holds no category worth parsing
        return None
    document: Mapping[str, Any] = json.loads(outputs)
    if "category" in document:
        return str(document["category"])
    calls = document.get("call") or {}
    return str(int(next(iter(calls.values())))) if len(calls) == 1 else None


def _codes(said: Mapping[str, Sequence[str | None]]) -> tuple[dict[str, Ints], int]:
    """Return each rater's categories as numbers, and how many categories there are."""
    categories = sorted({word for words in said.values() for word in words if word is not None})
    place: dict[str | None, int] = {word: number for number, word in enumerate(categories)}
    place[None] = NONE
    codes = {
        name: np.fromiter((place[word] for word in words), dtype=np.int64, count=len(words))
        for name, words in said.items()
    }
    return codes, max(2, len(categories))


def _agreement(who: Sequence[str], codes: Ints, categories: int, *, judged: bool) -> Agreement:
    rated = int(((codes != NONE).sum(axis=1) >= 2).sum())
    names = " and ".join(who) if len(who) == 2 else "all readers"
    try:
        ratings = Ratings(codes=codes, categories=categories)
    except TooFewRatingsError:
        return Agreement(who=names, cases=rated, percent=None, kappa=None, judged=False)
    kappa = "cohen_kappa" if len(who) == 2 else "fleiss_kappa"
    return Agreement(
        who=names,
        cases=rated,
        percent=_value("percent_agreement", ratings),
        kappa=_value(kappa, ratings),
        judged=judged,
    )


def _value(name: str, ratings: Ratings) -> float | None:
    coefficient = COEFFICIENTS[name]
    value = float(coefficient.formula(coefficient.columns(ratings).sum(axis=0)))
    return value if np.isfinite(value) else None
