"""Picks a TIFF slide's levels out of its directories and reads their tiles, free of text."""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import imagecodecs
import numpy as np

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats import tiff_directories as tiff
from proctor_workers.hidden_data.formats.codestreams import (
    CodestreamError,
    bare_jpeg,
    bare_jpeg2000,
)
from proctor_workers.hidden_data.formats.tiff_directories import Directory
from proctor_workers.hidden_data.formats.tiff_pyramid import Places, Tiling

LARGEST_SIDE = 1 << 21  # pixels: 20 cm at 0.1 µm
LARGEST_TILE = 1 << 12  # pixels to a side
MOST_TILES = 1 << 22  # of a level
MOST_SHARED = 4  # tiles may share their bytes, as white ones do; not without bounds
SHAPE_TOLERANCE = 1.5  # pixels by which a level's shorter side may differ from the base's shape

UNCOMPRESSED, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS = 1, 5, 7, 8, 32946, 32773
JPEG2000, APERIO_YCBCR, APERIO_RGB = 34712, 33003, 33005
LOSSLESS = {UNCOMPRESSED: UNCOMPRESSED} | dict.fromkeys(
    (LZW, DEFLATE, OLD_DEFLATE, PACKBITS), DEFLATE
)
_LOSSY = {JPEG: JPEG, APERIO_YCBCR: APERIO_YCBCR, APERIO_RGB: APERIO_RGB, JPEG2000: APERIO_RGB}
_GREY, _RGB, _YCBCR, _WHITE_IS_ZERO = 1, 2, 6, 0
_NO_LEVEL = re.compile(r"label|macro|overview|thumbnail", re.IGNORECASE)
_DAMAGED = ("is a damaged slide", "Export it again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level as the file keeps it."""

    tiling: Tiling
    source_compression: int
    places: Places
    lengths: Places


def levels(found: Sequence[Directory], size: int) -> list[Level]:
    """Return a slide's levels, largest first.

    A level is tiled, is coded like the base, has its shape and is smaller than the one before it.
    Everything else (label, macro image, thumbnail, what nobody knows) is no level.

    Raises:
        UnreadableFileError: there is no base level that can be kept, or there are several.
    """
    base = _level(found[0], size)
    picked = [base]
    for directory in found[1:]:
        if not _may_be_level(directory, found):
            continue
        if _size(directory) == (base.tiling.columns, base.tiling.rows):
            raise UnreadableFileError(
                "has several planes of the full size", "Export one focal plane, in RGB."
            )
        if has_shape_of((base.tiling.columns, base.tiling.rows), _size(directory)):
            picked.append(_level(directory, size))
    picked.sort(key=lambda level: level.tiling.columns, reverse=True)
    _check_descending(picked)
    return picked


def _may_be_level(directory: Directory, found: Sequence[Directory]) -> bool:
    return (
        directory.is_tiled
        and directory.parent in {None, 0}
        and directory.number(tiff.SAMPLES, 1) == found[0].number(tiff.SAMPLES, 1)
        and not _NO_LEVEL.search(directory.text(tiff.DESCRIPTION))
    )


def _size(directory: Directory) -> tuple[int, int]:
    return directory.number(tiff.WIDTH), directory.number(tiff.LENGTH)


def has_shape_of(base: tuple[int, int], size: tuple[int, int]) -> bool:
    """Say whether a picture's size is the base's made smaller, its sides rounded either way.

    Both are columns, rows.
    """
    columns, rows = size
    if not (0 < columns <= base[0] and 0 < rows <= base[1]):
        return False
    return abs(columns * base[1] - rows * base[0]) <= SHAPE_TOLERANCE * max(base)


def _check_descending(picked: Sequence[Level]) -> None:
    sizes = [level.tiling.columns for level in picked]
    if len(set(sizes)) < len(sizes):
        raise UnreadableFileError("has two levels of one size", "Export one focal plane, in RGB.")


def _level(directory: Directory, size: int) -> Level:
    compression = directory.number(tiff.COMPRESSION, UNCOMPRESSED)
    kept = {**LOSSLESS, **_LOSSY}.get(compression)
    if kept is None:
        raise UnreadableFileError(
            "is compressed in a way that is not read", "Use JPEG, JPEG 2000, LZW or Deflate."
        )
    photometric = directory.number(tiff.PHOTOMETRIC, _RGB)
    if compression == JPEG2000 and photometric == _YCBCR:
        kept = APERIO_YCBCR
    _check_pixels(directory, photometric, compression)
    columns, rows = _size(directory)
    tiling = Tiling(
        columns=columns,
        rows=rows,
        tile_columns=directory.number(tiff.TILE_WIDTH),
        tile_rows=directory.number(tiff.TILE_LENGTH),
        samples=directory.number(tiff.SAMPLES, 1),
        compression=kept,
        photometric=photometric,
        predictor=directory.number(tiff.PREDICTOR, 1) if compression in LOSSLESS else 1,
        subsampling=_subsampling(directory) if photometric == _YCBCR else None,
        jpeg_tables=_tables(directory) if compression == JPEG else b"",
    )
    _check_sizes(tiling)
    places, lengths = _places(directory)
    level = Level(tiling=tiling, source_compression=compression, places=places, lengths=lengths)
    _check_places(level, size)
    return level


def _places(directory: Directory) -> tuple[Places, Places]:
    places, lengths = (directory.tags.get(tag) for tag in (tiff.TILE_OFFSETS, tiff.TILE_BYTES))
    if places is None or lengths is None or {places.dtype.kind, lengths.dtype.kind} != {"u"}:
        raise UnreadableFileError(*_DAMAGED)
    return places.astype(np.uint64), lengths.astype(np.uint64)


def _check_pixels(directory: Directory, photometric: int, compression: int) -> None:
    bits = directory.tags.get(tiff.BITS)
    samples = directory.number(tiff.SAMPLES, 1)
    colours = {_GREY, _WHITE_IS_ZERO} if samples == 1 else {_RGB}
    if samples == 3 and compression not in LOSSLESS:
        colours = {_RGB, _YCBCR}
    if (
        bits is None
        or set(bits.tolist()) != {8}
        or samples not in {1, 3}
        or directory.number(tiff.PLANAR, 1) != 1
        or directory.number(tiff.SAMPLE_FORMAT, 1) != 1
        or photometric not in colours
        or directory.number(tiff.PREDICTOR, 1) not in {1, 2}
    ):
        raise UnreadableFileError(
            "has pixels that slides are not read in", "Export it as grey or RGB with 8 bits."
        )


def _check_sizes(tiling: Tiling) -> None:
    sides = (tiling.columns, tiling.rows)
    tile = (tiling.tile_columns, tiling.tile_rows)
    if min(*sides, *tile) < 1:
        raise UnreadableFileError(*_DAMAGED)
    if max(sides) > LARGEST_SIDE or max(tile) > LARGEST_TILE or tiling.tiles > MOST_TILES:
        raise UnreadableFileError("has a level that is too large", "Scale it down or crop it.")
    if any(side % 16 for side in tile) and tiling.compression in LOSSLESS.values():
        raise UnreadableFileError("has tiles of an odd size", "Use tiles of a multiple of 16.")


def _check_places(level: Level, size: int) -> None:
    places, lengths = level.places, level.lengths
    if len(places) != level.tiling.tiles or len(lengths) != level.tiling.tiles:
        raise UnreadableFileError(*_DAMAGED)
    ends = places + lengths
    if bool((lengths > size).any() or (places > size).any() or (ends > size).any()):
        raise UnreadableFileError("breaks off before its last tile", "Copy it again.")
    if int(lengths.sum()) > MOST_SHARED * size:
        raise UnreadableFileError("repeats its tiles without end", "Export it again.")


def _subsampling(directory: Directory) -> tuple[int, int] | None:
    values = directory.tags.get(tiff.SUBSAMPLING)
    if values is None or values.size != 2 or not set(values.tolist()) <= {1, 2, 4}:
        return None
    return int(values[0]), int(values[1])


def _tables(directory: Directory) -> bytes:
    tables = directory.tags.get(tiff.JPEG_TABLES)
    if tables is None or tables.size < 4:
        return b""
    try:
        return bare_jpeg(tables.tobytes()).content
    except CodestreamError as exc:
        raise UnreadableFileError(*_DAMAGED) from exc


def tiles(file: BinaryIO, level: Level) -> Iterator[bytes]:
    """Yield a level's tiles in reading order, each as it is to be kept; empty where one is missing.

    Raises:
        UnreadableFileError: a tile is damaged, or of another size than its level says.
    """
    for place, length in zip(level.places.tolist(), level.lengths.tolist(), strict=True):
        if not length:
            yield b""
            continue
        file.seek(place)
        try:
            yield _kept(file.read(length), level)
        except (
            CodestreamError,
            zlib.error,
            imagecodecs.LzwError,
            imagecodecs.PackbitsError,
        ) as exc:
            raise UnreadableFileError("has a damaged tile", "Export it again.") from exc


def _kept(tile: bytes, level: Level) -> bytes:
    """Return a tile without text: its compressed data as they are, and nothing behind them."""
    tiling, compression = level.tiling, level.source_compression
    if compression not in LOSSLESS:
        stream = bare_jpeg(tile) if compression == JPEG else bare_jpeg2000(tile)
        said = (stream.columns, stream.rows, stream.samples, stream.bits)
        if said != (tiling.tile_columns, tiling.tile_rows, tiling.samples, 8):
            raise CodestreamError("a tile of another size")
        return stream.content
    if compression == UNCOMPRESSED:
        return _whole(tile[: tiling.tile_bytes], tiling)
    if compression in {DEFLATE, OLD_DEFLATE}:
        inflater = zlib.decompressobj()
        _whole(inflater.decompress(tile, tiling.tile_bytes), tiling)
        more = inflater.decompress(inflater.unconsumed_tail, 1)  # only the checksum is left
        if more or not inflater.eof:
            raise CodestreamError("a tile that does not end")
        return tile[: len(tile) - len(inflater.unused_data)]
    decode = imagecodecs.lzw_decode if compression == LZW else imagecodecs.packbits_decode
    return zlib.compress(_whole(bytes(decode(tile, out=tiling.tile_bytes)), tiling), 6)


def _whole(content: bytes, tiling: Tiling) -> bytes:
    if len(content) != tiling.tile_bytes:
        raise CodestreamError("a tile that breaks off")
    return content
