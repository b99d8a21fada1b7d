"""Pointwise bootstrap limits of a whole curve: every point from the same draws of patients."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.bootstrap import (
    Looped,
    Resampling,
    acceleration,
    bca_limits,
)

_NO_WIDTH = 1e-9  # equal values may differ in their last bits

Fill = Callable[[Ints, Floats], None]  # draw counts (batch, patients) -> values (batch, points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A curve's values (points,) with pointwise limits; NaN where there are none."""

    value: Floats
    lower: Floats
    upper: Floats
    method: str

    def split(self, points: int) -> "tuple[Band, Band]":
        """Return the first points, and the others."""
        first, second = (
            Band(
                value=self.value[part],
                lower=self.lower[part],
                upper=self.upper[part],
                method=self.method,
            )
            for part in (slice(points), slice(points, None))
        )
        return first, second


def banded(
    fill: Fill,
    influences: Iterable[Floats],
    plan: Resampling,
    *,
    level: float = 0.95,
    otherwise: Callable[[float], tuple[float, float]] | None = None,
) -> Band:
    """Draw the patients once and return BCa limits at each point.

    `influences` has one (patients,) for each point, for the accelerations. `otherwise` gives the
    limits of a value whose resamples leave no width between the limits.
    """
    accelerations = [acceleration(one, plan.stratum) for one in influences]
    points = len(accelerations)
    value = np.empty((1, points))
    fill(np.ones((1, len(plan.stratum)), dtype=np.int64), value)
    replicates = plan.replicate(Looped(fill, points))[0]
    lower, upper = np.full(points, np.nan), np.full(points, np.nan)
    for place, accelerated in enumerate(accelerations):
        estimate = float(value[0, place])
        if not np.isfinite(estimate):
            continue
        found = bca_limits(estimate, replicates[:, place], accelerated, level)
        if found.lower is not None and found.upper is not None:
            lower[place], upper[place] = found.lower, found.upper
        if otherwise is not None and not upper[place] - lower[place] > _NO_WIDTH:
            lower[place], upper[place] = otherwise(estimate)
    return Band(
        value=value[0],
        lower=lower,
        upper=upper,
        method=f"pointwise patient bootstrap, BCa, {plan.resamples} resamples",
    )
