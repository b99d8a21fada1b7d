"""Harrell's and Uno's concordance of a risk score with survival, in O(n log n) by ranked sums."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from proctor_workers.metrics.statistic import Statistic
from proctor_workers.metrics.survival.follow_up import (
    FollowUp,
    tally,
    through_censoring,
    uncensored,
    whole_uncensored,
)
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled
from proctor_workers.statistics.auc import logit_limits
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.proportions import Limits, normal_quantile

_FEW_AGREE = 0.25  # of comparable rows, below which a case is one to look at


def harrell(data: FollowUp, risk: Floats) -> Statistic:
    """Return Harrell's C: the share of comparable pairs in which the earlier event has more risk.

    A pair is comparable if the earlier time is an event; an event and a censoring at one time are,
    two events at one time are not. Equal risks count half (Harrell, Stat Med 1996;15:361).

    `risk` (rows,) is in the caller's row order. The influence is the infinitesimal jackknife's,
    whose sum of squares is the variance that R's survival package gives.

    Raises:
        ValueError: a risk that is not finite.
        NotEstimableError: no pair is comparable.
    """
    return _concordance(data, risk, weighted=False, horizon=math.inf)


def uno(data: FollowUp, risk: Floats, horizon: float = math.inf) -> Statistic:
    """Return Uno's C: pairs weighted by 1 / G(t-)^2, G the product limit of the censoring times.

    Events at or after `horizon` are left out (Uno, Stat Med 2011;30:1105). G is taken just before
    the event and estimated with events before censorings, as R's survival package does;
    scikit-survival takes G(t), which differs in the fourth decimal where both fall on one time.
    The influence includes that of G; R's variance holds the weights fixed.

    Raises:
        ValueError: a risk that is not finite.
        NotEstimableError: no pair is comparable before the horizon.
    """
    return _concordance(data, risk, weighted=True, horizon=horizon)


def _concordance(data: FollowUp, risk: Floats, *, weighted: bool, horizon: float) -> Statistic:
    _, rank = np.unique(data.column(risk, "risk"), return_inverse=True)
    columns = (data.slot, data.event & (data.time < horizon), rank.astype(np.int64))
    size = len(data.times)
    before = whole_uncensored(data) if weighted else np.ones(size + 1)
    factor = np.zeros(size)
    np.divide(1.0, before[:size] ** 2, out=factor, where=before[:size] > 0)
    earlier, later = np.zeros((2, len(data))), np.zeros((2, len(data)))
    _as_earlier(*columns, data.weight, factor, earlier)
    _as_later(*columns, data.weight, factor, later)
    won, comparable = (float(np.sum(data.weight * part)) for part in earlier)
    if comparable <= 0:
        raise NotEstimableError("no pair is comparable: no event before another row's time")
    value = won / comparable
    gain = (earlier[0] - value * earlier[1]) / comparable * data.weight
    moved = gain + (later[0] - value * later[1]) / comparable * data.weight
    if weighted:
        moved += 2 * through_censoring(data, gain, data.slot)
    loop = partial(
        _concordance_batch, *columns, data.event, data.weight, data.patient, size, weighted
    )
    return Statistic(value=value, loop=loop, influence=data.by_patient(moved))


@compiled
def _add(tree: Floats, rank: int, mass: float) -> None:
    place = rank + 1
    while place < len(tree):
        tree[place] += mass
        place += place & -place


@compiled
def _below(tree: Floats, rank: int) -> float:
    found = 0.0
    place = rank
    while place > 0:
        found += tree[place]
        place -= place & -place
    return found


@compiled
def _start_of_slot(slot: Ints, end: int) -> int:
    start = end - 1
    while start > 0 and slot[start - 1] == slot[end - 1]:
        start -= 1
    return start


@compiled
def _as_earlier(
    slot: Ints, case: Bools, rank: Ints, mass: Floats, factor: Floats, parts: Floats
) -> None:
    """Fill parts (2, rows): the factored mass that a row wins as the earlier one, and its pairs.

    Rows are ordered by slot, events first. From the last slot to the first, the tree holds who is
    later: of one slot, censored rows are later than events.
    """
    ranks = rank.max() + 1
    tree, at = np.zeros(ranks + 1), np.zeros(ranks)
    later = 0.0
    end = len(slot)
    while end > 0:
        start = _start_of_slot(slot, end)
        for row in range(start, end):
            if not case[row] and mass[row] > 0:
                _add(tree, rank[row], mass[row])
                at[rank[row]] += mass[row]
                later += mass[row]
        for row in range(start, end):
            if case[row] and mass[row] > 0:
                won = _below(tree, rank[row]) + at[rank[row]] / 2
                parts[0, row] = factor[slot[row]] * won
                parts[1, row] = factor[slot[row]] * later
        for row in range(start, end):
            if case[row] and mass[row] > 0:
                _add(tree, rank[row], mass[row])
                at[rank[row]] += mass[row]
                later += mass[row]
        end = start


@compiled
def _as_later(
    slot: Ints, case: Bools, rank: Ints, mass: Floats, factor: Floats, parts: Floats
) -> None:
    """Fill parts (2, rows): the factored mass of earlier events that win over a row, and all."""
    ranks = rank.max() + 1
    tree, at = np.zeros(ranks + 1), np.zeros(ranks)
    earlier = 0.0
    row, entered = 0, 0
    while row < len(slot):
        # A row's opponents are the cases of earlier slots, and of its own if it is no case.
        while entered < len(slot) and (
            slot[entered] < slot[row] or (slot[entered] == slot[row] and not case[row])
        ):
            if case[entered]:
                gained = mass[entered] * factor[slot[entered]]
                _add(tree, rank[entered], gained)
                at[rank[entered]] += gained
                earlier += gained
            entered += 1
        parts[0, row] = earlier - _below(tree, rank[row]) - at[rank[row]] / 2
        parts[1, row] = earlier
        row += 1


@compiled
def _concordance_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    slot: Ints,
    case: Bools,
    rank: Ints,
    event: Bools,
    weight: Floats,
    patient: Ints,
    slots: int,
    weighted: bool,  # noqa: FBT001 - compiled loops take positions
    times: Ints,
    values: Floats,
) -> None:
    mass, parts = np.empty(len(slot)), np.empty((2, len(slot)))
    counts, before, factor = np.empty((3, slots + 1)), np.empty(slots + 1), np.ones(slots)
    for repeat in range(times.shape[0]):
        for row in range(len(slot)):
            mass[row] = weight[row] * times[repeat, patient[row]]
        if weighted:
            tally(slot, event, mass, counts)
            uncensored(counts, before)
            for place in range(slots):
                factor[place] = 1 / before[place] ** 2 if before[place] > 0 else 0.0
        parts[:] = 0.0
        _as_earlier(slot, case, rank, mass, factor, parts)
        won, pairs = 0.0, 0.0
        for row in range(len(slot)):
            won += mass[row] * parts[0, row]
            pairs += mass[row] * parts[1, row]
        values[repeat] = won / pairs if pairs > 0 else np.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A difference of two quantities on the same patients, with normal limits and test."""

    estimate: float
    lower: float
    upper: float
    statistic: float
    p_value: float


