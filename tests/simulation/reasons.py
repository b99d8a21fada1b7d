"""Why a method misses where it does, and what a protocol should choose instead."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tests.simulation.coverage import APPROXIMATE, Row


@dataclass(frozen=True, slots=True)
class Reason:
    """The words for the misses of methods that begin so, where `holds`."""

    method: str
    holds: Callable[[Row], bool]
    why: str


def _wide(row: Row) -> bool:
    return row.coverage > APPROXIMATE[1]


def _always(row: Row) -> bool:
    del row
    return True


REASONS = (
    Reason(
        "influence on the logit",
        _always,
        "Near 1 the smallest class shows too few misplaced pairs. A criterion planned at 0.95 or "
        "above with a class below 100 takes Newcombe's method 5 at the two smallest classes.",
    ),
    Reason(
        "Wilson",
        _always,
        "The score interval lies too far towards 1/2 for rare events. A limit on that side decides "
        "by Clopper-Pearson; the protocol refuses Wilson for it.",
    ),
    Reason(
        "Newcombe method 5",
        _wide,
        "Conservative near 1 by design: the lower limit is never too high, the price is width. "
        "Nothing narrower keeps that tail here, so it stays the choice where a criterion decides.",
    ),
    Reason(
        "logit-DeLong",
        lambda row: "20 positive and 300" in row.scenario,
        "The small class carries the error, and its skewness pushes the lower limit up. A "
        "criterion takes newcombe5; the protocol refuses the logit with a class below 100 and over "
        "four times as many of the other.",
    ),
    Reason(
        "logit-DeLong",
        _always,
        "Near 1 a small class shows too few misplaced pairs. A criterion planned at 0.95 or above "
        "takes newcombe5; the protocol refuses the logit there.",
    ),
    Reason(
        "Obuchowski on the logit",
        _always,
        "The variance between patients is itself uncertain with few of them. A criterion takes "
        "newcombe5 at the effective size; the protocol refuses the logit below 300 patients.",
    ),
    Reason(
        "Korn-Graubard",
        _always,
        "So few patients fail that the variance between patients is underestimated whenever their "
        "failures happen to be few. Take the patient as the unit, or plan for 10 expected "
        "failures; the protocol refuses a criterion below that.",
    ),
    Reason(
        "Miettinen-Nurminen",
        _wide,
        "With less than one error expected in a group no interval of a difference is short of "
        "certainty. Pool the levels beforehand; the exact permutation test decides.",
    ),
    Reason(
        "square-and-add",
        _wide,
        "Conservative where errors are few: wider than needed, never misleading. "
        "Miettinen-Nurminen is the choice.",
    ),
    Reason(
        "Tango",
        _wide,
        "Conservative with about two discordant pairs of either kind: wider than needed, never "
        "misleading.",
    ),
    Reason(
        "Tango",
        _always,
        "Where the first is better and few pairs disagree, the limit towards 0 is too near the "
        "estimate. At equality and at a margin of non-inferiority it holds. Superiority by a "
        "margin needs 400 cases; the protocol refuses it below.",
    ),
    Reason(
        "Newcombe paired",
        _wide,
        "The continuity of its correlation makes it wide where few pairs disagree. Tango is the "
        "choice.",
    ),
    Reason(
        "Mercaldo",
        _always,
        "A cell is nearly always empty here. State sensitivity and specificity beside it, with "
        "exact limits.",
    ),
    Reason(
        "patient bootstrap, BCa: balanced_accuracy",
        _always,
        "Two errors are expected among the positives, and resamples cannot show more than the "
        "sample has. Take sensitivity and specificity as co-primary with exact limits; the "
        "protocol refuses a criterion with fewer than 4 expected errors in a class.",
    ),
    Reason(
        "patient bootstrap, BCa: auprc",
        _always,
        "With few patients the resamples are less skewed than the truth. Plan 300 patients, or "
        "decide by the area under the ROC curve; the protocol refuses a criterion below.",
    ),
    Reason(
        "patient bootstrap, BCa: mean of cases",
        _always,
        "Thirty skewed values: their tail is not in every sample. Decide by the share of cases "
        "that reach the goal, with exact limits, or plan 40 patients; the protocol refuses a "
        "criterion below.",
    ),
    Reason(
        "patient bootstrap, BCa: paired difference",
        _always,
        "Few patients. Plan 100 for a hypothesis on shares whose rows repeat; the protocol refuses "
        "it below.",
    ),
    Reason(
        "patient bootstrap, BCa",
        _wide,
        "Conservative on a coarse count: wider than needed, never misleading.",
    ),
    Reason(
        "Lin z",
        _always,
        "The z scale is not normal enough for twenty pairs: the upper tail errs. A criterion rests "
        "on the lower limit, which holds; for an interval plan 40 pairs.",
    ),
    Reason(
        "paired DeLong",
        _wide,
        "Conservative near 1, where few pairs of cases are out of order in either score: wider "
        "than needed, never misleading.",
    ),
)


def explained(rows: Iterable[Row]) -> list[Row]:
    """Give every row that misses the first reason that fits; without one it stays empty."""
    return [row if row.ok else replace(row, why=_why(row)) for row in rows]


def _why(row: Row) -> str:
    fits = (one.why for one in REASONS if row.method.startswith(one.method) and one.holds(row))
    return next(fits, "")
