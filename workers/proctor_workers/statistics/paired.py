"""Two raters of the same cases: differences with limits, tests, and margins judged by a bound.

First minus second throughout.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from proctor_backend.domain.result import Conclusion
from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums
from proctor_workers.statistics.auc import delong_paired
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.hypotheses import (
    TestOutcome,
    durkalski,
    mcnemar,
    mcnemar_exact,
    mcnemar_mid_p,
)
from proctor_workers.statistics.proportions import (
    Limits,
    normal_quantile,
    root,
    square_and_add,
    wilson,
)
from proctor_workers.statistics.shared import (
    Difference,
    first_output,
    quantity_of_sums,
    shared_draws,
)


def tango(
    both: int, first_only: int, second_only: int, neither: int, level: float = 0.95
) -> Limits:
    """Score limits of p1 - p2 on paired units (R13; Tango, Stat Med 1998;17:891)."""
    n = both + first_only + second_only + neither
    if n <= 0 or min(both, first_only, second_only, neither) < 0:
        raise ValueError("a paired table needs counts of at least 0 and one pair")
    z = normal_quantile(level)
    difference = (first_only - second_only) / n

    def score(delta: float) -> float:
        a = 2 * n
        b = -first_only - second_only + (2 * n - first_only + second_only) * delta
        c = -second_only * delta * (1 - delta)
        q21 = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = n * (2 * q21 + delta * (1 - delta))
        numerator = first_only - second_only - n * delta
        if variance <= 0:
            return 0.0 if numerator == 0 else math.copysign(math.inf, numerator)
        return numerator / math.sqrt(variance)

    lower = -1.0 if difference <= -1 else root(lambda d: score(d) - z, -1.0, difference)
    upper = 1.0 if difference >= 1 else root(lambda d: score(d) + z, difference, 1.0)
    return lower, upper


def newcombe_paired(
    both: int, first_only: int, second_only: int, neither: int, level: float = 0.95
) -> Limits:
    """Hybrid score limits of p1 - p2 on paired units (R13; Newcombe 1998c, method 10)."""
    n = both + first_only + second_only + neither
    x1, x2 = both + first_only, both + second_only
    margins = x1 * (n - x1) * x2 * (n - x2)
    product = both * neither - first_only * second_only
    correlation = 0.0
    if margins > 0:
        corrected = max(product - n / 2, 0) if product > 0 else product
        correlation = corrected / math.sqrt(margins)
    return square_and_add(
        x1 / n, wilson(x1, n, level), x2 / n, wilson(x2, n, level), correlation=correlation
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """The fourfold table of two raters' hits on the same rows."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def n(self) -> int:
        """Number of pairs."""
        return self.both + self.first_only + self.second_only + self.neither


def paired_counts(first: Bools, second: Bools) -> PairedCounts:
    """Count the pairs of hits (rows,).

    Raises:
        ValueError: the two are not of the same rows, or there are none.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError("a paired comparison needs the same rows, and at least one")
    return PairedCounts(
        both=int(np.sum(first & second)),
        first_only=int(np.sum(first & ~second)),
        second_only=int(np.sum(~first & second)),
        neither=int(np.sum(~first & ~second)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedShares:
    """Two shares of the same rows compared; p values by the name of their test."""

    counts: PairedCounts
    first: float
    second: float
    difference: Difference
    method: str
    p_values: dict[str, float]


def compare_shares(
    first: Bools, second: Bools, *, patient: Ints, weight: Floats, plan: Resampling, level: float
) -> PairedShares:
    """Compare the shares of hits of two raters on the same rows.

    One row a patient: Tango's interval and McNemar's tests. Rows that repeat within patients or
    count unequally: patient bootstrap and, unweighted, Durkalski's test.
    `plan.stratum` is by patient in the order of the sorted patient codes.
    """
    counts = paired_counts(first, second)
    _, code = np.unique(patient, return_inverse=True)
    patients = int(code.max()) + 1
    weighted = bool(np.any(weight != weight[0]))
    share = [float(np.sum(weight * hit) / np.sum(weight)) for hit in (first, second)]
    cells = (counts.both, counts.first_only, counts.second_only, counts.neither)
    if patients == len(first) and not weighted:
        lower, upper = tango(*cells, level)
        difference = Difference(estimate=share[0] - share[1], lower=lower, upper=upper)
        method, p_values = "Tango", mcnemar_tests(counts)
    else:
        gap = weight * (first.astype(np.float64) - second.astype(np.float64))
        sums = group_sums(np.column_stack([gap, weight]), code, patients)
        found = quantity_of_sums(sums, _ratio)
        difference = shared_draws([found], plan).difference(first_output, level)
        method = f"patient bootstrap, BCa, {plan.resamples} resamples"
        outcome = None if weighted else durkalski(first, second, patient)
        p_values = {} if outcome is None else {outcome.method: outcome.p_value}
    return PairedShares(
        counts=counts,
        first=share[0],
        second=share[1],
        difference=difference,
        method=method,
        p_values=p_values,
    )


def _ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)
    return ratio


def mcnemar_tests(counts: PairedCounts) -> dict[str, float]:
    """Return the p values of all four tests of discordant pairs (R13)."""
    pairs = (counts.first_only, counts.second_only)
    return {
        "McNemar exact": mcnemar_exact(*pairs),
        "McNemar mid-P": mcnemar_mid_p(*pairs),
        "McNemar": mcnemar(*pairs, corrected=False).p_value,
        "McNemar, continuity corrected": mcnemar(*pairs, corrected=True).p_value,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedAreas:
    """Two areas under the ROC curve of the same cases compared."""

    difference: Difference
    method: str
    statistic: float | None = None
    p_value: float | None = None


def compare_areas(
    first: Floats, second: Floats, positive: Bools, patient: Ints, *, level: float
) -> PairedAreas:
    """Compare two scores' AUCs on the same cases by DeLong, clustered by patient (R02).

    Scores that rank every pair of cases alike leave no variance: no interval is claimed.
    """
    found = delong_paired(first, second, positive, patient, level)
    clustered = len(np.unique(patient)) < len(patient)
    method = "paired DeLong, patient-clustered" if clustered else "paired DeLong"
    if found.lower == found.upper:
        reason = "no variation between the two scores' rankings"
        return PairedAreas(
            difference=Difference(estimate=found.difference, reason=reason), method=method
        )
    return PairedAreas(
        difference=Difference(estimate=found.difference, lower=found.lower, upper=found.upper),
        method=method,
        statistic=found.statistic,
        p_value=found.p_value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativePredictiveValue:
    """A ratio of predictive values with limits; None where one of them is 0 or undefined."""

    first: float
    second: float
    ratio: float | None
    lower: float | None
    upper: float | None
    error_of_log: float | None
    p_value: float | None


def relative_predictive_value(
    first: Bools, second: Bools, positive: Bools, patient: Ints, *, level: float = 0.95
) -> RelativePredictiveValue:
    """Compare the PPV of two calls of the same rows on the log scale, clustered by patient.

    With one row a patient it is the interval of Moskowitz & Pepe (Clin Trials 2006;3:272). For
    the NPV hand over the complements of both calls and of `positive`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        values = [float(np.sum(call & positive) / np.sum(call)) for call in (first, second)]
    if not all(value > 0 for value in values):
        return RelativePredictiveValue(
            first=values[0],
            second=values[1],
            ratio=None,
            lower=None,
            upper=None,
            error_of_log=None,
            p_value=None,
        )
    _, code = np.unique(patient, return_inverse=True)
    pulls = [
        call * (positive - value) / (np.sum(call) * value)
        for call, value in zip((first, second), values, strict=True)
    ]
    by_patient = group_sums(pulls[0] - pulls[1], code, int(code.max()) + 1)
    error = math.sqrt(float(np.sum(by_patient**2)))
    centre = math.log(values[0] / values[1])
    half = normal_quantile(level) * error
    return RelativePredictiveValue(
        first=values[0],
        second=values[1],
        ratio=math.exp(centre),
        lower=math.exp(centre - half),
        upper=math.exp(centre + half),
        error_of_log=error,
        p_value=float(2 * special.ndtr(-abs(centre) / error)) if error > 0 else 1.0,
    )


