"""Two raters' forecasts of the same origins, set against each other by their losses."""

import numpy as np

from proctor_workers.metrics.forecasting_quantities import ALL_STEPS, ForecastFormula
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.forecast_comparison import LossDifference, diebold_mariano


def compare_losses(
    metric: ForecastFormula, first: Sample, second: Sample, level: float
) -> tuple[LossDifference, int]:
    """Return the Diebold-Mariano test of two raters' losses at the same rows, and its horizon.

    One patient: the origins in the order of `time`; as these may lie a step apart, losses count
    as correlated over the steps ahead. Several patients: their mean losses, which are
    independent (horizon 1); patients weigh equally.

    Raises:
        NotEstimableError: too few patients or origins, no or equal times of one patient's origins,
            or losses that differ by the same amount everywhere.
    """
    losses = np.column_stack([metric.losses(first), metric.losses(second)])
    known = np.all(np.isfinite(losses), axis=1)
    losses, code = losses[known], first.codes()[0][known]
    if len(np.unique(code)) > 1:
        _, code = np.unique(code, return_inverse=True)
        size = np.bincount(code)
        means = [np.bincount(code, weights=loss) / size for loss in losses.T]
        return diebold_mariano(means[0], means[1], horizon=1, level=level), 1
    ordered = losses[_in_order(first["time"][known])]
    horizon = metric.step if metric.step != ALL_STEPS else first["observed"].shape[1]
    found = diebold_mariano(ordered[:, 0], ordered[:, 1], horizon=horizon, level=level)
    return found, horizon


def _in_order(time: Floats) -> Ints:
    """Return the origins by their time."""
    order = np.argsort(time, kind="stable")
    if np.any(np.isnan(time)) or np.any(np.diff(time[order]) <= 0):
        raise NotEstimableError("a series' origins need a time each, in the attribute 'time'")
    return order.astype(np.int64)
