"""Reads NIfTI-1, NIfTI-2 and Analyze 7.5: single files and pairs, any byte order.

The layout is nibabel's table of the headers; every field is read here, so that whatever the bytes
are, the outcome is a volume or a refusal. Source: nifti1.h, nifti2.h (NIfTI Data Format Working
Group), Analyze 7.5 file format (Mayo Clinic).
"""

from collections.abc import Callable
from typing import Any

import nibabel
import numpy as np

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.volumes.nifti_place import place_of, place_of_analyze
from proctor_workers.hidden_data.formats.volumes.payload import (
    GZIP,
    first_bytes,
    unpacked,
)
from proctor_workers.hidden_data.formats.volumes.volume import (
    Volume,
    checked_shape,
)

LAYOUTS = {348: nibabel.nifti1.header_dtype, 540: nibabel.nifti2.header_dtype}
MAGIC = {b"n+1\0": 348, b"ni1\0": 348, b"n+2\0": 540, b"ni2\0": 540}
TYPES: dict[int, Any] = {
    2: np.uint8, 4: np.int16, 8: np.int32, 16: np.float32, 64: np.float64, 256: np.int8,
    512: np.uint16, 768: np.uint32, 1024: np.int64, 1280: np.uint64,
}  # fmt: skip
_REFUSED = {
    1: "one-bit values", 32: "complex values", 128: "colours", 1536: "128-bit values",
    1792: "complex values", 2048: "complex values", 2304: "colours",
}  # fmt: skip
_TEXTS = ("descrip", "aux_file", "intent_name", "data_type", "db_name")
_LARGEST_OFFSET = 1 << 26  # extensions before the voxels
_ANALYZE_CODES = frozenset({2, 4, 8, 16, 64})

Record = np.void


def is_nifti(head: bytes, name: str) -> bool:
    """Say whether unpacked first bytes are a NIfTI header, or by the name one of Analyze."""
    if len(head) < 348:
        return False
    size = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    if 540 in size:
        return MAGIC.get(head[4:8]) == 540
    analyze = name.lower().removesuffix(".gz").endswith(".hdr")
    return 348 in size and (MAGIC.get(head[344:348]) == 348 or analyze)


def read_nifti(content: bytes, image: Callable[[], bytes] | None) -> Volume:
    """Return the volume of a file; `image` gives the second file of a pair.

    Raises:
        UnreadableFileError: it is damaged, incomplete, or holds what is not taken.
    """
    head = first_bytes(content, 544)
    header, magic = _header(head)
    shape, dtype = _shape(header), _dtype(header, magic)
    size = checked_shape(shape, dtype.itemsize)
    paired = magic[:2] != b"n+"
    offset = _offset(header, 0 if paired else int(header["sizeof_hdr"]) + 4)
    if paired:
        if image is None:
            raise UnreadableFileError(
                "is a header whose image file is not listed", "List its .img file in the same case."
            )
        content = image()
    compression = "gzip" if bytes(content[:2]) == GZIP else "none"
    count = size[0] * size[1] * size[2]
    stored = unpacked(content, offset + count * dtype.itemsize, compression)[offset:]
    voxels = stored.view(dtype).reshape(size)
    with np.errstate(all="ignore"):  # what is no number is refused by its outcome
        place = place_of(header, size) if magic else place_of_analyze(header)
    slope, inter = _scale(header, magic)
    return Volume(
        voxels=voxels.astype(dtype.newbyteorder("="), copy=False),
        affine=place.affine,
        oriented=place.oriented,
        slope=slope,
        inter=inter,
        nifti={"sizeof_hdr": int(header["sizeof_hdr"]), **place.fields} if magic else {},
        doubts=place.doubts,
        source="nifti" if magic else "analyze",
        compression=compression,
        dropped=_dropped(header, magic, offset),
    )


def _header(head: bytes) -> tuple[Record, bytes]:
    """Return the header's record in its byte order, and its magic (empty: Analyze)."""
    for order in ("<", ">"):
        size = int(np.frombuffer(head, order + "i4", 1)[0]) if len(head) >= 4 else 0
        if size in LAYOUTS and len(head) >= size:
            record = np.frombuffer(head, LAYOUTS[size].newbyteorder(order), 1)[0]
            magic = bytes(head[4:8] if size == 540 else head[344:348])
            return record, magic if MAGIC.get(magic) == size else b""
    raise UnreadableFileError("is a damaged NIfTI file", "Export it again.")


def _shape(header: Record) -> tuple[int, ...]:
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise UnreadableFileError("is a damaged NIfTI file", "Export it again.")
    return tuple(int(size) for size in header["dim"][1 : count + 1])


def _dtype(header: Record, magic: bytes) -> np.dtype[Any]:
    code = int(header["datatype"])
    if code not in TYPES or (not magic and code not in _ANALYZE_CODES):
        raise UnreadableFileError(
            f"holds {_REFUSED.get(code, 'values of an unknown type')}",
            "Save it with integer or floating-point values, one a voxel.",
        )
    dtype = np.dtype(TYPES[code])
    if int(header["bitpix"]) != 8 * dtype.itemsize:
        raise UnreadableFileError("is a damaged NIfTI file", "Export it again.")
    ordered: np.dtype[Any] = dtype.newbyteorder(header["dim"].dtype.byteorder)
    return ordered


def _offset(header: Record, least: int) -> int:
    offset = float(header["vox_offset"])
    if not (least <= offset <= _LARGEST_OFFSET and offset.is_integer()):
        raise UnreadableFileError("is a damaged NIfTI file", "Export it again.")
    return int(offset)


def _scale(header: Record, magic: bytes) -> tuple[float, float]:
    """Return slope and intercept; a slope of 0 means none (nifti1.h)."""
    if not magic:
        # SPM kept a factor where Analyze has an unused field; others left anything there.
        if float(header["scl_slope"]) not in {0.0, 1.0}:
            raise UnreadableFileError(
                "is an Analyze file with a scale of its own", "Convert it to NIfTI."
            )
        return 1.0, 0.0
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    if not np.isfinite(inter):
        raise UnreadableFileError("has an intercept that is no number", "Export it again.")
    return slope, inter


def _dropped(header: Record, magic: bytes, offset: int) -> int:
    texts = [name for name in _TEXTS if name in (header.dtype.names or ())]
    filled = sum(bool(bytes(header[name]).strip(b"\0 ")) for name in texts)
    least = int(header["sizeof_hdr"]) + 4 if magic[:2] == b"n+" else 0
    return filled + (offset > least)
