"""Calibration of predicted risk at a time under censoring: O/E, intercept, slope, groups."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from proctor_workers.metrics.recalibration import logits, newton
from proctor_workers.metrics.statistic import Statistic
from proctor_workers.metrics.survival.curves import survival_curve
from proctor_workers.metrics.survival.follow_up import (
    FollowUp,
    event_free,
    follow_up,
    tally,
    through_censoring,
    through_survival,
    uncensored,
    whole_survival,
    whole_uncensored,
)
from proctor_workers.metrics.survival.predicted import require_probabilities
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.proportions import Limits, normal_quantile


def observed_to_expected(data: FollowUp, risk: Floats, time: float) -> Statistic:
    """Return Kaplan and Meier's risk at `time` divided by the mean predicted risk (rows,).

    Raises:
        ValueError: a risk outside [0, 1], a time below 0.
        NotEstimableError: nobody is followed beyond the time, or every risk is 0.
    """
    until, predicted = _prepared(data, risk, time)
    weight = data.weight / data.weight.sum()
    expected = float(np.sum(weight * predicted))
    if expected <= 0:
        raise NotEstimableError("every predicted risk is 0")
    survival = float(whole_survival(data)[until - 1]) if until else 1.0
    value = (1 - survival) / expected
    part = np.zeros(len(data.times))
    if until:
        part[until - 1] = -survival / expected
    row = through_survival(data, part) - value * weight * (predicted - expected) / expected
    loop = partial(_ratio_batch, predicted, until, data.slot, data.event, data.weight, data.patient)
    return Statistic(value=value, loop=loop, influence=data.by_patient(row))


def ratio_limits(ratio: Statistic, level: float = 0.95) -> Limits:
    """Return limits of O/E on the log scale, by the infinitesimal jackknife.

    Raises:
        NotEstimableError: no event was observed.
    """
    error = math.sqrt(float(np.sum(ratio.influence**2)))
    if ratio.value <= 0 or error <= 0:
        raise NotEstimableError("no limits: no event by the time")
    half = normal_quantile(level) * error / ratio.value
    return ratio.value * math.exp(-half), ratio.value * math.exp(half)


@compiled
def _ratio_batch(
    risk: Floats,
    until: int,
    slot: Ints,
    event: Bools,
    weight: Floats,
    patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    rows, slots = len(slot), slot[-1] + 1
    mass, counts, survival = np.empty(rows), np.empty((3, slots + 1)), np.empty(slots)
    for repeat in range(times.shape[0]):
        whole, expected = 0.0, 0.0
        for row in range(rows):
            mass[row] = weight[row] * times[repeat, patient[row]]
            whole += mass[row]
            expected += mass[row] * risk[row]
        tally(slot, event, mass, counts)
        event_free(counts, survival)
        observed = 1 - survival[until - 1] if until > 0 else 0.0
        known = counts[2, until] > 0 or observed >= 1
        values[repeat] = observed * whole / expected if known and expected > 0 else np.nan


def recalibrated(data: FollowUp, risk: Floats, time: float, *, slope: bool) -> Statistic:
    """Return the slope, or the intercept at slope 1, of a logistic model on the risk's logit.

    The outcome is an event by `time`; rows are weighted by the inverse probability of being
    uncensored, as in the Brier score (Vock, J Biomed Inform 2016;61:119).

    Raises:
        ValueError: a risk outside [0, 1], a time below 0.
        NotEstimableError: the fit does not exist: one outcome only, or constant risks.
    """
    until, predicted = _prepared(data, risk, time)
    x = logits(predicted)
    case, late = data.event & (data.slot < until), data.slot >= until
    before = whole_uncensored(data)
    within = np.where(late, until, data.slot)
    mass = np.where(case | late, data.weight / before[within], 0.0)
    found = np.empty(2)
    newton(x, case, mass, slope, np.array([0.0, 1.0]), found)
    if not (case.any() and np.all(np.isfinite(found))):
        raise NotEstimableError("the recalibration has no fit: one outcome, or constant risks")
    p = 1 / (1 + np.exp(-(found[0] + found[1] * x)))
    spread = mass * p * (1 - p)
    if slope:
        columns = np.stack([np.ones(len(x)), x])
        direction = np.linalg.solve((columns * spread) @ columns.T, np.array([0.0, 1.0]))
        gain = mass * (case - p) * (direction @ columns)
    else:
        gain = mass * (case - p) / spread.sum()
    row = gain + through_censoring(data, gain, within)
    columns_of_rows = (data.slot, data.event, data.weight, data.patient)
    loop = partial(_recalibration_batch, x, until, *columns_of_rows, slope, found)
    return Statistic(value=float(found[int(slope)]), loop=loop, influence=data.by_patient(row))


@compiled
def _recalibration_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    x: Floats,
    until: int,
    slot: Ints,
    event: Bools,
    weight: Floats,
    patient: Ints,
    slope: bool,  # noqa: FBT001 - compiled loops take positions
    start: Floats,
    times: Ints,
    values: Floats,
) -> None:
    rows, slots = len(slot), slot[-1] + 1
    mass, counts, before = np.empty(rows), np.empty((3, slots + 1)), np.empty(slots + 1)
    case, found = np.empty(rows, dtype=np.bool_), np.empty(2)
    for repeat in range(times.shape[0]):
        for row in range(rows):
            mass[row] = weight[row] * times[repeat, patient[row]]
        tally(slot, event, mass, counts)
        uncensored(counts, before)
        cases = 0.0
        for row in range(rows):
            case[row] = event[row] and slot[row] < until
            if mass[row] <= 0:
                continue
            if case[row]:
                cases += mass[row]
                mass[row] /= before[slot[row]]
            elif slot[row] >= until:
                mass[row] /= before[until]
            else:
                mass[row] = 0.0
        values[repeat] = np.nan
        if cases > 0 and counts[2, until] > 0:
            newton(x, case, mass, slope, start, found)
            values[repeat] = found[1] if slope else found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskGroup:
    """Rows of neighbouring predicted risk: mean prediction against Kaplan and Meier's risk."""

    n: int
    patients: int
    predicted: float
    observed: float
    lower: float
    upper: float
    method: str


def calibration_groups(
    data: FollowUp, risk: Floats, time: float, group: Ints
) -> list[RiskGroup | None]:
    """Return observed against predicted risk for each group code; None where it is unknown.

    `risk` and `group` (rows,) are in the caller's row order. A group nobody of which is followed
    beyond `time` has no observed risk.

    Raises:
        ValueError: a risk outside [0, 1], a time below 0.
        NotEstimableError: nobody at all is followed beyond the time.
    """
    _, predicted = _prepared(data, risk, time)
    code = group[data.order]
    return [_risk_group(data, predicted, time, code == one) for one in np.unique(code)]


def _risk_group(data: FollowUp, predicted: Floats, time: float, inside: Bools) -> RiskGroup | None:
    part = follow_up(
        data.time[inside], data.event[inside], data.patient[inside], data.weight[inside]
    )
    if part.last <= time:
        return None
    curve = survival_curve(part, np.array([time]))
    return RiskGroup(
        n=len(part),
        patients=part.patients,
        predicted=float(np.average(predicted[inside], weights=data.weight[inside])),
        observed=float(1 - curve.survival[0]),
        lower=float(1 - curve.upper[0]),
        upper=float(1 - curve.lower[0]),
        method=curve.method,
    )


def _prepared(data: FollowUp, risk: Floats, time: float) -> tuple[int, Floats]:
    require_probabilities(risk)
    return data.slots_until(time), data.column(risk, "risk")
