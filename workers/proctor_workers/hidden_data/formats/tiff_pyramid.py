"""Writes a slide's levels as one BigTIFF from tiles that are compressed already.

The layout is that of an Aperio slide without its label and macro image, because every reader of
slides knows it: the base level, a thumbnail, the lower levels, and of text one description with
magnification and resolution. Nothing in it depends on the clock, the machine or the original's
maker. Source: TIFF 6.0; BigTIFF (2004); Aperio, Digital Slides and Third-Party Data Interchange.
"""

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from proctor_workers.hidden_data.formats import tiff_directories as tiff

_HEADER = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0)
_FIRST_DIRECTORY = 8  # where the header says it
_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED, _LONG8 = 2, 3, 4, 5, 7, 16
_CODES = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
_UNCOMPRESSED, _CENTIMETRE = 1, 3
_ROWS_PER_STRIP, _STRIP_BYTES = 278, 279
MICROMETRES_PER_CM = 10_000

Places = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """How one level is cut into tiles and how these are compressed, in TIFF's own numbers."""

    columns: int
    rows: int
    tile_columns: int
    tile_rows: int
    samples: int
    compression: int
    photometric: int
    predictor: int = 1
    subsampling: tuple[int, int] | None = None
    jpeg_tables: bytes = b""

    @property
    def across(self) -> int:
        """Return how many tiles lie side by side."""
        return -(-self.columns // self.tile_columns)

    @property
    def tiles(self) -> int:
        """Return how many tiles there are."""
        return self.across * -(-self.rows // self.tile_rows)

    @property
    def tile_bytes(self) -> int:
        """Return the size of a decoded tile."""
        return self.tile_columns * self.tile_rows * self.samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What slides are measured by; 0 where it is not known."""

    column_micrometres: float = 0.0
    row_micrometres: float = 0.0
    magnification: float = 0.0

    @property
    def is_known(self) -> bool:
        """Say whether lengths on the slide can be told."""
        return self.column_micrometres > 0 and self.row_micrometres > 0


def write_pyramid(
    path: Path, levels: Sequence[tuple[Tiling, Iterable[bytes]]], resolution: Resolution
) -> int:
    """Write the levels, largest first, each with its tiles in reading order.

    Tiles are taken one at a time: the memory needed does not grow with the slide, but for 16 bytes
    a tile. An empty tile stays missing. Returns where a thumbnail is to be put in.
    """
    with path.open("w+b") as file:
        file.write(_HEADER)
        placed = [(tiling, *_tiles(file, tiles, tiling.tiles)) for tiling, tiles in levels]
        link = _directory(file, _FIRST_DIRECTORY, _level(*placed[0], resolution, describe=True))
        after_base = link
        for level in placed[1:]:
            link = _directory(file, link, _level(*level, resolution, describe=False))
    return after_base


def insert_thumbnail(path: Path, after_base: int, picture: npt.NDArray[np.uint8]) -> None:
    """Put a picture (rows × columns, or rows × columns × 3) behind the base level.

    Readers of this layout take what stands there for the thumbnail, whatever it is.
    """
    with path.open("r+b") as file:
        file.seek(0, io.SEEK_END)
        _directory(file, after_base, _thumbnail(file, picture))


def _tiles(file: BinaryIO, tiles: Iterable[bytes], count: int) -> tuple[Places, Places]:
    places, lengths = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for index, tile in enumerate(tiles):
        if tile:
            places[index], lengths[index] = file.tell(), len(tile)
            file.write(tile + bytes(len(tile) % 2))
    return places, lengths


Entry = tuple[int, int, int, bytes]  # tag, type, count, values


def _level(
    tiling: Tiling, places: Places, lengths: Places, resolution: Resolution, *, describe: bool
) -> Iterator[Entry]:
    yield from _picture(tiling.columns, tiling.rows, tiling.samples)
    yield _numbers(tiff.COMPRESSION, _SHORT, tiling.compression)
    yield _numbers(tiff.PHOTOMETRIC, _SHORT, tiling.photometric)
    yield _numbers(tiff.TILE_WIDTH, _LONG, tiling.tile_columns)
    yield _numbers(tiff.TILE_LENGTH, _LONG, tiling.tile_rows)
    yield tiff.TILE_OFFSETS, _LONG8, len(places), places.astype("<u8").tobytes()
    yield tiff.TILE_BYTES, _LONG8, len(lengths), lengths.astype("<u8").tobytes()
    if tiling.predictor > 1:
        yield _numbers(tiff.PREDICTOR, _SHORT, tiling.predictor)
    if tiling.subsampling:
        yield _numbers(tiff.SUBSAMPLING, _SHORT, *tiling.subsampling)
    if tiling.jpeg_tables:
        yield tiff.JPEG_TABLES, _UNDEFINED, len(tiling.jpeg_tables), tiling.jpeg_tables
    if describe:
        text = _description(tiling, resolution)
        yield tiff.DESCRIPTION, _ASCII, len(text), text
        if resolution.is_known:
            yield _per_cm(tiff.X_RESOLUTION, resolution.column_micrometres)
            yield _per_cm(tiff.Y_RESOLUTION, resolution.row_micrometres)
            yield _numbers(tiff.RESOLUTION_UNIT, _SHORT, _CENTIMETRE)


def _thumbnail(file: BinaryIO, picture: npt.NDArray[np.uint8]) -> Iterator[Entry]:
    rows, columns = picture.shape[:2]
    samples = 1 if picture.ndim == 2 else picture.shape[2]
    place, content = file.tell(), np.ascontiguousarray(picture).tobytes()
    file.write(content + bytes(len(content) % 2))
    yield from _picture(columns, rows, samples)
    yield _numbers(tiff.COMPRESSION, _SHORT, _UNCOMPRESSED)
    yield _numbers(tiff.PHOTOMETRIC, _SHORT, 1 if samples == 1 else 2)
    yield _numbers(tiff.STRIP_OFFSETS, _LONG8, place)
    yield _numbers(_ROWS_PER_STRIP, _LONG, rows)
    yield _numbers(_STRIP_BYTES, _LONG8, len(content))


def _picture(columns: int, rows: int, samples: int) -> Iterator[Entry]:
    yield _numbers(tiff.WIDTH, _LONG, columns)
    yield _numbers(tiff.LENGTH, _LONG, rows)
    yield _numbers(tiff.BITS, _SHORT, *[8] * samples)
    yield _numbers(tiff.SAMPLES, _SHORT, samples)
    yield _numbers(tiff.PLANAR, _SHORT, 1)


def _description(tiling: Tiling, resolution: Resolution) -> bytes:
    said = [f"Aperio Image\r\n{tiling.columns}x{tiling.rows}"]
    if resolution.magnification:
        said.append(f"AppMag = {resolution.magnification:g}")
    across, down = resolution.column_micrometres, resolution.row_micrometres
    if resolution.is_known and abs(across - down) <= 1e-3 * across:  # the layout has one for both
        said.append(f"MPP = {across:.6g}")
    return "|".join(said).encode("ascii") + b"\0"


def _per_cm(tag: int, micrometres: float) -> Entry:
    ratio = Fraction(MICROMETRES_PER_CM / micrometres).limit_denominator(10_000)
    return tag, _RATIONAL, 1, struct.pack("<II", ratio.numerator, ratio.denominator)


def _numbers(tag: int, kind: int, *values: int) -> Entry:
    return tag, kind, len(values), struct.pack(f"<{len(values)}{_CODES[kind]}", *values)


def _directory(file: BinaryIO, link: int, entries: Iterable[Entry]) -> int:
    """Write a directory into the chain at `link`, and return where its own link stands."""
    ordered = sorted(entries)
    block = bytearray(struct.pack("<Q", len(ordered)))
    for tag, kind, count, values in ordered:
        if len(values) > 8:
            place = file.tell()
            file.write(values + bytes(-len(values) % 8))
            values = struct.pack("<Q", place)  # noqa: PLW2901  the entry holds the place instead
        block += struct.pack("<HHQ8s", tag, kind, count, values)
    place = file.tell()
    file.seek(link)
    following = file.read(8)
    file.seek(place)
    file.write(bytes(block) + following)
    end = file.tell()
    file.seek(link)
    file.write(struct.pack("<Q", place))
    file.seek(end)
    return end - 8
