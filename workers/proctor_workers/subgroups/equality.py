"""Whether a quantity is equal over levels: joint Wald, or permutation where a level is small."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from proctor_workers.metrics.metric import FormulaOfSums, Hits, Metric, Plan, share
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats, group_sums
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.hypotheses import joint_wald
from proctor_workers.statistics.permutation import (
    membership,
    permutation_of_sums_p,
    permutation_p,
)

SMALL_LEVEL = 20  # patients in a level's denominator below which permutation replaces Wald
SMALLEST_TESTED = 5  # below it a level is shown and not tested
PERMUTATIONS = 4999


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualityTest:
    """A test's outcome; without a p value, `reason` says why none was made."""

    method: str
    p_value: float | None = None
    statistic: float | None = None
    df: float | None = None
    reason: str | None = None
    levels: tuple[str, ...] = ()


def equality_test(
    metric: Metric, sample: Sample, levels: list[tuple[str, Bools]], plan: Plan
) -> EqualityTest:
    """Test that a quantity is the same in every level that is large enough.

    `levels` are row masks of the sample; a row may stand in several.
    """
    refused = metric.refusal(sample, plan.design)
    if refused is not None:
        return EqualityTest(method="none", reason=f"not tested: {refused}")
    counted = metric.share_of(sample, plan.design)
    summed = metric if counted is None and isinstance(metric, FormulaOfSums) else None
    exact = counted is not None or summed is not None or metric.family == "auroc"
    exact &= not sample.weighted
    sizes = {level: metric.least_patients(sample.take(rows), plan.design) for level, rows in levels}
    # Without a permutation a small level has no test that holds its error.
    smallest = SMALLEST_TESTED if exact else SMALL_LEVEL
    tested = [(level, rows) for level, rows in levels if sizes[level] >= smallest]
    names = tuple(level for level, _ in tested)
    if len(tested) < 2:
        return EqualityTest(method="none", reason="not tested: fewer than two levels large enough")
    wald = _wald(metric, sample, [rows for _, rows in tested], plan)
    if exact and (wald is None or min(sizes[level] for level in names) < SMALL_LEVEL):
        members = [rows for _, rows in tested]
        p_value = (
            _permuted(counted, sample, members, plan)
            if summed is None
            else _permuted_sums(summed, sample, members, plan)
        )
        return EqualityTest(
            method=f"permutation by patient, {PERMUTATIONS} draws", p_value=p_value, levels=names
        )
    if wald is None:
        return EqualityTest(method="none", reason="not tested: a level shows no variation")
    return replace(wald, levels=names)


def _wald(metric: Metric, sample: Sample, levels: list[Bools], plan: Plan) -> EqualityTest | None:
    """Joint Wald test on patient influences; None where a level has no usable variance."""
    code, stratum = sample.codes()
    patients = len(stratum)
    counted = metric.share_of(sample, plan.design)
    if counted is not None:
        values, spread = _shares(counted, sample, levels, code, patients)
    else:
        values, spread = np.empty(len(levels)), np.zeros((patients, len(levels)))
        for column, rows in enumerate(levels):
            part = sample.take(rows)
            if metric.refusal(part, plan.design) is not None:
                return None
            value, each = _transformed(metric, part, plan)
            values[column] = value
            spread[np.flatnonzero(np.bincount(code[rows], minlength=patients)), column] = each
        if not np.all(np.isfinite(values)) or not np.all(np.any(spread != 0, axis=0)):
            return None
    outcome = joint_wald(values, spread, int(np.count_nonzero(np.any(spread != 0, axis=1))))
    return EqualityTest(
        method="joint Wald, patient-clustered, F reference",
        p_value=outcome.p_value,
        statistic=outcome.statistic,
        df=outcome.df,
    )


def _shares(
    counted: Hits, sample: Sample, levels: list[Bools], code: np.ndarray, patients: int
) -> tuple[Floats, Floats]:
    """Return proportions and influences centred at the pooled value, as under the hypothesis."""
    weight = sample.weight * counted.inside
    columns = np.column_stack([weight * counted.hit, weight])
    anywhere = np.any(np.column_stack(levels), axis=1)
    pooled = float(share(columns[anywhere].sum(axis=0)))
    values, spread = np.empty(len(levels)), np.empty((patients, len(levels)))
    for column, rows in enumerate(levels):
        part = columns * rows[:, None]
        total = part.sum(axis=0)
        values[column] = share(total)
        residual = (part[:, 0] - pooled * part[:, 1]) / total[1]
        spread[:, column] = group_sums(residual, code, patients)[:, 0]
    return values, spread


def _transformed(metric: Metric, part: Sample, plan: Plan) -> tuple[float, Floats]:
    """Return value and influences, on the logit where the metric is compared there."""
    value = metric.point(part, plan.design)
    each = metric.influence(part, plan.design)
    if not metric.logit_scale:
        return value, each
    if not 0 < value < 1:
        return np.nan, each
    return float(special.logit(value)), each / (value * (1 - value))


def _permuted(counted: Hits | None, sample: Sample, levels: list[Bools], plan: Plan) -> float:
    """Permute the levels among patients: of a share's hits, or of an AUC's scores."""
    auc = counted is None
    member = np.column_stack(levels)
    inside = np.any(member, axis=1)
    if counted is None:
        score = sample.score
    else:
        inside = inside & counted.inside
        score = counted.hit.astype(np.float64)
    order = np.flatnonzero(inside)
    # A proportion's rows exchange freely; an AUC's only within the reference status.
    status = sample.positive if auc else np.zeros(len(sample), dtype=np.bool_)
    order = order[np.lexsort((status[order], sample.patient[order]))]
    _, code = np.unique(sample.patient[order], return_inverse=True)
    positive, member = status[order], member[order]
    if auc:
        ones = member[positive].sum(axis=0)
        zeros = member[~positive].sum(axis=0)
        scale = 1 / ones + 1 / zeros
    else:
        scale = 1 / member.sum(axis=0)
    return permutation_p(
        membership(member, code.astype(np.int64), positive),
        np.ascontiguousarray(score[order]),
        np.ascontiguousarray(positive),
        kind="auc" if auc else "mean",
        scale=scale.astype(np.float64),
        draws=PERMUTATIONS,
        stream=Stream(plan.seed, f"permutation/{plan.stream}"),
    )


def _permuted_sums(metric: FormulaOfSums, sample: Sample, levels: list[Bools], plan: Plan) -> float:
    """Permute membership for a formula of sums; within the reference status where there is one."""
    member = np.column_stack(levels)
    status = np.zeros(len(sample), dtype=np.bool_)
    if "positive" in sample.columns:
        status = sample.positive
    order = np.flatnonzero(member.any(axis=1))
    order = order[np.lexsort((status[order], sample.patient[order]))]
    _, code = np.unique(sample.patient[order], return_inverse=True)
    member = member[order]
    design = plan.design
    return permutation_of_sums_p(
        membership(member, code.astype(np.int64), status[order]),
        np.ascontiguousarray(metric.columns(sample)[order]),
        formula=lambda sums: metric.apply(sums, design),
        scale=1 / member.sum(axis=0).astype(np.float64),
        draws=PERMUTATIONS,
        stream=Stream(plan.seed, f"permutation/{plan.stream}"),
    )
