"""Decodes an image's frames: the stored values, by the fastest decoder that gives exactly them.

JPEG-LS goes to CharLS, JPEG lossless to libjpeg-turbo and RLE to imcd, all through imagecodecs; raw
little-endian values are taken as they lie. Everything else, and what the first two do not take,
goes to pydicom's decoders, to which all of them are held equal by the tests.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSNearLossless,
    JPEGLSTransferSyntaxes,
    MPEGTransferSyntaxes,
    RLELossless,
)

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.formats.dicom.frame_sizes import FrameSize, frame_size
from proctor_workers.hidden_data.formats.dicom.originals import BROKEN, Original

LARGEST_PIXELS = 1 << 31  # bytes after decoding, per file; tomosynthesis has 1.7 GB
MOST_FRAMES = 1 << 20
_FLOATS: dict[str, np.dtype[Any]] = {
    "FloatPixelData": np.dtype("<f4"),
    "DoubleFloatPixelData": np.dtype("<f8"),
}
_PHOTOMETRIC = {
    1: frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}),
    3: frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"}),
}
_LOSSY_JPEG = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit})
_LOSSY = _LOSSY_JPEG | {JPEG2000, JPEGLSNearLossless, UID("1.2.840.10008.1.2.4.203")}
_JPEG_LOSSLESS = frozenset({JPEGLossless, JPEGLosslessSV1})
_JPEG_END = b"\xff\xd9"  # padding may follow
_PACKED = 64  # most bits of a sample

Values = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the pixels lie in the file (PS3.3 C.7.6.3.1)."""

    rows: int
    columns: int
    samples: int
    frames: int
    photometric: str
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: int

    @property
    def count(self) -> int:
        """Return the number of samples in all frames."""
        return self.rows * self.columns * self.samples * self.frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Decoded pixels: frames × rows × columns, with colours as a fourth axis.

    `values` are little-endian; whole numbers have `stored` significant low bits, 0 for floats.
    `cleared` says that bits above them held something, which is gone; `unended` that a compressed
    frame broke off, as far as one can see.
    """

    values: Values
    photometric: str
    stored: int
    lossy: bool
    cleared: bool = False
    unended: bool = False


def layout_of(original: Original) -> Layout:
    """Return an image's layout, checked.

    Raises:
        UnreadableFileError: it is missing, contradicts itself, or is too large.
    """
    header, keyword = original.header, original.element.keyword
    samples = _number(header, "SamplesPerPixel", default=1)
    floats = _FLOATS.get(keyword)
    allocated = floats.itemsize * 8 if floats else _number(header, "BitsAllocated")
    stored = allocated if floats else _number(header, "BitsStored", default=allocated)
    layout = Layout(
        rows=_number(header, "Rows"),
        columns=_number(header, "Columns"),
        samples=samples,
        frames=_number(header, "NumberOfFrames", default=1) or 1,
        photometric=str(header.get("PhotometricInterpretation") or "MONOCHROME2").strip(),
        allocated=allocated,
        stored=stored,
        high=stored - 1 if floats else _number(header, "HighBit", default=stored - 1),
        signed=bool(_number(header, "PixelRepresentation", default=0)),
        planar=_number(header, "PlanarConfiguration", default=0),
    )
    _check(layout)
    return layout


def _number(header: Dataset, keyword: str, default: int | None = None) -> int:
    raw = header.get_item(keyword)
    if isinstance(raw, RawDataElement) and raw.VR == "US" and len(raw.value or b"") == 2:
        return int.from_bytes(raw.value or b"", "little" if raw.is_little_endian else "big")
    value: Any = header.get(keyword)
    if value is None or value == "":
        if default is None:
            raise UnreadableFileError(f"lacks {keyword}", "Export it again.")
        return default
    if not isinstance(value, int | float):
        raise UnreadableFileError(f"has a {keyword} that is no number", "Export it again.")
    return int(value)


def _check(layout: Layout) -> None:
    if layout.photometric not in _PHOTOMETRIC.get(layout.samples, ()):
        raise UnreadableFileError(
            "has colours that are not read", "Convert it to grey, RGB, YBR or a palette."
        )
    if min(layout.rows, layout.columns, layout.frames) < 1 or layout.frames > MOST_FRAMES:
        raise UnreadableFileError("has no pixels, or too many frames", "Export it again.")
    if not (
        1 <= layout.stored <= layout.allocated <= _PACKED
        and layout.stored - 1 <= layout.high < layout.allocated
    ):
        raise UnreadableFileError("has bits that contradict each other", "Export it again.")
    if layout.count * np.dtype(_container(layout)).itemsize > LARGEST_PIXELS:
        raise UnreadableFileError("is too large once decoded (above 2 GiB)", "Split it.")


def decoded(original: Original, layout: Layout, content: memoryview) -> Pixels:
    """Return the pixels; `content` are the bytes of their element.

    Raises:
        UnreadableFileError: they are cut short, damaged, or coded in a way that is not read.
    """
    try:
        return _decoded(original, layout, content)
    except BROKEN as exc:
        raise UnreadableFileError(
            "has pixels that cannot be decoded", "Export it again, uncompressed."
        ) from exc


def _decoded(original: Original, layout: Layout, content: memoryview) -> Pixels:
    floats = _FLOATS.get(original.element.keyword)
    if floats is not None:
        values = _shaped(_raw(content, floats, original, layout.count), layout)
        return Pixels(values=values, photometric=layout.photometric, stored=0, lossy=False)
    lossy, photometric, unended = original.syntax in _LOSSY, layout.photometric, False
    if original.element.encapsulated:
        frames = _checked_frames(original, layout, content)
        values, photometric = _encapsulated(original, layout, frames)
        unended = original.syntax != RLELossless and not _are_whole(frames)
    elif _is_plain(original, layout):
        values = _shaped(_plain(content, original, layout), layout)
    elif layout.allocated in {8, 16, 32, 64, 1}:
        values, photometric = _by_pydicom(original, layout, content)
    else:
        values = _shaped(_packed(content, layout), layout)
    return replace(_cleaned(values, photometric, layout, lossy=lossy), unended=unended)


def _is_plain(original: Original, layout: Layout) -> bool:
    return (
        original.syntax != ExplicitVRBigEndian
        and layout.allocated in {8, 16, 32, 64}
        and layout.photometric not in {"YBR_FULL_422", "YBR_PARTIAL_420"}
    )


def _plain(content: memoryview, original: Original, layout: Layout) -> Values:
    return _raw(content, np.dtype(f"<u{layout.allocated // 8}"), original, layout.count)


def _raw(content: memoryview, dtype: np.dtype[Any], original: Original, count: int) -> Values:
    if len(content) < count * dtype.itemsize:
        raise cut_short()
    stored = dtype.newbyteorder(">") if original.syntax == ExplicitVRBigEndian else dtype
    return np.frombuffer(content, stored, count).astype(dtype, copy=False)


def cut_short() -> UnreadableFileError:
    """Return the refusal of a file that ends before its pixels do."""
    return UnreadableFileError("has fewer pixels than its header says", "Export it again.")


def _shaped(values: Values, layout: Layout) -> Values:
    """Return frames × rows × columns [× samples] of values in the order of the file."""
    frame = (layout.frames, layout.rows, layout.columns)
    if layout.samples == 1:
        return values.reshape(frame)
    if layout.planar:
        planes = values.reshape(layout.frames, layout.samples, layout.rows, layout.columns)
        return np.ascontiguousarray(np.moveaxis(planes, 1, -1))
    return values.reshape(*frame, layout.samples)


def _packed(content: memoryview, layout: Layout) -> Values:
    """Unpack samples of any number of bits, the first in the lowest bits (PS3.5 8.1.1, D)."""
    bits = layout.count * layout.allocated
    if len(content) * 8 < bits:
        raise cut_short()
    if layout.count * _PACKED > LARGEST_PIXELS:
        raise UnreadableFileError("is too large for its packed bits", "Export it with 16 bits.")
    found = np.unpackbits(np.frombuffer(content, np.uint8, -(-bits // 8)), bitorder="little")
    container = np.dtype(_container(layout))
    wide = np.zeros((layout.count, container.itemsize * 8), np.uint8)
    wide[:, : layout.allocated] = found[:bits].reshape(layout.count, layout.allocated)
    return np.packbits(wide, axis=1, bitorder="little").view(container).ravel()


def _container(layout: Layout) -> str:
    """Return the smallest type that holds what is allocated."""
    return next(f"<u{size}" for size in (1, 2, 4, 8) if size * 8 >= layout.allocated)


def _checked_frames(original: Original, layout: Layout, content: memoryview) -> list[bytes]:
    """Return the compressed frames, of whose size it is known that it is the headers'."""
    if original.syntax in MPEGTransferSyntaxes:
        raise UnreadableFileError("is a video", "Export its frames as images.")
    frames = list(_frames(original, layout, content))
    if len(frames) < layout.frames:
        raise cut_short()
    for frame in frames:
        _check_size(frame_size(frame, original.syntax), layout)
    return frames


