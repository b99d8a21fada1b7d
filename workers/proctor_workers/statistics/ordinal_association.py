"""How well a score orders cases of ordered categories: ordinal AUC, Somers' D, Kendall's tau-b."""

from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.categories import check_scores

ORDINAL_AUC, SOMERS_D, TAU_B = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A measure of order with its patient-clustered variance and influence per patient code."""

    value: float
    variance: float
    influence: Floats


def association(
    measure: int, score: Floats, truth: Ints, patient: Ints, patients: int
) -> Association:
    """Estimate ORDINAL_AUC, SOMERS_D (score given truth) or TAU_B; `truth` counts upwards from 0.

    The ordinal AUC is the chance that of two cases of different categories the higher category
    scores higher, ties half (Obuchowski, Stat Med 2005;24:1577 for the idea); D = 2 AUC - 1
    (Somers 1962); tau-b: Kendall 1945. The variance is that of the pairs' linearisation, summed
    over patients.

    Raises:
        UndefinedScoreError: a score is NaN.
        ValueError: all cases are of one category or, for tau-b, have one score.
    """
    check_scores(score)
    size = np.bincount(truth)
    if np.count_nonzero(size) < 2:
        raise ValueError("an order needs cases of at least two categories")
    agreement = _agreement(score, truth, len(size))
    different = (len(truth) - size[truth]).astype(np.float64)
    balance = 2 * agreement - different  # concordant minus discordant, per row
    if measure == TAU_B:
        value, row = _tau_b(balance, different, score)
    else:
        value = float(agreement.sum() / different.sum())
        row = 2 * (agreement - value * different) / different.sum()
    if measure == SOMERS_D:
        value, row = 2 * value - 1, 2 * row
    influence = group_sums(row, patient, patients)[:, 0]
    variance = float(np.sum(influence**2)) * patients / max(patients - 1, 1)
    return Association(value=value, variance=variance, influence=influence)


def _agreement(score: Floats, truth: Ints, classes: int) -> Floats:
    """Per row: rows of other categories that its score stands right to, ties half."""
    agreement = np.zeros(len(score))
    ordered = [np.sort(score[truth == one]) for one in range(classes)]
    for other, values in enumerate(ordered):
        below = np.searchsorted(values, score, side="left")
        at_most = np.searchsorted(values, score, side="right")
        under = (below + at_most) / 2
        agreement += np.where(truth > other, under, 0.0)
        agreement += np.where(truth < other, len(values) - under, 0.0)
    return agreement


def _tau_b(balance: Floats, different: Floats, score: Floats) -> tuple[float, Floats]:
    n = len(score)
    _, group, held = np.unique(score, return_inverse=True, return_counts=True)
    moved = (n - held[group]).astype(np.float64)
    untied_truth, untied_score = float(different.sum()) / 2, float(moved.sum()) / 2
    if untied_score <= 0:
        raise ValueError("tau-b needs at least two different scores")
    scale = np.sqrt(untied_truth) * np.sqrt(untied_score)
    value = float(balance.sum()) / 2 / float(scale)
    row = balance / scale - value / 2 * (different / untied_truth + moved / untied_score)
    return value, row


def ordered_rows(score: Floats) -> tuple[Ints, Bools]:
    """Return the rows upwards by score, and where a new value begins."""
    order = np.argsort(score, kind="stable").astype(np.int64)
    starts = np.ones(len(order), dtype=np.bool_)
    starts[1:] = score[order[1:]] != score[order[:-1]]
    return order, starts


@compiled
def association_batch(
    measure: int,
    order: Ints,
    starts: Bools,
    truth: Ints,
    weight: Floats,
    patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    """Fill `values` (batch,) with the measure under draw counts (batch, patients).

    NaN where one category only, or for tau-b one score only, is drawn.
    """
    classes = truth.max() + 1
    below, tied = np.empty(classes), np.empty(classes)
    for repeat in range(times.shape[0]):
        below[:] = 0.0
        tied[:] = 0.0
        balance, same_score = 0.0, 0.0
        for place in range(len(order)):
            if starts[place]:
                same_score += tied.sum() ** 2
                below += tied
                tied[:] = 0.0
            row = order[place]
            mass = weight[row] * times[repeat, patient[row]]
            if mass > 0:
                for other in range(classes):
                    if other < truth[row]:
                        balance += mass * below[other]
                    elif other > truth[row]:
                        balance -= mass * below[other]
                tied[truth[row]] += mass
        same_score += tied.sum() ** 2
        below += tied
        total = below.sum()
        apart = (total**2 - (below**2).sum()) / 2
        moved = (total**2 - same_score) / 2
        values[repeat] = _finished(measure, balance, apart, moved)


@compiled
def _finished(measure: int, balance: float, apart: float, moved: float) -> float:
    if apart <= 0 or (measure == 2 and moved <= 0):
        return np.nan
    if measure == 2:
        return balance / float(np.sqrt(apart) * np.sqrt(moved))
    difference = balance / apart
    return difference if measure == 1 else (difference + 1) / 2
