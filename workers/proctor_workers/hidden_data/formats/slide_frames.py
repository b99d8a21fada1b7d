"""Streams the frames of a DICOM whole slide from file to file, one at a time, free of text.

Encapsulated frames are found by their items (PS3.5 A.4) and written one item each, with an offset
table: the basic one, or the extended one where 32 bits do not reach (PS3.3 C.7.6.3.1.8).
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.codestreams import (
    CodestreamError,
    bare_jpeg,
    bare_jpeg2000,
)

MOST_FRAMES = 1 << 22
LARGEST_SIDE = 1 << 12  # of a frame, in pixels
NATIVE = frozenset({ExplicitVRLittleEndian, ImplicitVRLittleEndian})
JPEG2000_SYNTAXES = frozenset({JPEG2000, JPEG2000Lossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL})
LARGEST_BASIC = 0xFFFFFFFF  # bytes of frames, as far as a basic offset table reaches
_PIXEL_DATA, _EXTENDED_OFFSETS, _EXTENDED_LENGTHS = (
    b"\xe0\x7f\x10\x00", b"\xe0\x7f\x01\x00", b"\xe0\x7f\x02\x00",
)  # fmt: skip
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_UNDEFINED = 0xFFFFFFFF
_SPARE = 12  # bytes by which a frame may grow: item header, padding, a missing end marker
_COPIED_AT_ONCE = 1 << 22
_DAMAGED = ("is a damaged DICOM slide", "Export it again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The frames of one instance, and where each one's fragments lie in its file."""

    syntax: UID
    rows: int
    columns: int
    samples: int
    bits: int
    count: int
    fragments: Sequence[tuple[tuple[int, int], ...]]  # place and length; of each frame

    @property
    def frame_bytes(self) -> int:
        """Return the size of a decoded frame."""
        return self.rows * self.columns * self.samples * self.bits // 8


def frames_of(header: Dataset, file: BinaryIO, syntax: UID) -> Frames:
    """Find the frames of an instance; the file stands at its pixel data, behind its headers.

    Raises:
        UnreadableFileError: there are none, they break off, or their syntax is not read.
    """
    if syntax not in NATIVE | JPEG2000_SYNTAXES | {JPEGBaseline8Bit}:
        raise UnreadableFileError(
            "is a slide in a transfer syntax that is not read",
            "Use JPEG baseline, JPEG 2000 or no compression.",
        )
    found = Frames(
        syntax=syntax,
        rows=int(header.Rows),
        columns=int(header.Columns),
        samples=int(header.SamplesPerPixel),
        bits=int(header.BitsAllocated),
        count=int(header.get("NumberOfFrames") or 1),
        fragments=(),
    )
    _check(found)
    start, length = _pixel_data(file, syntax)
    if syntax in NATIVE:
        fragments = _native(found, start, length)
    else:
        if length != _UNDEFINED:
            raise UnreadableFileError(*_DAMAGED)
        fragments = _encapsulated(file, found.count)
    return Frames(
        syntax=syntax, rows=found.rows, columns=found.columns, samples=found.samples,
        bits=found.bits, count=found.count, fragments=fragments,
    )  # fmt: skip


def _check(found: Frames) -> None:
    if found.samples not in {1, 3} or found.bits not in {8, 16}:
        raise UnreadableFileError("has pixels that slides are not read in", "Use grey or RGB.")
    if not (0 < found.rows <= LARGEST_SIDE and 0 < found.columns <= LARGEST_SIDE):
        raise UnreadableFileError("has frames that are too large", "Use tiles of 512 × 512.")
    if not 0 < found.count <= MOST_FRAMES:
        raise UnreadableFileError("has too many frames", "Split the slide.")


def _pixel_data(file: BinaryIO, syntax: UID) -> tuple[int, int]:
    head = file.read(8)
    if head[:4] != _PIXEL_DATA:
        raise UnreadableFileError("is a slide without pixels", "Export it again.")
    if syntax == ImplicitVRLittleEndian:
        (length,) = struct.unpack("<I", head[4:])
    else:
        (length,) = struct.unpack("<I", _exactly(file, 4))
    return file.tell(), length


def _native(found: Frames, start: int, length: int) -> list[tuple[tuple[int, int], ...]]:
    size = found.frame_bytes
    if length == _UNDEFINED or length < size * found.count:
        raise UnreadableFileError("has fewer pixels than its headers say", "Copy it again.")
    return [((start + size * index, size),) for index in range(found.count)]


def _encapsulated(file: BinaryIO, count: int) -> list[tuple[tuple[int, int], ...]]:
    """Return each frame's fragments, by the items' order, or by the basic offset table."""
    (table_length,) = _item(file)
    table = _exactly(file, table_length)
    offsets = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    first = file.tell()
    items = list(_items(file, 16 * count + MOST_FRAMES))
    if len(items) == count:
        return [(item,) for item in items]
    if count == 1 and items:
        return [tuple(items)]
    starts = {offset: index for index, offset in enumerate(offsets)}
    if len(starts) != count or 0 not in starts:
        raise UnreadableFileError("has frames that cannot be told apart", "Export it again.")
    frames: list[list[tuple[int, int]]] = []
    for place, length in items:
        if place - 8 - first in starts:
            frames.append([])
        frames[-1].append((place, length))
    if len(frames) != count:
        raise UnreadableFileError(*_DAMAGED)
    return [tuple(frame) for frame in frames]


