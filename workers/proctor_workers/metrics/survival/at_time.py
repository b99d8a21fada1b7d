"""Discrimination and error of predictions at given times, weighted for censoring."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from proctor_workers.metrics.statistic import Statistic
from proctor_workers.metrics.survival.follow_up import (
    FollowUp,
    event_free,
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


def auc_at(data: FollowUp, risk: Floats, time: float) -> Statistic:
    """Return the AUC of those with an event by `time` against those still followed after it.

    Cases are weighted by 1 / G(t-); equal risks count half (cumulative/dynamic: Uno, JASA
    2007;102:527; Blanche, Stat Med 2013;32:5381). Rows censored by then count in G only.

    Raises:
        ValueError: a risk that is not finite, a time below 0.
        NotEstimableError: no event by the time, or nobody followed beyond it.
    """
    return mean_auc(data, risk[:, None], [time])


def mean_auc(data: FollowUp, risks: Floats, times: Sequence[float]) -> Statistic:
    """Return the mean over `times` of the AUC, weighted by the fall of Kaplan and Meier's S.

    `risks` (rows, times) may differ by time. The weights are 1 - S(t1), S(t1) - S(t2) ...: the
    mean is over those who have their event by the last time (Lambert & Chevret, Stat Methods Med
    Res 2016;25:2088).

    Raises:
        ValueError: a risk that is not finite, times that do not rise from at least 0.
        NotEstimableError: no event by a time, or nobody followed beyond one.
    """
    until = slots_until(data, times)
    columns = [data.column(risks[:, place], "risk") for place in range(len(times))]
    areas, moved = zip(
        *(_area(data, risk, slots) for risk, slots in zip(columns, until, strict=True)),
        strict=True,
    )
    survival = whole_survival(data)[until - 1]
    falls = -np.diff(survival, prepend=1.0)
    total = 1 - survival[-1]
    value = float(np.dot(falls, areas) / total)
    # The sum of falls times areas is a sum of S times the areas' steps.
    steps = np.diff(areas, append=value) / total
    part = np.zeros(len(data.times))
    np.add.at(part, until - 1, steps * survival)
    row = np.sum([fall / total * one for fall, one in zip(falls, moved, strict=True)], axis=0)
    order = np.stack([np.argsort(risk, kind="stable") for risk in columns])
    loop = partial(
        _area_batch,
        np.stack([risk[places] for risk, places in zip(columns, order, strict=True)]),
        order,
        until,
        data.slot,
        data.event,
        data.weight,
        data.patient,
    )
    return Statistic(
        value=value, loop=loop, influence=data.by_patient(row + through_survival(data, part))
    )


def slots_until(data: FollowUp, times: Sequence[float]) -> Ints:
    """Return the number of slots at or before each time.

    Raises:
        ValueError: no times, or times that do not rise.
        NotEstimableError: nobody is followed beyond a time.
    """
    if not len(times) or any(b <= a for a, b in pairwise(times)):
        raise ValueError("the times of evaluation do not rise")
    return np.array([data.slots_until(time) for time in times], dtype=np.int64)


def _area(data: FollowUp, risk: Floats, until: int) -> tuple[float, Floats]:
    """Return the area and how each row moves it."""
    case = data.event & (data.slot < until)
    if not case.any():
        raise NotEstimableError("there is no event by the time of evaluation")
    one = np.where(case, data.weight / whole_uncensored(data)[data.slot], 0.0)
    zero = np.where(data.slot >= until, data.weight, 0.0)
    _, group = np.unique(risk, return_inverse=True)
    ones, zeros = np.bincount(group, weights=one), np.bincount(group, weights=zero)
    zeros_below = (np.cumsum(zeros) - zeros / 2)[group]
    ones_above = (ones.sum() - np.cumsum(ones) + ones / 2)[group]
    value = float(np.sum(one * zeros_below) / (ones.sum() * zeros.sum()))
    gain = one * (zeros_below / zeros.sum() - value) / ones.sum()
    loss = zero * (ones_above / ones.sum() - value) / zeros.sum()
    return value, gain + loss + through_censoring(data, gain, data.slot)


@compiled
def _area_batch(  # noqa: PLR0913, PLR0917 - one flat pass
    risk: Floats,
    order: Ints,
    until: Ints,
    slot: Ints,
    event: Bools,
    weight: Floats,
    patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    rows, slots = len(slot), slot[-1] + 1
    mass, counts = np.empty(rows), np.empty((3, slots + 1))
    before, survival = np.empty(slots + 1), np.empty(slots)
    for repeat in range(times.shape[0]):
        for row in range(rows):
            mass[row] = weight[row] * times[repeat, patient[row]]
        tally(slot, event, mass, counts)
        uncensored(counts, before)
        event_free(counts, survival)
        last, total = 1.0, 0.0
        for place in range(len(until)):
            now = survival[until[place] - 1]
            fall = last - now
            last = now
            if fall <= 0:
                continue  # no weight in this resample
            below, tied_one, tied_zero = 0.0, 0.0, 0.0
            wins, ones = 0.0, 0.0
            for index in range(rows):
                row = order[place, index]
                if index and risk[place, index] != risk[place, index - 1]:
                    wins += tied_one * (below + tied_zero / 2)
                    ones += tied_one
                    below += tied_zero
                    tied_one, tied_zero = 0.0, 0.0
                if slot[row] >= until[place]:
                    tied_zero += mass[row]
                elif event[row] and mass[row] > 0:
                    tied_one += mass[row] / before[slot[row]]
            wins += tied_one * (below + tied_zero / 2)
            ones += tied_one
            below += tied_zero
            total += fall * wins / (ones * below) if below > 0 else np.nan
        values[repeat] = total / (1 - last) if last < 1 else np.nan


def brier_at(data: FollowUp, survival: Floats, time: float) -> Statistic:
    """Return the mean squared error of predicted survival (rows,) at `time`.

    Rows with an event by then are weighted by 1 / G(t-), rows followed beyond it by 1 / G(time),
    rows censored by then by 0; divided by all rows (Graf, Stat Med 1999;18:2529).

    Raises:
        ValueError: a prediction outside [0, 1], a time below 0.
        NotEstimableError: nobody is followed beyond the time.
    """
    return integrated_brier(data, survival[:, None], [time])


def integrated_brier(data: FollowUp, survival: Floats, times: Sequence[float]) -> Statistic:
    """Return the Brier score of predicted survival (rows, times), averaged over the time range.

    By the trapezoidal rule on the given times, divided by their range (Graf 1999).

    Raises:
        ValueError: a prediction outside [0, 1], times that do not rise from at least 0.
        NotEstimableError: nobody is followed beyond a time.
    """
    until = slots_until(data, times)
    require_probabilities(survival)
    columns = np.stack([data.column(column, "survival") for column in survival.T], axis=1)
    share = _trapezoid(np.asarray(times, dtype=np.float64))
    late = data.slot[:, None] >= until[None, :]
    gone = np.where(data.event[:, None] & ~late, columns**2, 0.0) @ share
    kept = np.where(late, (1 - columns) ** 2 * share, 0.0)
    before, weight = whole_uncensored(data), data.weight / data.weight.sum()
    gone_part = weight * gone / before[data.slot]
    kept_part = weight[:, None] * kept / before[until]
    value = float(gone_part.sum() + kept_part.sum())
    row = gone_part + kept_part.sum(axis=1) - weight * value
    row += through_censoring(data, gone_part, data.slot)
    for place, slots in enumerate(until):
        row += through_censoring(data, kept_part[:, place], np.full(len(data), slots))
    loop = partial(
        _brier_batch, gone, kept, until, data.slot, data.event, data.weight, data.patient
    )
    return Statistic(value=value, loop=loop, influence=data.by_patient(row))


def _trapezoid(times: Floats) -> Floats:
    if len(times) == 1:
        return np.ones(1)
    gap = np.diff(times)
    share: Floats = (np.append(gap, 0.0) + np.append(0.0, gap)) / 2 / (times[-1] - times[0])
    return share


@compiled
def _brier_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    gone: Floats,
    kept: Floats,
    until: Ints,
    slot: Ints,
    event: Bools,
    weight: Floats,
    patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    rows, slots = len(slot), slot[-1] + 1
    mass, counts, before = np.empty(rows), np.empty((3, slots + 1)), np.empty(slots + 1)
    for repeat in range(times.shape[0]):
        for row in range(rows):
            mass[row] = weight[row] * times[repeat, patient[row]]
        tally(slot, event, mass, counts)
        uncensored(counts, before)
        total, whole = 0.0, 0.0
        for row in range(rows):
            if mass[row] > 0:
                whole += mass[row]
                total += mass[row] * gone[row] / before[slot[row]]
        for place in range(len(until)):
            if counts[2, until[place]] <= 0:  # nobody left beyond the time in this resample
                total = np.nan
                break
            still = 0.0
            for row in range(rows):
                still += mass[row] * kept[row, place]
            total += still / before[until[place]]
        values[repeat] = total / whole
