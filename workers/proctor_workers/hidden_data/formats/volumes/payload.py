"""Reads and unpacks the voxels of a file, never more bytes than its header announces.

libdeflate unpacks a gzip or zlib stream in one call into memory of the announced size; streams that
it does not take (several gzip members) go through zlib piece by piece.
"""

import bz2
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.volumes.volume import LARGEST_VOLUME

GZIP = b"\x1f\x8b"
LARGEST_HEADER = 1 << 20  # bytes that are read to find a header
_SURPLUS = 1 << 16  # bytes after the voxels that the quick way still takes
_MOST_MEMBERS = 1 << 17  # gzip members; blocks of 64 KiB make 4 GiB
_PIECE = 1 << 18
_DEFLATE_LIMIT = 1032  # largest ratio of the format: RFC 1951, 258 bytes from two bits
_BZIP2_LIMIT = 1 << 20  # bzip2 packs 45 MB of zeros into 45 bytes
_WRAPPERS = {"gzip": 31, "zlib": 15}  # zlib's window bits

Packed = bytes | memoryview


def cut_off() -> UnreadableFileError:
    """Return the error of a file that holds less than it announces."""
    return UnreadableFileError(
        "holds fewer values than its header announces", "Copy it again from its origin."
    )


def content_of(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        UnreadableFileError: it is too large, or cannot be read.
    """
    try:
        if path.stat().st_size > LARGEST_VOLUME + LARGEST_HEADER:
            raise UnreadableFileError("is too large (above 4 GiB)", "Crop it, or split it.")
        return path.read_bytes()
    except OSError as exc:
        raise UnreadableFileError("cannot be opened", "Look at its rights.") from exc


def first_bytes(content: Packed, most: int) -> bytes:
    """Return up to `most` bytes from the beginning, unpacked where they are gzip.

    Raises:
        UnreadableFileError: they are damaged.
    """
    if bytes(content[:2]) != GZIP:
        return bytes(content[:most])
    packed = bytes(content[:_PIECE])
    found = b""
    while len(found) < most and packed:  # members may be small
        stream = zlib.decompressobj(31)
        try:
            some = stream.decompress(packed, most - len(found))
        except zlib.error as exc:
            if found:
                break  # what follows a member need not be one
            raise damaged() from exc
        found += some
        packed = stream.unused_data if some else b""
    return found


def unpacked(content: Packed, expected: int, compression: str) -> NDArray[np.uint8]:
    """Return the first `expected` bytes of a stream: none, gzip, zlib or bzip2.

    Raises:
        UnreadableFileError: the stream is damaged or holds fewer.
    """
    if compression == "none":
        if len(content) < expected:
            raise cut_off()
        return np.frombuffer(content, np.uint8, expected)
    if compression == "bzip2":
        return _bzip2(content, expected)
    if expected > _DEFLATE_LIMIT * len(content) + _SURPLUS:
        raise cut_off()  # before memory is asked for
    quick = _at_once(content, expected, compression)
    if quick is not None and len(quick) >= expected:
        return quick[:expected]
    return _piecewise(content, expected, _WRAPPERS[compression])


def _at_once(content: Packed, expected: int, compression: str) -> NDArray[np.uint8] | None:
    announced = int.from_bytes(content[-4:], "little") if compression == "gzip" else expected
    room = announced if expected <= announced <= expected + _SURPLUS else expected
    decode: Any = imagecodecs.gzip_decode if compression == "gzip" else imagecodecs.deflate_decode
    try:
        return np.asarray(decode(content, out=np.empty(room, np.uint8)))
    except (RuntimeError, ValueError):
        return None


def _piecewise(content: Packed, expected: int, wrapper: int) -> NDArray[np.uint8]:
    """Unpack member after member; what follows the announced bytes is not looked at."""
    out, done, at = np.empty(expected, np.uint8), 0, 0
    for _ in range(_MOST_MEMBERS):
        stream = zlib.decompressobj(wrapper)
        pending = b""
        while done < expected and not stream.eof:
            if not pending:
                pending = bytes(content[at : at + _PIECE])
                at += len(pending)
                if not pending:
                    raise cut_off()
            try:
                some = stream.decompress(pending, expected - done)
            except zlib.error as exc:
                raise damaged() from exc
            out[done : done + len(some)] = np.frombuffer(some, np.uint8)
            done += len(some)
            pending = stream.unconsumed_tail
        at -= len(stream.unused_data)
        if done == expected:
            return out
    raise damaged()


def _bzip2(content: Packed, expected: int) -> NDArray[np.uint8]:
    if expected > _BZIP2_LIMIT * len(content):
        raise cut_off()
    stream = bz2.BZ2Decompressor()
    out, done = np.empty(expected, np.uint8), 0
    try:
        pending: Packed = content
        while done < expected and not stream.eof:
            some = stream.decompress(pending, min(_PIECE, expected - done))
            if not some and stream.needs_input:
                break
            out[done : done + len(some)] = np.frombuffer(some, np.uint8)
            done, pending = done + len(some), b""
    except (OSError, ValueError, EOFError) as exc:
        raise damaged() from exc
    if done < expected:
        raise cut_off()
    return out


def damaged() -> UnreadableFileError:
    """Return the error of a file that cannot be unpacked."""
    return UnreadableFileError(
        "is damaged: its compressed data cannot be unpacked", "Copy it again from its origin."
    )
