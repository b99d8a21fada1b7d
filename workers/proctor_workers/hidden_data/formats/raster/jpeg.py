"""Reads JPEG, and BMP, which the same decoder takes.

One decoder, libjpeg-turbo as Pillow carries it, so that a cohort's pixels do not depend on where it
was ingested. Source: ITU-T T.81; EXIF 2.32.
"""

import io
import struct
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.raster.picture import (
    COLOURS,
    Picture,
    check_size,
    damaged,
    opaque,
    profile_named,
    turned,
)
from proctor_workers.hidden_data.formats.raster.png import orientation_of

JPEG, BMP = b"\xff\xd8\xff", b"BM"
_MOST_SCANS = 200  # progressive files have about ten; each costs a pass over all pixels
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # T.81 table B.1
_READ = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive; Huffman coded
_TEXTS = frozenset(
    {"exif", "comment", "photoshop", "adobe", "mp", "icc_profile", "xmp", "flashpix"}
)
_FAILURES = (
    UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning,
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError,
    TypeError, ValueError, struct.error,
)  # fmt: skip


def read_jpeg(content: bytes) -> Picture:
    """Return the picture; values that JPEG has lost before stay lost.

    Raises:
        UnreadableFileError: it is damaged, too large, or of a kind that readers disagree about.
    """
    columns, rows, channels = frame_of(content)
    check_size(columns, rows, channels)
    if channels not in {1, 3}:
        raise UnreadableFileError("is in CMYK, the inks of a press", "Save it as RGB.")
    if content.count(b"\xff\xda") > _MOST_SCANS:
        raise damaged("JPEG")
    image = _decoded(content, "JPEG")
    orientation = orientation_of(image.info.get("exif", b""))
    return Picture(
        pixels=turned(np.asarray(image), orientation),
        bits=8,
        format="jpeg",
        photometric="grey" if image.mode == "L" else "ybr",
        lossy=True,
        compression="jpeg",
        spacing=_spacing(image, {1: 25.4, 2: 10.0}.get(image.info.get("jfif_unit", 0), 0.0)),
        colour_profile=profile_named(image.info.get("icc_profile")),
        turned=orientation,
        dropped=sum(name in image.info for name in _TEXTS),
    )


def read_bmp(content: bytes) -> Picture:
    """Return the picture.

    Raises:
        UnreadableFileError: it is damaged, too large, or has transparent pixels.
    """
    image = _decoded(content, "BMP")
    if image.mode in {"P", "1"}:
        image = image.convert("RGB" if image.mode == "P" else "L")
    pixels = np.asarray(image)
    if image.mode == "RGBA":
        pixels = opaque(pixels, COLOURS)
    elif image.mode not in {"L", "RGB"}:
        raise UnreadableFileError("has pixels of an unusual kind", "Save it as grey or RGB.")
    return Picture(
        pixels=np.ascontiguousarray(pixels),
        bits=8,
        format="bmp",
        photometric="grey" if pixels.ndim == 2 else "rgb",
    )


def frame_of(content: bytes) -> tuple[int, int, int]:
    """Return columns, rows and channels of the frame header, before anything is decoded."""
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            break
        marker = content[at + 1]
        if marker in {0xFF, 0x01, *range(0xD0, 0xD8)}:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            if at + 10 > len(content):
                break
            precision, rows, columns, channels = struct.unpack_from(">BHHB", content, at + 4)
            if marker not in _READ or precision != 8:
                raise UnreadableFileError(
                    "is a JPEG of more than 8 bits, or coded in a rare way",
                    "Save it as PNG or TIFF.",
                )
            return columns, rows, channels
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    raise damaged("JPEG")


def _decoded(content: bytes, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata; a bomb is refused by its size
            image = Image.open(io.BytesIO(content), formats=[name])
            check_size(*image.size, 4)
            image.load()
    except _FAILURES as exc:
        raise damaged(name) from exc
    return image


def _spacing(image: Image.Image, unit: float) -> tuple[float, float] | None:
    across, down = image.info.get("jfif_density", (0, 0))
    return (unit / down, unit / across) if unit and across and down else None
