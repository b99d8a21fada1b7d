"""Removes the face from a head volume: all that lies before and below a plane under the brain.

The plane touches the brain from the front and below, as in Schimke and Hale, Quickshear Defacing
for Neuroimages (HealthSec 2011). There a brain mask is given; here a rough one is made from the
volume alone, and what it holds is never changed. What cannot be found for certain is not guessed:
a person has to look.
"""

from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from proctor_workers.hidden_data.case_files import QuarantineError

Voxels = NDArray[Any]
Mask = NDArray[np.bool_]

_WORKING = 2.5  # mm: voxels are thinned to about this before anything is looked for
_AIR_OF_CT = -500.0  # HU; no other volume has values so far below zero in its background
_BRAIN_OF_CT = (-5.0, 90.0)  # HU, blood and calcium apart
_SKULL = 6.0  # mm from the skin inwards in which no brain lies
_NECKS = (3.0, 4.5, 6.0, 8.0, 10.0)  # mm: bridges between brain and eyes or muscles, tried in turn
_BRAIN = (500.0, 2300.0)  # cm³, from infants to large adults
_SAME_SIZE, _SAME_REACH = 0.9, 5.0  # of the brain, share and mm, when it is cut no further
_NORMAL = (-np.sqrt(0.5), -np.sqrt(0.5))  # of the plane, along back and up: 45° to front and below
_ROOM = 6.0  # mm between brain and plane
_EXTENT = (80.0, 1000.0)  # mm of a volume that shows a head
_THICKEST = 10.0  # mm between slices
_LEAST_FACE = 40.0  # cm³ of head before the plane; less is no face, or the plane lies wrong


@dataclass(frozen=True, slots=True)
class _Head:
    """A thinned volume with axes to the left, to the back and upwards, and the head in it."""

    values: NDArray[np.float32]
    mask: Mask
    spacing: tuple[float, float, float]
    threshold: float


def remove_face(volume: Voxels, affine: Any) -> tuple[Voxels, Mask]:
    """Return the volume without the face, and where it was; voxels there get the air's value.

    `affine` (4 × 4) leads from array indices, in the array's order, to patient coordinates, LPS, mm
    (`Grid.affine`).

    Raises:
        QuarantineError: no head with a brain and a face in it was found.
    """
    matrix = np.asarray(affine, np.float64)
    if volume.ndim != 3 or matrix.shape != (4, 4):
        raise _unsure("is no volume in which a head could be")
    order, flips = _axes(matrix)
    upright = np.flip(np.transpose(volume, order), flips)
    left, back, up = (float(np.linalg.norm(matrix[:3, axis])) for axis in order)
    spacing = left, back, up
    _check_size(upright.shape, spacing)
    with np.errstate(all="ignore"):  # foreign floats overflow
        head = _head(upright, spacing)
        face = _face(upright.shape, spacing, head, _brain_limit(head))
        mask = np.transpose(np.flip(face, flips), np.argsort(order))
        clean = volume.copy()
        clean[mask] = _air(upright, head)
    return clean, mask


