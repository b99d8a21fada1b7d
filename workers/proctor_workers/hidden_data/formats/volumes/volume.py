"""A volume in memory: its stored values and where they lie in the patient."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import Grid, UnreadableFileError

LARGEST_VOLUME = 1 << 32  # bytes of stored values; above it a file is refused before it is decoded
FARTHEST = 1e7  # mm; nothing of a patient lies ten kilometres away
OBLIQUE_BELOW = 0.9  # cosine of the angle between the slices' direction and the nearest axis
_PLANES = ("sagittal", "coronal", "axial")  # slices stacked along left, posterior, superior

Voxels = NDArray[Any]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Stored values and geometry of one three-dimensional image.

    `voxels` have the shape (slices, rows, columns): the last axis runs fastest in the file.
    `affine` maps (column, row, slice, 1) to patient coordinates, LPS, mm, 4 × 4; where `oriented`
    is false only its spacing means anything. A stored value v stands for `slope` × v + `inter`.
    `nifti` are the header's geometry fields, where a NIfTI file gave them, kept to the bit.
    """

    voxels: Voxels
    affine: Matrix
    oriented: bool = True
    slope: float = 1.0
    inter: float = 0.0
    nifti: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""  # nifti, analyze, nrrd or metaimage
    compression: str = "none"
    doubts: tuple[str, ...] = ()  # about its place; see `reading`
    dropped: int = 0  # fields, extensions and comments that the canonical file does not hold

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Return the distances between columns, rows and slices, mm."""
        across, down, through = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(across), float(down), float(through)

    def grid(self) -> Grid:
        """Return the grid in the order of `voxels`."""
        slices, rows, columns = self.voxels.shape
        across, down, through = self.spacing
        return Grid(
            size=(slices, rows, columns),
            spacing=(through, down, across),
            affine=tuple(map(tuple, self.affine[:, [2, 1, 0, 3]].tolist()))
            if self.oriented
            else None,
        )

    def orientation(self) -> str:
        """Return the plane of the slices: axial, coronal, sagittal, oblique or unknown."""
        if not self.oriented:
            return "unknown"
        through = self.affine[:3, 2] / self.spacing[2]
        axis = int(np.argmax(np.abs(through)))
        return _PLANES[axis] if abs(through[axis]) >= OBLIQUE_BELOW else "oblique"


def checked_affine(affine: Matrix) -> Matrix:
    """Return an affine that has an inverse.

    Raises:
        UnreadableFileError: it has none, or leads to nowhere.
    """
    with np.errstate(all="ignore"):
        usable = (np.abs(affine) < FARTHEST).all() and abs(np.linalg.det(affine[:3, :3])) > 1e-12
    if not usable:
        raise UnreadableFileError(
            "says of its voxels no size or direction that can be", "Export it again."
        )
    return affine


def checked_shape(shape: tuple[int, ...], item: int) -> tuple[int, int, int]:
    """Return (slices, rows, columns) of a file's dimensions, fastest first.

    Raises:
        UnreadableFileError: it has more than three dimensions, none, or is too large.
    """
    if not shape or min(shape) < 1:
        raise UnreadableFileError("holds no voxels", "Export it again.")
    if any(size > 1 for size in shape[3:]):
        raise UnreadableFileError(
            "holds several volumes in one file (a time series, channels or directions)",
            "Give each volume as a file of its own, listed in the order that a model expects.",
        )
    columns, rows, slices = (*shape[:3], 1, 1)[:3]
    if columns * rows * slices * item > LARGEST_VOLUME:
        raise UnreadableFileError(
            "is too large once decoded (above 4 GiB)", "Crop it, or split it into parts."
        )
    return slices, rows, columns
