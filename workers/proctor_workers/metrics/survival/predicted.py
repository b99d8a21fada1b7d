"""Predicted survival curves: what they must be, and their value at a time."""

import numpy as np

from proctor_workers.statistics.arrays import Floats

_SLACK = 1e-9  # curves written in decimal may rise by their last digit


def survival_at(grid: Floats, curves: Floats, times: Floats) -> Floats:
    """Return predicted survival (rows, times) of step curves (rows, grid); 1 before the grid.

    Raises:
        ValueError: the grid does not rise from at least 0, a curve leaves [0, 1] or rises, or a
            time lies beyond the grid.
    """
    if grid.ndim != 1 or not len(grid) or not np.all(np.isfinite(grid)) or grid[0] < 0:
        raise ValueError("the grid of a survival curve is a list of finite times of at least 0")
    if np.any(np.diff(grid) <= 0):
        raise ValueError("the times of a survival curve do not rise")
    if curves.ndim != 2 or curves.shape[1] != len(grid):
        raise ValueError("a survival curve has as many values as times")
    require_probabilities(curves)
    if np.any(np.diff(curves, axis=1) > _SLACK):
        raise ValueError("a survival curve rises")
    if np.any(times > grid[-1]):
        raise ValueError("a survival curve ends before a time it is asked for")
    place = np.searchsorted(grid, times, side="right")
    begun = np.column_stack([np.ones(len(curves)), curves])
    found: Floats = begun[:, place]
    return found


def require_probabilities(values: Floats) -> None:
    """Check that predicted probabilities are such.

    Raises:
        ValueError: NaN or a value outside [0, 1].
    """
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("a predicted probability is not between 0 and 1")
