"""Reads of a whole slide what both sides of a comparison look at: its smallest level.

A level of a TIFF pyramid is tiled and has the shape of the first page; label, macro image and
thumbnail are none. The other side carries levels over as they are, so that the pixels are equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from pydicom.dataset import Dataset

    Pixels = NDArray[Any]

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
LARGEST_PIXELS = 1 << 26  # of a level
LARGEST_PLAIN = 1 << 28  # of a picture that is no pyramid
_TILE_WIDTH = 322
_SHAPE_TOLERANCE = 1.5  # pixels by which rounding may change a level's shape


def smallest_level(picture: Image.Image) -> int | None:
    """Return the page of a TIFF pyramid's smallest level; None for a picture that is no pyramid."""
    pages = getattr(picture, "n_frames", 1)
    if picture.format != "TIFF" or pages == 1:
        return None
    levels: list[tuple[int, int]] = []
    base = picture.size
    for page in range(pages):
        picture.seek(page)
        if _TILE_WIDTH not in getattr(picture, "tag_v2", {}):
            continue
        columns, rows = picture.size
        if abs(columns * base[1] - rows * base[0]) <= _SHAPE_TOLERANCE * max(base):
            levels.append((columns, page))
    if len(levels) < 2 or levels[0][1] != 0:
        return None
    return min(levels)[1]


def dicom_level(header: Dataset) -> Pixels | None:
    """Return the pixels of one instance of a DICOM slide; None for a large one, or a label."""
    columns, rows = int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)
    if header.ImageType[2] != "VOLUME" or columns * rows > LARGEST_PIXELS:
        return None
    frames = header.pixel_array
    if frames.ndim < 4 - (header.SamplesPerPixel == 1):
        frames = frames[None]
    across = -(-columns // int(header.Columns))
    lines = [
        np.concatenate(list(frames[begin : begin + across]), axis=1)
        for begin in range(0, len(frames), across)
    ]
    whole: Pixels = np.concatenate(lines)[:rows, :columns]
    return whole
