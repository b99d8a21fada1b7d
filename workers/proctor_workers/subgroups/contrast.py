"""The difference of a quantity between a level and the others, with limits and a conclusion."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from proctor_backend.domain.result import Conclusion
from proctor_workers.metrics.binary import Auprc, Auroc
from proctor_workers.metrics.metric import (
    Estimate,
    FormulaOfSums,
    Metric,
    Plan,
    Share,
    Weighted,
    absent,
)
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats, group_sums
from proctor_workers.statistics.bootstrap import (
    ColumnSums,
    Kernel,
    acceleration,
    bca_limits,
    jackknife_influence,
)
from proctor_workers.statistics.proportions import miettinen_nurminen, square_and_add
from proctor_workers.subgroups.quantities import drawable


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
    if _independent_shares(metric, both, plan) and not _bootstrapped(pair[0]):
        counts = [(int(part.numerator or 0), int(part.denominator or 0)) for part in pair]
        lower, upper = miettinen_nurminen(*counts[0], *counts[1], level=plan.level)
        return lower, upper, "Miettinen-Nurminen"
    if isinstance(metric, FormulaOfSums | Share) or _bootstrapped(pair[0]):
        limits = _bootstrap_limits(metric, both, level[level | other], plan)
        if limits is not None:
            return *limits, f"patient bootstrap, BCa, {plan.resamples} resamples"
    if any(part.lower is None or part.upper is None for part in pair):
        return None, None, "no interval: a group has none"
    lower, upper = _square_and_add(metric, sample, level, other, pair, plan)
    return lower, upper, f"square-and-add of {pair[0].method} limits"


def _independent_shares(metric: Metric, both: Sample, plan: Plan) -> bool:
    """Whether the value is a plain share of rows that count alike, one a patient."""
    counted = metric.share_of(both, plan.design)
    if counted is None:
        return False
    inside = both.take(counted.inside)
    return not inside.clustered and not inside.weighted


def _bootstrapped(found: Estimate) -> bool:
    return found.method.startswith("patient bootstrap")


def opposing(metric: Metric, sample: Sample, own: Estimate, plan: Plan) -> Estimate:
    """Estimate what a level is set against: the value alone where limits come from shared draws."""
    alone = own.value is None or _bootstrapped(own)
    if not alone or not isinstance(metric, FormulaOfSums | Share | Weighted | Auprc | Auroc):
        return metric.estimate(sample, plan)
    reason = metric.refusal(sample, plan.design)
    value = math.nan if reason else metric.point(sample, plan.design)
    return replace(
        absent(sample, reason or "not estimable: the quantity is undefined here"),
        value=value if math.isfinite(value) else None,
    )


def draw_together(
    metric: Metric,
    sample: Sample,
    pairs: Sequence[tuple[Bools, Bools]],
    own: Sequence[Estimate],
    plan: Plan,
) -> None:
    """Draw once for every contrast of a factor, whose levels have the estimates `own`.

    Contrasts of the same rows then find their resamples' sums or areas made, in `plan`.
    """
    if len(pairs) < 2 or not all(
        np.array_equal(level | other, pairs[0][0] | pairs[0][1]) for level, other in pairs
    ):
        return
    everyone = pairs[0][0] | pairs[0][1]
    both = sample.take(everyone)
    if _independent_shares(metric, both, plan):
        return
    if not isinstance(metric, FormulaOfSums | Share) and not any(map(_bootstrapped, own)):
        return
    found = [_sides(metric, both, level[everyone], plan) for level, _ in pairs]
    kernels = [kernel for one in found if one is not None for kernel in one.kernels]
    plan.resampling(both.codes()[1]).replicate(*kernels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """What a difference is made of in each resample: outputs of kernels, and their formula."""

    kernels: Sequence[Kernel]
    gap: Callable[[Sequence[Floats]], Floats]
    difference: float
    influence: Floats


def _sides(metric: Metric, both: Sample, level: Bools, plan: Plan) -> _Sides | None:
    if isinstance(metric, FormulaOfSums | Share):
        return _sums_of_sides(metric, both, level, plan)
    found = drawable(metric, both, plan)
    first, second = found.of(level), found.of(~level)
    if first is None or second is None:
        return None
    return _Sides(
        kernels=(first.kernel, second.kernel),
        gap=lambda drawn: first.formula(drawn[0]) - second.formula(drawn[1]),
        difference=first.value - second.value,
        influence=first.influence - second.influence,
    )


def _sums_of_sides(metric: FormulaOfSums | Share, both: Sample, level: Bools, plan: Plan) -> _Sides:
    """The other side's sums are everyone's less the level's: one kernel serves every level."""
    code, stratum = both.codes()
    columns = metric.columns(both)
    own = group_sums(columns * level[:, None], code, len(stratum))
    everyone = group_sums(columns, code, len(stratum))

    def gap(drawn: Sequence[Floats]) -> Floats:
        first, second = drawn[0], drawn[1] - drawn[0]
        difference: Floats = metric.apply(first, plan.design) - metric.apply(second, plan.design)
        return difference

    total = (own.sum(axis=0), everyone.sum(axis=0))
    without = gap((total[0] - own, total[1] - everyone))
    return _Sides(
        kernels=(ColumnSums(own), ColumnSums(everyone)),
        gap=gap,
        difference=float(gap(total)),
        influence=jackknife_influence(without, stratum),
    )


def _bootstrap_limits(
    metric: Metric, both: Sample, level: Bools, plan: Plan
) -> tuple[float, float] | None:
    sides = _sides(metric, both, level, plan)
    if sides is None:
        return None
    _, stratum = both.codes()
    drawn = plan.resampling(stratum).replicate(*sides.kernels)
    accelerated = acceleration(sides.influence, stratum)
    found = bca_limits(sides.difference, sides.gap(drawn), accelerated, plan.level)
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
