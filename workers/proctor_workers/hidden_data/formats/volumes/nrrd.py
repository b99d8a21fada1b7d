"""Reads NRRD with an attached or a detached header; raw, gzip, bzip2, text and hexadecimal values.

Source: Definition of NRRD File Format (Teem, teem.sourceforge.net/nrrd/format.html).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.volumes.payload import LARGEST_HEADER, Packed, unpacked
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

MAGIC = b"NRRD000"
_TYPES: dict[str, str] = {
    name: code
    for code, names in {
        "i1": ("signed char", "int8", "int8_t"),
        "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
        "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
        "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
        "i4": ("int", "signed int", "int32", "int32_t"),
        "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
        "i8": ("longlong", "long long", "long long int", "signed long long",
               "signed long long int", "int64", "int64_t"),
        "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
        "f4": ("float",),
        "f8": ("double",),
    }.items()
    for name in names
}  # fmt: skip
_ENCODINGS = {
    "raw": "none", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2",
    "ascii": "text", "text": "text", "txt": "text", "hex": "hex",
}  # fmt: skip
_SPACES = {  # to LPS: the signs of the first two axes
    "left-posterior-superior": (1, 1), "lps": (1, 1),
    "right-anterior-superior": (-1, -1), "ras": (-1, -1),
    "left-anterior-superior": (1, -1), "las": (1, -1),
}  # fmt: skip
_TO_MM = {"mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001}
_KEPT = frozenset({"type", "dimension", "space", "space dimension", "sizes", "space directions",
    "space origin", "spacings", "encoding", "endian", "data file", "datafile", "byte skip",
    "byteskip", "line skip", "lineskip", "space units", "kinds", "centerings",
    "centers"})  # fmt: skip
_VECTOR = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)

Fields = Mapping[str, str]


def read_nrrd(content: bytes, companion: Callable[[str], bytes]) -> Volume:
    """Return the volume of a file; `companion` gives the file that a detached header names.

    Raises:
        UnreadableFileError: it is damaged, incomplete, or holds what is not taken.
    """
    fields, dropped, data_at = _header(content)
    dtype = _dtype(fields)
    size = checked_shape(_sizes(fields), dtype.itemsize)
    affine, oriented = _affine(fields)
    name = fields.get("data file", fields.get("datafile", ""))
    data: Packed = companion(name) if name else memoryview(content)[data_at:]
    compression = _ENCODINGS.get(fields.get("encoding", "").lower(), "")
    if not compression:
        raise malformed()
    values = _values(data, fields, compression, dtype, size[0] * size[1] * size[2])
    return Volume(
        voxels=values.reshape(size).astype(dtype.newbyteorder("="), copy=False),
        affine=affine,
        oriented=oriented,
        source="nrrd",
        compression=compression,
        dropped=dropped,
    )


def _header(content: bytes) -> tuple[dict[str, str], int, int]:
    """Return the fields, how many lines are dropped, and where attached data begins."""
    head = content[:LARGEST_HEADER]
    end = re.search(rb"\r?\n\r?\n", head)
    lines = head[: end.start() if end else len(head)].decode("latin-1").splitlines()
    fields: dict[str, str] = {}
    dropped = 0
    for line in lines[1:]:
        name, colon, value = line.partition(": ")
        key = name.strip().lower()
        if line.startswith("#") or not colon or ":=" in name or key not in _KEPT:
            dropped += bool(line.strip())
        else:
            fields[key] = value.strip()
    return fields, dropped, end.end() if end else len(head)


def _dtype(fields: Fields) -> np.dtype[Any]:
    code = _TYPES.get(fields.get("type", "").lower())
    if code is None:
        raise UnreadableFileError(
            "holds values of an unknown type", "Save it with integer or floating-point values."
        )
    dtype = np.dtype(code)
    endian = fields.get("endian", "").lower()
    if dtype.itemsize > 1 and endian not in {"little", "big"}:
        if _ENCODINGS.get(fields.get("encoding", "").lower()) != "text":
            raise malformed()
        return dtype
    return dtype.newbyteorder(">" if endian == "big" else "<")


def _sizes(fields: Fields) -> tuple[int, ...]:
    sizes = whole_numbers(fields.get("sizes", ""))
    if fields.get("dimension") != str(len(sizes)):
        raise malformed()
    return sizes


def _affine(fields: Fields) -> tuple[Matrix, bool]:
    """Return the affine in LPS and mm, and whether the file says one."""
    affine = np.eye(4)
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", "")))
    if units - set(_TO_MM) or len(units) > 1:
        raise UnreadableFileError("measures its space in an unknown unit", "Save it in mm.")
    to_mm = _TO_MM[units.pop()] if units else 1.0
    if "space directions" not in fields:
        spacings = fields.get("spacings", "")
        known = [] if "nan" in spacings.lower() else numbers(spacings)
        affine[range(len(known[:3])), range(len(known[:3]))] = known[:3]
        affine[:3, :3] = np.abs(affine[:3, :3]) * to_mm
        return checked_affine(affine), False
    vectors = [match.group(1) for match in _VECTOR.finditer(fields["space directions"])]
    directions = [numbers(vector, 3) for vector in vectors if vector is not None]
    if len(directions) != 3 or None in vectors:
        raise malformed()
    affine[:3, :3] = np.array(directions).T * to_mm
    origin = fields.get("space origin", "(0,0,0)").strip()
    affine[:3, 3] = np.array(numbers(origin.strip("()"), 3)) * to_mm
    signs = _SPACES.get(fields.get("space", "").lower())
    if signs is None:
        return checked_affine(affine), False
    return checked_affine(np.diag([*signs, 1.0, 1.0]) @ affine), True


def _values(
    data: Packed, fields: Fields, compression: str, dtype: np.dtype[Any], count: int
) -> NDArray[Any]:
    """Return the values; skips are counted before (lines) and after (bytes) unpacking."""
    data = _without_lines(data, fields.get("line skip", fields.get("lineskip", "0")))
    skip = fields.get("byte skip", fields.get("byteskip", "0"))
    wanted = count * dtype.itemsize
    if compression == "none" and skip == "-1":
        data, skip = data[max(0, len(data) - wanted) :], "0"
    skips = whole_numbers(skip)
    if len(skips) != 1 or skips[0] > LARGEST_HEADER:
        raise malformed()
    if compression == "text":
        return from_text(data[skips[0] :], count, dtype)
    if compression == "hex":
        return _from_hex(data[skips[0] :], wanted).view(dtype)
    return unpacked(data, skips[0] + wanted, compression)[skips[0] :].view(dtype)


def _without_lines(data: Packed, skip: str) -> Packed:
    counts = whole_numbers(skip)
    if len(counts) != 1 or counts[0] > 10_000:
        raise malformed()
    for _ in range(counts[0]):
        end = bytes(data[:LARGEST_HEADER]).find(b"\n")
        if end < 0:
            raise malformed()
        data = data[end + 1 :]
    return data


def _from_hex(data: Packed, wanted: int) -> NDArray[np.uint8]:
    try:
        decoded = bytes.fromhex(bytes(data[: 3 * wanted]).decode("ascii", "strict"))
    except ValueError as exc:
        raise malformed() from exc
    return unpacked(decoded, wanted, "none")
