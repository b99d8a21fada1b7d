"""Reads PNG: the chunks that hold pixels are given to libpng, of the others only facts are taken.

Source: PNG Specification, third edition (W3C). Palettes and 1 to 4 bits become 8 bits.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator

import imagecodecs
from PIL import Image

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.raster.picture import (
    COLOURS,
    GREY,
    Picture,
    check_size,
    damaged,
    opaque,
    profile_named,
    turned,
)

MAGIC = b"\x89PNG\r\n\x1a\n"
_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_HEADER = struct.Struct(">IIBBBBB")  # width, height, bit depth, colour type, …, interlace
_COLOUR_TYPES = {0: "grey", 2: "rgb", 3: "palette", 4: "grey", 6: "rgb"}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST_CHUNKS = 1 << 20
_METRE = 1000.0  # mm
_LARGEST_PROFILE = 1 << 20

Chunks = dict[bytes, bytes]


def read_png(content: bytes) -> Picture:
    """Return the picture.

    Raises:
        UnreadableFileError: it is damaged, too large, animated, or has transparent pixels.
    """
    bare, others = _sorted(content)
    columns, rows, bits, colour, *_ = _HEADER.unpack(bare[16:29])
    if colour not in _COLOUR_TYPES:
        raise damaged("PNG")
    check_size(columns, rows, 4 * (2 if bits > 8 else 1))
    if b"acTL" in others:
        raise UnreadableFileError("is an animated picture", "Give each picture as its own file.")
    _check_amount(bare, columns * rows * bits * _CHANNELS[colour] // 8)
    try:
        pixels = imagecodecs.png_decode(bare)
    except (RuntimeError, ValueError) as exc:
        raise damaged("PNG") from exc
    if pixels.ndim == 3 and pixels.shape[2] in {2, 4}:
        pixels = opaque(pixels, GREY if pixels.shape[2] == 2 else COLOURS)
    orientation = orientation_of(others.get(b"eXIf", b""))
    return Picture(
        pixels=turned(pixels, orientation),
        bits=bits,
        format="png",
        photometric=_COLOUR_TYPES[colour],
        compression="deflate",
        spacing=_spacing(others.get(b"pHYs", b"")),
        colour_profile=_profile(others),
        turned=orientation,
        dropped=len(others),
    )


def orientation_of(exif: bytes) -> int:
    """Return the orientation that an EXIF block gives, 1 to 8; 1 where it gives none."""
    if not exif:
        return 1
    block = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other tags, which are dropped
            block.load(exif)
            found = block.get(0x0112, 1)
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error, EOFError):
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _sorted(content: bytes) -> tuple[bytes, Chunks]:
    """Return the file with the chunks that hold pixels only, and the first of each other kind."""
    needed = [MAGIC]
    others: Chunks = {}
    for kind, whole in _chunks(content):
        if kind in _NEEDED:
            needed.append(whole)
        else:
            others.setdefault(kind, whole[8:-4])
    bare = b"".join(needed)
    if bare[12:16] != b"IHDR" or len(bare) < 33:
        raise damaged("PNG")
    return bare, others


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(MAGIC)
    for _ in range(_MOST_CHUNKS):
        length, kind = (
            struct.unpack_from(">I4s", content, at) if at + 12 <= len(content) else (0, b"")
        )
        end = at + 12 + length
        if not kind or end > len(content):
            raise damaged("PNG")
        yield kind, content[at:end]
        if kind == b"IEND":
            return
        at = end
    raise damaged("PNG")


def _check_amount(bare: bytes, pixels: int) -> None:
    """Raise before memory is asked for that so few bytes cannot fill (RFC 1951: 1032 to 1)."""
    if pixels > 1032 * len(bare):
        raise damaged("PNG")


def _spacing(chunk: bytes) -> tuple[float, float] | None:
    if len(chunk) != 9 or chunk[8] != 1:  # pixels per metre; else the ratio alone is known
        return None
    across, down = struct.unpack(">II", chunk[:8])
    return (_METRE / down, _METRE / across) if across and down else None


def _profile(others: Chunks) -> str:
    if b"iCCP" not in others:
        return "srgb" if b"sRGB" in others else "none"
    name, _, packed = others[b"iCCP"].partition(b"\0")
    try:
        profile = zlib.decompressobj().decompress(packed[1:], _LARGEST_PROFILE)
    except zlib.error:
        profile = b"?"
    return profile_named(profile or name)
