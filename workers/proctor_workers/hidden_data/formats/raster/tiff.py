"""Reads TIFF and BigTIFF: one page, or a stack of pages of one size.

tifffile reads the tags and decodes strip by strip; that every strip is there and unpacks to no more
than announced is seen to here, since it fills what is missing with zeros. Source: TIFF 6.0.
"""

import logging
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.raster.jpeg import frame_of
from proctor_workers.hidden_data.formats.raster.picture import (
    COLOURS,
    GREY,
    Picture,
    check_size,
    damaged,
    opaque,
    profile_named,
    stretched,
    turned,
)
from proctor_workers.hidden_data.formats.tiff_directories import (
    MAGIC,
    TiffError,
    directories,
)

__all__ = ["MAGIC", "read_tiff"]
_COMPRESSIONS = {
    1: "none", 2: "ccitt", 3: "ccitt", 4: "ccitt", 5: "lzw", 7: "jpeg", 8: "deflate",
    32773: "packbits", 32946: "deflate",
}  # fmt: skip
_JPEG = 7
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YBR = 0, 1, 2, 3, 6
_NAMES = {_WHITE_IS_ZERO: "grey", _BLACK_IS_ZERO: "grey", _RGB: "rgb", _PALETTE: "palette",
    _YBR: "ybr"}  # fmt: skip
_ORIENTATION, _PROFILE, _COLOUR_MAP, _EXTRA_SAMPLES = 274, 34675, 320, 338
_TO_MM = {2: 25.4, 3: 10.0}  # ResolutionUnit: inch, centimetre
_MOST_SEGMENTS = 1 << 20
_PIXEL_TAGS = frozenset({254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 282,
    283, 284, 296, 297, 317, 320, 322, 323, 324, 325, 338, 339, 347, 530, 531, 532})  # fmt: skip
# What tifffile and its codecs raise on damaged tags and strips.
_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError,
    NotImplementedError, OSError, RuntimeError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it would print the file's own words


def read_tiff(path: Path) -> Picture:
    """Return the picture, or the stack of pictures.

    Raises:
        UnreadableFileError: it is damaged, too large, or of a kind that is not taken.
    """
    try:
        with path.open("rb") as file:
            directories(file)  # bounded: no circle, no tag beyond the file
        with np.errstate(all="ignore"), tifffile.TiffFile(path) as opened, path.open("rb") as file:
            return _picture(opened, file)
    except TiffError as exc:
        raise damaged("TIFF") from exc
    except _FAILURES as exc:
        raise damaged("TIFF") from exc


def _picture(opened: tifffile.TiffFile, file: BinaryIO) -> Picture:
    pages = [page for page in (opened.pages[at] for at in range(len(opened.pages)))
             if not page.is_reduced]  # fmt: skip
    _check_pages(opened, pages)
    first = pages[0]
    decoded = [_decoded(page, file) for page in pages]
    bits = int(first.bitspersample)
    orientation = _orientation(first)
    pixels = [
        turned(_shown(page, one), orientation) for page, one in zip(pages, decoded, strict=True)
    ]
    if len({(one.shape, one.dtype) for one in pixels}) > 1:
        raise UnreadableFileError("has pages of several kinds", "Save each page as its own file.")
    return Picture(
        pixels=np.stack(pixels) if len(pixels) > 1 else pixels[0],
        bits=bits,
        format="tiff",
        photometric=_NAMES[int(first.photometric)],
        pages=len(pixels),
        lossy=int(first.compression) == _JPEG,
        compression=_COMPRESSIONS[int(first.compression)],
        spacing=_spacing(first),
        colour_profile=profile_named(_bytes(first, _PROFILE)),
        turned=orientation,
        dropped=sum(tag.code not in _PIXEL_TAGS for page in pages for tag in page.tags),
    )