def weighted_score_test(first: Bools, second: Bools, positive: Bools) -> TestOutcome:
    """Test that two calls of the same rows, one a patient, have equal PPV.

    Weighted generalised score statistic (Kosinski, Stat Med 2013;32:964); complements give NPV.

    Raises:
        ValueError: one of the two calls nobody.
    """
    called = np.array([first.sum(), second.sum()], dtype=np.float64)
    if not np.all(called > 0):
        raise ValueError("a predictive value needs at least one call of each")
    hits = np.array([np.sum(first & positive), np.sum(second & positive)])
    pooled = float(hits.sum() / called.sum())
    twice = first & second
    shared = np.sum(twice & positive) * (1 - pooled) ** 2 + np.sum(twice & ~positive) * pooled**2
    spread = pooled * (1 - pooled) - 2 * float(shared) / float(called.sum())
    gap = float(hits[0] / called[0] - hits[1] / called[1])
    if spread <= 0:
        return TestOutcome(0.0, 1.0, 1, "weighted generalised score")
    statistic = gap**2 / (spread * float(np.sum(1 / called)))
    return TestOutcome(
        statistic, float(special.chdtrc(1, statistic)), 1, "weighted generalised score"
    )


class Aim(StrEnum):
    """What a comparison sets out to show."""

    SUPERIORITY = "superiority"
    NON_INFERIORITY = "non_inferiority"
    EQUIVALENCE = "equivalence"


def judge_difference(
    found: Difference, aim: Aim, *, margin: float, larger_is_better: bool
) -> Conclusion:
    """Judge first minus second by its interval's bound against a margin, never by the estimate.

    Superiority needs the bound beyond `margin` (0 for any gain), non-inferiority beyond -margin,
    equivalence both bounds inside.

    Raises:
        ValueError: the margin is negative, or 0 where the aim needs room.
    """
    if margin < 0 or (margin == 0 and aim is not Aim.SUPERIORITY):
        raise ValueError("a margin is above 0; 0 is a margin of superiority only")
    if found.lower is None or found.upper is None:
        return Conclusion.INCONCLUSIVE
    worst = found.lower if larger_is_better else -found.upper
    if aim is Aim.EQUIVALENCE:
        met = found.within(margin)
    else:
        met = worst > (margin if aim is Aim.SUPERIORITY else -margin)
    return Conclusion.CRITERION_MET if met else Conclusion.CRITERION_NOT_MET


def equivalent_tests(aim: Aim, level: float) -> str:
    """Name the one-sided test that judging by a two-sided interval amounts to."""
    error = f"{(1 - level) / 2:.4g}"
    if aim is Aim.EQUIVALENCE:
        return f"two one-sided tests, each at {error}"
    return f"a one-sided test at {error}"
