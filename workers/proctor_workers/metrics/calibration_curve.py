"""The flexible calibration curve, its band, and the indices made from its distance (ICI, E50, E90).

The curve is a logistic model on a restricted cubic spline of the probability's logit. Its knots
stand at fixed quantiles (Harrell, Regression Modeling Strategies 2015, table 2.3).
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from scipy import special

from proctor_workers.metrics.calibration import Risks, class_masses, once
from proctor_workers.metrics.recalibration import logits
from proctor_workers.metrics.statistic import Statistic
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.proportions import normal_quantile

Index = Literal["ici", "e50", "e90"]
_INDICES: tuple[Index, ...] = ("ici", "e50", "e90")
_SHARES = {"e50": 0.5, "e90": 0.9}
_KNOTS_AT = (0.05, 0.35, 0.65, 0.95)
_ROUNDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothCurve:
    """A fitted curve: knots on the logit scale, coefficients, and their patient covariance."""

    knots: Floats
    coefficients: Floats
    covariance: Floats

    def at(self, probability: Floats, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """Return the observed share and its pointwise limits at predicted probabilities."""
        columns = spline(logits(probability), self.knots)
        centre = columns @ self.coefficients
        spread = np.einsum("ij,jk,ik->i", columns, self.covariance, columns)
        half = normal_quantile(level) * np.sqrt(spread)
        return special.expit(centre), special.expit(centre - half), special.expit(centre + half)


def spline_knots(probability: Floats) -> Floats:
    """Return four knots on the logit scale at the 5th, 35th, 65th and 95th percentile.

    Where fewer than three of these differ, there is none and the curve is a line in the logit.

    Raises:
        NotEstimableError: the probabilities are constant.
    """
    x = logits(probability)
    if x.min() == x.max():
        raise NotEstimableError("a calibration curve needs probabilities that differ")
    knots = np.unique(np.quantile(x, _KNOTS_AT, method="inverted_cdf"))
    return knots if len(knots) >= 3 else np.empty(0)


def spline(x: Floats, knots: Floats) -> Floats:
    """Return the columns 1, x and the restricted cubic terms (rows, max(2, knots)).

    Beyond the outer knots each term is linear.
    """
    columns = [np.ones(len(x)), x]
    if len(knots):
        last, before = knots[-1], knots[-2]
        for knot in knots[:-2]:
            term = (
                np.clip(x - knot, 0, None) ** 3
                - np.clip(x - before, 0, None) ** 3 * (last - knot) / (last - before)
                + np.clip(x - last, 0, None) ** 3 * (before - knot) / (last - before)
            )
            columns.append(term / (last - knots[0]) ** 2)
    return np.stack(columns, axis=1)


def smooth_curve(data: Risks) -> SmoothCurve:
    """Fit the curve; the band is from the sandwich covariance by patient.

    Raises:
        NotEstimableError: constant probabilities, one class only, or no finite fit.
    """
    knots = spline_knots(data.probability)
    columns = spline(logits(data.probability), knots)
    weight = data.class_weight()
    found = _fitted(columns, data.positive, weight)
    p = special.expit(columns @ found)
    information = (columns * (weight * p * (1 - p))[:, None]).T @ columns
    score = group_sums(
        columns * (weight * (data.positive - p))[:, None], data.patient, data.patients
    )
    influence = np.linalg.solve(information, score.T)
    return SmoothCurve(knots=knots, coefficients=found, covariance=influence @ influence.T)


def _fitted(columns: Floats, positive: Bools, weight: Floats) -> Floats:
    found = np.empty(columns.shape[1])
    if len(np.unique(positive)) < 2:
        raise NotEstimableError("a calibration curve needs both classes")
    _newton(columns, positive, weight, _start(columns), found)
    if not np.all(np.isfinite(found)):
        raise NotEstimableError("the calibration curve has no finite fit: the classes separate")
    return found


def _start(columns: Floats) -> Floats:
    start = np.zeros(columns.shape[1])
    start[1] = 1.0
    return start


def distance_statistic(data: Risks, index: Index) -> Statistic:
    """Return ICI (mean), E50 or E90 (quantiles) of |probability - curve|.

    Austin & Steyerberg, Stat Med 2019;38:4051. Quantiles are of the weighted distribution, the
    smallest value that reaches the share. In a resample the curve is fitted again, its knots stay.
    The influence of a quantile takes its density from the values within n^(-1/3) of its share.

    Raises:
        ValueError: another index.
        NotEstimableError: constant probabilities, one class only, or no finite fit.
    """
    if index not in _INDICES:
        raise ValueError(f"an index of distance is one of {', '.join(_INDICES)}")
    columns = spline(logits(data.probability), spline_knots(data.probability))
    found = _fitted(columns, data.positive, data.class_weight())
    loop = partial(
        _distance_batch,
        np.ascontiguousarray(columns),
        data.probability,
        found,
        _INDICES.index(index),
        data.positive,
        data.weight,
        data.patient,
        math.nan if data.prevalence is None else data.prevalence,
    )
    row = _distance_influence(data, columns, found, index)
    return Statistic(
        value=once(loop, data.patients),
        loop=loop,
        influence=group_sums(row, data.patient, data.patients)[:, 0],
    )


def _distance_influence(data: Risks, columns: Floats, found: Floats, index: Index) -> Floats:
    """Return each row's influence: its own distance, and its pull on the curve."""
    mass = data.class_weight()
    share = mass / mass.sum()
    p = special.expit(columns @ found)
    spread = p * (1 - p)
    gap = p - data.probability
    distance = np.abs(gap)
    slope = (np.sign(gap) * spread)[:, None] * columns  # of each distance by the coefficients
    information = (columns * (mass * spread)[:, None]).T @ columns
    fit = np.linalg.solve(information, (columns * (mass * (data.positive - p))[:, None]).T).T
    if index == "ici":
        own = share * (distance - np.sum(share * distance))
        towards = share @ slope
    else:
        wanted = _SHARES[index]
        order = np.argsort(distance, kind="stable")
        reached = np.cumsum(share[order])
        reach = len(data) ** (-1 / 3) / 2
        low, high = np.interp(
            [max(wanted - reach, 0), min(wanted + reach, 1)], reached, distance[order]
        )
        value = np.interp(wanted, reached, distance[order])
        near = (distance >= low) & (distance <= high)
        density = np.sum(share[near]) / (high - low) if high > low else np.inf
        own = share * (wanted - (distance <= value)) / density
        towards = share[near] @ slope[near] / np.sum(share[near])
    pull: Floats = own + fit @ towards
    return pull


