"""Logistic recalibration: intercept with the logit as offset, and slope; with resamples."""

from collections.abc import Callable
from functools import partial

import numpy as np

from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums

EDGE = 1e-10  # emitted probabilities of 0 and 1 have no logit and are moved this far inside
_ROUNDS = 30


def logits(score: Floats) -> Floats:
    """Return the logit of emitted probabilities, moved inside (0, 1)."""
    inside = np.clip(score, EDGE, 1 - EDGE)
    logit: Floats = np.log(inside) - np.log1p(-inside)
    return logit


def resampled(
    name: str, sample: Sample, prevalence: float | None
) -> Callable[[Ints, Floats], None]:
    """Return the loop that turns draw counts (batch, patients) into fitted values (batch,)."""
    code, _ = sample.codes()
    start = fit(name, sample, prevalence)
    return partial(
        _fit_batch,
        logits(sample.score),
        sample.positive,
        sample.weight,
        code,
        np.nan if prevalence is None else prevalence,
        name == "calibration_slope",
        np.array(start if np.all(np.isfinite(start)) else (0.0, 1.0)),
    )


def fit(name: str, sample: Sample, prevalence: float | None) -> tuple[float, float]:
    """Return (intercept, slope); the slope is 1 where only the intercept is fitted."""
    weight = _class_weights(sample, prevalence)
    found = np.empty(2)
    newton(
        logits(sample.score),
        sample.positive,
        weight,
        name == "calibration_slope",
        np.array([0.0, 1.0]),
        found,
    )
    return float(found[0]), float(found[1])


def influence(name: str, sample: Sample, prevalence: float | None) -> Floats:
    """Return the derivative of the fitted value by each patient's weight (patients,)."""
    code, stratum = sample.codes()
    weight = _class_weights(sample, prevalence)
    x = logits(sample.score)
    intercept, slope = fit(name, sample, prevalence)
    p = 1 / (1 + np.exp(-(intercept + slope * x)))
    residual = weight * (sample.positive - p)
    spread = weight * p * (1 - p)
    if name == "calibration_intercept":
        return group_sums(residual / spread.sum(), code, len(stratum))[:, 0]
    information = np.array(
        [[spread.sum(), (spread * x).sum()], [(spread * x).sum(), (spread * x * x).sum()]]
    )
    direction = np.linalg.solve(information, np.array([0.0, 1.0]))
    return group_sums(residual * (direction[0] + direction[1] * x), code, len(stratum))[:, 0]


def _class_weights(sample: Sample, prevalence: float | None) -> Floats:
    weight = sample.weight.copy()
    if prevalence is not None:
        ones = sample.positive
        weight[ones] *= prevalence * len(sample) / weight[ones].sum()
        weight[~ones] *= (1 - prevalence) * len(sample) / weight[~ones].sum()
    return weight


@compiled
def newton(
    x: Floats,
    positive: Bools,
    weight: Floats,
    with_slope: bool,  # noqa: FBT001 - compiled loops take positions
    start: Floats,
    found: Floats,
) -> None:
    """Fill found with intercept and slope (1 where only the intercept is fitted), NaN if none."""
    a, b = start[0], start[1]
    for _ in range(_ROUNDS):
        g0, g1, h00, h01, h11 = 0.0, 0.0, 0.0, 0.0, 0.0
        for row in range(len(x)):
            mass = weight[row]
            if mass == 0.0:
                continue
            p = 1 / (1 + np.exp(-(a + b * x[row])))
            residual = mass * ((1.0 if positive[row] else 0.0) - p)
            spread = mass * p * (1 - p)
            g0 += residual
            h00 += spread
            if with_slope:
                g1 += residual * x[row]
                h01 += spread * x[row]
                h11 += spread * x[row] * x[row]
        determinant = h00 * h11 - h01 * h01 if with_slope else h00
        if not determinant > 1e-12 * max(h00, 1e-300):
            break
        step_a = (h11 * g0 - h01 * g1) / determinant if with_slope else g0 / h00
        step_b = (h00 * g1 - h01 * g0) / determinant if with_slope else 0.0
        a += step_a
        b += step_b
        if not (abs(a) < 1e3 and abs(b) < 1e3):
            break
        if abs(step_a) < 1e-10 and abs(step_b) < 1e-10:
            found[0], found[1] = a, b
            return
    found[0], found[1] = np.nan, np.nan


@compiled
def _fit_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    x: Floats,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    prevalence: float,
    with_slope: bool,  # noqa: FBT001 - compiled loops take positions
    start: Floats,
    times: Ints,
    values: Floats,
) -> None:
    mass = np.empty(len(x))
    found = np.empty(2)
    for repeat in range(times.shape[0]):
        ones, zeros = 0.0, 0.0
        for row in range(len(x)):
            mass[row] = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                ones += mass[row]
            else:
                zeros += mass[row]
        if ones <= 0 or zeros <= 0:
            values[repeat] = np.nan
            continue
        if not np.isnan(prevalence):
            total = ones + zeros
            for row in range(len(x)):
                part = prevalence / ones if positive[row] else (1 - prevalence) / zeros
                mass[row] *= part * total
        newton(x, positive, mass, with_slope, start, found)
        values[repeat] = found[1] if with_slope else found[0]
