"""The centre line of a mask, and how far two masks share theirs (clDice).

Thinning by Lee, Kashyap & Chu (CVGIP 1994;56:462): in turn from six sides (in 2-D four), border
voxels that are no line's end and whose loss keeps the topology are collected, and taken away one
after the other if that still holds. Whether it holds is decided by Bertrand & Malandain (Pattern
Recognit Lett 1994;15:169): one component of the object around the voxel, and one of the background
that touches it. Each removal is checked so, and the number of parts, tunnels and cavities stays.
"""

import itertools
import math

import numpy as np

from proctor_workers.metrics.segmentation.masks import PREDICTED, REFERENCE, Bits
from proctor_workers.statistics.arrays import Ints, compiled

_AROUND = tuple(itertools.product((-1, 0, 1), repeat=3))
_CENTRE = 13
_SIDES = np.array(
    [(0, -1, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1), (1, 0, 0), (-1, 0, 0)], dtype=np.int64
)
_FLAT_SIDES = 4


def _reach(near: float, *, within: int) -> Ints:
    """Return for each of the 27 voxels the bits of those it touches, (27,).

    Both voxels lie within `within` steps along the axes from the centre, and are not the centre.
    """
    touched = np.zeros(27, dtype=np.int64)
    for a, b in itertools.permutations(range(27), 2):
        inside = all(0 < sum(map(abs, _AROUND[place])) <= within for place in (a, b))
        if inside and math.dist(_AROUND[a], _AROUND[b]) <= near:
            touched[a] |= 1 << b
    return touched


_OBJECT_REACH = _reach(1.8, within=3)
_BACKGROUND_REACH = _reach(1.0, within=2)
_FACES = sum(1 << place for place, at in enumerate(_AROUND) if sum(map(abs, at)) == 1)


def skeleton(mask: Bits, *, flat: bool) -> Bits:
    """Thin a mask to lines of one voxel.

    Args:
        mask: (planes, rows, columns) of 0 and 1 with one voxel of 0 around.
        flat: whether only the middle plane is used, a 2-D mask.

    Returns:
        The same shape, 0 and 1; never empty if the mask is not.
    """
    thin = np.ascontiguousarray(mask).copy()
    _thin(thin, _SIDES[: _FLAT_SIDES if flat else len(_SIDES)])
    return thin


def centreline_dice(bits: Bits, *, flat: bool) -> float:
    """Return clDice of two masks of which neither is empty (Shit et al., CVPR 2021:16560).

    The harmonic mean of the share of the prediction's skeleton inside the reference and of the
    reference's skeleton inside the prediction.

    Args:
        bits: both masks as `MaskPair.cropped` gives them.
        flat: whether they are 2-D.
    """
    reference = (bits & REFERENCE) != 0
    predicted = (bits & PREDICTED) != 0
    of_reference = skeleton(reference.astype(np.uint8), flat=flat)
    of_predicted = skeleton(predicted.astype(np.uint8), flat=flat)
    precision = float(of_predicted[reference].sum()) / float(of_predicted.sum())
    sensitivity = float(of_reference[predicted].sum()) / float(of_reference.sum())
    both = precision + sensitivity
    return 2 * precision * sensitivity / both if both > 0 else 0.0


@compiled
def _thin(volume: Bits, sides: Ints) -> None:
    left = np.argwhere(volume)
    candidates = np.empty(len(left), dtype=np.int64)
    unchanged = 0
    while unchanged < len(sides):
        unchanged = 0
        for side in range(len(sides)):
            found = _collect(volume, left, sides[side], candidates)
            removed = 0
            for place in range(found):
                x, y, z = left[candidates[place]]
                if _removable(_neighbourhood(volume, x, y, z)):
                    volume[x, y, z] = 0
                    removed += 1
            if removed == 0:
                unchanged += 1
        left = _remaining(volume, left)


@compiled
def _collect(volume: Bits, left: Ints, side: Ints, candidates: Ints) -> int:
    """List the removable voxels that are open towards a side and end no line."""
    found = 0
    for place in range(len(left)):
        x, y, z = left[place]
        if volume[x, y, z] == 0 or volume[x + side[0], y + side[1], z + side[2]] != 0:
            continue
        around = _neighbourhood(volume, x, y, z)
        if around & (around - 1) != 0 and _removable(around):  # at least two neighbours
            candidates[found] = place
            found += 1
    return found


@compiled
def _remaining(volume: Bits, left: Ints) -> Ints:
    kept = 0
    for place in range(len(left)):
        x, y, z = left[place]
        if volume[x, y, z] != 0:
            left[kept] = left[place]
            kept += 1
    return left[:kept]


@compiled
def _neighbourhood(volume: Bits, x: int, y: int, z: int) -> int:
    """Return the 26 voxels around one as bits, in the order of _AROUND."""
    around = 0
    place = 0
    for i in range(-1, 2):
        for j in range(-1, 2):
            for k in range(-1, 2):
                if place != _CENTRE and volume[x + i, y + j, z + k] != 0:
                    around |= 1 << place
                place += 1
    return around


@compiled
def _removable(around: int) -> bool:
    """Tell whether a voxel with this neighbourhood is simple for (26, 6) connectivity."""
    if around == 0:
        return False
    if _flood(around & -around, around, _OBJECT_REACH) != around:
        return False
    outside = ~around
    faces = outside & _FACES
    if faces == 0:
        return False
    return _flood(faces & -faces, outside, _BACKGROUND_REACH) & faces == faces


@compiled
def _flood(seed: int, allowed: int, reach: Ints) -> int:
    """Return all allowed bits that are connected to the seed."""
    known, fresh = seed, seed
    while fresh != 0:
        grown = 0
        for place in range(27):
            if fresh >> place & 1:
                grown |= reach[place]
        fresh = grown & allowed & ~known
        known |= fresh
    return known
