"""The difference of a quantity between a level and the others, with limits and a conclusion."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from proctor_backend.domain.result import Conclusion
from proctor_workers.metrics.metric import Estimate, FormulaOfSums, Metric, Plan, Share
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats, group_sums
from proctor_workers.statistics.bootstrap import (
    acceleration,
    bca_limits,
    bootstrap_sums,
    jackknife_influence,
)
from proctor_workers.statistics.proportions import miettinen_nurminen, square_and_add


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Level minus other; without a difference, `reason` says why."""

    n: int
    patients: int
    n_positive: int | None
    method: str
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    reason: str | None = None


def contrast(
    metric: Metric,
    sample: Sample,
    level: Bools,
    other: Bools,
    *,
    pair: tuple[Estimate, Estimate],
    plan: Plan,
) -> Contrast:
    """Estimate a difference between two disjoint sets of rows; `pair` are their estimates."""
    both = sample.take(level | other)
    counts: dict[str, Any] = {
        "n": len(both),
        "patients": both.patients,
        "n_positive": both.n_positive,
    }
    first, second = pair
    if first.value is None or second.value is None:
        return Contrast(**counts, method="none", reason="not estimable in one of the groups")
    difference = first.value - second.value
    lower, upper, method = _limits(metric, sample, level, other, pair, plan)
    return Contrast(**counts, method=method, difference=difference, lower=lower, upper=upper)


def _limits(
    metric: Metric,
    sample: Sample,
    level: Bools,
    other: Bools,
    pair: tuple[Estimate, Estimate],
    plan: Plan,
) -> tuple[float | None, float | None, str]:
    both = sample.take(level | other)
    counted = metric.share_of(both, plan.design)
    if counted is not None:
        inside = both.take(counted.inside)
        if not inside.clustered and not inside.weighted:
            counts = [(int(part.numerator or 0), int(part.denominator or 0)) for part in pair]
            lower, upper = miettinen_nurminen(*counts[0], *counts[1], level=plan.level)
            return lower, upper, "Miettinen-Nurminen"
    if isinstance(metric, FormulaOfSums | Share):
        limits = _bootstrap_limits(metric, both, level[level | other], plan)
        if limits is not None:
            return *limits, f"patient bootstrap, BCa, {plan.resamples} resamples"
    if any(part.lower is None or part.upper is None for part in pair):
        return None, None, "no interval: a group has none"
    lower, upper = _square_and_add(metric, sample, level, other, pair, plan)
    return lower, upper, f"square-and-add of {pair[0].method} limits"


def _bootstrap_limits(
    metric: FormulaOfSums | Share, both: Sample, level: Bools, plan: Plan
) -> tuple[float, float] | None:
    columns = metric.columns(both)
    code, stratum = both.codes()
    sides = np.hstack([columns * level[:, None], columns * ~level[:, None]])
    sums = group_sums(sides, code, len(stratum))
    width = columns.shape[1]

    def gap(totals: Floats) -> Floats:
        first, second = totals[..., :width], totals[..., width:]
        difference: Floats = metric.apply(first, plan.design) - metric.apply(second, plan.design)
        return difference

    total = sums.sum(axis=0)
    draws = plan.resampling(stratum, "contrast")
    accelerated = acceleration(jackknife_influence(gap(total - sums), stratum), stratum)
    found = bca_limits(float(gap(total)), gap(bootstrap_sums(sums, draws)), accelerated, plan.level)
    if found.lower is None or found.upper is None:
        return None
    return found.lower, found.upper


def _square_and_add(
    metric: Metric,
    sample: Sample,
    level: Bools,
    other: Bools,
    pair: tuple[Estimate, Estimate],
    plan: Plan,
) -> tuple[float, float]:
    correlation = 0.0
    if len(np.intersect1d(sample.patient[level], sample.patient[other])):
        each = np.zeros((int(sample.patient.max()) + 1, 2))
        for column, rows in enumerate((level, other)):
            part = sample.take(rows)
            each[np.unique(part.patient), column] = metric.influence(part, plan.design)
        squares = np.sum(each**2, axis=0)
        if np.all(squares > 0):
            correlation = float(
                np.sum(each[:, 0] * each[:, 1]) / math.sqrt(squares[0] * squares[1])
            )
    first, second = pair
    return square_and_add(
        _number(first.value),
        (_number(first.lower), _number(first.upper)),
        _number(second.value),
        (_number(second.lower), _number(second.upper)),
        correlation=correlation,
    )


def _number(value: float | None) -> float:
    if value is None:
        raise ValueError("square-and-add needs both estimates with their limits")
    return value


def conclude(found: Contrast, *, rejected: bool, margin: float | None) -> Conclusion:
    """Say what test and interval together allow; never that there is no bias."""
    if found.lower is None or found.upper is None:
        return Conclusion.INCONCLUSIVE
    edge = margin or 0.0
    if rejected and (found.lower > edge or found.upper < -edge):
        return Conclusion.DIFFERENCE_SHOWN
    if margin is not None and -edge < found.lower and found.upper < edge:
        return Conclusion.DIFFERENCE_BELOW_MARGIN if rejected else Conclusion.NO_RELEVANT_DIFFERENCE
    return Conclusion.INCONCLUSIVE
