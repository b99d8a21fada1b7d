"""Surface distances between two masks in mm, and what is read from them.

Two conventions and, for the two symmetric means and the percentile, two ways of joining the
directions: identical masks give quite different numbers (Reinke et al., Nat Methods 2024;21:182).
`scores.Definitions` names which is meant.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from proctor_workers.metrics.segmentation.borders import (
    Convention,
    border_elements,
    corner_areas,
    spacing_array,
)
from proctor_workers.metrics.segmentation.masks import PREDICTED, REFERENCE, Bits, Grid
from proctor_workers.metrics.segmentation.nearest import nearest_distances
from proctor_workers.statistics.arrays import Bools, Floats, compiled

PercentileRule = Literal["larger", "pooled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceDistances:
    """Each border element's distance in mm to the other mask's nearest, and how much it counts.

    `from_reference` (m,) and `from_predicted` (n,) with sizes of the same shapes: one each in the
    voxel convention, mm² (in 2-D mm) in the surfel convention.
    """

    convention: Convention
    from_reference: Floats
    from_predicted: Floats
    reference_size: Floats
    predicted_size: Floats

    @property
    def reference_surface(self) -> float:
        """The reference's whole surface, in what the elements count."""
        return float(np.sum(self.reference_size))

    @property
    def predicted_surface(self) -> float:
        """The prediction's whole surface, in what the elements count."""
        return float(np.sum(self.predicted_size))


def surface_distances(bits: Bits, grid: Grid, convention: Convention) -> SurfaceDistances:
    """Measure both directions between two masks of which neither is empty.

    Args:
        bits: both masks as `MaskPair.cropped` gives them.
        grid: the image's grid; only the spacing and the number of axes count.
        convention: which border elements, see `borders.border_elements`.
    """
    border = border_elements(bits, convention, flat=grid.flat)
    spacing = spacing_array(grid.spacing)
    outward = nearest_distances(border, REFERENCE, PREDICTED, spacing)
    back = nearest_distances(border, PREDICTED, REFERENCE, spacing)
    if convention == "surfel":
        sizes = [corner_areas(bits, border, bit, grid) for bit in (REFERENCE, PREDICTED)]
    else:
        sizes = [np.ones(len(outward)), np.ones(len(back))]
    return SurfaceDistances(
        convention=convention,
        from_reference=outward,
        from_predicted=back,
        reference_size=sizes[0],
        predicted_size=sizes[1],
    )


def hausdorff(found: SurfaceDistances) -> float:
    """Return the largest distance of either direction (Huttenlocher, IEEE PAMI 1993;15:850)."""
    return max(float(found.from_reference.max()), float(found.from_predicted.max()))


def hausdorff_percentile(
    found: SurfaceDistances, percent: float = 95.0, *, rule: PercentileRule = "larger"
) -> float:
    """Return a percentile of the distances instead of the largest.

    "larger": of each direction, then the larger one, as MONAI, MetricsReloaded (voxel) and
    surface-distance (surfel) have it; "pooled": of both directions together, as MedPy has it
    (voxel). Voxels are interpolated linearly between order statistics, of each direction in single
    precision as MONAI does it, whose rounded rank moves the value by about 1e-6 of itself; surfels
    give the smallest distance within which that share of the surface lies.
    """
    outward = (found.from_reference, found.reference_size)
    back = (found.from_predicted, found.predicted_size)
    parts = [outward, back]
    if rule == "pooled":
        parts = [(np.concatenate([outward[0], back[0]]), np.concatenate([outward[1], back[1]]))]
    if found.convention == "surfel":
        return max(_share_within(np.sort(far), far, size, percent / 100) for far, size in parts)
    if rule == "pooled":
        return float(np.percentile(parts[0][0], percent))
    return max(_single_precision_quantile(far, percent / 100) for far, _ in parts)


def _single_precision_quantile(distances: Floats, share: float) -> float:
    """Interpolate between order statistics with every step rounded to single precision."""
    ordered = np.sort(distances.astype(np.float32))
    rank = np.float32(share) * np.float32(len(ordered) - 1)
    low = math.floor(rank)
    weight = rank - np.float32(low)
    here, there = ordered[low], ordered[min(low + 1, len(ordered) - 1)]
    if weight < 0.5:
        return float(here + weight * (there - here))
    return float(there - (there - here) * (np.float32(1) - weight))


@compiled
def _share_within(ordered: Floats, distances: Floats, sizes: Floats, share: float) -> float:
    """Return the smallest distance within which at least a share of the total size lies."""
    total = 0.0
    for size in sizes:
        total += size
    low, high = 0, len(ordered) - 1
    while low < high:
        middle = (low + high) // 2
        within = 0.0
        for element in range(len(distances)):
            if distances[element] <= ordered[middle]:
                within += sizes[element]
        if within / total >= share:
            high = middle
        else:
            low = middle + 1
    return float(ordered[low])


def average_symmetric(found: SurfaceDistances) -> float:
    """Return ASSD: the mean over both surfaces together."""
    outward, back = _weighted_sums(found)
    return (outward + back) / (found.reference_surface + found.predicted_surface)


def mean_average(found: SurfaceDistances) -> float:
    """Return MASD: the mean of the two directions' means."""
    return sum(directed_means(found)) / 2


def directed_means(found: SurfaceDistances) -> tuple[float, float]:
    """Return the mean distance from the reference's surface, and from the prediction's."""
    outward, back = _weighted_sums(found)
    return outward / found.reference_surface, back / found.predicted_surface


def _weighted_sums(found: SurfaceDistances) -> tuple[float, float]:
    outward = float(np.sum(found.from_reference * found.reference_size))
    return outward, float(np.sum(found.from_predicted * found.predicted_size))


def surface_overlaps(found: SurfaceDistances, tolerance: float) -> tuple[float, float]:
    """Return the share of each surface within `tolerance` mm of the other."""
    near, close = _within(found, tolerance)
    return (
        float(np.sum(found.reference_size[near])) / found.reference_surface,
        float(np.sum(found.predicted_size[close])) / found.predicted_surface,
    )


def surface_dice(found: SurfaceDistances, tolerance: float) -> float:
    """Return NSD: the share of both surfaces within `tolerance` mm of the other.

    Nikolov et al., J Med Internet Res 2021;23:e26151.
    """
    near, close = _within(found, tolerance)
    inside = np.sum(found.reference_size[near]) + np.sum(found.predicted_size[close])
    return float(inside) / (found.reference_surface + found.predicted_surface)


def _within(found: SurfaceDistances, tolerance: float) -> tuple[Bools, Bools]:
    """Compare as the convention's library does, which decides ties: MONAI in single precision."""
    if found.convention == "surfel":
        return found.from_reference <= tolerance, found.from_predicted <= tolerance
    limit = np.float32(tolerance)
    return (
        found.from_reference.astype(np.float32) <= limit,
        found.from_predicted.astype(np.float32) <= limit,
    )
