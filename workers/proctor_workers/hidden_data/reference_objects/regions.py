"""Turns the coordinates of a structured report into boxes and points in pixels of the case.

Coordinates have the upper left corner of the first pixel at 0, as the contract's boxes have, and z
likewise: slice k reaches from k to k + 1. Sources: PS3.3 C.18.6 (SCOORD), C.18.9 (SCOORD3D).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import Grid
from proctor_workers.hidden_data.reference_objects.instances import slice_of_instance
from proctor_workers.hidden_data.reference_objects.lattice import Lattice
from proctor_workers.hidden_data.reference_objects.masks import mask_size
from proctor_workers.hidden_data.reference_objects.report_items import Item, referred

MOST_NUMBERS = 1 << 20  # of one drawing
THINNEST = 1.0  # pixels: a line has no width, a box must

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Region:
    """A drawing: what it encloses, as (low, high) in x, y, z; points have no extent."""

    low: Floats
    high: Floats
    is_point: bool

    def joined(self, other: "Region") -> "Region":
        """Return what encloses both."""
        return Region(
            np.minimum(self.low, other.low), np.maximum(self.high, other.high), is_point=False
        )

    def box(self, *, flat: bool) -> list[float]:
        """Return the corners of a box; a `flat` one has no z."""
        gap = np.maximum(THINNEST - (self.high - self.low), 0.0) / 2
        low, high = self.low - gap, self.high + gap
        sides = 2 if flat else 3
        return [*_rounded(low[:sides]), *_rounded(high[:sides])]

    def point(self, *, flat: bool) -> list[float]:
        """Return the point in the middle."""
        return _rounded((self.low + self.high)[: 2 if flat else 3] / 2)


class Regions:
    """Places drawings on the grid of a case, and counts those that lie elsewhere."""

    def __init__(self, root: Item, grid: Grid) -> None:
        self._root, self._grid, self._lattice = root, grid, Lattice.of(grid)
        self.flat = len(mask_size(grid)) == 2
        self.elsewhere = 0

    def of(self, item: Item) -> Region | None:
        """Return where a coordinate item lies; None if that is not in the case's pictures."""
        found = self._flat(item) if item.kind == "SCOORD" else self._solid(item)
        self.elsewhere += found is None
        return found

    def _flat(self, item: Item) -> Region | None:
        numbers = _numbers(item, 2)
        number = self._slice(item)
        if numbers is None or number is None:
            return None
        kind = str(item.dataset.get("GraphicType") or "")
        low, high = _extent(kind, numbers)
        inside = (high >= 0).all() and (low <= np.array(self._grid.size[:-3:-1])).all()
        if not inside:
            return None
        middle = number + (0.5 if kind == "POINT" else 0.0)
        top = middle if kind == "POINT" else number + 1.0
        return Region(np.append(low, middle), np.append(high, top), is_point=kind == "POINT")

    def _slice(self, item: Item) -> int | None:
        """Return the slice of the picture that an item was drawn on."""
        for child in item.children:
            image = referred(self._root, child)
            for reference in image.dataset.get("ReferencedSOPSequence") or ():
                return slice_of_instance(self._grid, reference)
        return None

    def _solid(self, item: Item) -> Region | None:
        numbers = _numbers(item, 3)
        frame = str(item.dataset.get("ReferencedFrameOfReferenceUID") or "")
        own = self._grid.frame_of_reference
        if numbers is None or self._lattice is None or (frame and own and frame != own):
            return None
        kind = str(item.dataset.get("GraphicType") or "")
        indices = self._lattice.indices(numbers)
        low, high = (one[::-1] + 0.5 for one in _extent(kind, indices))
        size = np.array(self._lattice.size)[::-1]
        if (high < 0).any() or (low > size).any():
            return None
        if kind == "POINT":
            return Region(low, high, is_point=True)
        low[2], high[2] = np.floor(low[2]), np.floor(high[2]) + 1.0
        return Region(low, high, is_point=False)


def _numbers(item: Item, dimensions: int) -> Floats | None:
    """Return the vertices (n, dimensions) of a drawing."""
    raw = item.dataset.get("GraphicData")
    if raw is None or isinstance(raw, str | bytes) or not 0 < len(raw) <= MOST_NUMBERS:
        return None
    numbers = np.array([float(number) for number in raw])
    if len(numbers) % dimensions or not (np.abs(numbers) < 1e9).all():  # nor is NaN
        return None
    return numbers.reshape(-1, dimensions)


def _extent(kind: str, vertices: Floats) -> tuple[Floats, Floats]:
    """Return the least and greatest coordinates of what is drawn.

    A circle is given by its centre and a point on it, an ellipse by the ends of its axes, an
    ellipsoid by those of three.
    """
    if kind == "CIRCLE" and len(vertices) == 2:
        radius = np.linalg.norm(vertices[1] - vertices[0])
        return vertices[0] - radius, vertices[0] + radius
    if kind in {"ELLIPSE", "ELLIPSOID"} and len(vertices) in {4, 6}:
        axes = (vertices[1::2] - vertices[::2]) / 2
        reach = np.sqrt((axes**2).sum(axis=0))
        centre = vertices.mean(axis=0)
        return centre - reach, centre + reach
    return vertices.min(axis=0), vertices.max(axis=0)


def _rounded(numbers: Floats | Sequence[float]) -> list[float]:
    """Return numbers to a thousandth of a pixel: coordinates are single precision."""
    return [round(float(number), 3) for number in numbers]
