"""Tells where one grid's points lie on another, exactly or not at all.

Indices are in the array's order: slice, row, column. Positions are in mm, LPS. Two grids share
their points if each point of one lies within `NEAR` of a step from a point of the other: positions
and directions are rounded in files, half a voxel is another grid.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import Grid

NEAR = 0.1  # of the distance between two voxels
_FAR = 1e6  # indices beyond which nothing is compared

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plane:
    """A picture on a lattice: the index of its first pixel, and steps along rows and columns."""

    first: tuple[int, ...]
    down: tuple[int, ...]
    across: tuple[int, ...]

    @classmethod
    def of_slice(cls, number: int) -> "Plane":
        """Return the plane of a whole slice."""
        return cls((number, 0, 0), (0, 1, 0), (0, 0, 1))

    def places(self, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.int64]:
        """Return the indices (3, n) of pixels of the picture."""
        found: NDArray[np.int64] = (
            np.array(self.first)[:, None]
            + np.array(self.down)[:, None] * rows
            + np.array(self.across)[:, None] * columns
        )
        return found


@dataclass(frozen=True, slots=True)
class Lattice:
    """The points of a case's pictures: sizes along slices, rows and columns, and their places."""

    size: tuple[int, int, int]
    affine: Floats

    @classmethod
    def of(cls, grid: Grid | None) -> "Lattice | None":
        """Return the points of a grid; None if it is not known where they lie."""
        if grid is None or grid.affine is None or len(grid.size) != 3:
            return None
        affine = np.array(grid.affine, dtype=np.float64)
        with np.errstate(all="ignore"):
            usable = np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 1e-12
        slices, rows, columns = grid.size
        return cls((slices, rows, columns), affine) if usable else None

    def indices(self, positions: Floats) -> Floats:
        """Return the fractional indices (n, 3) of positions (n, 3) in mm."""
        found = np.linalg.solve(self.affine[:3, :3], (positions - self.affine[:3, 3]).T).T
        return np.asarray(found, dtype=np.float64)

    def plane(
        self, shape: tuple[int, int], position: Floats, directions: Floats, spacing: Floats
    ) -> Plane | None:
        """Return where a picture lies; None if its pixels are not at points of the lattice.

        Args:
            shape: rows and columns.
            position: of its first pixel, mm.
            directions: of its rows, then of its columns, as DICOM has them: 6 numbers.
            spacing: between rows and between columns, mm.
        """
        steps = np.column_stack([directions[3:] * spacing[0], directions[:3] * spacing[1]])
        with np.errstate(all="ignore"):
            linear = np.linalg.solve(self.affine[:3, :3], steps)
            first = self.indices(position[None])[0]
        if not np.isfinite(linear).all() or np.abs(first).max() > _FAR:
            return None
        whole = np.rint(linear)
        reach = np.array(shape) - 1.0
        apart = np.abs(first - np.rint(first)) + (np.abs(linear - whole) * reach).sum(axis=1)
        if apart.max() > NEAR or not (np.abs(whole).sum(axis=0) == 1).all():
            return None
        if np.abs(whole).sum(axis=1).max() > 1:
            return None
        return Plane(_whole(first), _whole(linear[:, 0]), _whole(linear[:, 1]))


def _whole(numbers: Floats) -> tuple[int, ...]:
    return tuple(int(number) for number in np.rint(numbers))


def same_points(voxels: NDArray[Any], affine: Floats, lattice: Lattice) -> NDArray[Any] | None:
    """Return voxels in the order of the lattice: axes swapped and flipped; None if they differ.

    Args:
        voxels: any integers, three axes.
        affine: of their indices, 4 × 4, LPS in mm.
        lattice: the case's.
    """
    with np.errstate(all="ignore"):
        between = np.linalg.solve(affine, lattice.affine)  # case's indices to those of the voxels
    if not np.isfinite(between).all() or np.abs(between).max() > _FAR:
        return None
    whole = np.rint(between)
    linear = whole[:3, :3].astype(np.int64)
    if not (np.abs(linear).sum(axis=0) == 1).all() or not (np.abs(linear).sum(axis=1) == 1).all():
        return None
    corners = np.array([[*corner, 1] for corner in product(*((0, n - 1) for n in lattice.size))])
    if np.abs((between - whole) @ corners.T).max() > NEAR:
        return None
    axes = np.abs(linear).argmax(axis=0)  # of the voxels, for each axis of the case
    moved = voxels.transpose(axes)
    for axis, own in enumerate(axes):
        flipped = linear[own, axis] < 0
        if whole[own, 3] != (lattice.size[axis] - 1 if flipped else 0):
            return None  # of equal points, but another part of them
        moved = np.flip(moved, axis) if flipped else moved
    return moved if moved.shape == lattice.size else None
