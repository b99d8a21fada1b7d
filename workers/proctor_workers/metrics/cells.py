"""What a row of two classes adds up to, and the formulas of those sums (..., k) -> (...)."""

import numpy as np

from proctor_workers.metrics.metric import Hits, divide
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats


def four_cells(sample: Sample) -> Floats:
    """Return each row's weight in its cell of tp, fn, fp, tn (rows, 4)."""
    positive, call, weight = sample.positive, sample.call, sample.weight
    inside = (positive & call, positive & ~call, ~positive & call, ~positive & ~call)
    return np.column_stack([cell * weight for cell in inside])


def probabilities(sample: Sample) -> Floats:
    """Return each row's class weights, and its probability and squared error by class (rows, 6)."""
    one, zero = sample.positive * sample.weight, ~sample.positive * sample.weight
    p = sample.score
    return np.column_stack([one, zero, one * p, zero * p, one * (1 - p) ** 2, zero * p**2])


def _quarters(sums: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    return sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3]


def true_positive_rate(sums: Floats) -> Floats:
    """Return tp / (tp + fn)."""
    tp, fn, _, _ = _quarters(sums)
    return divide(tp, tp + fn)


def true_negative_rate(sums: Floats) -> Floats:
    """Return tn / (tn + fp)."""
    _, _, fp, tn = _quarters(sums)
    return divide(tn, tn + fp)


def positive_predictive_value(sums: Floats) -> Floats:
    """Return tp / (tp + fp)."""
    tp, _, fp, _ = _quarters(sums)
    return divide(tp, tp + fp)


def negative_predictive_value(sums: Floats) -> Floats:
    """Return tn / (tn + fn)."""
    _, fn, _, tn = _quarters(sums)
    return divide(tn, tn + fn)


def f1(sums: Floats) -> Floats:
    """Return 2 tp / (2 tp + fp + fn)."""
    tp, fn, fp, _ = _quarters(sums)
    return divide(2 * tp, 2 * tp + fp + fn)


def balanced_accuracy(sums: Floats) -> Floats:
    """Return the mean of sensitivity and specificity."""
    tp, fn, fp, tn = _quarters(sums)
    return (divide(tp, tp + fn) + divide(tn, tn + fp)) / 2


def mcc(sums: Floats) -> Floats:
    """Return Matthews' correlation (Matthews, Biochim Biophys Acta 1975;405:442)."""
    tp, fn, fp, tn = _quarters(sums)
    margins = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return divide(tp * tn - fp * fn, margins)


def nnp(sums: Floats) -> Floats:
    """Return 1 / (PPV + NPV - 1), NaN where that sum is at most 1."""
    tp, fn, fp, tn = _quarters(sums)
    gain = divide(tp, tp + fp) + divide(tn, tn + fn) - 1
    return divide(np.ones_like(gain), gain)


def accuracy(sums: Floats) -> Floats:
    """Return the share of calls that agree."""
    return divide(sums[..., 0] + sums[..., 3], sums.sum(axis=-1))


def lr_positive(sums: Floats) -> Floats:
    """Return sensitivity / (1 - specificity)."""
    tp, fn, fp, tn = _quarters(sums)
    return divide(divide(tp, tp + fn), divide(fp, fp + tn))


def lr_negative(sums: Floats) -> Floats:
    """Return (1 - sensitivity) / specificity."""
    tp, fn, fp, tn = _quarters(sums)
    return divide(divide(fn, tp + fn), divide(tn, fp + tn))


def brier(sums: Floats) -> Floats:
    """Return the mean squared error of the probability."""
    return divide(sums[..., 4] + sums[..., 5], sums[..., 0] + sums[..., 1])


def oe_ratio(sums: Floats) -> Floats:
    """Return observed over expected positives."""
    return divide(sums[..., 0], sums[..., 2] + sums[..., 3])


def _everyone(sample: Sample) -> Bools:
    return np.ones(len(sample), dtype=np.bool_)


def among_positives(sample: Sample) -> Hits:
    """Count calls among the reference-positive rows."""
    return Hits(inside=sample.positive, hit=sample.call)


def among_negatives(sample: Sample) -> Hits:
    """Count non-calls among the reference-negative rows."""
    return Hits(inside=~sample.positive, hit=~sample.call)


def among_positive_calls(sample: Sample) -> Hits:
    """Count reference-positive rows among the calls."""
    return Hits(inside=sample.call, hit=sample.positive)


def among_negative_calls(sample: Sample) -> Hits:
    """Count reference-negative rows among the non-calls."""
    return Hits(inside=~sample.call, hit=~sample.positive)


def right_calls(sample: Sample) -> Hits:
    """Count calls that agree with the reference."""
    return Hits(inside=_everyone(sample), hit=sample.call == sample.positive)


def diseased(sample: Sample) -> Hits:
    """Count reference-positive rows."""
    return Hits(inside=_everyone(sample), hit=sample.positive)
