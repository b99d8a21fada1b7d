"""Net benefit of acting on a probability, against treating everybody and nobody."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from proctor_workers.metrics.bands import Band, Fill, banded
from proctor_workers.metrics.calibration import Risks, class_masses
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.checks import NotEstimableError


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCurve:
    """Net benefit at threshold probabilities, with bands from the same resamples.

    Treating nobody has a net benefit of 0 everywhere. `prevalence` is the observed or declared one;
    a standardised curve is divided by it, in each resample by that resample's.
    """

    threshold: Floats
    model: Band
    treat_all: Band
    prevalence: float
    standardised: bool


def require_thresholds(thresholds: Floats) -> None:
    """Check threshold probabilities.

    Raises:
        ValueError: none, or they do not rise between 0 and 1.
    """
    if not len(thresholds) or not np.all((thresholds > 0) & (thresholds < 1)):
        raise ValueError("threshold probabilities lie between 0 and 1")
    if np.any(np.diff(thresholds) <= 0):
        raise ValueError("threshold probabilities do not rise")


def net_benefit(
    data: Risks, thresholds: Floats, *, standardised: bool = False
) -> tuple[Floats, Floats]:
    """Return the net benefit of the model and of treating everybody (thresholds,).

    True positives less false positives times the odds of the threshold, per row (Vickers & Elkin,
    Med Decis Making 2006;26:565); at a declared prevalence the classes are weighted to it.

    Raises:
        ValueError: thresholds that do not rise between 0 and 1.
        NotEstimableError: one of the two classes is empty.
    """
    require_thresholds(thresholds)
    _require_classes(data)
    found = np.empty((1, 2 * len(thresholds)))
    _fill(data, thresholds, standardised=standardised)(
        np.ones((1, data.patients), dtype=np.int64), found
    )
    return found[0, : len(thresholds)], found[0, len(thresholds) :]


def decision_curve(
    data: Risks,
    thresholds: Floats,
    plan: Resampling,
    *,
    level: float = 0.95,
    standardised: bool = False,
) -> DecisionCurve:
    """Return both curves with pointwise BCa bands of one set of patient resamples.

    Raises:
        ValueError: thresholds that do not rise between 0 and 1.
        NotEstimableError: one of the two classes is empty.
    """
    require_thresholds(thresholds)
    _require_classes(data)
    both = banded(
        _fill(data, thresholds, standardised=standardised),
        _influences(data, thresholds, standardised=standardised),
        plan,
        level=level,
    )
    model, everybody = both.split(len(thresholds))
    if data.prevalence is not None:  # nothing about treating everybody is estimated
        everybody = replace(everybody, lower=everybody.value, upper=everybody.value)
    mass = data.class_weight()
    return DecisionCurve(
        threshold=thresholds,
        model=model,
        treat_all=everybody,
        prevalence=float(mass[data.positive].sum() / mass.sum()),
        standardised=standardised,
    )


def _require_classes(data: Risks) -> None:
    if len(np.unique(data.positive)) < 2:
        raise NotEstimableError("one of the two classes is empty")


def _fill(data: Risks, thresholds: Floats, *, standardised: bool) -> Fill:
    reached = np.searchsorted(thresholds, data.probability, side="right").astype(np.int64)
    odds = thresholds / (1 - thresholds)
    prevalence = math.nan if data.prevalence is None else data.prevalence
    rows = (data.positive, data.weight, data.patient)

    def fill(times: Ints, values: Floats) -> None:
        _benefit_batch(reached, odds, *rows, prevalence, standardised, times, values)

    return fill


def _influences(data: Risks, thresholds: Floats, *, standardised: bool) -> Iterator[Floats]:
    """Yield each patient's influence (patients,) at each threshold: the model's, then all's."""
    mass = data.class_weight()
    ones, zeros = mass * data.positive, mass * ~data.positive
    odds = thresholds / (1 - thresholds)
    calls = [data.probability >= threshold for threshold in thresholds]
    everybody = np.ones(len(data), dtype=np.bool_)
    for times, call in [
        *zip(odds, calls, strict=True),
        *((times, everybody) for times in odds),
    ]:
        gain = (ones - times * zeros) * call
        if data.prevalence is not None:  # the classes' shares do not vary
            row = gain - ones * np.average(call, weights=ones)
            row += times * zeros * np.average(call, weights=zeros)
        else:
            held = ones if standardised else mass
            row = gain - held * gain.sum() / held.sum()
        row /= (ones if standardised else mass).sum()
        yield group_sums(row, data.patient, data.patients)[:, 0]


@compiled
def _benefit_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    reached: Ints,
    odds: Floats,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    prevalence: float,
    standardised: bool,  # noqa: FBT001 - compiled loops take positions
    times: Ints,
    values: Floats,
) -> None:
    """Fill (batch, 2 thresholds); a row with `reached` k is called at the first k thresholds."""
    points = len(odds)
    mass, ones, zeros = np.empty(len(reached)), np.empty(points + 1), np.empty(points + 1)
    for repeat in range(times.shape[0]):
        if not class_masses(positive, weight, patient, times[repeat], prevalence, mass):
            values[repeat] = np.nan
            continue
        ones[:] = 0.0
        zeros[:] = 0.0
        for row in range(len(reached)):
            if positive[row]:
                ones[reached[row]] += mass[row]
            else:
                zeros[reached[row]] += mass[row]
        all_ones, all_zeros = ones.sum(), zeros.sum()
        whole = all_ones if standardised else all_ones + all_zeros
        called_one, called_zero = 0.0, 0.0
        for place in range(points - 1, -1, -1):
            called_one += ones[place + 1]
            called_zero += zeros[place + 1]
            known = whole > 0
            values[repeat, place] = (
                (called_one - odds[place] * called_zero) / whole if known else np.nan
            )
            values[repeat, points + place] = (
                (all_ones - odds[place] * all_zeros) / whole if known else np.nan
            )
