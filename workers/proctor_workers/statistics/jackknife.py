"""The jackknife over patients of a statistic that is not a formula of sums."""

import math
from collections.abc import Callable

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints

_MOST_ALONE, _GROUPS = 2000, 1000  # beyond it patients leave in groups: linear in the rows
_CELLS_AT_ONCE = 1 << 21  # counts held at once: 16 MiB


def left_out(statistic: Callable[[Ints, Floats], None], patients: int) -> Floats:
    """Evaluate a statistic of draw counts (batch, patients) without each patient, (groups,).

    Above 2,000 patients a thousandth leaves at a time, in the order of their codes: the standard
    error from groups is that from patients (Shao & Tu, The Jackknife and Bootstrap, 1995, 2.3).
    """
    groups = patients if patients <= _MOST_ALONE else _GROUPS
    group = np.arange(patients) * groups // patients
    values = np.empty(groups)
    step = max(1, _CELLS_AT_ONCE // patients)
    for first in range(0, groups, step):
        part = np.arange(first, min(first + step, groups))
        times = (group[None, :] != part[:, None]).astype(np.int64)
        statistic(times, values[first : first + len(part)])
    return values


def jackknife_error(values: Floats) -> float:
    """Return the standard error from the values without each group, (groups,)."""
    groups = len(values)
    spread = float(np.sum((values - np.mean(values)) ** 2))
    return math.sqrt((groups - 1) / groups * spread)
