"""Rewrites a case's DICOM files: the same pixels, uncompressed, identifying nobody."""

import hashlib
import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from proctor_workers.hidden_data.canonical_file import CanonicalFile, UnreadableFileError
from proctor_workers.hidden_data.dicom_headers import (
    PIXEL_LAYOUT,
    READ,
    REFUSED,
    UIDS,
    kept_headers,
)

LARGEST_PIXELS = 1 << 30  # bytes after decoding, per file
PHOTOMETRIC = frozenset({"MONOCHROME1", "MONOCHROME2", "RGB"})
IMPLEMENTATION = "2.25.302714059337418113867450936110203"
# What a broken file makes pydicom and its decoders raise; nothing here is ours.
_BROKEN = (
    InvalidDicomError, BytesLengthException, AttributeError, EOFError, KeyError,
    NotImplementedError, OverflowError, RecursionError, RuntimeError, TypeError, ValueError,
    struct.error, zlib.error,
)  # fmt: skip


def canonical_dicom(contents: Sequence[bytes], granted: Sequence[str]) -> list[CanonicalFile]:
    """Return the canonical files of one case, in reading order.

    Raises:
        UnreadableFileError: a file is broken, or of a kind that is not read yet.
    """
    headers = [_read(content, pixels=False) for content in contents]
    order = sorted(range(len(contents)), key=lambda index: (*_place(headers[index]), index))
    ordinals = _Ordinals()
    return [
        _canonical(_read(contents[index], pixels=True), position, ordinals, granted)
        for position, index in enumerate(order)
    ]


class _Ordinals:
    """Numbers UIDs within a case in the order they appear: relations stay, origins go."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def __getitem__(self, uid: str) -> str:
        return f"2.25.{self._seen.setdefault(uid, len(self._seen) + 1)}"


def _read(content: bytes, *, pixels: bool) -> Dataset:
    _check_deflated(content)
    wanted: list[str | int] = [*READ, *REFUSED] if pixels else [*UIDS, "InstanceNumber"]
    try:
        return pydicom.dcmread(
            io.BytesIO(content), specific_tags=wanted, stop_before_pixels=not pixels
        )
    except _BROKEN as exc:
        raise UnreadableFileError("is a damaged DICOM file", "Export it again.") from exc


def _check_deflated(content: bytes) -> None:
    """Refuse a deflated file that would inflate without end: the library does not look."""
    if DeflatedExplicitVRLittleEndian.encode() not in content[:1024]:
        return
    (group_length,) = struct.unpack_from("<I", content, 140)
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    total, rest = 0, content[144 + group_length :]
    while rest and not inflater.eof:
        try:
            total += len(inflater.decompress(rest, 1 << 20))
        except zlib.error as exc:
            raise UnreadableFileError("is a damaged DICOM file", "Export it again.") from exc
        rest = inflater.unconsumed_tail
        if total > LARGEST_PIXELS:
            raise UnreadableFileError("is too large once inflated", "Leave it out.")


def _place(header: Dataset) -> tuple[str, int]:
    number = header.get("InstanceNumber")
    return str(header.get("SeriesInstanceUID", "")), int(number) if number is not None else 0


def _canonical(
    source: Dataset, position: int, ordinals: _Ordinals, granted: Sequence[str]
) -> CanonicalFile:
    _check_kind(source)
    try:
        pixels = _pixels(source)
        dataset = kept_headers(source, granted)
    except _BROKEN as exc:
        raise UnreadableFileError("has pixels that cannot be decoded", "Export it again.") from exc
    for keyword in PIXEL_LAYOUT:
        if keyword in source:
            setattr(dataset, keyword, source[keyword].value)
    if source.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = 0
    for keyword in UIDS:
        if source.get(keyword):
            setattr(dataset, keyword, ordinals[str(source[keyword].value)])
    dataset.SeriesNumber, dataset.InstanceNumber = 1, position + 1
    content = _written(dataset, pixels)
    return CanonicalFile(
        name=f"{position}.dcm",
        role="image",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        decoded_pixel_sha256=hashlib.sha256(pixels.tobytes()).hexdigest(),
        original_uid=str(source.get("SOPInstanceUID", "")),
    )


def _check_kind(source: Dataset) -> None:
    missing = [k for k in (*PIXEL_LAYOUT, *UIDS[:3], "SOPClassUID", "PixelData") if k not in source]
    if missing := [keyword for keyword in missing if keyword != "NumberOfFrames"]:
        raise UnreadableFileError(f"lacks {missing[0]}", "Leave out objects that are no images.")
    if source.PhotometricInterpretation not in PHOTOMETRIC:
        raise UnreadableFileError(
            "has colours that are not read yet", f"Convert it to one of {sorted(PHOTOMETRIC)}."
        )
    if source.BitsAllocated not in {8, 16, 32} or source.HighBit != source.BitsStored - 1:
        raise UnreadableFileError(
            "has a bit layout that is not read yet", "Use 8, 16 or 32 bits, low bits first."
        )
    if any(keyword in source for keyword in REFUSED):
        raise UnreadableFileError("has values that are not read yet", "Export integer pixels.")
    frames = int(source.get("NumberOfFrames") or 1)
    size = source.Rows * source.Columns * source.SamplesPerPixel * frames
    if size * source.BitsAllocated // 8 > LARGEST_PIXELS:
        raise UnreadableFileError("is too large once decoded", "Split it.")


def _pixels(source: Dataset) -> npt.NDArray[np.integer]:
    """Return the stored values, little-endian, with the unused high bits cleared.

    Those bits hold overlays in old files, and anything else a writer left there.
    """
    signed, allocated = bool(source.PixelRepresentation), int(source.BitsAllocated)
    values = source.pixel_array.astype(f"<{'i' if signed else 'u'}{allocated // 8}")
    unused = allocated - int(source.BitsStored)
    if unused:
        values = (values << unused) >> unused  # arithmetic for signed, logical for unsigned
    return np.ascontiguousarray(values)


def _written(dataset: Dataset, pixels: npt.NDArray[np.integer]) -> bytes:
    raw = pixels.tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    dataset["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "PROCTOR_1"
    dataset.file_meta, dataset.preamble = meta, bytes(128)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return out.getvalue()
