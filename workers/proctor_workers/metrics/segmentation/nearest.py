"""How far each border element of one mask is from the nearest of the other, exactly.

A distance transform by one axis after the other (Felzenszwalb & Huttenlocher, Theory Comput
2012;8:415), of which only what is asked is computed: the first axis for all voxels, the second for
rows that hold an element of the asking mask, the third at those elements alone. Both searches go
outward and end where the step alone exceeds the worst distance that is still open.
"""

import numpy as np
from numpy.typing import NDArray

from proctor_workers.metrics.segmentation.masks import Bits
from proctor_workers.statistics.arrays import Floats, Ints, compiled

_NONE = 1 << 30  # no element in this column
Steps = NDArray[np.int32]


def nearest_distances(border: Bits, asking: int, target: int, spacing: Floats) -> Floats:
    """Return the distance in mm from each element with bit `asking` to the nearest with `target`.

    Args:
        border: (planes, rows, columns), bits of both masks.
        asking: the bit whose elements ask, in the order they stand.
        target: the bit that is looked for; at least one element has it.
        spacing: (3,) mm.
    """
    columns = _column_steps(border, target)
    rows = _row_counts(border, asking)
    distances = np.empty(int(rows.sum()))
    _search(border, asking, columns, rows, spacing, distances)
    return distances


@compiled
def _row_counts(border: Bits, bit: int) -> Ints:
    rows = np.zeros(border.shape[:2], dtype=np.int64)
    for x in range(border.shape[0]):
        for y in range(border.shape[1]):
            row = border[x, y]
            elements = 0
            for z in range(row.shape[0]):
                elements += (row[z] & bit) != 0
            rows[x, y] = elements
    return rows


@compiled
def _column_steps(border: Bits, bit: int) -> Steps:
    """Steps along the first axis to the nearest element, from every voxel."""
    planes, rows, columns = border.shape
    steps = np.empty((planes, rows, columns), dtype=np.int32)
    for x in range(planes):
        for y in range(rows):
            here, found = border[x, y], steps[x, y]
            if x == 0:
                for z in range(columns):
                    found[z] = 0 if here[z] & bit else _NONE
            else:
                before = steps[x - 1, y]
                for z in range(columns):
                    found[z] = 0 if here[z] & bit else min(before[z] + 1, _NONE)
    for x in range(planes - 2, -1, -1):
        for y in range(rows):
            found, after = steps[x, y], steps[x + 1, y]
            for z in range(columns):
                found[z] = min(found[z], after[z] + 1)
    return steps


@compiled
def _search(
    border: Bits, asking: int, steps: Steps, rows: Ints, spacing: Floats, distances: Floats
) -> None:
    planes, height, width = border.shape
    plane = np.empty((height, width))
    best = np.empty(width)
    where = np.empty(width, dtype=np.int64)
    done = 0
    for x in range(planes):
        if not rows[x].any():
            continue
        _squares(steps[x], spacing[0], plane)
        for y in range(height):
            asked = rows[x, y]
            if asked == 0:
                continue
            _positions(border[x, y], asking, where)
            found = distances[done : done + asked]
            _row_search(plane, y, best, where[:asked], spacing, found)
            done += asked
    for element in range(len(distances)):
        distances[element] = np.sqrt(distances[element])


@compiled
def _squares(steps: Steps, spacing: float, plane: Floats) -> None:
    for y in range(plane.shape[0]):
        taken, row = steps[y], plane[y]
        for z in range(plane.shape[1]):
            length = taken[z] * spacing
            row[z] = np.inf if taken[z] >= _NONE else length * length


@compiled
def _positions(row: Bits, bit: int, where: Ints) -> None:
    found = 0
    for z in range(row.shape[0]):
        if row[z] & bit:
            where[found] = z
            found += 1


@compiled
def _row_search(
    plane: Floats, y: int, best: Floats, where: Ints, spacing: Floats, found: Floats
) -> None:
    """Fill the squared distances of one row's elements."""
    height, width = plane.shape
    own = plane[y]
    for z in range(width):
        best[z] = own[z]
    bound = _third_axis(best, where, spacing[2], found)
    look = 1
    for step in range(1, max(y, height - 1 - y) + 1):
        length = step * spacing[1]
        square = length * length
        if square >= bound:
            break
        if y >= step:
            row = plane[y - step]
            for z in range(width):
                best[z] = min(best[z], row[z] + square)
        if y + step < height:
            row = plane[y + step]
            for z in range(width):
                best[z] = min(best[z], row[z] + square)
        if step == look:
            bound = _third_axis(best, where, spacing[2], found)
            look *= 2
    _third_axis(best, where, spacing[2], found)


@compiled
def _third_axis(best: Floats, where: Ints, spacing: float, found: Floats) -> float:
    """Fill in the squared distances from what is known; return the largest."""
    width = len(best)
    worst = 0.0
    for element in range(len(where)):
        z = where[element]
        value = best[z]
        for step in range(1, max(z, width - 1 - z) + 1):
            length = step * spacing
            square = length * length
            if square >= value:
                break
            if z >= step:
                value = min(value, best[z - step] + square)
            if z + step < width:
                value = min(value, best[z + step] + square)
        found[element] = value
        worst = max(worst, value)
    return worst
