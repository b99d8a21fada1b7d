"""Kaplan-Meier curves with bands, restricted mean survival, and the log-rank test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from proctor_workers.metrics.statistic import Statistic
from proctor_workers.metrics.survival.follow_up import (
    FollowUp,
    event_free,
    tally,
    through_survival,
    whole_survival,
    whole_tally,
)
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.checks import NotEstimableError, codes
from proctor_workers.statistics.hypotheses import TestOutcome
from proctor_workers.statistics.proportions import normal_quantile

_MOST_POINTS = 400  # more steps than this are no longer seen in a figure


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalCurve:
    """S just after each time, its log-log band, and the mass still followed after the time.

    Limits are NaN where S is 1 or 0, which have none on that scale.
    """

    time: Floats
    survival: Floats
    lower: Floats
    upper: Floats
    followed: Floats
    method: str


def survival_curve(data: FollowUp, at: Floats | None = None, level: float = 0.95) -> SurvivalCurve:
    """Return Kaplan and Meier's S with a log(-log) band at times, or at all times of events.

    One unweighted row a patient: Greenwood's variance. Otherwise the infinitesimal jackknife's by
    patient, which is Greenwood's where rows are independent (Greenwood 1926; Kalbfleisch &
    Prentice 2002, section 1.4; Williams, Biometrics 1995;51:194). More than 400 times are thinned.

    Raises:
        ValueError: a time below 0 or not finite.
        NotEstimableError: nobody is followed to a given time.
    """
    survival, counts = whole_survival(data), whole_tally(data)
    if at is None:
        places = _thinned(np.flatnonzero(counts[0, :-1] > 0))
        time = data.times[places]
    else:
        if not np.all(np.isfinite(at) & (at >= 0)):
            raise ValueError("a time is a finite number of at least 0")
        if np.any(at > data.last):
            raise NotEstimableError(f"nobody is followed to {np.max(at):g}")
        places = np.searchsorted(data.times, at, side="right").astype(np.int64) - 1
        time = at
    begun = np.where(places >= 0, survival[places], 1.0)
    relative = _relative_variance(data, counts, places)  # of log S
    inside = (begun > 0) & (begun < 1)
    log = np.log(begun, out=np.full(len(begun), np.nan), where=inside)
    half = normal_quantile(level) * np.sqrt(relative) / -log
    clustered = data.clustered or data.weighted
    return SurvivalCurve(
        time=time,
        survival=begun,
        lower=np.where(inside, begun ** np.exp(half), np.nan),
        upper=np.where(inside, begun ** np.exp(-half), np.nan),
        followed=np.where(places >= 0, counts[2, places + 1], counts[2, 0]),
        method="Kaplan-Meier, log-log limits, "
        + ("infinitesimal jackknife by patient" if clustered else "Greenwood"),
    )


def _thinned(places: Ints) -> Ints:
    if len(places) <= _MOST_POINTS:
        return places
    kept = np.linspace(0, len(places) - 1, _MOST_POINTS).round().astype(np.int64)
    return places[np.unique(kept)]


def _relative_variance(data: FollowUp, counts: Floats, places: Ints) -> Floats:
    """Return the variance of log S at slots; -1 stands before the first."""
    if data.clustered or data.weighted:
        found = np.zeros(len(places))
        for index, place in enumerate(places):
            if place >= 0:
                part = np.zeros(len(data.times))
                part[place] = 1.0
                found[index] = np.sum(data.by_patient(through_survival(data, part)) ** 2)
        return found
    risk, left = counts[2, :-1], counts[1, :-1] + counts[2, 1:]
    step = np.divide(counts[0, :-1], risk * left, out=np.zeros(len(left)), where=left > 0)
    summed: Floats = np.cumsum(step)[places] * (places >= 0)
    return summed


def restricted_mean(data: FollowUp, horizon: float) -> Statistic:
    """Return the mean time without event up to a horizon: the area under Kaplan and Meier's S.

    Independent rows: the influence's sum of squares is Greenwood's variance of that area
    (Royston & Parmar, Stat Med 2011;30:2409).

    Raises:
        ValueError: a horizon that is not above 0.
        NotEstimableError: nobody is followed to the horizon.
    """
    if not (np.isfinite(horizon) and horizon > 0):
        raise ValueError("a horizon is a finite time above 0")
    if horizon > data.last:
        raise NotEstimableError(f"nobody is followed to {horizon:g}")
    edges = np.clip(np.append(data.times, np.inf), 0.0, horizon)
    width = np.diff(edges)
    survival = whole_survival(data)
    value = float(edges[0] + np.sum(width * survival))
    return Statistic(
        value=value,
        loop=partial(
            _mean_batch, edges[0], width, data.slot, data.event, data.weight, data.patient
        ),
        influence=data.by_patient(through_survival(data, width * survival)),
    )


@compiled
def _mean_batch(
    start: float,
    width: Floats,
    slot: Ints,
    event: Bools,
    weight: Floats,
    patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    rows, slots = len(slot), len(width)
    mass, counts, survival = np.empty(rows), np.empty((3, slots + 1)), np.empty(slots)
    for repeat in range(times.shape[0]):
        for row in range(rows):
            mass[row] = weight[row] * times[repeat, patient[row]]
        tally(slot, event, mass, counts)
        event_free(counts, survival)
        total, unknown = start, False
        for place in range(slots):
            if width[place] > 0:
                total += width[place] * survival[place]
                # Beyond the last row of a resample S is known only if it has fallen to 0.
                unknown = unknown or (counts[2, place + 1] <= 0 and survival[place] > 0)
        values[repeat] = np.nan if unknown else total


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference:
    """A difference of restricted means (first less second) with normal limits and test."""

    estimate: float
    lower: float
    upper: float
    statistic: float
    p_value: float
    first: float
    second: float


def restricted_mean_difference(
    first: FollowUp, second: FollowUp, horizon: float, level: float = 0.95
) -> MeanDifference:
    """Compare the restricted means of two groups of different patients.

    Raises:
        ValueError: a horizon that is not above 0.
        NotEstimableError: a group is not followed to the horizon, or has no events before it.
    """
    one, two = restricted_mean(first, horizon), restricted_mean(second, horizon)
    error = math.sqrt(sum(float(np.sum(mean.influence**2)) for mean in (one, two)))
    if error <= 0:
        raise NotEstimableError("there is no event before the horizon in either group")
    estimate = one.value - two.value
    half = normal_quantile(level) * error
    return MeanDifference(
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        statistic=estimate / error,
        p_value=float(2 * special.ndtr(-abs(estimate / error))),
        first=one.value,
        second=two.value,
    )


def log_rank(data: FollowUp, group: Ints) -> TestOutcome:
    """Test that the groups have one survival (Mantel 1966; Peto & Peto, JRSS A 1972;135:185).

    `group` (rows,) is in the caller's row order. One unweighted row a patient: the hypergeometric
    variance. Otherwise the score's robust variance by patient (Lee, Wei & Amato 1992).

    Raises:
        NotEstimableError: fewer than two groups, or no event while two groups are at risk.
    """
    code, groups = codes(group[data.order])
    if groups < 2:
        raise NotEstimableError("a log-rank test needs at least two groups")
    ended, share, events, followed = _at_times(data, code, groups)
    score = (ended - share * events).sum(axis=1)
    if data.clustered or data.weighted:
        parts = log_rank_parts(data, group)
        covariance = parts.T @ parts
        method = "log-rank, robust by patient"
    else:
        factor = np.divide(
            events * (followed - events),
            followed - 1,
            out=np.zeros(len(events)),
            where=followed > 1,
        )
        covariance = np.diag(share @ factor) - (share * factor) @ share.T
        method = "log-rank"
    kept = slice(0, groups - 1)  # the scores add up to zero
    rank = int(np.linalg.matrix_rank(covariance[kept, kept], hermitian=True))
    if rank < groups - 1:
        raise NotEstimableError("a log-rank test needs events while every group is at risk")
    statistic = float(score[kept] @ np.linalg.solve(covariance[kept, kept], score[kept]))
    return TestOutcome(statistic, float(special.chdtrc(rank, statistic)), rank, method)


def _at_times(data: FollowUp, code: Ints, groups: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return events and shares at risk (groups, times), and all events and followed (times,)."""
    ended = np.zeros((2, groups, len(data.times)))
    np.add.at(ended, (np.where(data.event, 0, 1), code, data.slot), data.weight)
    at_risk = np.cumsum(ended.sum(axis=0)[:, ::-1], axis=1)[:, ::-1]
    followed = at_risk.sum(axis=0)
    return ended[0], at_risk / followed, ended[0].sum(axis=0), followed


def log_rank_parts(data: FollowUp, group: Ints) -> Floats:
    """Return each patient's part of the groups' log-rank scores (patients, groups); see above."""
    code, groups = codes(group[data.order])
    _, share, events, followed = _at_times(data, code, groups)
    passed = np.cumsum(share * events / followed, axis=1)[:, data.slot]
    own = np.eye(groups)[code].T
    hazard = np.cumsum(events / followed)[data.slot]
    row = data.event * (own - share[:, data.slot]) - own * hazard + passed
    return group_sums((row * data.weight).T, data.patient, data.patients)


def risk_groups(risk: Floats, cuts: Sequence[float]) -> Ints:
    """Return each row's risk group 0..len(cuts): the number of declared cuts at or below its risk.

    Raises:
        ValueError: cuts that do not rise, or a risk that is not finite.
    """
    edges = np.asarray(cuts, dtype=np.float64)
    if not len(edges) or np.any(np.diff(edges) <= 0) or not np.all(np.isfinite(edges)):
        raise ValueError("the cuts of risk groups are rising finite numbers")
    if not np.all(np.isfinite(risk)):
        raise ValueError("a risk is not finite")
    return np.searchsorted(edges, risk, side="right").astype(np.int64)
