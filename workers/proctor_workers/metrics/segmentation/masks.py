"""A pair of label masks on one grid: what must hold of it, and each label's counts and box."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_workers.statistics.arrays import Ints, compiled

Labels = NDArray[Any]  # whole numbers of any width
Bits = NDArray[np.uint8]
REFERENCE, PREDICTED = 1, 2  # the bits of both masks in one volume
_LARGEST_LABEL = 65535
_SHARED, _IN_REFERENCE, _IN_PREDICTED = 0, 1, 2


class MaskError(ValueError):
    """Masks that cannot be held against each other."""


class MaskShapeError(MaskError):
    """The masks differ in shape, or are neither 2-D nor 3-D, or have no voxel."""


class SpacingError(MaskError):
    """A spacing is no positive length for each axis, or both masks' spacings differ."""


class LabelError(MaskError):
    """A mask holds something that is none of the declared labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where both masks lie: shape and spacing in mm, as three axes (the first of length 1 in 2-D).

    Raises:
        MaskShapeError, SpacingError: see there.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    flat: bool

    @classmethod
    def of(cls, shape: Sequence[int], spacing: Sequence[float]) -> "Grid":
        """Check a shape and its spacing, axis by axis in the same order."""
        if len(shape) not in {2, 3} or min(shape) < 1:
            raise MaskShapeError(f"a mask has 2 or 3 axes and at least one voxel, not {shape}")
        steps = tuple(float(step) for step in spacing)
        if len(steps) != len(shape):
            raise SpacingError(f"{len(shape)} axes need as many spacings, not {len(steps)}")
        if not all(math.isfinite(step) and step > 0 for step in steps):
            raise SpacingError("a spacing is a positive length in mm")
        rows, columns = shape[-2:]
        down, along = steps[-2:]
        if len(shape) == 2:
            return cls(shape=(1, rows, columns), spacing=(1.0, down, along), flat=True)
        return cls(shape=(shape[0], rows, columns), spacing=(steps[0], down, along), flat=False)

    @property
    def voxel_volume(self) -> float:
        """A voxel's volume in mm³; a pixel's area in mm²."""
        return math.prod(self.spacing)

    @property
    def diagonal(self) -> float:
        """The image's diagonal in mm, from outer corner to outer corner."""
        sides = [n * step for n, step in zip(self.shape, self.spacing, strict=True)]
        return math.hypot(*(sides[1:] if self.flat else sides))


def check_same_spacing(reference: Sequence[float], predicted: Sequence[float]) -> None:
    """Refuse a prediction on another grid; a relative difference of 1e-4 is a header's rounding.

    Raises:
        SpacingError: the spacings differ.
    """
    same = len(reference) == len(predicted) and all(
        math.isclose(a, b, rel_tol=1e-4) for a, b in zip(reference, predicted, strict=True)
    )
    if not same:
        raise SpacingError("the prediction's spacing is not the reference standard's")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """One label's voxels in both masks, and the box around their union (empty if there is none)."""

    label: int
    reference: int
    predicted: int
    shared: int
    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class MaskPair:
    """Two label volumes of one grid, checked: only declared labels, 0 for background."""

    reference: Labels
    predicted: Labels
    grid: Grid
    counts: tuple[LabelCounts, ...]

    @classmethod
    def of(
        cls,
        reference: Labels,
        predicted: Labels,
        *,
        spacing: Sequence[float],
        labels: Sequence[int],
    ) -> "MaskPair":
        """Check both masks and count every label in one pass.

        Args:
            reference: (rows, columns) or (planes, rows, columns), whole numbers or bool.
            predicted: the same shape.
            spacing: mm for each axis, in the same order.
            labels: the declared labels without the background, each in 1..65535.

        Raises:
            MaskError: shapes or labels do not fit.
        """
        if reference.shape != predicted.shape:
            raise MaskShapeError(
                f"the prediction's shape {predicted.shape} is not the reference standard's "
                f"{reference.shape}"
            )
        grid = Grid.of(reference.shape, spacing)
        first, second = _volume(reference, grid), _volume(predicted, grid)
        places = _places(labels)
        counts, boxes, unknown = _count(first, second, places, len(labels))
        if unknown[0] or unknown[1]:
            whose = "reference standard" if unknown[0] else "prediction"
            raise LabelError(f"the {whose} holds a label that the task does not declare")
        return cls(
            first,
            second,
            grid,
            tuple(
                LabelCounts(
                    label=label,
                    reference=int(row[_IN_REFERENCE]),
                    predicted=int(row[_IN_PREDICTED]),
                    shared=int(row[_SHARED]),
                    box=_box(box),
                )
                for label, row, box in zip(labels, counts, boxes, strict=True)
            ),
        )

    def cropped(self, counts: LabelCounts) -> Bits:
        """Return one label of both masks as bits, within its box and one voxel of nothing around.

        Surfaces within this volume are those within the whole image, because what lies beyond an
        image's edge is background.
        """
        window = tuple(slice(first, last) for first, last in counts.box)
        first, second = self.reference[window], self.predicted[window]
        bits = np.zeros([n + 2 for n in first.shape], dtype=np.uint8)
        _mark(first, second, counts.label, bits)
        return bits