@compiled
def _solve(matrix: Floats, right: Floats) -> bool:
    """Solve a positive definite system in place by Cholesky; False where it is not definite."""
    size = len(right)
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not rest > 1e-12 * matrix[i, i]:
                    return False
                matrix[i, i] = np.sqrt(rest)
            else:
                matrix[i, j] = rest / matrix[j, j]
    for i in range(size):
        for k in range(i):
            right[i] -= matrix[i, k] * right[k]
        right[i] /= matrix[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            right[i] -= matrix[k, i] * right[k]
        right[i] /= matrix[i, i]
    return True


@compiled
def _fitted_share(columns: Floats, row: int, beta: Floats) -> float:
    line = 0.0
    for j in range(len(beta)):
        line += columns[row, j] * beta[j]
    return float(1 / (1 + np.exp(-line)))


@compiled
def _normal_equations(
    columns: Floats,
    positive: Bools,
    mass: Floats,
    beta: Floats,
    information: Floats,
    gradient: Floats,
) -> float:
    """Fill the equations of a Newton step; return the log likelihood."""
    gradient[:] = 0.0
    information[:] = 0.0
    likelihood = 0.0
    for row in range(len(mass)):
        if mass[row] == 0.0:
            continue
        p = _fitted_share(columns, row, beta)
        likelihood += mass[row] * np.log(max(p if positive[row] else 1 - p, 1e-300))
        residual = mass[row] * ((1.0 if positive[row] else 0.0) - p)
        spread = mass[row] * p * (1 - p)
        for j in range(len(beta)):
            gradient[j] += residual * columns[row, j]
            for k in range(j + 1):
                information[j, k] += spread * columns[row, j] * columns[row, k]
    return likelihood


@compiled
def _newton(columns: Floats, positive: Bools, mass: Floats, start: Floats, found: Floats) -> None:
    """Fill found with the logistic fit; NaN where the steps do not come to rest.

    A step that lowers the likelihood is halved.
    """
    size = len(start)
    beta, step = start.copy(), np.zeros(size)
    gradient, information = np.empty(size), np.empty((size, size))
    best = -np.inf
    found[:] = np.nan
    for _ in range(_ROUNDS):
        likelihood = _normal_equations(columns, positive, mass, beta, information, gradient)
        if likelihood < best - 1e-9 * abs(best):
            step /= 2
            beta -= step
            continue
        best = likelihood
        if not _solve(information, gradient):
            return
        step[:] = gradient
        beta += step
        longest = np.abs(step).max()
        if not longest < 1e6:
            return
        if longest < 1e-9:
            found[:] = beta
            return


@compiled
def _weighted_quantile(value: Floats, mass: Floats, share: float) -> float:
    """Return the smallest value at or below which at least the share of the mass lies."""
    wanted = share * mass.sum() * (1 - 1e-12)
    reached = 0.0
    order = np.argsort(value)
    for row in order:
        reached += mass[row]
        if reached >= wanted and mass[row] > 0:
            return float(value[row])
    return float(value[order[-1]])


@compiled
def _distance_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    columns: Floats,
    probability: Floats,
    start: Floats,
    index: int,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    prevalence: float,
    times: Ints,
    values: Floats,
) -> None:
    rows = len(probability)
    mass, distance, found = np.empty(rows), np.empty(rows), np.empty(len(start))
    for repeat in range(times.shape[0]):
        values[repeat] = np.nan
        if not class_masses(positive, weight, patient, times[repeat], prevalence, mass):
            continue
        _newton(columns, positive, mass, start, found)
        if np.isnan(found[0]):
            continue
        summed = 0.0
        for row in range(rows):
            distance[row] = abs(probability[row] - _fitted_share(columns, row, found))
            summed += mass[row] * distance[row]
        if index == 0:
            values[repeat] = summed / mass.sum()
        else:
            values[repeat] = _weighted_quantile(distance, mass, 0.5 if index == 1 else 0.9)
