"""Boxes, points and scores as they must be before anything is counted from them.

Coordinates are pixels or voxels from the image's first corner, pixel i covering [i, i + 1); a box
is [x0, y0, x1, y1] or [x0, y0, z0, x1, y1, z1], without the "+ 1" of pixel counting.
"""

import numpy as np

from proctor_backend.domain.errors import DataError
from proctor_workers.statistics.arrays import Bools, Floats, compiled

_AXES = (2, 3)


class InvalidRegionError(DataError):
    """A box or point is no region of its image."""

    code = "invalid_region"


class InvalidScoreError(DataError):
    """A mark's score cannot be ordered."""

    code = "invalid_score"


def checked_boxes(boxes: Floats, extent: Floats | None = None) -> Floats:
    """Return boxes (n, 4) or (n, 6), cut at the border of their image.

    `extent` is the image's size along each axis, (axes,) or (n, axes); None leaves boxes uncut.

    Raises:
        InvalidRegionError: a coordinate is not finite, an upper corner is not beyond the lower, or
            a box lies wholly outside its image.
    """
    axes = _axes(boxes, corners=2)
    lower, upper = boxes[:, :axes], boxes[:, axes:]
    if np.any(upper <= lower):
        raise InvalidRegionError(
            "A box's second corner is not beyond its first along every axis.",
            cure="Write boxes as [x0, y0, x1, y1] with x0 < x1 and y0 < y1.",
        )
    if extent is None:
        return boxes
    if np.any((upper <= 0) | (lower >= extent)):
        raise InvalidRegionError(
            "A box lies wholly outside its image.",
            cure="Write coordinates in the pixels of the image as it was given.",
        )
    return np.hstack([np.maximum(lower, 0.0), np.minimum(upper, extent)])


def checked_points(points: Floats, extent: Floats | None = None) -> Floats:
    """Return points (n, 2) or (n, 3).

    Raises:
        InvalidRegionError: a coordinate is not finite, or a point lies outside its image.
    """
    _axes(points, corners=1)
    if extent is not None and np.any((points < 0) | (points >= extent)):
        raise InvalidRegionError(
            "A point lies outside its image.",
            cure="Write coordinates in the pixels of the image as it was given.",
        )
    return points


def checked_scores(scores: Floats) -> Floats:
    """Return the scores of marks (n,).

    Raises:
        InvalidScoreError: a score is not a finite number.
    """
    if not np.all(np.isfinite(scores)):
        raise InvalidScoreError(
            "A mark's score is not a finite number.", cure="Give each mark a finite score."
        )
    return scores


def _axes(table: Floats, corners: int) -> int:
    if table.ndim != 2 or table.shape[1] not in {corners * axes for axes in _AXES}:
        raise InvalidRegionError(
            "A region has the wrong number of coordinates.",
            cure="Give x, y and, in volumes, z for each corner.",
        )
    if not np.all(np.isfinite(table)):
        raise InvalidRegionError(
            "A coordinate is not a finite number.", cure="Write finite coordinates."
        )
    return int(table.shape[1]) // corners


def sizes(boxes: Floats) -> Floats:
    """Return the area or volume of each box (n,)."""
    axes = boxes.shape[1] // 2
    size: Floats = np.prod(boxes[:, axes:] - boxes[:, :axes], axis=1)
    return size


def centres(boxes: Floats) -> Floats:
    """Return the centre of each box (n, axes)."""
    axes = boxes.shape[1] // 2
    middle: Floats = (boxes[:, :axes] + boxes[:, axes:]) / 2
    return middle


@compiled
def overlaps(first: Floats, second: Floats, of_first: Bools) -> Floats:
    """Return the intersection over union of boxes row by row (n,).

    Where `of_first` holds it is the intersection's share of the first box, as COCO has it for
    regions that hold a crowd.
    """
    axes = first.shape[1] // 2
    share = np.zeros(len(first))
    for row in range(len(first)):
        shared, one, two = 1.0, 1.0, 1.0
        for low in range(axes):
            high = low + axes
            side = min(first[row, high], second[row, high]) - max(first[row, low], second[row, low])
            shared *= max(side, 0.0)
            one *= first[row, high] - first[row, low]
            two *= second[row, high] - second[row, low]
        share[row] = shared / (one if of_first[row] else one + two - shared)
    return share