def _check_pages(opened: tifffile.TiffFile, pages: Sequence[tifffile.TiffPage]) -> None:
    """Raise if the pages cannot be a stack, or are not all of it."""
    if not pages:
        raise damaged("TIFF")
    shapes = {page.shape for page in pages}
    if len(shapes) > 1:
        raise UnreadableFileError("has pages of several sizes", "Save each page as its own file.")
    hidden = opened.is_stk or (opened.is_shaped and _is_truncated(opened))
    if opened.is_imagej:
        hidden = int((opened.imagej_metadata or {}).get("images", 1)) > len(pages)
    if hidden:
        raise UnreadableFileError(
            "keeps more pictures than it has pages", "Save it as a plain multi-page TIFF."
        )
    first = pages[0]
    check_size(first.imagewidth, first.imagelength, first.samplesperpixel *
               max(1, first.bitspersample // 8), len(pages))  # fmt: skip


def _is_truncated(opened: tifffile.TiffFile) -> bool:
    return any(one.get("truncated") for one in opened.shaped_metadata or ())


def _decoded(page: tifffile.TiffPage, file: BinaryIO) -> NDArray[Any]:
    """Return rows × columns × samples as stored."""
    if int(page.compression) not in _COMPRESSIONS or page.dtype is None:
        raise UnreadableFileError(
            "is compressed in a way that is not read", "Save it without compression, or with LZW."
        )
    if page.imagedepth != 1 or page.shaped[0] * page.shaped[4] != page.samplesperpixel:
        raise damaged("TIFF")
    count = math.prod(page.chunked)
    if count > _MOST_SEGMENTS or not count == len(page.dataoffsets) == len(page.databytecounts):
        raise damaged("TIFF")
    out = np.zeros(page.shaped, page.dtype)
    size = file.seek(0, 2)
    for index, (at, length) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        if not length or at + length > size:
            raise UnreadableFileError("is cut off", "Copy it again from its origin.")
        file.seek(at)
        _place(page, index, file.read(length), out)
    rows_first: NDArray[Any] = np.moveaxis(out, 0, -2)[0].reshape(*page.shaped[2:4], -1)
    return rows_first


def _place(page: tifffile.TiffPage, index: int, content: bytes, out: NDArray[Any]) -> None:
    tables: dict[str, Any] = {}
    if int(page.compression) == _JPEG:
        columns, rows, _ = frame_of(content)
        limit = (page.tilewidth, page.tilelength) if page.is_tiled else (
            page.imagewidth, page.rowsperstrip)  # fmt: skip
        if columns > limit[0] or rows > max(limit[1], 1):
            raise damaged("TIFF")
        tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    segment, (sample, _, row, column, _), _ = page.decode(content, index, **tables)
    rows = min(segment.shape[1], page.imagelength - row)
    columns = min(segment.shape[2], page.imagewidth - column)
    out[sample, 0, row : row + rows, column : column + columns] = segment[0, :rows, :columns]


def _shown(page: tifffile.TiffPage, stored: NDArray[Any]) -> NDArray[Any]:
    """Return rows × columns or rows × columns × 3 with black at 0."""
    photometric, bits = int(page.photometric), int(page.bitspersample)
    if photometric not in _NAMES:
        raise UnreadableFileError("has colours of an unusual kind", "Save it as grey or RGB.")
    samples = stored.shape[2]
    colours = 3 if photometric in {_RGB, _YBR} else 1
    if photometric == _YBR and int(page.compression) != _JPEG:
        raise UnreadableFileError("has colours of an unusual kind", "Save it as grey or RGB.")
    if samples == colours + 1:
        stored = opaque(stored, COLOURS if colours == 3 else GREY)
    elif samples != colours:
        raise UnreadableFileError(
            "holds several channels a pixel", "Save each channel as a page or file of its own."
        )
    grey = stored[..., 0] if stored.ndim == 3 and colours == 1 else stored
    if photometric == _PALETTE:
        return _through_palette(page, grey)
    if stored.dtype == bool or (bits < 8 and stored.dtype.kind == "u"):
        if bits not in {1, 2, 4} or colours != 1:
            raise UnreadableFileError("has pixels of an unusual kind", "Save it with 8 bits.")
        grey, bits = stretched(grey, bits), 8
    return _inverted(grey, bits) if photometric == _WHITE_IS_ZERO else grey


def _through_palette(page: tifffile.TiffPage, indices: NDArray[Any]) -> NDArray[Any]:
    """Return colours of 8 bits where the map holds no more than that (as value × 256 or × 257)."""
    colours = np.asarray(page.colormap).T
    if colours.shape != (1 << int(page.bitspersample), 3):
        raise damaged("TIFF")
    if any((colours % step == 0).all() for step in (256, 257)):
        colours = (colours >> 8).astype(np.uint8)
    shown: NDArray[Any] = colours[indices.astype(np.intp)]
    return shown


def _inverted(values: NDArray[Any], bits: int) -> NDArray[Any]:
    if values.dtype.kind != "u":
        raise UnreadableFileError("has pixels of an unusual kind", "Save it with black at 0.")
    white = np.array((1 << bits) - 1, values.dtype)
    inverted: NDArray[Any] = np.subtract(white, values, dtype=values.dtype)
    return inverted


def _orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(_ORIENTATION)
    found = int(tag.value) if tag is not None else 1
    return found if 1 <= found <= 8 else 1


def _bytes(page: tifffile.TiffPage, code: int) -> bytes | None:
    tag = page.tags.get(code)
    return bytes(tag.value) if tag is not None and isinstance(tag.value, bytes) else None


def _spacing(page: tifffile.TiffPage) -> tuple[float, float] | None:
    values = [page.tags.get(code) for code in (282, 283, 296)]
    if values[0] is None or values[1] is None:
        return None
    unit = _TO_MM.get(int(values[2].value) if values[2] is not None else 2, 0.0)
    ratios = [one.value[0] / one.value[1] if one.value[1] else 0.0 for one in values[:2]]
    across, down = ratios
    return (unit / down, unit / across) if unit and across > 0 and down > 0 else None
