"""Straight lines between two methods that both err: Deming, weighted Deming, with resamples.

Passing-Bablok, which is a matter of ranks, stands in `statistics.passing_bablok`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints, compiled, group_sums
from proctor_workers.statistics.checks import (
    NotEstimableError,
    codes,
    require_finite,
    require_fraction,
    require_rows,
)
from proctor_workers.statistics.jackknife import jackknife_error, left_out
from proctor_workers.statistics.lines import INTERCEPT, SLOPE, Line
from proctor_workers.statistics.proportions import student_quantile

_ROUNDS = 200
_CONVERGED = 1e-12


def moment_columns(reference: Floats, value: Floats, centre: tuple[float, float]) -> Floats:
    """Return what rows add to the moments of two variables about a constant each, (rows, 6).

    The constants keep the sums of squares small; see `centre_of`.
    """
    u, v = reference - centre[0], value - centre[1]
    return np.column_stack([np.ones(len(u)), u, v, u * u, v * v, u * v])


def centre_of(reference: Floats, value: Floats) -> tuple[float, float]:
    """Return the medians: constants that do not depend on the order of rows."""
    return float(np.median(reference)), float(np.median(value))


@dataclass(frozen=True, slots=True)
class Moments:
    """Means about the centres, variances and covariance (divisor n), each (...,)."""

    u: Floats
    v: Floats
    uu: Floats
    vv: Floats
    uv: Floats


def moments(sums: Floats) -> Moments:
    """Turn sums (..., 6) of `moment_columns` into moments; NaN without rows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where(sums[..., 0] > 0, sums[..., 0], np.nan)
        u, v, uu, vv, uv = (sums[..., index] / n for index in range(1, 6))
    return Moments(u, v, np.maximum(uu - u * u, 0), np.maximum(vv - v * v, 0), uv - u * v)


def deming_slope(sums: Floats, ratio: float) -> Floats:
    """Return the Deming slope of sums (..., 6); `ratio` is the error variance of x over y.

    Linnet, Clin Chem 1993;39:424, eq. 3. NaN where the slope is undefined or vertical.
    """
    part = moments(sums)
    gap = ratio * part.vv - part.uu
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.sqrt(gap * gap + 4 * ratio * part.uv * part.uv)
        # Two forms of one root: each is free of cancellation on its side.
        slope = np.where(gap > 0, (gap + size) / (2 * ratio * part.uv), 2 * part.uv / (size - gap))
    found: Floats = np.where(np.isfinite(slope), slope, np.nan)
    return found


def deming_intercept(sums: Floats, ratio: float, centre: tuple[float, float]) -> Floats:
    """Return the Deming intercept of sums (..., 6)."""
    part = moments(sums)
    intercept: Floats = part.v + centre[1] - deming_slope(sums, ratio) * (part.u + centre[0])
    return intercept


def deming(
    reference: Floats, value: Floats, patient: Ints, *, ratio: float = 1.0, level: float = 0.95
) -> Line:
    """Fit a line when both methods err by a constant amount; limits by patient jackknife.

    Rows are (n,); `ratio` is the error variance of the reference over that of the value. The
    jackknife over patients has patients - 2 degrees of freedom (Linnet, Clin Chem 1993;39:424).

    Raises:
        ValueError: NaN, an infinity, a ratio that is not positive.
        NotEstimableError: fewer than 3 patients, or reference values that determine no slope.
    """
    code, patients = _checked(reference, value, patient, ratio, level)
    centre = centre_of(reference, value)
    sums = group_sums(moment_columns(reference, value, centre), code, patients)
    total = sums.sum(axis=0)
    every = np.concatenate([total[None], total - sums])
    slopes, intercepts = deming_slope(every, ratio), deming_intercept(every, ratio, centre)
    return _jackknifed(slopes, intercepts, patients, level, "Deming, patient jackknife")


def weighted_deming(
    reference: Floats, value: Floats, patient: Ints, *, ratio: float = 1.0, level: float = 0.95
) -> Line:
    """Fit a line when both methods err in proportion to the true value.

    Weights are the inverse squares of the estimated true values, until the slope stands still
    (Linnet, Stat Med 1990;9:1463); limits as for `deming`.

    Raises:
        ValueError: NaN, an infinity, a ratio that is not positive.
        NotEstimableError: fewer than 3 patients, a value that is not positive, no convergence.
    """
    code, patients = _checked(reference, value, patient, ratio, level)
    if min(reference.min(), value.min()) <= 0:
        raise NotEstimableError("errors in proportion need positive values throughout")
    lines = _weighted_lines(reference, value, code, ratio)
    found = [lines(np.ones((1, patients), dtype=np.int64))]

    def slopes(times: Ints, values: Floats) -> None:
        found.append(lines(times))
        values[:] = found[-1][:, SLOPE]

    left_out(slopes, patients)
    both = np.concatenate(found)
    method = "weighted Deming, patient jackknife"
    return _jackknifed(both[:, SLOPE], both[:, INTERCEPT], patients, level, method)