def _check_size(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    """Refuse what is no head by its size alone, before anything is interpolated."""
    extents = [size * distance for size, distance in zip(shape, spacing, strict=True)]
    if min(extents) < _EXTENT[0] or max(extents) > _EXTENT[1] or max(spacing) > _THICKEST:
        raise _unsure("has not the size of a head")


def _axes(matrix: NDArray[np.float64]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the array's axes in the order left, back, up, and those that must be turned round.

    Each patient direction takes the array axis that is nearest to it (at most 45° away, as the
    directions of a volume are perpendicular).
    """
    with np.errstate(all="ignore"):
        directions = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    if not np.isfinite(directions).all():
        raise _unsure("does not say how it lies in the patient")
    order = tuple(int(axis) for axis in np.abs(directions).argmax(axis=1))
    if len(set(order)) < 3:
        raise _unsure("lies too oblique for its face to be found")
    flips = tuple(place for place, axis in enumerate(order) if directions[place, axis] < 0)
    return order, flips


def _head(upright: Voxels, spacing: tuple[float, float, float]) -> _Head:
    first, second, third = (max(1, round(_WORKING / size)) for size in spacing)
    thinned = (spacing[0] * first, spacing[1] * second, spacing[2] * third)
    values = np.nan_to_num(upright[::first, ::second, ::third].astype(np.float32))
    values, thinned = _without_thick_slices(values, thinned)
    threshold = _otsu(values)
    is_ct = float(np.percentile(values, 2)) < _AIR_OF_CT
    background = threshold if is_ct else threshold / 2  # skin and eyes are darker than brain
    mask = _largest(values > background)
    mask = ndimage.binary_closing(mask, iterations=max(1, round(8 / max(thinned))))
    for axis in range(3):
        planes = np.moveaxis(mask, axis, 0)  # a view: the mask itself is filled
        planes[:] = [ndimage.binary_fill_holes(plane) for plane in planes]
    return _Head(values, mask, thinned, threshold)


def _without_thick_slices(
    values: NDArray[np.float32], spacing: tuple[float, float, float]
) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """Return the values interpolated between slices that lie farther apart than the rest needs."""
    finer = [
        round((size - 1) * distance / _WORKING) + 1 if distance > 1.5 * _WORKING else size
        for size, distance in zip(values.shape, spacing, strict=True)
    ]
    if tuple(finer) == values.shape or min(values.shape) < 2:
        return values, spacing
    factors = [new / old for new, old in zip(finer, values.shape, strict=True)]
    left, back, up = (
        distance * (old - 1) / (new - 1)
        for distance, old, new in zip(spacing, values.shape, finer, strict=True)
    )
    return ndimage.zoom(values, factors, order=1), (left, back, up)


def _brain_limit(head: _Head) -> float:
    """Return how far the brain reaches along the plane's normal, mm (see `_heights`).

    The bright core under the skull is cut loose at bridges of growing width. While it still hangs
    on eyes and muscles, cutting wider takes much of it away; then neither its size nor its reach
    change, and it is the brain.
    """
    inside = _depth(head.mask, head.spacing) > _SKULL
    if float(np.percentile(head.values, 2)) < _AIR_OF_CT:
        low, high = _BRAIN_OF_CT
        smooth = ndimage.uniform_filter(head.values, 3)
        tissue = inside & (smooth > low) & (smooth < high)
    else:
        tissue = inside & (head.values > head.threshold)
    depth = _depth(tissue, head.spacing)
    heights = _heights(head.mask.shape, head.spacing)
    last_size, last_reach = np.inf, np.inf
    for neck in _NECKS:
        core = _largest(depth > neck)
        grown = _depth(~core, head.spacing) <= neck + 1
        brain = grown & head.mask
        size = float(brain.sum() * np.prod(head.spacing)) / 1000
        reach = float(heights[brain.any(axis=0)].max())
        settled = size > _SAME_SIZE * last_size and abs(reach - last_reach) < _SAME_REACH
        if settled and _BRAIN[0] <= last_size <= _BRAIN[1]:
            return last_reach
        last_size, last_reach = size, reach
    raise _unsure("shows no brain that could be told from the face")


def _face(
    shape: tuple[int, ...], spacing: tuple[float, float, float], head: _Head, reach: float
) -> Mask:
    """Return what lies before and below the plane, at full size."""
    half = abs(np.dot(_NORMAL, head.spacing[1:])) / 2  # of a voxel that was looked at
    limit = reach + half + _ROOM
    before = head.mask & (_heights(head.mask.shape, head.spacing) > limit)
    if before.sum() * float(np.prod(head.spacing)) / 1000 < _LEAST_FACE:
        raise _unsure("shows no face before its brain, or lies otherwise than it says")
    return np.broadcast_to(_heights(shape, spacing) > limit, shape).copy()


def _heights(shape: tuple[int, ...], spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return how far each point of a sagittal slice lies along the plane's normal, mm."""
    back = np.arange(shape[1])[:, None] * spacing[1]
    up = np.arange(shape[2])[None, :] * spacing[2]
    heights: NDArray[np.float64] = _NORMAL[0] * back + _NORMAL[1] * up
    return heights


def _depth(mask: Mask, spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return how deep each voxel lies in a mask, mm."""
    depth: NDArray[np.float64] = ndimage.distance_transform_edt(mask, sampling=spacing)
    return depth


def _air(upright: Voxels, head: _Head) -> Any:
    """Return what the volume has where there is nothing."""
    outside = head.values[~head.mask]
    value = np.median(outside) if outside.size else head.values.min()
    return np.asarray(value).astype(upright.dtype)


def _largest(mask: Mask) -> Mask:
    labels = cc3d.connected_components(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    if not sizes.any():
        raise _unsure("shows no head")
    largest: Mask = labels == sizes.argmax()
    return largest


def _otsu(values: NDArray[np.float32]) -> float:
    """Return the threshold that parts values into two most alike within themselves (Otsu 1979)."""
    top = float(np.percentile(values, 99.8))  # a few bright voxels must not widen the bins
    counts, edges = np.histogram(np.minimum(values, top), 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(all="ignore"):
        between = (sums[-1] * below / below[-1] - sums) ** 2 / (below * above)
    return float(centres[np.nan_to_num(between, posinf=0.0).argmax()])


def _unsure(what: str) -> QuarantineError:
    return QuarantineError(what, "Look at it; remove the face yourself, or leave the case out.")