def _volume(mask: Labels, grid: Grid) -> Labels:
    if mask.dtype.kind not in "iub":
        raise LabelError("a mask holds whole numbers")
    volume = mask.reshape(grid.shape)
    if mask.dtype.kind == "b":
        volume = volume.view(np.uint8)
    if mask.dtype.itemsize > 2 or mask.dtype.kind == "i":
        if volume.min() < 0 or volume.max() > _LARGEST_LABEL:
            raise LabelError("a label lies outside 0..65535")
        volume = volume.astype(np.uint16)
    return np.ascontiguousarray(volume)


def _places(labels: Sequence[int]) -> Ints:
    if len(set(labels)) != len(labels) or not all(0 < n <= _LARGEST_LABEL for n in labels):
        raise LabelError("labels are different whole numbers in 1..65535")
    places = np.full(_LARGEST_LABEL + 1, -1, dtype=np.int64)
    places[list(labels)] = np.arange(len(labels))
    return places


def _box(bounds: Ints) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    if bounds[1] == 0:
        return (0, 0), (0, 0), (0, 0)
    x0, x1, y0, y1, z0, z1 = (int(bound) for bound in bounds)
    return (x0, x1), (y0, y1), (z0, z1)


@compiled
def _count(  # noqa: C901, PLR0912 - one pass over both volumes
    reference: Labels, predicted: Labels, places: Ints, labels: int
) -> tuple[Ints, Ints, Ints]:
    counts = np.zeros((labels, 3), dtype=np.int64)
    boxes = np.zeros((labels, 6), dtype=np.int64)
    unknown = np.zeros(2, dtype=np.int64)
    first = np.empty(labels, dtype=np.int64)
    last = np.empty(labels, dtype=np.int64)
    for x in range(reference.shape[0]):
        for y in range(reference.shape[1]):
            ours, theirs = reference[x, y], predicted[x, y]
            seen = 0
            for z in range(ours.shape[0]):
                seen |= ours[z] | theirs[z]
            if seen == 0:
                continue
            last[:] = -1
            for z in range(ours.shape[0]):
                a, b = ours[z], theirs[z]
                if a == 0 and b == 0:
                    continue
                if a != 0:
                    place = places[a]
                    if place < 0:
                        unknown[0] = 1
                        continue
                    counts[place, _IN_REFERENCE] += 1
                    if a == b:
                        counts[place, _SHARED] += 1
                    if last[place] < 0:
                        first[place] = z
                    last[place] = z
                if b != 0:
                    place = places[b]
                    if place < 0:
                        unknown[1] = 1
                        continue
                    counts[place, _IN_PREDICTED] += 1
                    if last[place] < 0:
                        first[place] = z
                    last[place] = z
            for place in range(labels):
                if last[place] >= 0:
                    _widen(boxes[place], x, y, first[place], last[place])
    return counts, boxes, unknown


@compiled
def _widen(box: Ints, x: int, y: int, first: int, last: int) -> None:
    if box[1] == 0:
        box[0], box[2], box[4] = x, y, first
    box[1] = x + 1
    box[2], box[3] = min(box[2], y), max(box[3], y + 1)
    box[4], box[5] = min(box[4], first), max(box[5], last + 1)


@compiled
def _mark(reference: Labels, predicted: Labels, label: int, bits: Bits) -> None:
    for x in range(reference.shape[0]):
        for y in range(reference.shape[1]):
            ours, theirs, row = reference[x, y], predicted[x, y], bits[x + 1, y + 1]
            for z in range(ours.shape[0]):
                row[z + 1] = (ours[z] == label) | ((theirs[z] == label) << 1)
