"""Turn one stored image into a PNG without its header: window, inversion and palette are applied.

Of a stack or a volume the middle slice is shown, of a slide the largest level that fits a screen.

What the bytes are is read from the bytes. Anything that cannot be shown raises `UnreadableError`;
what the reader is then shown is decided by the app.
"""

import csv
import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import tifffile
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from PIL import Image, ImageDraw, ImageFont, ImageOps
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from proctor_backend.viewer.signals import drawn
from proctor_backend.viewer.tables import FirstRows, first_rows
from proctor_backend.viewer.volumes import is_volume, middle_slice

LONGEST_SIDE = 1600
MAX_PIXELS = 120_000_000  # a frame above this is refused before it is decoded
MAX_SLIDE_PIXELS = 8_000_000  # of the level of a slide that is shown
PERCENTILES = (0.5, 99.5)  # contrast where the image names no window
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
Pixels = npt.NDArray[Any]

# What the decoders raise on damaged or unsupported input.
_DECODER_ERRORS = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError,
    Image.DecompressionBombError, pydicom.errors.InvalidDicomError, struct.error, zlib.error,
    tifffile.TiffFileError, HeaderDataError, ImageFileError, WrapStructError, csv.Error,
)  # fmt: skip


class UnreadableError(Exception):
    """The stored bytes cannot be shown as an image."""


def to_png(content: bytes) -> bytes:
    """Return the image (the middle frame, if there are several) as an 8-bit PNG.

    Raises:
        UnreadableError: the bytes are no image that can be decoded here.
    """
    try:
        with np.errstate(all="ignore"):  # values of a volume may be anything
            image = _image(content)
    except _DECODER_ERRORS as error:
        raise UnreadableError("The image cannot be decoded.") from error
    return _png(image)


def _image(content: bytes) -> Image.Image:
    if content[128:132] == b"DICM":
        return _dicom(content)
    if is_volume(content):
        found = middle_slice(content, MAX_PIXELS)
        shown = _to_8_bit(found.pixels, full_range=False, percentiles=PERCENTILES)
        return _stretched(Image.fromarray(shown), found.aspect)
    return _tiff(content) if content[:4] in _TIFF else _raster(content)


def signal_to_png(header: bytes, samples: bytes) -> bytes:
    """Return a drawing of a signal, a line for each lead.

    Raises:
        UnreadableError: the bytes are no record of signals.
    """
    try:
        return drawn(header, samples)
    except _DECODER_ERRORS as error:
        raise UnreadableError("The signal cannot be decoded.") from error


def table_rows(content: bytes) -> FirstRows:
    """Return a table's first rows.

    Raises:
        UnreadableError: the bytes are no table.
    """
    try:
        return first_rows(content)
    except _DECODER_ERRORS as error:
        raise UnreadableError("The table cannot be decoded.") from error


def placeholder(sentence: str) -> bytes:
    """Return a PNG that says why there is no image."""
    image = Image.new("L", (640, 400), 32)
    draw = ImageDraw.Draw(image)
    draw.rectangle((8, 8, 631, 391), outline=120)
    draw.multiline_text(
        (320, 200),
        sentence,
        fill=230,
        font=ImageFont.load_default(size=20),
        anchor="mm",
        align="center",
    )
    return _png(image)


def _dicom(content: bytes) -> Image.Image:
    dataset = pydicom.dcmread(io.BytesIO(content))
    if int(dataset.Rows) * int(dataset.Columns) > MAX_PIXELS:
        raise ValueError("frame too large")
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    pixels = pixel_array(dataset, index=frames // 2)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        shown = _to_8_bit(apply_color_lut(pixels, dataset), full_range=True)
    elif int(dataset.get("SamplesPerPixel", 1)) > 1:
        shown = _to_8_bit(pixels, full_range=True)
    else:
        shown = _grey(pixels, dataset)
    return _square_pixels(Image.fromarray(shown), dataset)


def _grey(pixels: Pixels, dataset: pydicom.Dataset) -> npt.NDArray[np.uint8]:
    values = apply_modality_lut(pixels, dataset)
    if "WindowWidth" in dataset or "VOILUTSequence" in dataset:
        shown = _to_8_bit(apply_voi_lut(values, dataset, index=0), full_range=False)
    else:
        shown = _to_8_bit(values, full_range=False, percentiles=PERCENTILES)
    return 255 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown


def _to_8_bit(
    pixels: Pixels, *, full_range: bool, percentiles: tuple[float, float] = (0.0, 100.0)
) -> npt.NDArray[np.uint8]:
    if full_range and pixels.dtype == np.uint8:
        return pixels.astype(np.uint8)
    if full_range:
        low, high = 0.0, float(np.iinfo(pixels.dtype).max)
    else:
        low, high = (float(edge) for edge in np.percentile(pixels, percentiles))
    span = (high - low) or 1.0
    scaled = (pixels.astype(np.float64) - low) / span
    return np.round(np.clip(scaled, 0.0, 1.0) * 255.0).astype(np.uint8)


def _square_pixels(image: Image.Image, dataset: pydicom.Dataset) -> Image.Image:
    """Stretch rows so that a circle in the patient is a circle on the screen."""
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if spacing is None or float(spacing[0]) <= 0 or float(spacing[1]) <= 0:
        return image
    return _stretched(image, float(spacing[0]) / float(spacing[1]))


def _stretched(image: Image.Image, ratio: float) -> Image.Image:
    if 0.99 < ratio < 1.01 or not 0.1 < ratio < 10:
        return image
    return image.resize((image.width, max(1, round(image.height * ratio))))


def _tiff(content: bytes) -> Image.Image:
    """Show the middle page, or of pages of several sizes the largest that is quick to decode."""
    with tifffile.TiffFile(io.BytesIO(content)) as opened:
        pages = list(opened.pages)
        small = [page for page in pages if page.imagewidth * page.imagelength <= MAX_SLIDE_PIXELS]
        if len({page.shape for page in pages}) > 1 and small:
            page = max(small, key=lambda one: one.imagewidth * one.imagelength)
        else:
            page = pages[len(pages) // 2]
        if page.imagewidth * page.imagelength > MAX_PIXELS:
            raise ValueError("frame too large")
        pixels = page.asarray()
    if pixels.dtype == np.uint8:
        return Image.fromarray(pixels)
    return Image.fromarray(
        _to_8_bit(np.nan_to_num(pixels), full_range=False, percentiles=PERCENTILES)
    )


def _raster(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError("frame too large")
        opened.seek(getattr(opened, "n_frames", 1) // 2)
        upright = ImageOps.exif_transpose(opened)
        if upright.mode in {"L", "RGB"}:
            return upright.copy()
        if upright.mode.startswith(("I", "F")):
            values = np.asarray(upright)
            return Image.fromarray(_to_8_bit(values, full_range=False, percentiles=PERCENTILES))
        return upright.convert("RGB")


def _png(image: Image.Image) -> bytes:
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    bare = Image.frombytes(image.mode, image.size, image.tobytes())  # pixels only, no metadata
    sink = io.BytesIO()
    bare.save(sink, format="PNG")
    return sink.getvalue()
