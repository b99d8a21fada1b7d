"""Quantiles of rows whose patients are drawn several times, without repeating the rows."""

from collections.abc import Callable
from functools import partial

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints, compiled


def resampled_quantile(
    value: Floats, patient: Ints, share: float
) -> Callable[[Ints, Floats], None]:
    """Return the loop that turns draw counts (batch, patients) into quantiles (batch,).

    Linear interpolation of the order statistics (Hyndman & Fan, Am Stat 1996;50:361, definition 7),
    of which the median is the usual one. `patient` holds codes 0..patients-1. A patient drawn twice
    brings its rows twice; a draw without any row gives NaN.
    """
    order = np.argsort(value, kind="stable")
    return partial(
        _quantile_batch,
        np.ascontiguousarray(value[order]),
        np.ascontiguousarray(patient[order]),
        share,
    )


@compiled
def _quantile_batch(
    ordered: Floats, patient: Ints, share: float, times: Ints, values: Floats
) -> None:
    for repeat in range(times.shape[0]):
        total = 0
        for row in range(len(ordered)):
            total += times[repeat, patient[row]]
        if total == 0:
            values[repeat] = np.nan
            continue
        place = (total - 1) * share
        low = int(np.floor(place))
        high = min(low + 1, total - 1)
        seen, below, above = 0, np.nan, np.nan
        for row in range(len(ordered)):
            seen += times[repeat, patient[row]]
            if np.isnan(below) and seen > low:
                below = ordered[row]
            if seen > high:
                above = ordered[row]
                break
        values[repeat] = below + (above - below) * (place - low)
