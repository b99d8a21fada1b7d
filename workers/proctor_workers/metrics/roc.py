"""The ROC curve as rows ordered by score, its points, and a pointwise band by the bootstrap."""

from dataclasses import dataclass, replace

import numpy as np

from proctor_workers.metrics.bands import Band, banded
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.checks import NotEstimableError, codes
from proctor_workers.statistics.proportions import clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Rows from the highest score to the lowest; `group` numbers equal scores from 0.

    `patient` is 0..patients-1.
    """

    group: Ints
    positive: Bools
    patient: Ints
    weight: Floats
    patients: int
    score: Floats

    def mirrored(self) -> "Scored":
        """Return the same rows with classes and order exchanged: specificity is sensitivity."""
        return Scored(
            group=np.ascontiguousarray((self.group[-1] - self.group)[::-1]),
            positive=np.ascontiguousarray(~self.positive[::-1]),
            patient=np.ascontiguousarray(self.patient[::-1]),
            weight=np.ascontiguousarray(self.weight[::-1]),
            patients=self.patients,
            score=np.ascontiguousarray(-self.score[::-1]),
        )

    def rates(self) -> tuple[Floats, Floats]:
        """Return false and true positive rate from "none called" down each distinct score."""
        found = []
        for rows in (~self.positive, self.positive):
            mass = np.bincount(self.group, weights=self.weight * rows)
            found.append(np.concatenate(([0.0], np.cumsum(mass) / mass.sum())))
        return found[0], found[1]


def scored(score: Floats, positive: Bools, patient: Ints, weight: Floats | None = None) -> Scored:
    """Order rows by score; scores may be infinite, `patient` may be any integers.

    Raises:
        ValueError: unequal lengths, a score that is NaN, a weight not above zero.
        NotEstimableError: one of the two classes is empty.
    """
    given = np.ones(len(score)) if weight is None else weight
    if not len(score) == len(positive) == len(patient) == len(given):
        raise ValueError("score, positive, patient and weight are not equally long")
    if np.any(np.isnan(score)):
        raise ValueError("a score is NaN")
    if not np.all(given > 0):
        raise ValueError("a weight is not above zero")
    if len(np.unique(positive)) < 2:
        raise NotEstimableError("one of the two classes is empty")
    code, patients = codes(patient)
    order = np.argsort(-score, kind="stable")
    _, group = np.unique(-score[order], return_inverse=True)
    return Scored(
        group=group.astype(np.int64),
        positive=np.ascontiguousarray(positive[order]),
        patient=np.ascontiguousarray(code[order]),
        weight=np.ascontiguousarray(given[order], dtype=np.float64),
        patients=patients,
        score=np.ascontiguousarray(score[order], dtype=np.float64),
    )


def roc_points(data: Scored, most: int = 400) -> tuple[Floats, Floats]:
    """Return false and true positive rates at each distinct score, thinned to `most` points."""
    false_rate, true_rate = data.rates()
    if len(false_rate) <= most:
        return false_rate, true_rate
    kept = np.unique(np.linspace(0, len(false_rate) - 1, most).round().astype(np.int64))
    return false_rate[kept], true_rate[kept]


def roc_points_of_ranges(data: Scored, ends: Floats) -> tuple[Floats, Floats]:
    """Return the points at which whole ranges of scores have been called, from (0, 0).

    `ends` are the ranges' upper ends on the scale of the negated score.
    """
    false_rate, true_rate = data.rates()
    first = np.searchsorted(-data.score, ends, side="right")
    passed = np.concatenate(([0], data.group[first - 1] + 1))
    return false_rate[passed], true_rate[passed]


def roc_band(data: Scored, false_rates: Floats, plan: Resampling, level: float = 0.95) -> Band:
    """Return the sensitivity at false positive rates with pointwise patient-bootstrap BCa limits.

    The curve is linear between its points. Where the resamples leave no width, the limits are
    Clopper and Pearson's with as many trials as patients with positives.

    Raises:
        ValueError: rates that do not rise within 0 and 1.
    """
    if np.any(np.diff(false_rates) <= 0) or false_rates[0] < 0 or false_rates[-1] > 1:
        raise ValueError("false positive rates rise within 0 and 1")

    def fill(times: Ints, values: Floats) -> None:
        _interpolated_batch(
            data.group, data.positive, data.weight, data.patient, false_rates, times, values
        )

    bearers = len(np.unique(data.patient[data.positive]))

    def otherwise(sensitivity: float) -> tuple[float, float]:
        return clopper_pearson(sensitivity * bearers, bearers, level)

    found = banded(
        fill,
        [rate_influence(data, float(rate)) for rate in false_rates],
        plan,
        level=level,
        otherwise=otherwise,
    )
    whole = false_rates >= 1  # where everybody is called, by definition
    return replace(
        found,
        lower=np.where(whole, 1.0, found.lower),
        upper=np.where(whole, 1.0, found.upper),
    )


def rate_influence(data: Scored, false_rate: float) -> Floats:
    """Return each patient's influence on the sensitivity at a false positive rate (patients,).

    Negatives act through the threshold; the curve's slope is taken over one n^(-1/3) spread of
    the rate to either side.
    """
    false_at, true_at = data.rates()
    value = float(np.interp(false_rate, false_at, true_at))
    # The share of its tie group that lies above the threshold at this rate.
    steps = np.diff(false_at)
    inside = np.divide(
        false_rate - false_at[:-1], steps, out=(true_at[1:] <= value).astype(float), where=steps > 0
    )
    called = np.clip(inside, 0.0, 1.0)[data.group]
    negatives = int((~data.positive).sum())
    reach = max(np.sqrt(false_rate * (1 - false_rate)), 1 / negatives) * negatives ** (-1 / 3)
    low, high = max(false_rate - reach, 0.0), min(false_rate + reach, 1.0)
    rise = np.interp([low, high], false_at, true_at)
    slope = (rise[1] - rise[0]) / (high - low)
    ones, zeros = data.weight * data.positive, data.weight * ~data.positive
    row = ones * (called - value) / ones.sum()
    row -= slope * zeros * (called - false_rate) / zeros.sum()
    return group_sums(row, data.patient, data.patients)[:, 0]


@compiled
def class_totals(
    positive: Bools, weight: Floats, patient: Ints, drawn: Ints
) -> tuple[float, float]:
    """Return the masses of negatives and positives in a resample."""
    zeros, ones = 0.0, 0.0
    for row in range(len(positive)):
        mass = weight[row] * drawn[patient[row]]
        if positive[row]:
            ones += mass
        else:
            zeros += mass
    return zeros, ones


@compiled
def _interpolated_batch(
    group: Ints,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    rates: Floats,
    times: Ints,
    values: Floats,
) -> None:
    rows = len(group)
    for repeat in range(times.shape[0]):
        zeros, ones = class_totals(positive, weight, patient, times[repeat])
        if zeros <= 0 or ones <= 0:
            values[repeat] = np.nan
            continue
        x0, y0, x1, y1 = 0.0, 0.0, 0.0, 0.0
        place = 0
        for row in range(rows):
            mass = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                y1 += mass / ones
            else:
                x1 += mass / zeros
            if row + 1 < rows and group[row + 1] == group[row]:
                continue
            # A rate at the curve's vertical part takes its top, so that it is passed here.
            while place < len(rates) and rates[place] < x1 - 1e-12:
                share = (rates[place] - x0) / (x1 - x0)
                values[repeat, place] = y0 + share * (y1 - y0)
                place += 1
            x0, y0 = x1, y1
        values[repeat, place:] = 1.0
