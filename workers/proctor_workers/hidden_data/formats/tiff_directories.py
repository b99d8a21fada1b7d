"""Reads the directories of a TIFF or BigTIFF file: the few tags that are asked for, with bounds.

A reader of its own, because slides come with directories that loop, lie about counts or hold
megabytes of a scanner's notes: nothing is read that was not asked for, nothing beyond the file.
Source: TIFF 6.0 (Adobe, 1992), BigTIFF (2004), SubIFDs as in Adobe's TIFF Technical Note 1 (1995).
"""

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_DIRECTORIES = 512
MOST_ENTRIES = 1024  # of a directory; scanners write about 40
LONGEST_VALUE = 1 << 26  # bytes: the places of eight million tiles
LONGEST_TEXT = 1 << 16  # of a description no more is looked at

SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
DESCRIPTION, MAKE, STRIP_OFFSETS, SAMPLES, X_RESOLUTION, Y_RESOLUTION = 270, 271, 273, 277, 282, 283
PLANAR, RESOLUTION_UNIT, SOFTWARE, PREDICTOR = 284, 296, 305, 317
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
SUB_DIRECTORIES, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES, SUBSAMPLING = 330, 338, 339, 347, 530
XMP, ICC_PROFILE, HAMAMATSU = 700, 34675, 65420
_WANTED = frozenset({
    SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION, MAKE, STRIP_OFFSETS,
    SAMPLES, X_RESOLUTION, Y_RESOLUTION, PLANAR, RESOLUTION_UNIT, SOFTWARE, PREDICTOR, TILE_WIDTH,
    TILE_LENGTH, TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES, EXTRA_SAMPLES, SAMPLE_FORMAT,
    JPEG_TABLES, SUBSAMPLING, XMP, ICC_PROFILE,
    HAMAMATSU,
})  # fmt: skip
_TEXT = frozenset({DESCRIPTION, MAKE, SOFTWARE, XMP})
_TYPES = {
    1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4",
    11: "f4", 12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip
_RATIONAL = frozenset({5, 10})

Numbers = npt.NDArray[Any]


class TiffError(ValueError):
    """The file is no TIFF, or its directories do not hold what they promise."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One image of the file: the tags that were asked for, as arrays in native byte order."""

    tags: Mapping[int, Numbers]
    big_endian: bool
    parent: int | None = None  # of a SubIFD: its directory's position in the chain
    children: tuple[int, ...] = field(default=())

    def number(self, tag: int, default: int | None = None) -> int:
        """Return a tag's first value.

        Raises:
            TiffError: it is missing, and there is no default.
        """
        values = self.tags.get(tag)
        if values is not None and values.size and values.dtype.kind in "iu":
            return int(values.flat[0])
        if default is None:
            raise TiffError(f"tag {tag} is missing")
        return default

    def ratio(self, tag: int) -> float:
        """Return a rational tag as a number; 0 where it is missing or divided by nothing."""
        values = self.tags.get(tag)
        if values is None or values.size != 2 or not int(values[1]):
            return 0.0
        return float(values[0]) / float(values[1])

    def text(self, tag: int) -> str:
        """Return a tag as text, as far as it is looked at."""
        values = self.tags.get(tag)
        return "" if values is None else values.tobytes().split(b"\0")[0].decode("latin-1")

    @property
    def is_tiled(self) -> bool:
        """Say whether the image is kept in tiles."""
        return TILE_OFFSETS in self.tags and TILE_WIDTH in self.tags


def directories(file: BinaryIO) -> list[Directory]:
    """Return a file's directories in their order, each followed by its SubIFDs.

    Raises:
        TiffError: see there.
    """
    reader = _Reader.of(file)
    found: list[Directory] = []
    seen: set[int] = set()
    for directory in reader.chain(reader.first, seen):
        chain_position = len(found)
        found.append(directory)
        found += [reader.below(child, seen, parent=chain_position) for child in directory.children]
    if not found:
        raise TiffError("no directory")
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    file: BinaryIO
    size: int
    order: str
    big: bool
    first: int

    @classmethod
    def of(cls, file: BinaryIO) -> "_Reader":
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(16)
        if head[:4] not in MAGIC or len(head) < 8:
            raise TiffError("no TIFF")
        order = "<" if head[:2] == b"II" else ">"
        big = 43 in head[2:4]
        if big and len(head) < 16:
            raise TiffError("no BigTIFF")
        (first,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
        return cls(file, size, order, big, first)

    def chain(self, place: int, seen: set[int]) -> Iterator[Directory]:
        while place:
            directory, place = self._directory(place, seen, None)
            yield directory

    def below(self, place: int, seen: set[int], *, parent: int) -> Directory:
        """Read a SubIFD; what follows it in a chain of its own is no part of the picture."""
        return self._directory(place, seen, parent)[0]

    def _directory(self, place: int, seen: set[int], parent: int | None) -> tuple[Directory, int]:
        if place in seen or len(seen) >= MOST_DIRECTORIES:
            raise TiffError("directories in a circle, or too many")
        seen.add(place)
        count_code, entry, link = ("Q", 20, "Q") if self.big else ("H", 12, "I")
        (count,) = self._unpack(place, count_code)
        if count > MOST_ENTRIES:
            raise TiffError("a directory with too many entries")
        begin = place + struct.calcsize(count_code)
        block = self._bytes(begin, count * entry)
        tags: dict[int, Numbers] = {}
        for at in range(0, len(block), entry):
            tag, values = self._entry(block, at, begin)
            if values is not None:
                tags.setdefault(tag, values)
        (following,) = self._unpack(begin + count * entry, link)
        below = tags.get(SUB_DIRECTORIES)
        children = () if below is None else tuple(int(child) for child in below[:MOST_DIRECTORIES])
        return Directory(tags, self.order == ">", parent, children), following

    def _entry(self, block: bytes, at: int, begin: int) -> tuple[int, Numbers | None]:
        code = self.order + ("HHQ" if self.big else "HHI")
        tag, kind, count = struct.unpack_from(code, block, at)
        if tag not in _WANTED or kind not in _TYPES:
            return tag, None
        dtype = np.dtype(self.order + _TYPES[kind])
        values = count * (2 if kind in _RATIONAL else 1)
        room = 8 if self.big else 4
        if tag in _TEXT:
            values = min(values, LONGEST_TEXT // dtype.itemsize)
        length = values * dtype.itemsize
        if length > LONGEST_VALUE:
            raise TiffError("a tag that is too long")
        inline = at + struct.calcsize(code)
        if count * (2 if kind in _RATIONAL else 1) * dtype.itemsize <= room:
            place = begin + inline
        else:
            (place,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), block, inline)
        content = np.frombuffer(self._bytes(place, length), dtype)
        return tag, content.astype(dtype.newbyteorder("="))

    def _unpack(self, place: int, code: str) -> tuple[int, ...]:
        return struct.unpack(self.order + code, self._bytes(place, struct.calcsize(code)))

    def _bytes(self, place: int, length: int) -> bytes:
        if place < 0 or place + length > self.size:
            raise TiffError("a place beyond the file's end")
        self.file.seek(place)
        return self.file.read(length)
