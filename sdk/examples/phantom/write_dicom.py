"""Writes a radiograph as a DICOM DX object, with the identifiers that a hospital's file has."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
)
COMPRESSED = frozenset({RLELossless, JPEGLSLossless, JPEG2000Lossless})
BITS = 12
DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"


@dataclass(frozen=True)
class Subject:
    """Who was imaged, where and on what; all of it invented."""

    number: int
    sex: str
    age: int
    ethnic_group: str
    site: str
    scanner: str

    @property
    def patient(self) -> str:
        """The hospital's number."""
        return f"MRN-{700000 + self.number}"


def dicom_bytes(
    image: npt.NDArray[np.uint16], subject: Subject, syntax: str, *, inverted: bool
) -> bytes:
    """Return the file; `inverted` stores MONOCHROME1."""
    dataset = _headers(subject)
    stored = (2**BITS - 1 - image) if inverted else image
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dataset.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    dataset.PixelIntensityRelationshipSign = 1 if inverted else -1
    dataset.Rows, dataset.Columns = stored.shape
    big = syntax == ExplicitVRBigEndian
    dataset.PixelData = stored.astype(">u2" if big else "<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax in COMPRESSED else syntax
    if syntax in COMPRESSED:
        dataset.compress(syntax, generate_instance_uid=False)
    out = io.BytesIO()
    dcmwrite(
        out,
        dataset,
        enforce_file_format=True,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=not big,
    )
    return out.getvalue()


def _headers(subject: Subject) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID = DX_FOR_PRESENTATION
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        uid = generate_uid(entropy_srcs=["phantom", keyword, str(subject.number)])
        setattr(dataset, keyword, uid)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    _identity(dataset, subject)
    dataset.Modality, dataset.PresentationIntentType = "DX", "FOR PRESENTATION"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", "PA"
    dataset.ImageLaterality, dataset.PatientOrientation = "U", ["L", "F"]
    dataset.ImagerPixelSpacing = [1.4, 1.4]
    dataset.BurnedInAnnotation, dataset.LossyImageCompression = "NO", "00"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.WindowCenter, dataset.WindowWidth = "1000", "1900"
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS, BITS - 1
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    return dataset


def _identity(dataset: Dataset, subject: Subject) -> None:
    """Plant what de-identification must remove."""
    dataset.PatientName = f"PHANTOM^PERSON{subject.number}"
    dataset.PatientID = subject.patient
    dataset.PatientBirthDate = f"{2026 - subject.age}0704"
    dataset.PatientSex, dataset.PatientAge = subject.sex, f"{subject.age:03d}Y"
    dataset.EthnicGroup = subject.ethnic_group
    dataset.StudyDate = dataset.ContentDate = dataset.AcquisitionDate = "20260309"
    dataset.StudyTime = dataset.ContentTime = "101500"
    dataset.AccessionNumber, dataset.StudyID = f"ACC{subject.number}", "1"
    dataset.ReferringPhysicianName = "REFERRER^RITA"
    dataset.InstitutionName, dataset.StationName = subject.site, f"ROOM{subject.number % 7}"
    dataset.Manufacturer, _, dataset.ManufacturerModelName = subject.scanner.partition(" ")
    dataset.DeviceSerialNumber = f"SN{subject.number % 5}"
    dataset.SeriesDescription = f"chest of {subject.patient}"
    dataset.ImageComments = f"called PERSON{subject.number} by phone"
    block = dataset.private_block(0x0099, "PHANTOM PRIVATE", create=True)
    block.add_new(0x01, "LO", f"secret {subject.patient}")
