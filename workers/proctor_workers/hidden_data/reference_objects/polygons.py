"""Fills polygons: the pixels whose centres lie inside, by the even-odd rule.

Vertices are (row, column) with pixel centres at whole numbers, rounded to a thousandth of a pixel.
A centre on a left or upper edge is inside, one on a right or lower edge is not, so that polygons
that share an edge share no pixel (the half-open scan-line rule, Foley et al., Computer Graphics).
All contours are filled at once: a contour inside another one is a hole.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_CROSSINGS = 1 << 26  # of edges and rows in one slice
_STEP = 1000  # vertices are rounded to 1/1000 pixel

Floats = NDArray[np.float64]


class TooManyCrossingsError(Exception):
    """Contours have more edges than any drawing needs."""


def filled(contours: Sequence[Floats], rows: int, columns: int) -> NDArray[np.bool_]:
    """Return the pixels (rows, columns) inside closed contours, each (n, 2).

    Raises:
        TooManyCrossingsError: they cross more than `MOST_CROSSINGS` rows in all.
    """
    rounded = [np.rint(contour * _STEP) / _STEP for contour in contours]
    start = np.concatenate(rounded)
    end = np.concatenate([np.roll(contour, -1, axis=0) for contour in rounded])
    upper = np.where(start[:, 0] <= end[:, 0], start.T, end.T).T
    lower = np.where(start[:, 0] <= end[:, 0], end.T, start.T).T
    first = np.clip(np.ceil(upper[:, 0]), 0, rows).astype(np.int64)
    counts = np.clip(np.ceil(lower[:, 0]), 0, rows).astype(np.int64) - first
    if counts.sum() > MOST_CROSSINGS:
        raise TooManyCrossingsError
    edge = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    row = first[edge] + place
    slope = (lower[edge, 1] - upper[edge, 1]) / (lower[edge, 0] - upper[edge, 0])
    column = upper[edge, 1] + (row - upper[edge, 0]) * slope
    # Rounded again: the crossing of a slanted edge with a centre must not depend on the last bit.
    begin = np.ceil(np.rint(column * _STEP * _STEP) / (_STEP * _STEP))
    begin = np.clip(begin, 0, columns).astype(np.int64)
    crossings = np.bincount(row * (columns + 1) + begin, minlength=rows * (columns + 1))
    odd = (crossings.reshape(rows, columns + 1) & 1).astype(np.bool_)
    inside: NDArray[np.bool_] = np.logical_xor.accumulate(odd, axis=1)[:, :columns]
    return inside
