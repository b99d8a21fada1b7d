"""Decodes the training images of a vendor, one file at a time: DICOM, NIfTI, PNG, JPEG, TIFF.

Of a whole slide its smallest level is taken, which is what the other side has.

Needs the extra `fingerprints` (numpy, pydicom, nibabel, pillow); DICOM of compressed syntaxes
needs a decoder that pydicom finds, such as pylibjpeg.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pydicom
from PIL import Image

from proctor_sdk.fingerprints import slides

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[Any]

_NIFTI = (".nii", ".nii.gz", ".hdr", ".img.gz")
_DICOM_AT = 128  # PS3.10, 7.1: "DICM" stands behind the preamble


def read_pixels(path: Path) -> Pixels | None:
    """Return a file's pixels as stored, None if it holds none that can be decoded here.

    Of the shape rows × columns or slices × rows × columns, with 3 or 4 colours behind. What is
    scaled for display stays unscaled, as the other side's is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # foreign files are odd in ways that do not concern us
        try:
            return _decoded(path)
        except Exception:  # noqa: BLE001 - decoders fail in ways of their own; the file is counted
            return None


def slices_of(pixels: Pixels) -> list[Pixels]:
    """Return the pictures of an array, in order: itself, or the slices or frames of it."""
    colour = pixels.ndim > 2 and pixels.shape[-1] in (3, 4) and pixels.shape[-2] > 4
    plane = 3 if colour else 2
    return list(pixels.reshape(-1, *pixels.shape[-plane:])) if pixels.ndim >= plane else []


def _decoded(path: Path) -> Pixels | None:
    with path.open("rb") as file:
        head = file.read(_DICOM_AT + 4)
    if head[_DICOM_AT:] == b"DICM" or path.suffix.lower() in {".dcm", ".ima"}:
        header = pydicom.dcmread(path, force=True)
        if header.get("SOPClassUID") == slides.SOP_CLASS:
            return slides.dicom_level(header)
        values: Pixels = header.pixel_array
        return values
    if path.name.lower().endswith(_NIFTI):
        stored: Pixels = np.asarray(nibabel.load(path).dataobj.get_unscaled())
        return stored.T
    with _large_pictures(), Image.open(path) as picture:
        level = slides.smallest_level(picture)
        if level is not None:
            return _frame(picture, level)
        if picture.width * picture.height > slides.LARGEST_PLAIN:
            return None
        return np.stack([_frame(picture, number) for number in range(_frames(picture))]).squeeze()


@contextmanager
def _large_pictures() -> Iterator[None]:
    """Let Pillow open a slide of any size; only its smallest level is decoded."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _frames(picture: Image.Image) -> int:
    return int(getattr(picture, "n_frames", 1))


def _frame(picture: Image.Image, number: int) -> Pixels:
    picture.seek(number)
    shown = picture.convert("RGB") if picture.mode in {"P", "CMYK", "YCbCr", "LA"} else picture
    return np.asarray(shown)
