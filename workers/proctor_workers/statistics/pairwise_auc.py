"""Areas under several ROC curves at once: Hand and Till's over pairs of classes, and means."""

from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.auc import patient_auc, placements
from proctor_workers.statistics.categories import check_codes, check_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralAuc:
    """A mean of AUCs with its patient-clustered variance, its df and influence per patient code."""

    value: float
    variance: float
    df: float
    influence: Floats


def hand_till(score: Floats, truth: Ints, patient: Ints, patients: int) -> SeveralAuc:
    """Return the mean over ordered pairs (i, j) of P(score_i of class i > score_i of class j).

    `score` is (rows, classes), `truth` the class code, ties count half (Hand & Till, Machine
    Learning 2001;45:171). The variance sums the placements' influence over patients, each class
    with its own small-sample factor; for two classes it is Obuchowski's, and DeLong's with one
    row a patient.

    Raises:
        UnknownCategoryError: a code lies outside the columns of `score`.
        UndefinedScoreError: a score is NaN.
        ValueError: a class has no row.
    """
    classes = score.shape[1]
    check_codes(truth, classes)
    check_scores(score)
    size = np.bincount(truth, minlength=classes)
    if not size.all():
        raise ValueError("Hand and Till's area needs a row of every class")
    influence = np.zeros(len(truth))
    total = 0.0
    for one in range(classes):
        for other in range(classes):
            if one == other:
                continue
            rows = np.flatnonzero((truth == one) | (truth == other))
            found = placements(score[rows, one], truth[rows] == one)
            total += found.auc
            influence[rows] += (found.placement - found.auc) / size[truth[rows]]
    pairs = classes * (classes - 1)
    parts = np.zeros((patients, classes))
    present = np.zeros((patients, classes), dtype=np.bool_)
    for one in range(classes):
        of_class = truth == one
        parts[:, one] = group_sums(np.where(of_class, influence, 0.0) / pairs, patient, patients)[
            :, 0
        ]
        present[patient[of_class], one] = True
    variance, df = _class_wise_variance(parts, present)
    return SeveralAuc(value=total / pairs, variance=variance, df=df, influence=parts.sum(axis=1))


def _class_wise_variance(parts: Floats, present: Bools) -> tuple[float, float]:
    """Add up the classes' covariances over patients, (patients, classes); Satterthwaite's df."""
    products = parts.T @ parts
    clusters = present.sum(axis=0)
    own = np.diag(products) * _factor(clusters)
    crossed = products.sum() - np.trace(products)
    several = _factor(np.array([int(present.any(axis=1).sum())]))[0]
    spread = float(np.sum(own**2 / np.maximum(clusters - 1, 1)))
    df = float(own.sum()) ** 2 / spread if spread > 0 else 1.0
    return max(float(own.sum() + crossed * several), 0.0), df


def _factor(clusters: Ints) -> Floats:
    return np.where(clusters > 1, clusters / np.maximum(clusters - 1, 1), 1.0)


def mean_auc(score: Floats, positive: Bools, patient: Ints, patients: int) -> SeveralAuc:
    """Return the unweighted mean of the AUCs of columns (rows, labels), each a binary task.

    Raises:
        UndefinedScoreError: a score is NaN.
        ValueError: a column has one class only.
    """
    check_scores(score)
    found = [
        patient_auc(score[:, label], positive[:, label], patient, patients)
        for label in range(score.shape[1])
    ]
    influence = np.mean([one.influence for one in found], axis=0)
    return SeveralAuc(
        value=float(np.mean([one.auc for one in found])),
        variance=float(np.sum(influence**2)) * patients / max(patients - 1, 1),
        df=float(max(patients - 1, 1)),
        influence=influence,
    )


def tie_groups(score: Floats) -> tuple[Ints, Bools]:
    """Order each column (rows, columns) upwards; say where a new value begins: (columns, rows)."""
    order = np.argsort(score, axis=0, kind="stable").T.astype(np.int64)
    ordered = np.take_along_axis(score.T, order, axis=1)
    starts = np.ones(order.shape, dtype=np.bool_)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return np.ascontiguousarray(order), starts


@compiled
def hand_till_batch(
    order: Ints,
    starts: Bools,
    truth: Ints,
    weight: Floats,
    patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    """Fill `values` (batch,) with Hand and Till's area under draw counts (batch, patients).

    NaN where a class is not drawn.
    """
    classes, rows = order.shape
    mass = np.empty(rows)
    for repeat in range(times.shape[0]):
        size = np.zeros(classes)
        for row in range(rows):
            mass[row] = weight[row] * times[repeat, patient[row]]
            size[truth[row]] += mass[row]
        if size.min() <= 0:
            values[repeat] = np.nan
            continue
        total = 0.0
        for one in range(classes):
            wins = _wins_of_class(one, order[one], starts[one], truth, mass, classes)
            for other in range(classes):
                if other != one:
                    total += wins[other] / (size[one] * size[other])
        values[repeat] = total / (classes * (classes - 1))


@compiled
def _wins_of_class(
    one: int, order: Ints, starts: Bools, truth: Ints, mass: Floats, classes: int
) -> Floats:
    """Mass of pairs in which class `one` scores above each other class; ties half."""
    below, wins = np.zeros(classes), np.zeros(classes)
    first = 0
    while first < len(order):
        end, own = first, 0.0
        while end < len(order) and (end == first or not starts[end]):
            if truth[order[end]] == one:
                own += mass[order[end]]
            end += 1
        if own > 0:
            for other in range(classes):
                wins[other] += own * below[other] / 2
        for place in range(first, end):
            below[truth[order[place]]] += mass[order[place]]
        if own > 0:
            for other in range(classes):
                wins[other] += own * below[other] / 2
        first = end
    return wins


@compiled
def mean_auc_batch(
    order: Ints,
    starts: Bools,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    """Fill `values` (batch,) with the mean AUC of columns; `positive` is (columns, rows).

    NaN where a column has one class only among those drawn.
    """
    columns, rows = order.shape
    mass = np.empty(rows)
    for repeat in range(times.shape[0]):
        for row in range(rows):
            mass[row] = weight[row] * times[repeat, patient[row]]
        total = 0.0
        for column in range(columns):
            total += _area(order[column], starts[column], positive[column], mass)
        values[repeat] = total / columns


@compiled
def _area(order: Ints, starts: Bools, positive: Bools, mass: Floats) -> float:
    below, ones, wins, tied_one, tied_zero = 0.0, 0.0, 0.0, 0.0, 0.0
    for place in range(len(order)):
        if starts[place]:
            wins += tied_one * (below + tied_zero / 2)
            below += tied_zero
            ones += tied_one
            tied_one, tied_zero = 0.0, 0.0
        row = order[place]
        if positive[row]:
            tied_one += mass[row]
        else:
            tied_zero += mass[row]
    wins += tied_one * (below + tied_zero / 2)
    below += tied_zero
    ones += tied_one
    if below <= 0 or ones <= 0:
        return np.nan
    return wins / (ones * below)
