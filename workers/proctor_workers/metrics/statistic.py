"""A statistic of a cohort with what its interval is made from."""

from collections.abc import Callable
from dataclasses import dataclass

from proctor_workers.statistics.arrays import Floats, Ints

Loop = Callable[[Ints, Floats], None]  # how often each patient is drawn (batch, patients) -> values


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A value, its values in resamples of patients, and each patient's influence (patients,).

    The influence is the derivative by a patient's weight (infinitesimal jackknife); the variance is
    the sum of its squares.
    """

    value: float
    loop: Loop
    influence: Floats
