"""Where two masks end: their border elements, in either convention, and how large each one is."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from proctor_workers.metrics.segmentation.masks import Bits, Grid
from proctor_workers.metrics.segmentation.surfels import contour_lengths, surface_areas
from proctor_workers.statistics.arrays import Floats, compiled

Convention = Literal["voxel", "surfel"]


def border_elements(bits: Bits, convention: Convention, *, flat: bool) -> Bits:
    """Return the border elements of both masks at once, as the bits that they border.

    "voxel": voxels of the mask with a face (in 2-D a side) towards its outside, each counting one,
    as MONAI and MetricsReloaded have it; shape of the box. "surfel": corners between voxels of
    which some are inside and some outside, as surface-distance (DeepMind) has it; shape of the box
    plus one in each axis (in 2-D the first axis stays 1).

    Args:
        bits: `MaskPair.cropped`, one voxel of nothing around the box.
        convention: which elements.
        flat: whether the first axis is the one that 2-D masks lack.
    """
    planes, rows, columns = (n - 2 for n in bits.shape)
    if convention == "voxel":
        border = np.empty((planes, rows, columns), dtype=np.uint8)
        _border_voxels(bits, border, flat)
        return border
    border = np.empty((planes if flat else planes + 1, rows + 1, columns + 1), dtype=np.uint8)
    _border_corners(bits, border, flat)
    return border


@compiled
def _border_voxels(bits: Bits, border: Bits, flat: bool) -> None:  # noqa: FBT001 - compiled
    for x in range(border.shape[0]):
        for y in range(border.shape[1]):
            row, above, below = bits[x + 1, y + 1], bits[x + 1, y], bits[x + 1, y + 2]
            before, after = bits[x, y + 1], bits[x + 2, y + 1]
            if flat:
                before = after = row
            found = border[x, y]
            for z in range(border.shape[2]):
                around = row[z] & row[z + 2] & above[z + 1] & below[z + 1]
                around &= before[z + 1] & after[z + 1]
                found[z] = row[z + 1] & ~around


@compiled
def _border_corners(bits: Bits, border: Bits, flat: bool) -> None:  # noqa: FBT001 - compiled
    for x in range(border.shape[0]):
        for y in range(border.shape[1]):
            c, d = bits[x + 1, y], bits[x + 1, y + 1]
            a, b = (c, d) if flat else (bits[x, y], bits[x, y + 1])
            found = border[x, y]
            for z in range(border.shape[2]):
                some = a[z] | a[z + 1] | b[z] | b[z + 1] | c[z] | c[z + 1] | d[z] | d[z + 1]
                every = a[z] & a[z + 1] & b[z] & b[z + 1] & c[z] & c[z + 1] & d[z] & d[z + 1]
                found[z] = some & ~every


def corner_areas(bits: Bits, border: Bits, bit: int, grid: Grid) -> Floats:
    """Return the surface in mm² (in 2-D the contour in mm) at each of a mask's border corners.

    Ordered as the corners stand in `border`.
    """
    sizes = contour_lengths(grid.spacing[1:]) if grid.flat else surface_areas(grid.spacing)
    areas = np.empty(_count_elements(border, bit))
    _look_up(bits, border, bit, sizes, areas)
    return areas


@compiled
def _count_elements(border: Bits, bit: int) -> int:
    elements = 0
    for x in range(border.shape[0]):
        for y in range(border.shape[1]):
            row = border[x, y]
            for z in range(row.shape[0]):
                elements += (row[z] & bit) != 0
    return elements


@compiled
def _look_up(bits: Bits, border: Bits, bit: int, sizes: Floats, areas: Floats) -> None:
    found = 0
    layers = 1 if len(sizes) == 16 else 2
    for x in range(border.shape[0]):
        for y in range(border.shape[1]):
            for z in range(border.shape[2]):
                if border[x, y, z] & bit == 0:
                    continue
                arrangement = 0
                for layer in range(2 - layers, 2):
                    for corner in range(4):
                        voxel = bits[x + layer, y + (corner >> 1), z + (corner & 1)]
                        arrangement = 2 * arrangement + ((voxel & bit) != 0)
                areas[found] = sizes[arrangement]
                found += 1


def spacing_array(spacing: Sequence[float]) -> Floats:
    """Return a spacing for a compiled loop."""
    return np.array(spacing, dtype=np.float64)
