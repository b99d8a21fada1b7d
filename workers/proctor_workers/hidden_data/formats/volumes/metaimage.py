"""Reads MetaImage: .mha, or .mhd with its raw file; plain, compressed or written as text.

Source: MetaIO documentation (itk.org/Wiki/MetaIO/Documentation); positions are ITK's: LPS, mm.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.volumes.payload import (
    GZIP,
    LARGEST_HEADER,
    Packed,
    unpacked,
)
from proctor_workers.hidden_data.formats.volumes.text_header import (
    from_text,
    malformed,
    numbers,
    whole_numbers,
)
from proctor_workers.hidden_data.formats.volumes.volume import (
    Matrix,
    Volume,
    checked_affine,
    checked_shape,
)

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_KEPT = frozenset({"ObjectType", "NDims", "DimSize", "ElementType", "ElementSpacing",
    "ElementSize", "TransformMatrix", "Rotation", "Orientation", "Offset", "Position", "Origin",
    "CenterOfRotation", "AnatomicalOrientation", "BinaryData", "BinaryDataByteOrderMSB",
    "ElementByteOrderMSB", "CompressedData", "CompressedDataSize", "HeaderSize",
    "ElementNumberOfChannels", "ElementDataFile", "ITK_InputFilterName"})  # fmt: skip

Fields = Mapping[str, str]


def is_metaimage(head: bytes) -> bool:
    """Say whether the first bytes are a MetaImage header."""
    text = head[:LARGEST_HEADER]
    return text.lstrip().startswith((b"ObjectType", b"NDims", b"Comment")) and b"NDims" in text


def read_metaimage(content: bytes, companion: Callable[[str], bytes]) -> Volume:
    """Return the volume of a file; `companion` gives the file that the header names.

    Raises:
        UnreadableFileError: it is damaged, incomplete, or holds what is not taken.
    """
    fields, dropped, data_at = _header(content)
    dtype = _dtype(fields)
    size = checked_shape(_sizes(fields), dtype.itemsize)
    affine = _affine(fields, len(_sizes(fields)))
    name = fields["ElementDataFile"]
    data: Packed = (
        memoryview(content)[data_at:] if name.upper() == "LOCAL" else companion(_single(name))
    )
    data = _after_its_header(data, fields, size[0] * size[1] * size[2] * dtype.itemsize)
    compression = _compression(fields, data)
    count = size[0] * size[1] * size[2]
    if fields.get("BinaryData", "False").lower() == "false" and "BinaryData" in fields:
        values = from_text(data, count, dtype)
    else:
        values = unpacked(data, count * dtype.itemsize, compression).view(dtype)
    return Volume(
        voxels=values.reshape(size).astype(dtype.newbyteorder("="), copy=False),
        affine=affine,
        source="metaimage",
        compression=compression,
        dropped=dropped,
    )


def _header(content: bytes) -> tuple[dict[str, str], int, int]:
    """Return the fields, how many lines are dropped, and where local data begins."""
    fields: dict[str, str] = {}
    dropped = at = 0
    while at < LARGEST_HEADER:
        end = content.find(b"\n", at, LARGEST_HEADER)
        line = content[at : end if end >= 0 else LARGEST_HEADER].decode("latin-1")
        at = end + 1
        key, equals, value = (part.strip() for part in line.partition("="))
        if equals and key in _KEPT:
            fields[key] = value
        else:
            dropped += bool(line.strip())
        if key == "ElementDataFile" and value:
            return fields, dropped, at if end >= 0 else len(content)
        if end < 0:
            break
    raise malformed()


def _dtype(fields: Fields) -> np.dtype[Any]:
    if fields.get("ElementNumberOfChannels", "1") != "1":
        raise UnreadableFileError(
            "holds several values a voxel (colours, vectors)", "Save each channel as its own file."
        )
    code = _TYPES.get(fields.get("ElementType", ""))
    if code is None:
        raise UnreadableFileError(
            "holds values of an unknown type", "Save it with integer or floating-point values."
        )
    order = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))
    return np.dtype(code).newbyteorder(">" if order.lower() == "true" else "<")


def _sizes(fields: Fields) -> tuple[int, ...]:
    sizes = whole_numbers(fields.get("DimSize", ""))
    if fields.get("NDims") != str(len(sizes)):
        raise malformed()
    return sizes


def _single(name: str) -> str:
    if name.upper().startswith("LIST") or "%" in name:
        raise UnreadableFileError("keeps its slices in many files", "Save it as one .mha file.")
    return name


def _after_its_header(data: Packed, fields: Fields, wanted: int) -> Packed:
    skip = fields.get("HeaderSize", "0")
    if skip == "-1":  # the values are the file's last bytes
        return data[max(0, len(data) - wanted) :]
    sizes = whole_numbers(skip)
    if len(sizes) != 1:
        raise malformed()
    return data[sizes[0] :]


def _compression(fields: Fields, data: Packed) -> str:
    if fields.get("CompressedData", "False").lower() != "true":
        return "none"
    return "gzip" if bytes(data[:2]) == GZIP else "zlib"


def _affine(fields: Fields, dimensions: int) -> Matrix:
    """Return the affine; two-dimensional files lie in the plane of their axes."""
    known = min(dimensions, 3)
    affine = np.eye(4)
    spacing = _first(fields, ("ElementSpacing", "ElementSize"), dimensions, [1.0] * dimensions)
    origin = _first(fields, ("Offset", "Position", "Origin"), dimensions, [0.0] * dimensions)
    identity = np.eye(dimensions).ravel().tolist()
    names = ("TransformMatrix", "Rotation", "Orientation")
    matrix = np.array(_first(fields, names, dimensions**2, identity))
    # The file writes one axis' direction after another: rows here, columns in the affine.
    directions = matrix.reshape(dimensions, dimensions).T[:known, :known]
    affine[:known, :known] = directions * np.array(spacing[:known])
    affine[:known, 3] = origin[:known]
    return checked_affine(affine)


def _first(fields: Fields, names: tuple[str, ...], count: int, default: list[float]) -> list[float]:
    for name in names:
        if name in fields:
            return numbers(fields[name], count)
    return default
