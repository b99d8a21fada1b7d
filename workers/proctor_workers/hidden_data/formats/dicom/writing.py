"""Writes canonical files: explicit VR little endian, a blank preamble, the pixels as they are."""

import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import pydicom
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from proctor_workers.hidden_data.formats.dicom.pixels import Pixels

IMPLEMENTATION = "2.25.302714059337418113867450936110203"
_ELEMENTS = {  # tag and VR by the type of the values (PS3.5 A.2)
    "f4": (0x7FE0, 0x0008, b"OF"),
    "f8": (0x7FE0, 0x0009, b"OD"),
    "u1": (0x7FE0, 0x0010, b"OB"),
    "i1": (0x7FE0, 0x0010, b"OB"),
}
_WORDS = (0x7FE0, 0x0010, b"OW")


def set_layout(dataset: Dataset, pixels: Pixels, *, frames: bool) -> None:
    """Say in the headers how the pixels lie; `frames` where the original counts them."""
    values = pixels.values
    dataset.SamplesPerPixel = values.shape[3] if values.ndim == 4 else 1
    dataset.PhotometricInterpretation = pixels.photometric
    dataset.Rows, dataset.Columns = values.shape[1:3]
    dataset.BitsAllocated = values.dtype.itemsize * 8
    if values.ndim == 4:
        dataset.PlanarConfiguration = 0
    if frames or len(values) > 1:
        dataset.NumberOfFrames = len(values)
    if values.dtype.kind != "f":
        dataset.BitsStored, dataset.HighBit = pixels.stored, pixels.stored - 1
        dataset.PixelRepresentation = int(values.dtype.kind == "i")
    if pixels.lossy:
        dataset.LossyImageCompression = "01"


def write(path: Path, dataset: Dataset, values: NDArray[Any]) -> tuple[int, str]:
    """Write a file and return its size and SHA-256.

    The headers go through pydicom; the pixels are the last element and are written as they lie.
    """
    raw = values.data.cast("B")
    padding = bytes(len(raw) % 2)
    group, element, vr = _ELEMENTS.get(values.dtype.str[1:], _WORDS)
    length = len(raw) + len(padding)
    head = _head(dataset) + struct.pack("<HH2sHI", group, element, vr, 0, length)
    digest = hashlib.sha256(head)
    digest.update(raw)
    digest.update(padding)
    with path.open("xb") as out:
        out.write(head)
        out.write(raw)
        out.write(padding)
    return len(head) + length, digest.hexdigest()


def _head(dataset: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "PROCTOR_1"
    dataset.file_meta, dataset.preamble = meta, bytes(128)
    out = io.BytesIO()
    with disable_value_validation():
        pydicom.dcmwrite(
            out, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True
        )
    return out.getvalue()
