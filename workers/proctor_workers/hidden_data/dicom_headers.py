"""Which DICOM headers a canonical file keeps: those that say how to read the pixels, and no others.

Everything not listed is gone: names, dates, private tags, free text, sequences. What tells about
the person or the device is kept only where the cohort's description grants it by keyword.
"""

import re
from collections.abc import Iterable
from typing import Any

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import format_number_as_ds

from proctor_workers.hidden_data.pseudonyms import OLDEST_AGE, POOLED_AGE

PIXEL_LAYOUT = (
    "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip
KEPT = (
    "SOPClassUID", "ImageType", "Modality", "PresentationIntentType", "BodyPartExamined",
    "ViewPosition", "Laterality", "ImageLaterality", "PatientPosition", "PatientOrientation",
    "PixelSpacing", "ImagerPixelSpacing", "PixelSpacingCalibrationType", "SliceThickness",
    "SpacingBetweenSlices", "ImagePositionPatient", "ImageOrientationPatient", "PixelAspectRatio",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "PresentationLUTShape", "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "LossyImageCompression", "LossyImageCompressionRatio", "BurnedInAnnotation",
)  # fmt: skip
GRANTABLE = (
    "PatientSex", "PatientAge", "PatientSize", "PatientWeight", "Manufacturer",
    "ManufacturerModelName", "KVP", "Exposure", "ExposureTime", "XRayTubeCurrent",
    "DistanceSourceToDetector", "DistanceSourceToPatient",
    "MagneticFieldStrength", "EchoTime", "RepetitionTime", "FlipAngle", "ConvolutionKernel",
)  # fmt: skip
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
# Mandatory in every image, so present and empty: a strict reader opens the file, learning nothing.
EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber",
    "ReferringPhysicianName", "StudyID",
)  # fmt: skip
READ = (*PIXEL_LAYOUT, *KEPT, *GRANTABLE, *UIDS, "InstanceNumber", "PixelData")
# These change what the pixels mean, and no reader of the canonical file could honour them yet.
REFUSED = ("ModalityLUTSequence", "FloatPixelData", "DoubleFloatPixelData")

_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_AGE = re.compile(r"(\d{3})([DWMY])")
_VENDOR_TEXT = re.compile(r"[A-Za-z0-9 ._+/()-]{1,64}")
_PATTERNS = {"CS": _CODE, "LO": _VENDOR_TEXT, "SH": _VENDOR_TEXT}
_IMAGE_TYPE_VALUES = 2  # what follows the first two is the manufacturer's own wording


def kept_headers(source: Dataset, granted: Iterable[str]) -> Dataset:
    """Return a new dataset with the kept and granted headers, each value checked and rewritten."""
    kept = Dataset()
    for keyword in (*KEPT, *granted):
        if keyword in source and (value := _clean(keyword, source[keyword])) is not None:
            setattr(kept, keyword, value)
    for keyword in EMPTY:
        setattr(kept, keyword, "")
    return kept


def _clean(keyword: str, element: pydicom.DataElement) -> Any:
    """Return a value that can hold a number or a code only; None where it holds anything else."""
    values = list(element.value) if element.VM > 1 else [element.value]
    if keyword == "ImageType":
        values = values[:_IMAGE_TYPE_VALUES]
    cleaned = [_clean_one(dictionary_VR(keyword), value) for value in values]
    if not cleaned or any(value is None for value in cleaned):
        return None
    return cleaned if len(cleaned) > 1 else cleaned[0]


def _clean_one(vr: str, value: Any) -> Any:
    if value is None or value == "":
        return None
    text = str(value)
    if vr in _PATTERNS:
        return text if _PATTERNS[vr].fullmatch(text) else None
    if vr == "AS":
        return _pooled(text)
    if vr == "UI":
        return value if UID(text).is_valid else None
    return format_number_as_ds(float(value)) if vr == "DS" else int(value)


def _pooled(age: str) -> str | None:
    found = _AGE.fullmatch(age)
    if not found:
        return None
    over = found[2] == "Y" and int(found[1]) > OLDEST_AGE
    return f"{POOLED_AGE:03d}Y" if over else age
