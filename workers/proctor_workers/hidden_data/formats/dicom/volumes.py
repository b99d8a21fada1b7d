"""Assembles the slices of a case into one volume, where a plan keeps volumes as NIfTI or NRRD.

Stored values stay as they are where the format can say how they are scaled (NIfTI, one slope and
intercept for all slices). Else they are scaled: as whole numbers where slope and intercept are
whole, as floats that give every stored value back where they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from proctor_workers.hidden_data.case_files import Grid, UnreadableFileError
from proctor_workers.hidden_data.deidentify.faces import remove_face
from proctor_workers.hidden_data.formats.dicom.geometry import macro, numbers
from proctor_workers.hidden_data.formats.dicom.pixels import LARGEST_PIXELS, Layout
from proctor_workers.hidden_data.formats.series import Arrangement
from proctor_workers.hidden_data.formats.volumes.volume import Volume

Scale = tuple[float, float]
_NONE: Scale = (1.0, 0.0)
_SINGLE = 24  # bits that a 32-bit float holds exactly


def check_volume(layouts: Sequence[Layout], arrangement: Arrangement) -> Grid:
    """Return the grid of slices that make one volume.

    Raises:
        UnreadableFileError: they make none.
    """
    cure = "Choose canonical.volumes = native in the plan, or leave out what does not belong."
    if any(one.photometric != "MONOCHROME2" or one.samples != 1 for one in layouts):
        raise UnreadableFileError("belongs to pictures whose colours make no volume", cure)
    grid = arrangement.grid
    if grid is None or grid.affine is None:
        why = next((one.message for one in arrangement.findings), "it has no position")
        raise UnreadableFileError(f"belongs to slices that make no single volume: {why}", cure)
    if sum(one.count for one in layouts) * layouts[0].allocated // 8 > LARGEST_PIXELS:
        raise UnreadableFileError("belongs to a volume above 2 GiB", cure)
    return grid


def scales_of(header: Dataset, frames: int) -> list[Scale]:
    """Return slope and intercept of each frame (PS3.3 C.11.1, C.7.6.16.2.9; a dose's scaling)."""
    if "ModalityLUTSequence" in header:
        raise UnreadableFileError(
            "has a modality lookup table, for which volumes have no place",
            "Choose canonical.volumes = native in the plan.",
        )
    groups = header.get("PerFrameFunctionalGroupsSequence") or ()
    if len(groups) != frames:
        return [_scale(header)] * frames
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    return [_scale(macro("PixelValueTransformationSequence", one, shared)) for one in groups]


def _scale(source: Dataset) -> Scale:
    slope = numbers(source, "RescaleSlope") or numbers(source, "DoseGridScaling") or (1.0,)
    return slope[0], (numbers(source, "RescaleIntercept") or (0.0,))[0]


@dataclass(frozen=True, slots=True)
class Assembly:
    """The frames of one volume in order, file by file, and how each frame is scaled."""

    grid: Grid
    files: list[NDArray[Any]]  # frames × rows × columns each
    scales: list[Scale]

    def volume(self, *, scaled: bool) -> Volume:
        """Return the volume; `scaled` where the format has no place for a scale."""
        voxels = np.concatenate(self.files)
        scale = self.scales[0]
        if len(set(self.scales)) > 1 or (scaled and scale != _NONE):
            voxels, scale = self._applied(voxels), _NONE
        affine = np.array(self.grid.affine)[:, [2, 1, 0, 3]]
        return Volume(voxels=voxels, affine=affine, slope=scale[0], inter=scale[1], source="dicom")

    def without_face(self) -> "Assembly":
        """Return the same frames with the face set to the value of the air.

        Raises:
            QuarantineError: no head with a face was found.
        """
        voxels = np.concatenate(self.files)
        slope, inter = (column[:, None, None] for column in np.array(self.scales, "<f4").T)
        clean, face = remove_face(voxels * slope + inter, self.grid.affine)
        stored = (clean[face][:1] - inter) / slope
        if voxels.dtype.kind in "iu":
            limits = np.iinfo(voxels.dtype)
            stored = np.clip(np.rint(stored), limits.min, limits.max)
        voxels = np.where(face, stored.astype(voxels.dtype), voxels)
        ends = np.cumsum([len(file) for file in self.files])[:-1]
        files = [np.ascontiguousarray(file) for file in np.split(voxels, ends)]
        return Assembly(self.grid, files, self.scales)

    def _applied(self, voxels: NDArray[Any]) -> NDArray[Any]:
        scales = np.array(self.scales)
        slope, inter = (column[:, None, None] for column in scales.T)
        if voxels.dtype.kind in "iu" and bool((scales == np.rint(scales)).all()):
            return _narrowest(
                voxels.astype(np.int64) * slope.astype(np.int64) + inter.astype(np.int64)
            )
        wide = voxels.dtype.kind == "f" or voxels.dtype.itemsize * 8 > _SINGLE
        applied = voxels.astype(np.float64) * slope + inter
        return np.asarray(applied, np.float64 if wide else np.float32)


def _narrowest(values: NDArray[np.int64]) -> NDArray[Any]:
    low, high = int(values.min()), int(values.max())
    for name in ("i2", "i4", "i8"):
        limits = np.iinfo(name)
        if limits.min <= low and high <= limits.max:
            return values.astype(f"<{name}")
    return values