def weighted_deming_resampled(
    reference: Floats, value: Floats, patient: Ints, *, ratio: float, part: int
) -> Callable[[Ints, Floats], None]:
    """Return the loop that turns draw counts (batch, patients) into slopes or intercepts."""
    lines = _weighted_lines(reference, value, patient, ratio)

    def loop(times: Ints, values: Floats) -> None:
        values[:] = lines(times)[:, part]

    return loop


def _weighted_lines(
    reference: Floats, value: Floats, patient: Ints, ratio: float
) -> Callable[[Ints], Floats]:
    """Return what turns draw counts (batch, patients) into lines (batch, 2)."""
    order = np.lexsort((value, reference))
    x, y, code = reference[order], value[order], patient[order]
    whole = np.full(2, np.nan)
    _weighted_line(x, y, np.ones(len(x)), np.empty(len(x)), ratio, whole)

    def lines(times: Ints) -> Floats:
        # Every draw begins at the whole sample's line: fewer rounds to the same line.
        found = np.tile(whole, (len(times), 1))
        _weighted_batch(x, y, code, ratio, times, found)
        return found

    return lines


def _checked(
    reference: Floats, value: Floats, patient: Ints, ratio: float, level: float
) -> tuple[Ints, int]:
    require_finite(reference=reference, value=value)
    require_fraction(level, "level")
    if not 0 < ratio < np.inf:
        raise ValueError("the ratio of error variances must be positive")
    code, patients = codes(patient)
    require_rows(patients, 3, "a line through patients")
    if np.ptp(reference) == 0:
        raise NotEstimableError("all reference values are equal: they determine no slope")
    return code, patients


def _jackknifed(
    slopes: Floats, intercepts: Floats, patients: int, level: float, method: str
) -> Line:
    """Give limits to the first of each array from the others, one for each group left out."""
    if not np.isfinite(slopes[0]):
        raise NotEstimableError("the values determine no slope")
    line = Line(
        slope=float(slopes[0]),
        intercept=float(intercepts[0]),
        slope_limits=None,
        intercept_limits=None,
        method=method,
    )
    if not np.all(np.isfinite(slopes)):
        return replace(line, reason="without one of the patients there is no slope")
    quantile = student_quantile(patients - 2, level)
    slope_error, intercept_error = jackknife_error(slopes[1:]), jackknife_error(intercepts[1:])
    return replace(
        line,
        slope_limits=(
            line.slope - quantile * slope_error,
            line.slope + quantile * slope_error,
        ),
        intercept_limits=(
            line.intercept - quantile * intercept_error,
            line.intercept + quantile * intercept_error,
        ),
        slope_error=slope_error,
        intercept_error=intercept_error,
    )


@compiled
def _weighted_batch(
    x: Floats, y: Floats, patient: Ints, ratio: float, times: Ints, lines: Floats
) -> None:
    drawn = np.empty(len(x))
    weight = np.empty(len(x))
    for repeat in range(times.shape[0]):
        for row in range(len(x)):
            drawn[row] = times[repeat, patient[row]]
        _weighted_line(x, y, drawn, weight, ratio, lines[repeat])


@compiled
def _weighted_line(
    x: Floats, y: Floats, drawn: Floats, weight: Floats, ratio: float, line: Floats
) -> None:
    """Iterate from the line given, or where it is NaN from the unweighted one."""
    if not np.isfinite(line[0]):
        for row in range(len(x)):
            weight[row] = drawn[row]
        _moment_line(x, y, weight, ratio, line)
    for _ in range(_ROUNDS):
        slope, intercept = line[0], line[1]
        if not np.isfinite(slope):
            break
        scale = 1 + ratio * slope * slope
        for row in range(len(x)):
            residual = y[row] - intercept - slope * x[row]
            true_x = x[row] + ratio * slope * residual / scale
            true_y = y[row] - residual / scale
            size = (true_x + ratio * true_y) / (1 + ratio)
            weight[row] = drawn[row] / (size * size) if drawn[row] > 0 else 0.0
        _moment_line(x, y, weight, ratio, line)
        if abs(line[0] - slope) <= _CONVERGED * max(1.0, abs(slope)):
            return
    line[0], line[1] = np.nan, np.nan


@compiled
def _moment_line(x: Floats, y: Floats, weight: Floats, ratio: float, line: Floats) -> None:
    total, mean_x, mean_y = 0.0, 0.0, 0.0
    for row in range(len(x)):
        total += weight[row]
        mean_x += weight[row] * x[row]
        mean_y += weight[row] * y[row]
    line[0], line[1] = np.nan, np.nan
    if not 0 < total < np.inf:
        return
    mean_x /= total
    mean_y /= total
    xx, yy, xy = 0.0, 0.0, 0.0
    for row in range(len(x)):
        u, v = x[row] - mean_x, y[row] - mean_y
        xx += weight[row] * u * u
        yy += weight[row] * v * v
        xy += weight[row] * u * v
    gap = ratio * yy - xx
    size = np.sqrt(gap * gap + 4 * ratio * xy * xy)
    if gap > 0:
        if xy == 0.0:
            return
        line[0] = (gap + size) / (2 * ratio * xy)
    else:
        if size - gap == 0.0:
            return
        line[0] = 2 * xy / (size - gap)
    line[1] = mean_y - line[0] * mean_x