def _items(file: BinaryIO, most: int) -> Iterator[tuple[int, int]]:
    for _ in range(most):
        found = _item(file)
        if not found:
            return
        place = file.tell()
        yield place, found[0]
        file.seek(place + found[0])
    raise UnreadableFileError("has too many fragments", "Export it again.")


def _item(file: BinaryIO) -> tuple[int, ...]:
    head = _exactly(file, 8)
    (length,) = struct.unpack("<I", head[4:])
    if head[:4] == _END:
        return ()
    if head[:4] != _ITEM or length == _UNDEFINED:
        raise UnreadableFileError(*_DAMAGED)
    return (length,)


def _exactly(file: BinaryIO, length: int) -> bytes:
    content = file.read(length) if length < _COPIED_AT_ONCE * 64 else b""
    if len(content) != length:
        raise UnreadableFileError("breaks off before its last frame", "Copy it again.")
    return content


def frame(file: BinaryIO, frames: Frames, index: int) -> bytes:
    """Return one frame as it is kept: compressed data without text, or bare pixels.

    Raises:
        UnreadableFileError: it is damaged, or of another size than its headers say.
    """
    parts = []
    for place, length in frames.fragments[index]:
        file.seek(place)
        parts.append(_exactly(file, length))
    content = b"".join(parts)
    if frames.syntax in NATIVE:
        return content
    try:
        bare = bare_jpeg if frames.syntax == JPEGBaseline8Bit else bare_jpeg2000
        stream = bare(content)
    except CodestreamError as exc:
        raise UnreadableFileError("has a damaged frame", "Export it again.") from exc
    if (stream.columns, stream.rows, stream.samples) != (
        frames.columns, frames.rows, frames.samples,
    ) or stream.bits > frames.bits:  # fmt: skip
        raise UnreadableFileError("has a frame of another size", "Export it again.")
    return stream.content


def write_frames(out: BinaryIO, source: BinaryIO, frames: Frames) -> None:
    """Write the pixel data element behind the headers."""
    if frames.syntax in NATIVE:
        length = frames.frame_bytes * frames.count
        kind = b"OB" if frames.bits == 8 else b"OW"
        out.write(_PIXEL_DATA + kind + struct.pack("<HI", 0, length + length % 2))
        out.writelines(frame(source, frames, index) for index in range(frames.count))
        out.write(bytes(length % 2))
        return
    tables = _Tables.begun(out, frames)
    for index in range(frames.count):
        content = frame(source, frames, index)
        tables.note(index, out.tell(), len(content))
        content += bytes(len(content) % 2)
        out.write(_ITEM + struct.pack("<I", len(content)) + content)
    out.write(_END + bytes(4))
    tables.fill(out)


class _Tables:
    """The offset table of encapsulated frames; room is left for it, and filled in at the end."""

    def __init__(self, count: int, *, extended: bool) -> None:
        self._extended = extended
        self._offsets, self._lengths = [0] * count, [0] * count
        self._places: tuple[int, ...] = ()
        self._first = 0

    @classmethod
    def begun(cls, out: BinaryIO, frames: Frames) -> "_Tables":
        """Write the elements up to the first frame."""
        size = sum(length + _SPARE for parts in frames.fragments for _, length in parts)
        tables = cls(frames.count, extended=size > LARGEST_BASIC)
        places = []
        if tables._extended:
            for tag in (_EXTENDED_OFFSETS, _EXTENDED_LENGTHS):
                out.write(tag + b"OV" + struct.pack("<HI", 0, 8 * frames.count))
                places.append(out.tell())
                out.write(bytes(8 * frames.count))
        out.write(_PIXEL_DATA + b"OB" + struct.pack("<HI", 0, _UNDEFINED))
        basic = 0 if tables._extended else 4 * frames.count
        out.write(_ITEM + struct.pack("<I", basic))
        if not tables._extended:
            places.append(out.tell())
            out.write(bytes(basic))
        tables._places, tables._first = tuple(places), out.tell()
        return tables

    def note(self, index: int, place: int, length: int) -> None:
        """Remember where a frame's item begins, and how long its content is."""
        self._offsets[index], self._lengths[index] = place - self._first, length

    def fill(self, out: BinaryIO) -> None:
        """Write the table into the room that was left for it."""
        end = out.tell()
        code = "Q" if self._extended else "I"
        for place, values in zip(self._places, (self._offsets, self._lengths), strict=False):
            out.seek(place)
            out.write(struct.pack(f"<{len(values)}{code}", *values))
        out.seek(end)
