"""What every statistic of measured values asks of its arrays; what it means stays with each."""

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints


class NotEstimableError(ValueError):
    """Well-formed values from which the quantity is undefined; the sentence says why."""


def require_finite(**arrays: Floats) -> None:
    """Check that named one-dimensional arrays are equally long and finite.

    Raises:
        ValueError: another shape, NaN or an infinity; the message names the array.
    """
    lengths = set()
    for name, values in arrays.items():
        if values.ndim != 1:
            raise ValueError(f"{name} is not one-dimensional")
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{name} holds NaN or an infinity")
        lengths.add(len(values))
    if len(lengths) > 1:
        raise ValueError(f"{', '.join(arrays)} are not equally long")


def require_rows(n: int, fewest: int, what: str) -> None:
    """Check a sample's size.

    Raises:
        NotEstimableError: fewer rows than the statistic is defined for.
    """
    if n < fewest:
        raise NotEstimableError(f"{what} needs at least {fewest} of them, there are {n}")


def require_fraction(value: float, name: str) -> None:
    """Check that a level or share lies strictly between 0 and 1.

    Raises:
        ValueError: it does not.
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1")


def codes(names: Ints) -> tuple[Ints, int]:
    """Return names as 0..groups-1 in their order, and how many there are."""
    levels, code = np.unique(names, return_inverse=True)
    return code.astype(np.int64), len(levels)
