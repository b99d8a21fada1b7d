"""A transform between two images: how far it misses, and where it folds space.

A transform maps a point of the fixed image, in mm, to its place in the moving image, in mm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from proctor_workers.metrics.landmarks import PointErrors, point_errors
from proctor_workers.metrics.segmentation.masks import Grid, Labels, MaskShapeError
from proctor_workers.statistics.arrays import Floats


class TransformError(ValueError):
    """A transform that maps nothing: wrong shape, not finite, not affine, or of another grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """A homogeneous matrix in mm, (axes + 1, axes + 1), mapping fixed to moving."""

    matrix: Floats

    def __post_init__(self) -> None:
        """Refuse what is no affine map of the plane or of space."""
        if self.matrix.shape not in {(3, 3), (4, 4)}:
            raise TransformError("a matrix is 3 × 3 (2-D) or 4 × 4 (3-D)")
        if not np.isfinite(self.matrix).all():
            raise TransformError("a matrix holds numbers that are not finite")
        last = np.zeros(len(self.matrix))
        last[-1] = 1
        if not np.allclose(self.matrix[-1], last, rtol=0, atol=1e-9):
            raise TransformError("the last row of a matrix is 0 … 0 1")

    @property
    def axes(self) -> int:
        """2 or 3."""
        return len(self.matrix) - 1

    def mapped(self, points: Floats) -> Floats:
        """Map points (n, axes) in mm."""
        moved: Floats = points @ self.matrix[:-1, :-1].T + self.matrix[:-1, -1]
        return moved

    def folding(self) -> float:
        """Return the share of space that is folded: all of it or nothing."""
        return float(np.linalg.det(self.matrix[:-1, :-1]) <= 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplacementField:
    """Displacements in mm on a grid of the fixed image, (*shape, axes): where each point goes.

    `spacing` in mm for each axis, `origin` the first voxel's centre in mm. Axes are in the order of
    the array, and so are the components.
    """

    displacement: Floats
    spacing: tuple[float, ...]
    origin: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse a field whose parts do not fit or that holds NaN."""
        axes = self.displacement.ndim - 1
        if axes not in {2, 3} or self.displacement.shape[-1] != axes:
            raise TransformError("a field has 2 or 3 axes and as many components at each voxel")
        if min(self.displacement.shape[:-1]) < 2:
            raise TransformError("a field has at least two voxels along each axis")
        if not np.isfinite(self.displacement).all():
            raise TransformError("a field holds numbers that are not finite")
        Grid.of(self.displacement.shape[:-1], self.spacing)
        if len(self.origin) != axes or not np.isfinite(self.origin).all():
            raise TransformError("an origin is one number in mm for each axis")

    @property
    def axes(self) -> int:
        """2 or 3."""
        return len(self.spacing)

    def mapped(self, points: Floats) -> Floats:
        """Map points (n, axes) in mm, interpolating linearly.

        Raises:
            TransformError: a point lies outside the field.
        """
        places = ((points - self.origin) / self.spacing).T
        limits = np.array(self.displacement.shape[:-1])[:, None] - 1
        slack = 1e-9 * (1 + limits)  # a point on the edge, moved out by rounding
        if ((places < -slack) | (places > limits + slack)).any():
            raise TransformError("a point lies outside the displacement field")
        moves = [
            ndimage.map_coordinates(
                self.displacement[..., axis], np.clip(places, 0, limits), order=1, mode="nearest"
            )
            for axis in range(self.axes)
        ]
        moved: Floats = points + np.column_stack(moves)
        return moved

    def jacobian(self) -> Floats:
        """Return the Jacobian determinant of the mapping at each voxel, by central differences."""
        derivative = np.empty((*self.displacement.shape, self.axes))
        for component in range(self.axes):
            along = np.gradient(self.displacement[..., component], *self.spacing)
            for axis in range(self.axes):
                derivative[..., component, axis] = along[axis] + (component == axis)
        determinant: Floats = np.linalg.det(derivative)
        return determinant

    def folding(self) -> float:
        """Return the share of voxels at which the mapping folds: determinant not above 0."""
        return float(np.mean(self.jacobian() <= 0))


Transform = Affine | DisplacementField


def target_errors(transform: Transform, fixed: Floats, moving: Floats) -> PointErrors:
    """Return each target's registration error in mm: mapped from the fixed image, held to moving.

    Fitzpatrick, West & Maurer, IEEE Trans Med Imaging 1998;17:694.

    Args:
        transform: fixed to moving.
        fixed: (points, axes) in mm.
        moving: where they are in the moving image, (points, axes) in mm.

    Raises:
        TransformError: the transform has other axes, or a point lies outside its field.
        PointsError: the points do not fit each other.
    """
    if fixed.ndim != 2 or fixed.shape[1] != transform.axes:
        raise TransformError(f"the transform has {transform.axes} axes, the points do not")
    return point_errors(moving, transform.mapped(fixed))


def warped_labels(
    transform: Transform,
    labels: Labels,
    *,
    moving: Grid,
    fixed: Grid,
    moving_origin: Sequence[float],
    fixed_origin: Sequence[float],
) -> Labels:
    """Bring the moving image's labels onto the fixed grid, nearest voxel, 0 outside.

    Args:
        transform: fixed to moving.
        labels: the moving image's, of `moving`'s shape (2-D without its first axis).
        moving: its grid.
        fixed: the grid that is filled.
        moving_origin: first voxel's centre in mm, for each axis.
        fixed_origin: the same of the fixed image.

    Raises:
        MaskShapeError: labels and grid differ.
        TransformError: a voxel lies outside the displacement field.
    """
    first = 1 if moving.flat else 0
    if labels.shape != moving.shape[first:] or moving.flat != fixed.flat:
        raise MaskShapeError("the labels do not lie on the moving image's grid")
    shape = fixed.shape[first:]
    steps = np.array(fixed.spacing[first:])
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    points = places.reshape(-1, len(shape)) * steps + np.array(fixed_origin)
    there = (transform.mapped(points) - moving_origin) / moving.spacing[first:]
    nearest = np.floor(there + 0.5).astype(np.int64)
    inside = ((nearest >= 0) & (nearest < labels.shape)).all(axis=1)
    warped = np.zeros(len(points), dtype=labels.dtype)
    warped[inside] = labels[tuple(nearest[inside].T)]
    return warped.reshape(shape)