def standard_error(quantity: Statistic) -> float:
    """Return the infinitesimal jackknife's standard error, clustered by patient."""
    return math.sqrt(float(np.sum(quantity.influence**2)))


def limits(quantity: Statistic, level: float = 0.95) -> Limits:
    """Return limits on the logit scale from the infinitesimal jackknife.

    Raises:
        NotEstimableError: the value lies at 0 or 1, or does not vary with the patients.
    """
    error = standard_error(quantity)
    if not 0 < quantity.value < 1 or error <= 0:
        raise NotEstimableError("no limits: the value is at its edge or does not vary")
    return logit_limits(quantity.value, error**2, level)


def difference(first: Statistic, second: Statistic, level: float = 0.95) -> Tested:
    """Compare two quantities of the same patients by their influences' difference.

    Raises:
        NotEstimableError: they differ without varying.
    """
    estimate = first.value - second.value
    error = math.sqrt(float(np.sum((first.influence - second.influence) ** 2)))
    if error <= 0:
        if estimate:
            raise NotEstimableError("the two values differ, but the difference does not vary")
        return Tested(estimate=0.0, lower=0.0, upper=0.0, statistic=0.0, p_value=1.0)
    half = normal_quantile(level) * error
    return Tested(
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        statistic=estimate / error,
        p_value=float(2 * special.ndtr(-abs(estimate / error))),
    )


def surprises(data: FollowUp, risk: Floats) -> dict[str, list[int]]:
    """Return the rows (in the caller's order) that few comparable rows agree with, worst first.

    An event at low risk outranks under a quarter of the mass followed longer; survival at high
    risk is outranked by under a quarter of the mass of earlier events.
    """
    _, rank = np.unique(data.column(risk, "risk"), return_inverse=True)
    columns = (data.slot, data.event, rank.astype(np.int64))
    earlier, later = np.zeros((2, len(data))), np.zeros((2, len(data)))
    factor = np.ones(len(data.times))
    _as_earlier(*columns, data.weight, factor, earlier)
    _as_later(*columns, data.weight, factor, later)
    found = {}
    for outcome, (won, pairs), rows in (
        ("event_at_low_risk", earlier, data.event),
        ("survival_at_high_risk", later, ~data.event),
    ):
        share = np.divide(won, pairs, out=np.ones(len(data)), where=pairs > 0)
        order = np.argsort(share, kind="stable")
        found[outcome] = [
            int(data.order[row]) for row in order if rows[row] and share[row] < _FEW_AGREE
        ]
    return found
