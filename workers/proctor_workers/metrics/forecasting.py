"""Forecasts of series: errors, scaled errors, quantiles, prediction intervals, rolling origins.

Every measure is a formula of sums over rows, a row being one step of one forecast. A series may be
forecast from several origins; its patient is what is resampled.
"""

from collections.abc import Callable, Mapping

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.checks import (
    NotEstimableError,
    require_finite,
    require_fraction,
    require_rows,
)

Formula = Callable[[Floats], Floats]


def seasonal_naive_scale(history: Floats, season: int = 1) -> float:
    """Return the mean size of a history's (times,) changes over one season.

    The error of the forecast that repeats the last season, within the history; the denominator of
    MASE (Hyndman & Koehler, Int J Forecast 2006;22:679).

    Raises:
        ValueError: NaN, an infinity, a season below 1.
        NotEstimableError: a history no longer than a season, or one that never changes.
    """
    require_finite(history=history)
    if season < 1:
        raise ValueError("a season has at least one step")
    require_rows(len(history), season + 1, "a seasonal naive forecast of steps")
    scale = float(np.mean(np.abs(history[season:] - history[:-season])))
    if scale == 0:
        raise NotEstimableError("the history does not change from season to season")
    return scale


def error_columns(forecast: Floats, observed: Floats, scale: Floats) -> Floats:
    """Return what each row adds to the sums that ERRORS take, (rows, 6).

    A one, error, size, square, size relative to the observation, size relative to the scale of the
    row's series. The relative ones are NaN where the observation is 0 or the scale is not known.

    Raises:
        ValueError: NaN or an infinity in forecast or observed.
    """
    require_finite(forecast=forecast, observed=observed)
    error = forecast - observed
    size = np.abs(error)
    base = np.where(observed == 0, np.nan, np.abs(observed))
    return np.column_stack(
        [
            np.ones(len(error)),
            error,
            size,
            error * error,
            size / base,
            size / np.where(scale > 0, scale, np.nan),
        ]
    )


def mean_of(column: int) -> Formula:
    """Return the formula that divides a column's sum by the first column's."""

    def formula(sums: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            mean: Floats = np.where(sums[..., 0] > 0, sums[..., column] / sums[..., 0], np.nan)
        return mean

    return formula


def _rmse(sums: Floats) -> Floats:
    root: Floats = np.sqrt(mean_of(3)(sums))
    return root


ERRORS: Mapping[str, Formula] = {
    "bias": mean_of(1),
    "mae": mean_of(2),
    "rmse": _rmse,
    "mape": mean_of(4),
    "mase": mean_of(5),
}
"""Formulas of sums (..., 6) of `error_columns`; all rows weigh equally."""


def pinball_columns(quantiles: Floats, observed: Floats, levels: Floats) -> Floats:
    """Return a one and each quantile's pinball loss per row, (rows, 1 + levels).

    `quantiles` is (rows, levels). Koenker & Bassett, Econometrica 1978;46:33: an observation above
    the quantile of level t costs t times its distance, one below it 1 - t times. Quantiles that
    cross are taken as they are.

    Raises:
        ValueError: NaN, an infinity, a level outside (0, 1), unequal shapes.
    """
    if quantiles.shape != (len(observed), len(levels)):
        raise ValueError("quantiles need a row an observation and a column a level")
    require_finite(quantiles=quantiles.ravel())
    require_finite(observed=observed)
    for level in levels.tolist():
        require_fraction(level, "a quantile's level")
    above = observed[:, None] - quantiles
    loss = np.maximum(levels * above, (levels - 1) * above)
    return np.column_stack([np.ones(len(observed)), loss])


def mean_pinball(sums: Floats) -> Floats:
    """Return the mean loss over rows and levels of sums (..., 1 + levels)."""
    levels = sums.shape[-1] - 1
    return mean_of(1)(np.stack([sums[..., 0] * levels, sums[..., 1:].sum(axis=-1)], axis=-1))


def crps(sums: Floats, levels: Floats) -> Floats:
    """Return the continuous ranked probability score that the quantiles approximate.

    Twice the integral of the pinball loss over the levels (Gneiting & Ranjan, J Bus Econ Stat
    2011;29:411), each level standing for the part of (0, 1) nearer to it than to any other.
    """
    order = np.argsort(levels, kind="stable")
    edges = np.concatenate([[0.0], (levels[order][1:] + levels[order][:-1]) / 2, [1.0]])
    loss = (sums[..., 1:][..., order] * np.diff(edges)).sum(axis=-1)
    return mean_of(1)(np.stack([sums[..., 0], 2 * loss], axis=-1))


def interval_columns(lower: Floats, upper: Floats, observed: Floats, level: float) -> Floats:
    """Return what each row adds to the sums that INTERVALS take, (rows, 4).

    A one, whether the observation lies inside (limits included), the width, and the interval score
    at the level: the width and 2 / (1 - level) times the distance by which it was missed (Winkler,
    JASA 1972;67:187).

    Raises:
        ValueError: NaN, an infinity, a level outside (0, 1), limits in the wrong order.
    """
    require_finite(lower=lower, upper=upper, observed=observed)
    require_fraction(level, "level")
    if np.any(upper < lower):
        raise ValueError("a prediction interval's limits are in the wrong order")
    missed = np.maximum(lower - observed, 0) + np.maximum(observed - upper, 0)
    width = upper - lower
    return np.column_stack(
        [np.ones(len(observed)), missed == 0, width, width + 2 / (1 - level) * missed]
    )


INTERVALS: Mapping[str, Formula] = {
    "coverage": mean_of(1),
    "width": mean_of(2),
    "interval_score": mean_of(3),
}
"""Formulas of sums (..., 4) of `interval_columns`."""


def rolling_origins(
    length: int, *, first: int, horizon: int, stride: int = 1
) -> tuple[Ints, Ints, Ints]:
    """Return origin, step and target of every row of a rolling-origin evaluation of one series.

    Origins o = first, first + stride, … see the times below o and forecast o to o + horizon - 1,
    as long as these lie within the series (Tashman, Int J Forecast 2000;16:437).

    Raises:
        ValueError: a number that is not positive.
        NotEstimableError: the series is too short for one origin.
    """
    if min(first, horizon, stride) < 1:
        raise ValueError("first origin, horizon and stride must be at least 1")
    require_rows(length, first + horizon, "a rolling origin over steps")
    origins = np.arange(first, length - horizon + 1, stride, dtype=np.int64)
    origin = np.repeat(origins, horizon)
    step = np.tile(np.arange(1, horizon + 1, dtype=np.int64), len(origins))
    return origin, step, origin + step - 1


def blocks(time: Ints, length: int) -> Ints:
    """Return the block of each time: what is resampled where there is one long series only.

    Blocks follow one another without overlap (Carlstein, Ann Stat 1986;14:1171) and should be
    longer than the horizon. A block code stands where a patient code would.

    Raises:
        ValueError: a length below 1.
    """
    if length < 1:
        raise ValueError("a block has at least one time")
    code: Ints = time // length
    return code
