"""Points held against the points they should be: how far off in mm, and how often close enough."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats


class PointsError(ValueError):
    """Points that cannot be compared: other number or axes, or a coordinate that is no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointErrors:
    """One case's distances in mm, (points,); NaN where a point was not given."""

    distance: Floats

    @property
    def given(self) -> Bools:
        """Which points were given."""
        return ~np.isnan(self.distance)

    @property
    def missing(self) -> int:
        """How many points were not given."""
        return int((~self.given).sum())

    def mean(self) -> float:
        """Return the mean distance over the given points; NaN if there is none."""
        return float(self.distance[self.given].mean()) if self.given.any() else math.nan

    def root_mean_square(self) -> float:
        """Return the root of the mean squared distance over the given points; NaN if none."""
        given = self.distance[self.given]
        return math.sqrt(float(np.mean(given**2))) if len(given) else math.nan

    def detected(self, radius: float) -> float:
        """Return the success detection rate: the share within `radius` mm; missing ones are not."""
        if not (math.isfinite(radius) and radius >= 0):
            raise ValueError("a radius is a length in mm, 0 or more")
        return float(np.mean(self._within(radius)))

    def correct(self, fraction: float, length: float) -> float:
        """Return the share of correct keypoints: within a fraction of the case's own length in mm.

        Yang & Ramanan, IEEE PAMI 2013;35:2878: the length is the subject's, such as the head's.
        """
        if not (math.isfinite(length) and length > 0 and fraction > 0):
            raise ValueError("a length and a fraction of it are positive")
        return float(np.mean(self._within(fraction * length)))

    def _within(self, limit: float) -> Bools:
        return np.nan_to_num(self.distance, nan=math.inf) <= limit


def point_errors(
    reference: Floats, found: Floats, *, spacing: Sequence[float] | None = None
) -> PointErrors:
    """Return the distance of each found point from its reference, pair by pair.

    Args:
        reference: (points, axes) with 2 or 3 axes.
        found: the same; a row of NaN for a point that was not given.
        spacing: mm for each axis where the coordinates are voxels; None where they are mm.

    Raises:
        PointsError: see there.
    """
    if reference.ndim != 2 or reference.shape[1] not in {2, 3} or not len(reference):
        raise PointsError("points are rows of 2 or 3 coordinates, at least one")
    if found.shape != reference.shape:
        raise PointsError(
            f"there are {len(reference)} points of {reference.shape[1]} coordinates to be found"
        )
    if not np.isfinite(reference).all():
        raise PointsError("a reference point has a coordinate that is no finite number")
    absent = np.isnan(found).all(axis=1)
    if not np.isfinite(found[~absent]).all():
        raise PointsError("a point has a coordinate that is no finite number")
    steps = np.ones(reference.shape[1]) if spacing is None else np.array(spacing, dtype=np.float64)
    if steps.shape != (reference.shape[1],) or not (np.isfinite(steps) & (steps > 0)).all():
        raise PointsError("a spacing is a positive length in mm for each axis")
    return PointErrors(distance=np.sqrt(np.sum(((found - reference) * steps) ** 2, axis=1)))
