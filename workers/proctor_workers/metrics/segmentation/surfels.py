"""How large the surface is that passes between the eight voxels around a corner, or the four.

The surface is that of marching cubes with its vertices half way between voxel centres (Lorensen &
Cline, SIGGRAPH 1987). Each of its triangles is parallel to an axis plane, to an edge diagonal or to
the space diagonal, so that a corner's area is a whole number of seven elementary areas; the rows
below give that number for one arrangement of each class, and the cube's 48 symmetries and the
exchange of inside and outside give the rest. These are the surface elements that weight a surface
Dice in Nikolov et al. 2018 (arXiv:1809.04430).
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from proctor_workers.statistics.arrays import Floats

# An arrangement is eight bits, the voxel (0, 0, 0) first and the last axis fastest. Areas: half a
# face across x, y, z; a quarter of the rectangle over a face diagonal of yz, xz, xy; an eighth of
# |the space diagonal's normal|.
_CLASSES: dict[int, tuple[int, ...]] = {
    0b00000000: (0, 0, 0, 0, 0, 0, 0),
    0b00000001: (0, 0, 0, 0, 0, 0, 1),
    0b00000011: (0, 0, 0, 0, 0, 2, 0),
    0b00000110: (0, 0, 0, 0, 0, 0, 2),
    0b00000111: (1, 0, 0, 0, 0, 0, 3),
    0b00001111: (2, 0, 0, 0, 0, 0, 0),
    0b00010110: (0, 0, 0, 0, 0, 0, 3),
    0b00010111: (0, 0, 0, 0, 0, 0, 6),
    0b00011000: (0, 0, 0, 0, 0, 0, 2),
    0b00011001: (0, 0, 0, 2, 0, 0, 1),
    0b00011011: (0, 0, 0, 1, 1, 0, 4),
    0b00011110: (1, 0, 0, 0, 0, 0, 4),
    0b00111100: (0, 0, 0, 0, 0, 4, 0),
    0b01101001: (0, 0, 0, 0, 0, 0, 4),
}
_ACROSS = ((0,), (1,), (2,), (1, 2), (0, 2), (0, 1))  # the axes each elementary area looks along
_CORNERS = tuple(itertools.product((0, 1), repeat=3))


def _elementary_counts() -> NDArray[np.int64]:
    """Return (256, 7): how many of each elementary area every arrangement has."""
    table = np.zeros((256, 7), dtype=np.int64)
    for order in itertools.permutations(range(3)):
        places = [_ACROSS.index(tuple(sorted(order[axis] for axis in axes))) for axes in _ACROSS]
        for mirrored in _CORNERS:
            for arrangement, areas in _CLASSES.items():
                turned = _turned(arrangement, order, mirrored)
                row = [areas[place] for place in places] + [areas[6]]
                table[turned] = table[255 - turned] = row
    return table


def _turned(arrangement: int, order: Sequence[int], mirrored: Sequence[int]) -> int:
    turned = 0
    for corner in _CORNERS:
        source = [0, 0, 0]
        for axis in range(3):
            source[order[axis]] = corner[axis] ^ mirrored[axis]
        bit = arrangement >> (7 - (4 * source[0] + 2 * source[1] + source[2])) & 1
        turned |= bit << (7 - (4 * corner[0] + 2 * corner[1] + corner[2]))
    return turned


_COUNTS = _elementary_counts()


def surface_areas(spacing: Sequence[float]) -> Floats:
    """Return the area in mm² for each arrangement of the eight voxels around a corner, (256,)."""
    sx, sy, sz = spacing
    across = (sy * sz, sx * sz, sx * sy)
    elementary = [math.hypot(*(across[axis] for axis in axes)) for axes in _ACROSS]
    shares = np.array([*elementary, math.hypot(*across)]) / (2, 2, 2, 4, 4, 4, 8)
    areas: Floats = _COUNTS @ shares
    return areas


def contour_lengths(spacing: Sequence[float]) -> Floats:
    """Return the length in mm for each arrangement of the four pixels around a corner, (16,).

    One pixel of four, or three: half a pixel's diagonal; two side by side: their side; two across
    the corner: both their diagonals' halves.
    """
    down, along = spacing
    slant = math.hypot(down, along) / 2
    lengths = np.zeros(16)
    lengths[[1, 2, 4, 8, 7, 11, 13, 14]] = slant
    lengths[[3, 12]] = along
    lengths[[5, 10]] = down
    lengths[[6, 9]] = 2 * slant
    return lengths