def _encapsulated(original: Original, layout: Layout, frames: list[bytes]) -> tuple[Values, str]:
    values = _quickly(frames, original.syntax, layout)
    if values is not None:
        return values, layout.photometric
    try:
        return _by_pydicom(original, layout, encapsulate(frames))  # no more than was looked at
    except RuntimeError:
        # Its libjpeg is stricter than most on the order of markers.
        if original.syntax in _LOSSY_JPEG and layout.samples == 1 and _are_whole(frames):
            values = _each(frames, layout, imagecodecs.jpeg8_decode)
        if values is None:
            raise
        return values, layout.photometric


def _quickly(frames: list[bytes], syntax: UID, layout: Layout) -> Values | None:
    """Decode by the fastest decoder; None where there is none, or it does not take the frames."""
    if syntax == RLELossless:
        return _run_lengths(frames, layout)
    if syntax in JPEGLSTransferSyntaxes and _are_whole(frames):
        return _each(frames, layout, imagecodecs.jpegls_decode)
    # Colours are left to pydicom: libjpeg-turbo would guess their space.
    if syntax in _JPEG_LOSSLESS and layout.samples == 1 and _are_whole(frames):
        return _each(frames, layout, imagecodecs.jpeg8_decode)
    return None


def _are_whole(frames: list[bytes]) -> bool:
    """Say whether all frames have an end: CharLS looks for it for seconds, turbo makes one up."""
    return all(_JPEG_END in frame[-8:] for frame in frames)


