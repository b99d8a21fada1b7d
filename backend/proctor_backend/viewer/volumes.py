"""Takes the middle slice out of a volume as ingest writes it: NIfTI, or NRRD with raw values."""

import re
from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from proctor_backend.viewer.upright import Turn

NRRD = b"NRRD000"
NIFTI_SIZES = (348, 540)
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_TYPES = {
    "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4",
    "int64": "<i8", "uint64": "<u8", "float": "<f4", "double": "<f8",
}  # fmt: skip
_LONGEST_HEADER = 4096


@dataclass(frozen=True, slots=True)
class MiddleSlice:
    """Upright pixels, rows × columns, and how much higher than wide a pixel is."""

    pixels: npt.NDArray[Any]
    aspect: float


def is_volume(content: bytes) -> bool:
    """Say whether the bytes are a volume in one of the two forms."""
    return content.startswith(NRRD) or int.from_bytes(content[:4], "little") in NIFTI_SIZES


def middle_slice(content: bytes, most_pixels: int) -> MiddleSlice:
    """Return the slice half way through.

    Raises:
        ValueError: the bytes are no such volume, or a slice has too many pixels.
    """
    read = _nrrd if content.startswith(NRRD) else _nifti
    pixels, affine = read(content, most_pixels)
    turn = Turn() if affine is None else Turn.upright(affine)
    across, down = (1.0, 1.0) if affine is None else np.linalg.norm(affine[:3, :2], axis=0)
    aspect = float(across / down if turn.exchanged else down / across)
    return MiddleSlice(np.nan_to_num(turn.applied(pixels[None])[0]), aspect)


Read = tuple[npt.NDArray[Any], npt.NDArray[np.float64] | None]


def _nifti(content: bytes, most_pixels: int) -> Read:
    second = int.from_bytes(content[:4], "little") == NIFTI_SIZES[1]
    kind = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    image = kind.from_bytes(content)
    if len(image.shape) != 3 or image.shape[0] * image.shape[1] > most_pixels:
        raise ValueError("no volume that is shown")
    oriented = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    pixels = np.asanyarray(image.dataobj[..., image.shape[2] // 2]).T
    return pixels, _RAS_TO_LPS @ image.affine if oriented else None


def _nrrd(content: bytes, most_pixels: int) -> Read:
    head, _, _ = content[:_LONGEST_HEADER].partition(b"\n\n")
    lines = head.decode("ascii").splitlines()[1:]
    fields = dict(line.split(": ", 1) for line in lines)
    columns, rows, slices = (int(size) for size in fields["sizes"].split())
    if columns * rows > most_pixels:
        raise ValueError("a slice that is too large")
    dtype = np.dtype(_TYPES[fields["type"]])
    offset = len(head) + 2 + slices // 2 * rows * columns * dtype.itemsize
    pixels = np.frombuffer(content, dtype, rows * columns, offset).reshape(rows, columns)
    if "space directions" not in fields:
        return pixels, None
    affine = np.eye(4)
    vectors = re.findall(r"\(([^)]*)\)", fields["space directions"])
    affine[:3, :3] = np.array([[float(one) for one in vector.split(",")] for vector in vectors]).T
    return pixels, affine
