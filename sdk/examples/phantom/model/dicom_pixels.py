"""Reads the pixels of an uncompressed little-endian DICOM file, with the standard library only."""

import struct
from dataclasses import dataclass
from pathlib import Path

LONG_FORM = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UR", b"UT", b"UN"})
PHOTOMETRIC, ROWS, COLUMNS = 0x00280004, 0x00280010, 0x00280011
BITS_STORED, PIXELS = 0x00280101, 0x7FE00010


@dataclass(frozen=True)
class Pixels:
    """Stored 16-bit values, row by row, and how to read them."""

    values: memoryview
    rows: int
    columns: int
    bits: int
    inverted: bool


def read_pixels(path: Path) -> Pixels:
    """Return a file's pixels.

    Raises:
        ValueError: the file is not uncompressed 16-bit grey in explicit little-endian DICOM.
    """
    data = path.read_bytes()
    if data[128:132] != b"DICM":
        raise ValueError("not DICOM")
    found = _elements(data)
    rows, columns = _number(found, ROWS), _number(found, COLUMNS)
    pixels = memoryview(found[PIXELS])
    if len(pixels) != 2 * rows * columns:
        raise ValueError("not 16-bit grey")
    photometric = found[PHOTOMETRIC].strip(b" \0")
    return Pixels(
        pixels.cast("H"), rows, columns, _number(found, BITS_STORED), photometric == b"MONOCHROME1"
    )


def _elements(data: bytes) -> dict[int, bytes]:
    found, at = {}, 132
    while at + 8 <= len(data):
        group, element, kind = struct.unpack_from("<HH2s", data, at)
        if kind in LONG_FORM:
            (length,) = struct.unpack_from("<I", data, at + 8)
            at += 12
        else:
            (length,) = struct.unpack_from("<H", data, at + 6)
            at += 8
        if at + length > len(data):
            raise ValueError("not explicit little-endian")
        found[group << 16 | element] = data[at : at + length]
        at += length
    return found


def _number(found: dict[int, bytes], tag: int) -> int:
    if tag not in found:
        raise ValueError(f"no element {tag:08x}")
    return int(struct.unpack("<H", found[tag])[0])
