"""Compiled loops over rows ordered by score: AUROC and average precision of resamples."""

from collections.abc import Callable
from functools import partial

import numpy as np

from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums


def resampled(
    name: str, sample: Sample, prevalence: float | None
) -> Callable[[Ints, Floats], None]:
    """Return the loop that turns draw counts (batch, patients) into values (batch,)."""
    code, _ = sample.codes()
    order = np.argsort(-sample.score, kind="stable")
    ordered = (
        np.ascontiguousarray(sample.score[order]),
        np.ascontiguousarray(sample.positive[order]),
        np.ascontiguousarray(sample.weight[order]),
        np.ascontiguousarray(code[order]),
    )
    if name == "auroc":
        return partial(_auroc_batch, *ordered)
    return partial(_precision_batch, *ordered, np.nan if prevalence is None else prevalence)


def average_precision(sample: Sample, prevalence: float | None) -> float:
    """Return the average precision of the sample itself."""
    value = np.empty(1)
    once = np.ones((1, sample.patients), dtype=np.int64)
    resampled("auprc", sample, prevalence)(once, value)
    return float(value[0])


def precision_influence(sample: Sample, prevalence: float | None) -> Floats:
    """Return the derivative of the average precision by each patient's weight (patients,)."""
    code, stratum = sample.codes()
    weight = sample.weight.copy()
    if prevalence is not None:
        weight[sample.positive] *= prevalence / weight[sample.positive].sum()
        weight[~sample.positive] *= (1 - prevalence) / weight[~sample.positive].sum()
    _, group = np.unique(-sample.score, return_inverse=True)
    positives = np.bincount(group, weights=weight * sample.positive)
    negatives = np.bincount(group, weights=weight * ~sample.positive, minlength=len(positives))
    tp, fp = np.cumsum(positives), np.cumsum(negatives)
    precision = tp / (tp + fp)
    value = float(np.sum(positives * precision)) / tp[-1]
    gain = np.cumsum((positives * fp / (tp + fp) ** 2)[::-1])[::-1]
    loss = np.cumsum((positives * tp / (tp + fp) ** 2)[::-1])[::-1]
    of_positive = (precision[group] + gain[group] - value) / tp[-1]
    row = np.where(sample.positive, of_positive, -loss[group] / tp[-1]) * weight
    return group_sums(row, code, len(stratum))[:, 0]


@compiled
def _auroc_batch(
    score: Floats,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    for repeat in range(times.shape[0]):
        above, total, wins, tied_one, tied_zero = 0.0, 0.0, 0.0, 0.0, 0.0
        for row in range(len(score)):
            if row and score[row] != score[row - 1]:
                wins += tied_zero * (above + tied_one / 2)
                above += tied_one
                total += tied_zero
                tied_one, tied_zero = 0.0, 0.0
            mass = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                tied_one += mass
            else:
                tied_zero += mass
        wins += tied_zero * (above + tied_one / 2)
        above += tied_one
        total += tied_zero
        values[repeat] = wins / (above * total) if above > 0 and total > 0 else np.nan


@compiled
def _precision_batch(  # noqa: C901 - one flat pass with its tie groups
    score: Floats,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    prevalence: float,
    times: Ints,
    values: Floats,
) -> None:
    for repeat in range(times.shape[0]):
        ones, zeros = 0.0, 0.0
        for row in range(len(score)):
            mass = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                ones += mass
            else:
                zeros += mass
        if ones <= 0 or zeros <= 0:
            values[repeat] = np.nan
            continue
        of_one, of_zero = 1.0, 1.0
        if not np.isnan(prevalence):
            of_one, of_zero = prevalence / ones, (1 - prevalence) / zeros
        tp, fp, step, area = 0.0, 0.0, 0.0, 0.0
        for row in range(len(score)):
            if row and score[row] != score[row - 1]:
                if step > 0:
                    area += step * tp / (tp + fp)
                step = 0.0
            mass = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                tp += mass * of_one
                step += mass * of_one
            else:
                fp += mass * of_zero
        if step > 0:
            area += step * tp / (tp + fp)
        values[repeat] = area / tp