def _frames(original: Original, layout: Layout, content: memoryview) -> Iterator[bytes]:
    """Yield as many compressed frames as the header has; further ones are left out."""
    header, tables = original.header, None
    if header.get("ExtendedOffsetTable") and header.get("ExtendedOffsetTableLengths"):
        tables = header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths
    found = generate_frames(
        io.BytesIO(content), number_of_frames=layout.frames, extended_offsets=tables
    )
    for _, frame in zip(range(layout.frames), found, strict=False):
        yield frame


def _check_size(size: FrameSize | None, layout: Layout) -> None:
    if size and (size.rows, size.columns, size.samples) != (
        layout.rows,
        layout.columns,
        layout.samples,
    ):
        raise UnreadableFileError(
            "has compressed pixels of another size than its header says", "Export it again."
        )


def _each(frames: list[bytes], layout: Layout, decode: Callable[..., Any]) -> Values | None:
    """Decode frame by frame; None where the decoder refuses or gives something else."""
    colours = () if layout.samples == 1 else (layout.samples,)
    shape = (layout.rows, layout.columns, *colours)
    out = np.empty((layout.frames, *shape), _container(layout))
    for place, frame in enumerate(frames):
        try:
            values = decode(frame)
        except (RuntimeError, ValueError, TypeError):
            return None
        if values.shape != shape or values.dtype.itemsize > out.dtype.itemsize:
            return None
        out[place] = values
    return out


def _run_lengths(frames: list[bytes], layout: Layout) -> Values:
    """Decode RLE: for each sample and each of its bytes one segment (PS3.5 G.2)."""
    dtype = np.dtype(_container(layout))
    shape = (layout.samples, layout.rows, layout.columns)
    out = np.empty((layout.frames, *shape), dtype)
    for place, frame in enumerate(frames):
        values = np.frombuffer(imagecodecs.dicomrle_decode(frame, dtype), dtype)
        if values.size != out[place].size:
            raise cut_short()
        out[place] = values.reshape(shape)
    return out[:, 0] if layout.samples == 1 else np.ascontiguousarray(np.moveaxis(out, 1, -1))


def _by_pydicom(
    original: Original, layout: Layout, content: bytes | memoryview
) -> tuple[Values, str]:
    """Return stored values; of lossy JPEG, whose colours are no stored values, RGB."""
    try:
        decoder = get_decoder(original.syntax)
    except NotImplementedError as exc:
        raise UnreadableFileError(
            f"is coded in a way that is not read ({original.syntax.name})",
            "Export it again, uncompressed.",
        ) from exc
    values, told = decoder.as_array(
        bytes(content),
        raw=original.syntax not in _LOSSY_JPEG,
        allow_excess_frames=False,
        rows=layout.rows,
        columns=layout.columns,
        samples_per_pixel=layout.samples,
        photometric_interpretation=layout.photometric,
        bits_allocated=layout.allocated,
        bits_stored=layout.stored,
        pixel_representation=int(layout.signed),
        number_of_frames=layout.frames,
        planar_configuration=layout.planar,
        pixel_keyword=original.element.keyword,
        pixel_vr=original.element.vr,
    )
    colours = () if layout.samples == 1 else (layout.samples,)
    frame = (layout.rows, layout.columns, *colours)
    values = values.reshape(-1, *frame)[: layout.frames]
    if len(values) < layout.frames:
        raise cut_short()
    return values, str(told["photometric_interpretation"])


def _cleaned(values: Values, photometric: str, layout: Layout, *, lossy: bool) -> Pixels:
    """Return the stored bits alone, moved to the low end and signed where they are.

    What lies above them are overlays in old files (PS3.5 8.1.2, retired), and anything else that
    a writer left there. A lossy decoder may leave the stored range: those values stay, and count
    as having all bits stored.
    """
    size = np.dtype(_container(layout)).itemsize
    whole = np.dtype(f"<{'i' if layout.signed else 'u'}{size}")
    values = np.ascontiguousarray(values.astype(f"<{values.dtype.kind}{size}", copy=False))
    values = values.view(whole)
    unused, below = size * 8 - layout.stored, layout.high + 1 - layout.stored
    if not unused:
        return Pixels(values=values, photometric=photometric, stored=layout.stored, lossy=lossy)
    kept, changed = np.empty_like(values), False
    for frame, out in zip(values, kept, strict=True):  # a frame at a time: some are gigabytes
        np.right_shift(frame << (unused - below), unused, out=out)
        changed = changed or not np.array_equal(out, frame >> below if below else frame)
    if changed and lossy:
        return Pixels(values=values, photometric=photometric, stored=size * 8, lossy=True)
    return Pixels(
        values=kept, photometric=photometric, stored=layout.stored, lossy=lossy, cleared=changed
    )
