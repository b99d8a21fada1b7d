"""Masks of single objects as runs of pixels, and how far two of them overlap.

Pixels are numbered in one order for all masks of an image; which one does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proctor_workers.metrics.detection.hits import Pairs, paired, together
from proctor_workers.metrics.detection.regions import InvalidRegionError
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Masks (n,): where each mask's runs begin among `ends`, and how many pixels it holds.

    Runs lie outside and inside in turn, outside first; `ends` are the pixels at which they end.
    """

    first: Ints
    ends: Ints
    size: Floats

    def __len__(self) -> int:
        return len(self.size)


def runs_of_spans(spans: Sequence[Ints], pixels: Sequence[int]) -> Runs:
    """Return masks given as start, length, start, length … over each one's image of `pixels`.

    Raises:
        InvalidRegionError: spans do not ascend, one is empty, or one goes beyond its image.
    """
    found = []
    for one, size in zip(spans, pixels, strict=True):
        start, length = one[::2], one[1::2]
        stop = start + length
        if len(start) != len(length) or np.any(length < 1) or np.any(start[1:] < stop[:-1]):
            raise InvalidRegionError(
                "A mask's runs do not ascend, or one is empty.",
                cure="Write start, length, start, length, from the first pixel on.",
            )
        if len(one) and (start[0] < 0 or stop[-1] > size):
            raise InvalidRegionError(
                "A mask's runs go beyond its image.",
                cure="Write the mask on the grid of the image as it was given.",
            )
        found.append(np.column_stack([start, stop]).ravel())
    return _joined(found)


def runs_of_bitmaps(bitmaps: Sequence[NDArray[np.bool_]]) -> Runs:
    """Return masks given as bitmaps of their images, 2-D or 3-D."""
    found = []
    for bitmap in bitmaps:
        flat = np.concatenate(([False], np.asarray(bitmap, dtype=np.bool_).ravel(), [False]))
        found.append(np.flatnonzero(flat[1:] != flat[:-1]))
    return _joined(found)


def _joined(ends: Sequence[Ints]) -> Runs:
    sizes = [np.sum(np.diff(one, prepend=0)[1::2]) for one in ends]
    return Runs(
        first=np.cumsum([0, *(len(one) for one in ends)]),
        ends=np.concatenate([*ends, np.empty(0, dtype=np.int64)]).astype(np.int64),
        size=np.array(sizes, dtype=np.float64),
    )


def shared_pixels(first: Runs, second: Runs, rows: tuple[Ints, Ints]) -> Floats:
    """Return how many pixels the masks of each pair of row numbers have in common (n,)."""
    shared = np.empty(len(rows[0]))
    _shared((first.first, first.ends), (second.first, second.ends), rows, shared)
    return shared


@compiled
def _shared(
    one: tuple[Ints, Ints], two: tuple[Ints, Ints], rows: tuple[Ints, Ints], shared: Floats
) -> None:
    for pair in range(len(shared)):
        a, last_a = one[0][rows[0][pair]], one[0][rows[0][pair] + 1]
        b, last_b = two[0][rows[1][pair]], two[0][rows[1][pair] + 1]
        in_a, in_b, at, total = False, False, 0, 0
        while a < last_a and b < last_b:
            until = min(one[1][a], two[1][b])
            if in_a and in_b:
                total += until - at
            at = until
            if one[1][a] == until:
                a, in_a = a + 1, not in_a
            if b < last_b and two[1][b] == until:
                b, in_b = b + 1, not in_b
        shared[pair] = total


def overlapping(
    marks: Runs, lesions: Runs, places: tuple[Ints, Ints], *, least: float, crowd: Bools
) -> Pairs:
    """Return pairs of masks whose intersection over union is at least `least`.

    Of a lesion that holds a `crowd` (lesions,), the mark's share inside counts. Two empty masks do
    not overlap.
    """
    rows = together(*places)
    shared = shared_pixels(marks, lesions, rows)
    mark, lesion = rows
    own = marks.size[mark]
    whole = np.where(crowd[lesion], own, own + lesions.size[lesion] - shared)
    share = shared / np.maximum(whole, 1.0)
    near = share >= least
    return paired(mark[near], lesion[near], share[near], len(marks))
