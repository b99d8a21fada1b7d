"""The array types of the numeric code, and the one way to compile a loop."""

from collections.abc import Callable
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]
Halves = NDArray[np.uint32]
Times = NDArray[np.uint8]
Counts = NDArray[np.int32]

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a loop to machine code without reordering its sums."""
    machine: F = numba.njit(cache=True, fastmath=False)(function)
    return machine


def group_sums(columns: Floats, group: Ints, groups: int) -> Floats:
    """Add the rows (n, k) of each group up to (groups, k), in row order."""
    table = columns if columns.ndim == 2 else columns[:, None]
    sums = np.empty((groups, table.shape[1]))
    for column in range(table.shape[1]):
        sums[:, column] = np.bincount(group, weights=table[:, column], minlength=groups)
    return sums
