"""Makes DICOM files in memory and reads them as one case."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from proctor_workers.hidden_data.case_files import (
    CanonicalForm,
    CaseContent,
    ReadRequest,
    SourceFile,
)
from proctor_workers.hidden_data.deidentify.profile import Deidentification
from proctor_workers.hidden_data.formats.registry import read_case
from proctor_workers.hidden_data.pseudonyms import PatientKeys

CT, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
KEYS = PatientKeys(uid_key=b"a key that only this test knows.", date_shift_days=100)


def gradient(rows: int = 24, columns: int = 20, dtype: str = "<u2") -> NDArray[Any]:
    """Return values that differ everywhere."""
    return np.arange(rows * columns).reshape(rows, columns).astype(dtype)


def image(values: NDArray[Any] | None = None, **elements: Any) -> Dataset:
    """Return an image's data set with the layout of `values`; elements by keyword on top."""
    values = gradient() if values is None else values
    colours = values.ndim > 2 and values.shape[-1] == 3
    dataset = Dataset()
    dataset.SOPClassUID = SECONDARY_CAPTURE
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    dataset.SOPInstanceUID, dataset.InstanceNumber = "1.2.3.3", 1
    dataset.Modality, dataset.PatientID, dataset.PatientName = "OT", "MRN-77", "DOE^JANE"
    dataset.SamplesPerPixel = 3 if colours else 1
    dataset.PhotometricInterpretation = "RGB" if colours else "MONOCHROME2"
    if colours:
        dataset.PlanarConfiguration = 0
    frame = values.shape[:-1] if colours else values.shape
    dataset.Rows, dataset.Columns = frame[-2:]
    if len(frame) == 3:
        dataset.NumberOfFrames = frame[0]
    dataset.BitsAllocated = dataset.BitsStored = 8 * values.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    raw = values.tobytes()
    dataset.add_new(
        0x7FE00010, "OB" if values.dtype.itemsize == 1 else "OW", raw + bytes(len(raw) % 2)
    )
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def dicom(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return the file of a data set whose pixels are encoded as the syntax has it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CT)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3.9")
    dataset.file_meta, dataset.preamble = meta, b"A PREAMBLE".ljust(128, b"!")
    out = io.BytesIO()
    implicit = syntax == ImplicitVRLittleEndian
    little = syntax != ExplicitVRBigEndian
    pydicom.dcmwrite(
        out, dataset, enforce_file_format=True, implicit_vr=implicit, little_endian=little
    )
    return out.getvalue()


def ct_slice(number: int, z: float, **elements: Any) -> bytes:
    """Return an axial CT slice at this height."""
    values = (gradient() + number).astype("<i2")
    own = {
        "SOPClassUID": CT, "Modality": "CT", "SOPInstanceUID": f"1.2.3.3.{number}",
        "InstanceNumber": number, "ImagePositionPatient": [-10.0, -20.0, z],
        "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [0.5, 0.75], "SliceThickness": 2.0,
        "FrameOfReferenceUID": "1.2.3.4", "RescaleSlope": 1, "RescaleIntercept": -1024,
    }  # fmt: skip
    return dicom(image(values, **own | elements))


def read(
    folder: Path,
    *contents: bytes,
    names: Sequence[str] = (),
    deidentification: Deidentification | None = None,
    **form: str,
) -> CaseContent:
    """Read these files as one case; canonical files come to lie in `folder/canonical`."""
    originals, canonical = folder / "originals", folder / "canonical"
    originals.mkdir(exist_ok=True)
    canonical.mkdir(exist_ok=True)
    files = []
    for number, content in enumerate(contents):
        name = names[number] if names else f"folder/file{number}"
        path = originals / str(number)
        path.write_bytes(content)
        files.append(SourceFile(name=name, path=path))
    return read_case(
        ReadRequest(
            files=tuple(files),
            keys=KEYS,
            deidentification=deidentification or Deidentification(),
            form=replace(CanonicalForm(), **form),
            folder=canonical,
        )
    )


def written(content: CaseContent) -> list[Dataset]:
    """Return the canonical files' data sets."""
    return [pydicom.dcmread(file.path) for file in content.files]


def codes(content: CaseContent) -> set[str]:
    """Return the codes of what was found."""
    return {finding.code for finding in content.findings}
