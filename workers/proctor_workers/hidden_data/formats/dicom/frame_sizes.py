"""Reads the size of a compressed frame from its own first bytes, before a decoder sees it.

A decoder reserves memory by what the codestream says; one that contradicts the headers is a broken
file or a decompression bomb, and is refused.
"""

import struct
from dataclasses import dataclass

from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from proctor_workers.hidden_data.case_files import UnreadableFileError

_JPEG = frozenset({*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes})
# Start of frame: baseline, extended, lossless (T.81 table B.1), JPEG-LS (T.87 C.1.1).
_FRAMES = frozenset({0xC0, 0xC1, 0xC3, 0xF7})
_OTHER_FRAMES = frozenset({0xC2, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_RLE_HEADER = struct.Struct("<16I")  # PS3.5 G.5


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSize:
    """What a codestream says of itself; `bits` of a sample, 0 where it does not say."""

    rows: int
    columns: int
    samples: int
    bits: int


def frame_size(frame: bytes, syntax: UID) -> FrameSize | None:
    """Return the size of one compressed frame; None where the format does not tell it.

    Raises:
        UnreadableFileError: the frame is damaged, or coded in a way that is not read.
    """
    try:
        if syntax in _JPEG:
            return _jpeg(frame)
        if syntax in JPEG2000TransferSyntaxes or syntax.name.startswith("High-Throughput"):
            return _jpeg2000(frame)
        if syntax == RLELossless:
            _check_rle(frame)
    except struct.error as exc:
        raise _damaged() from exc
    return None


def _jpeg(frame: bytes) -> FrameSize:
    """Walk the marker segments to the start of frame (T.81 B.1.1)."""
    at, found = frame.find(b"\xff\xd8") + 2, None
    if not 2 <= at <= 4096:
        raise _damaged()
    while True:
        if frame[at : at + 1] != b"\xff":
            raise _damaged()
        while frame[at + 1 : at + 2] == b"\xff":  # fill bytes
            at += 1
        (marker,) = struct.unpack_from("B", frame, at + 1)
        if marker in _ALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if marker in _FRAMES:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", frame, at + 4)
            found = rows, columns, samples, bits
        elif marker in _OTHER_FRAMES:
            raise UnreadableFileError(
                "has progressive or arithmetic JPEG pixels", "Export it again, uncompressed."
            )
        elif marker in {0xDA, 0xD9}:
            break
        at += 2 + max(length, 2)
    if found is None:
        raise _damaged()
    rows, columns, samples, bits = found
    return FrameSize(rows=rows, columns=columns, samples=samples, bits=bits)


def _jpeg2000(frame: bytes) -> FrameSize:
    """Read the SIZ segment (T.800 A.5.1), which follows the start of the codestream."""
    at = _codestream(frame)
    if frame[at : at + 4] != b"\xff\x4f\xff\x51":
        raise _damaged()
    sizes = struct.unpack_from(">8I", frame, at + 8)
    width, height, left, top, tile_width, tile_height, _, _ = sizes
    (samples,) = struct.unpack_from(">H", frame, at + 40)
    (depth,) = struct.unpack_from("B", frame, at + 42)
    if not 0 < width - left < 1 << 16 or not 0 < height - top < 1 << 16:
        raise _damaged()
    tiles = -(-width // max(tile_width, 1)) * -(-height // max(tile_height, 1))
    if not tile_width or not tile_height or tiles > 65_535:  # T.800 A.4.2: Isot has 16 bits
        raise _damaged()
    return FrameSize(
        rows=height - top, columns=width - left, samples=samples, bits=(depth & 0x7F) + 1
    )


def _codestream(frame: bytes) -> int:
    """Return where the codestream begins: behind the boxes of a JP2 file, if it is one."""
    if not frame.startswith(b"\0\0\0\x0cjP  "):
        return 0
    at = 0
    while True:  # T.800 I.4: a box has its length, of at least its own eight bytes, and its type
        length, kind = struct.unpack_from(">I4s", frame, at)
        if kind == b"jp2c":
            return at + 8
        if length < 8:
            raise _damaged()
        at += length


def _check_rle(frame: bytes) -> None:
    count, *offsets = _RLE_HEADER.unpack_from(frame)
    used = offsets[:count] if count <= 15 else []
    if not used or used != sorted(used) or used[0] != 64 or used[-1] >= len(frame):
        raise _damaged()


def _damaged() -> UnreadableFileError:
    return UnreadableFileError("has pixels that cannot be decoded", "Export it again.")
