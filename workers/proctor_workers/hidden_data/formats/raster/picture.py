"""A decoded picture, and what all formats of pictures have in common."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import UnreadableFileError

LARGEST_SIDE = 65_500
LARGEST_PIXELS = 1 << 28  # of one page; above it a file is refused before it is decoded
LARGEST_BYTES = 1 << 32  # of all pages once decoded
LARGEST_FILE = 1 << 32
GREY, COLOURS = 1, 3
_LARGEST_PROFILE = 1 << 20
_PROFILES = (  # of the profile's own description; anything else may name its owner
    ("srgb", "sRGB"),
    ("srgb", "IEC 61966-2"),
    ("srgb", "IEC61966-2"),
    ("adobe rgb", "Adobe RGB"),
    ("display p3", "Display P3"),
    ("prophoto rgb", "ProPhoto"),
    ("grey gamma", "Gray Gamma"),
    ("grey gamma", "Dot Gain"),
)

Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Decoded pixels and what the file says of them.

    `pixels` are rows × columns or rows × columns × 3, with the pages of a stack before them; black
    is 0. `bits` are those of the original. `spacing` is what the file gives as its resolution: mm
    between rows and between columns. `turned` is the EXIF orientation that was applied, 1 for none.
    """

    pixels: Pixels
    bits: int
    format: str
    photometric: str
    pages: int = 1
    lossy: bool = False
    compression: str = "none"
    spacing: tuple[float, float] | None = None
    colour_profile: str = "none"
    turned: int = 1
    dropped: int = 0  # texts, tags and blocks that the canonical file does not hold

    @property
    def is_colour(self) -> bool:
        """Say whether a pixel has three colours."""
        return self.pixels.ndim - (self.pages > 1) == 3

    @property
    def middle(self) -> Pixels:
        """Return the middle page."""
        return self.pixels[self.pages // 2] if self.pages > 1 else self.pixels


def damaged(name: str) -> UnreadableFileError:
    """Return the error of a file that cannot be decoded."""
    return UnreadableFileError(f"is a damaged {name} file", "Export it again.")


def check_size(columns: int, rows: int, bytes_a_pixel: int = 1, pages: int = 1) -> None:
    """Pass if a picture of this size may be decoded.

    Raises:
        UnreadableFileError: it is empty or too large.
    """
    if columns < 1 or rows < 1 or pages < 1:
        raise UnreadableFileError("holds no pixels", "Export it again.")
    pixels = columns * rows
    if (
        max(columns, rows) > LARGEST_SIDE
        or pixels > LARGEST_PIXELS
        or pixels * bytes_a_pixel * pages > LARGEST_BYTES
    ):
        raise UnreadableFileError(
            "is too large once decoded (above 268 million pixels a page, or 4 GiB)",
            "Scale it down, crop it, or bring it as a tiled pyramid.",
        )


def opaque(pixels: Pixels, colours: int) -> Pixels:
    """Return the colours of pixels whose last channel is transparency, if none is transparent.

    Raises:
        UnreadableFileError: a pixel is transparent; what lies behind it is not known.
    """
    most = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
    if not bool((pixels[..., colours] == most).all()):
        raise UnreadableFileError(
            "has transparent pixels", "Save it on a background, without transparency."
        )
    return pixels[..., 0] if colours == GREY else pixels[..., :colours]


def stretched(pixels: Pixels, bits: int) -> Pixels:
    """Return grey values of 1, 2 or 4 bits on the scale of 8: white is 255 (PNG 13.12)."""
    return (pixels.astype(np.uint8) * np.uint8(255 // ((1 << bits) - 1))).astype(np.uint8)


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Return rows × columns turned upright, pixel for pixel (EXIF 2.32, tag 274)."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def profile_named(profile: bytes | None) -> str:
    """Return which of the usual colour profiles this is: none, one of the list, or other."""
    if not profile:
        return "none"
    text = profile[:_LARGEST_PROFILE]
    for known, words in _PROFILES:
        if words.encode("ascii") in text or words.encode("utf-16-be") in text:
            return known
    return "other"
