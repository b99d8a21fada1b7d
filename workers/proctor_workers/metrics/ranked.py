"""Areas under the ROC and the precision-recall curve, of a sample and of its resamples.

Rows are sorted by score once; every resample is then one pass over them, 64 side by side.
"""

from dataclasses import dataclass

import numpy as np

from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats, Ints, Times, compiled, group_sums
from proctor_workers.statistics.bootstrap import Kernel, content_key
from proctor_workers.statistics.draws import LANES
from proctor_workers.statistics.ordering import descending

AUROC, AUPRC = 0, 1  # the kernel's outputs


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows from the highest score down; `tie` holds where each group of equal scores begins.

    It ends with the number of rows. `patient` holds codes 0..P-1.
    """

    tie: Ints
    patient: Ints
    positive: Bools
    weight: Floats


def ranking(score: Floats, positive: Bools, weight: Floats, patient: Ints) -> Ranking:
    """Sort rows by score; equal scores keep their order."""
    keys, order = descending(score)
    begins = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return Ranking(
        tie=np.concatenate(([0], begins, [len(score)])).astype(np.int64),
        patient=patient[order],
        positive=positive[order],
        weight=weight[order],
    )


class RankedAreas(Kernel):
    """AUROC and average precision of resamples, the latter at a prevalence where one is given.

    Ties count half in the AUROC and together in the average precision. Both are NaN where a
    resample lacks a class.
    """

    outputs = 2

    def __init__(self, ranked: Ranking, prevalence: float | None) -> None:
        self.ranked = ranked
        self.prevalence = np.nan if prevalence is None else prevalence
        self.key: bytes | None = content_key(
            f"ranked areas at {prevalence}",
            ranked.tie,
            ranked.patient,
            ranked.positive,
            ranked.weight,
        )

    def fill(self, times: Times, values: Floats) -> None:
        """Turn draw counts (patients, LANES) into areas (2, LANES)."""
        rows = self.ranked
        odds = np.ones(LANES)
        if np.isfinite(self.prevalence):
            _class_odds(rows.patient, rows.positive, rows.weight, self.prevalence, times, odds)
        _areas(rows.tie, rows.patient, rows.positive, rows.weight, odds, times, values)


@compiled
def _class_odds(
    patient: Ints, positive: Bools, weight: Floats, prevalence: float, times: Times, odds: Floats
) -> None:
    """What a negative's weight is multiplied by, a positive's being 1, to reach a prevalence."""
    ones, zeros = np.zeros(LANES), np.zeros(LANES)
    for row in range(len(patient)):
        total = ones if positive[row] else zeros
        drawn, mass = times[patient[row]], weight[row]
        for lane in range(LANES):
            total[lane] += drawn[lane] * mass
    for lane in range(LANES):
        if ones[lane] > 0 and zeros[lane] > 0:
            odds[lane] = (1 - prevalence) / prevalence * (ones[lane] / zeros[lane])


@compiled
def _areas(
    tie: Ints,
    patient: Ints,
    positive: Bools,
    weight: Floats,
    odds: Floats,
    times: Times,
    values: Floats,
) -> None:
    above, below, wins, area = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    ones, zeros = np.empty(LANES), np.empty(LANES)
    for group in range(len(tie) - 1):
        first, stop = tie[group], tie[group + 1]
        if stop == first + 1:
            drawn, mass = times[patient[first]], weight[first]
            if positive[first]:
                for lane in range(LANES):
                    step = drawn[lane] * mass
                    above[lane] += step
                    called = above[lane] + below[lane] * odds[lane]
                    area[lane] += step * (above[lane] / max(called, 1e-300))
            else:
                for lane in range(LANES):
                    step = drawn[lane] * mass
                    wins[lane] += step * above[lane]
                    below[lane] += step
            continue
        ones[:] = 0.0
        zeros[:] = 0.0
        for row in range(first, stop):
            total = ones if positive[row] else zeros
            drawn, mass = times[patient[row]], weight[row]
            for lane in range(LANES):
                total[lane] += drawn[lane] * mass
        for lane in range(LANES):
            wins[lane] += zeros[lane] * (above[lane] + ones[lane] / 2)
            above[lane] += ones[lane]
            below[lane] += zeros[lane]
            called = above[lane] + below[lane] * odds[lane]
            area[lane] += ones[lane] * (above[lane] / max(called, 1e-300))
    for lane in range(LANES):
        both = above[lane] > 0 and below[lane] > 0
        values[0, lane] = wins[lane] / (above[lane] * below[lane]) if both else np.nan
        values[1, lane] = area[lane] / above[lane] if both else np.nan


def sample_ranking(sample: Sample, *, weighted: bool = True) -> Ranking:
    """Sort a sample's rows by score; unweighted ones count 1 each."""
    weighted &= sample.weighted

    def sort() -> Ranking:
        weight = sample.weight if weighted else np.ones(len(sample))
        return ranking(sample.score, sample.positive, weight, sample.codes()[0])

    return sample.once(("ranking", weighted), sort)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Weight at each score from the highest down, and up to it; `group` is each row's score."""

    group: Ints
    positives: Floats
    tp: Floats
    fp: Floats
    weight: Floats  # of each row in the sample's order

    @property
    def area(self) -> float:
        return float(np.sum(self.positives * self.tp / (self.tp + self.fp)) / self.tp[-1])


def _steps(sample: Sample, prevalence: float | None) -> _Steps:
    weight = sample.weight.copy()
    if prevalence is not None:
        weight[sample.positive] *= prevalence / weight[sample.positive].sum()
        weight[~sample.positive] *= (1 - prevalence) / weight[~sample.positive].sum()
    keys, order = descending(sample.score)
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.concatenate(([0], np.cumsum(keys[1:] != keys[:-1])))
    positives: Floats = np.bincount(group, weights=weight * sample.positive).astype(np.float64)
    negatives: Floats = np.bincount(group, weights=weight * ~sample.positive).astype(np.float64)
    return _Steps(group, positives, np.cumsum(positives), np.cumsum(negatives), weight)


def average_precision(sample: Sample, prevalence: float | None) -> float:
    """Return the average precision of the sample itself."""
    return _steps(sample, prevalence).area


def precision_influence(sample: Sample, prevalence: float | None) -> Floats:
    """Return the derivative of the average precision by each patient's weight (patients,)."""
    code, stratum = sample.codes()
    steps = _steps(sample, prevalence)
    group, positives, tp, fp = steps.group, steps.positives, steps.tp, steps.fp
    square = (tp + fp) * (tp + fp)
    gain = np.cumsum((positives * fp / square)[::-1])[::-1]
    loss = np.cumsum((positives * tp / square)[::-1])[::-1]
    of_positive = ((tp / (tp + fp))[group] + gain[group] - steps.area) / tp[-1]
    row = np.where(sample.positive, of_positive, -loss[group] / tp[-1]) * steps.weight
    return group_sums(row, code, len(stratum))[:, 0]
