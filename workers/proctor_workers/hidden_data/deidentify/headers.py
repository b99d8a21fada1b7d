"""Decides which DICOM headers a canonical file keeps, and in which words.

Always those that say how to read the pixels; by a plan's options and grants some that tell of the
person, the device or the time, rewritten; nothing else. It is an allow-list, so that what nobody
thought of is gone: names, free text, private tags, sequences (PS3.15 Annex E allows removing more).
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from proctor_workers.hidden_data.deidentify import annex_e
from proctor_workers.hidden_data.deidentify.coded import code_item
from proctor_workers.hidden_data.deidentify.content import kept_content
from proctor_workers.hidden_data.deidentify.dates import TIME_OF, Clock, full_date
from proctor_workers.hidden_data.deidentify.graphics import GRAPHICS, kept_overlays
from proctor_workers.hidden_data.deidentify.items import Allowed, kept_items
from proctor_workers.hidden_data.deidentify.private import kept_private
from proctor_workers.hidden_data.deidentify.profile import (
    BurnedIn,
    Deidentification,
    Option,
    burned_in_policy,
)
from proctor_workers.hidden_data.deidentify.readable import UNREADABLE, text_of
from proctor_workers.hidden_data.deidentify.text import known_of
from proctor_workers.hidden_data.deidentify.uids import UIDS
from proctor_workers.hidden_data.deidentify.values import ValueCleaner, pooled_age_string
from proctor_workers.hidden_data.pseudonyms import PatientKeys

PIXEL_LAYOUT = (
    "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip

KEPT = (
    "SOPClassUID", "ImageType", "Modality", "PresentationIntentType", "BodyPartExamined",
    "ViewPosition", "Laterality", "ImageLaterality", "PatientPosition", "PatientOrientation",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "PixelSpacingCalibrationType", "SliceThickness",
    "SpacingBetweenSlices", "ImagePositionPatient", "ImageOrientationPatient", "PixelAspectRatio",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "PresentationLUTShape", "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "LossyImageCompression", "LossyImageCompressionRatio", "BurnedInAnnotation",
)  # fmt: skip
# What is legitimately read by some devices: granted one by one, by keyword.
_TECHNIQUE = (
    "KVP", "Exposure", "ExposureTime", "ExposureInuAs", "XRayTubeCurrent", "RelativeXRayExposure",
    "DistanceSourceToDetector", "DistanceSourceToPatient", "BodyPartThickness", "CompressionForce",
    "PositionerPrimaryAngle", "PositionerSecondaryAngle", "EntranceDoseInmGy", "CTDIvol",
    "ConvolutionKernel", "FilterType", "ReconstructionDiameter", "DataCollectionDiameter",
    "GantryDetectorTilt", "TableHeight", "SpiralPitchFactor", "SliceLocation", "ScanOptions",
    "MagneticFieldStrength", "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle",
    "EchoTrainLength", "ImagingFrequency", "ImagedNucleus", "MRAcquisitionType",
    "ScanningSequence", "SequenceVariant", "DiffusionBValue", "NumberOfAverages",
    "PixelBandwidth", "AcquisitionNumber", "TemporalPositionIdentifier",
    "NumberOfTemporalPositions", "TriggerTime", "HeartRate", "FrameTime", "FrameTimeVector",
    "CineRate", "RecommendedDisplayFrameRate",
)  # fmt: skip
_EMISSION = (
    "Units", "CountsSource", "SUVType", "CorrectedImage", "DecayCorrection", "DecayFactor",
    "DoseCalibrationFactor", "FrameReferenceTime", "ActualFrameDuration",
    "RadiopharmaceuticalInformationSequence",
)  # fmt: skip
_GRANTED_ONE_BY_ONE = frozenset(
    {
        Option.RETAIN_LONGITUDINAL,
        Option.RETAIN_PATIENT_CHARACTERISTICS,
        Option.RETAIN_DEVICE_IDENTITY,
        Option.CLEAN_DESCRIPTORS,
    }
)
GRANTABLE = (
    *(row.keyword for row in annex_e.ATTRIBUTES if row.option in _GRANTED_ONE_BY_ONE),
    *_TECHNIQUE,
    *_EMISSION,
)
# Mandatory in every image, so present and empty: a strict reader opens the file, learning nothing.
EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber",
    "ReferringPhysicianName", "StudyID",
)  # fmt: skip
# Whose values must stand nowhere: read for that, never kept.
IDENTIFIERS = (
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName",
    "PatientMotherBirthName", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName",
    "PerformingPhysicianName", "OperatorsName", "NameOfPhysiciansReadingStudy",
    "PhysiciansOfRecord", "RequestingPhysician", "InstitutionName", "MedicalRecordLocator",
)  # fmt: skip
# What has to be read of a file so that all of this can be decided, beside what a reader needs.
READ = (*KEPT, *GRANTABLE, *IDENTIFIERS, *UIDS, *PIXEL_LAYOUT)
_PIXELS = frozenset(Tag(keyword) for keyword in (*PIXEL_LAYOUT, *UIDS, "PixelData"))
_LAST_CREATOR = 0xFF  # elements up to here reserve private blocks (PS3.5 7.8.1)

_RADIOPHARMACEUTICAL: Allowed = {
    "RadiopharmaceuticalStartTime": None,
    "RadiopharmaceuticalStopTime": None,
    "RadiopharmaceuticalStartDateTime": None,
    "RadiopharmaceuticalStopDateTime": None,
    "RadionuclideTotalDose": None,
    "RadionuclideHalfLife": None,
    "RadionuclidePositronFraction": None,
    "RadiopharmaceuticalVolume": None,
    "RadiopharmaceuticalSpecificActivity": None,
    "RadionuclideCodeSequence": {},
    "RadiopharmaceuticalCodeSequence": {},
}
_ITEMS: Mapping[str, Callable[[Iterable[Dataset], ValueCleaner], list[Dataset]]] = {
    "RadiopharmaceuticalInformationSequence": (
        lambda items, cleaner: kept_items(items, _RADIOPHARMACEUTICAL, cleaner)
    ),
    "GraphicAnnotationSequence": lambda items, cleaner: kept_items(items, GRAPHICS, cleaner),
    "ContentSequence": kept_content,
    "AcquisitionContextSequence": kept_content,
}


def kept_headers(
    source: Dataset, deidentification: Deidentification, keys: PatientKeys
) -> tuple[Dataset, Counter[str]]:
    """Return a new dataset with what is kept of a file's headers, and what was done, counted.

    Every value is checked and rewritten; one that cannot be read is removed. UIDs are `CaseUids`'
    to set, and the layout of the pixels is the reader's. The dataset says of itself how it was
    made safe (PS3.3 C.12.1, C.7.1.1).
    """
    kept = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of values that break the standard
        cleaner = cleaner_of(source, keys)
        beside = _times_of_day(source)
        for keyword, tag, vr in _wanted(deidentification):
            if tag in source and (element := _kept(source, tag, keyword, vr, cleaner, beside)):
                kept.add(element)
        if "PatientAge" in _keywords(deidentification) and "PatientAge" not in kept:
            _add_age(kept, source)
        if Option.CLEAN_GRAPHICS in deidentification.options:
            cleaner.actions["overlay.kept"] += kept_overlays(source, kept, cleaner.known)
        privates = kept_private(source, kept, deidentification.private_tags, cleaner)
    cleaner.actions.update(_removed(source, kept, privates))
    for keyword in EMPTY:
        if keyword not in kept:
            setattr(kept, keyword, "")
    _declare(kept, deidentification)
    return kept, +cleaner.actions


def cleaner_of(source: Dataset, keys: PatientKeys) -> ValueCleaner:
    """Return what rewrites the values of this file, for those who keep further sequences of it."""
    clock = Clock.of(source, keys.date_shift_days)
    descriptors = frozenset(annex_e.keywords_of(Option.CLEAN_DESCRIPTORS)) | {"TextValue"}
    known = known_of((*keys.names, *_identifiers(source)))
    return ValueCleaner(clock, known, descriptors)


@lru_cache(maxsize=64)
def _keywords(deidentification: Deidentification) -> frozenset[str]:
    of_options = (annex_e.keywords_of(option) for option in deidentification.options)
    granted = (keyword for keyword in deidentification.headers if keyword in GRANTABLE)
    return frozenset(KEPT).union(granted, *of_options)


@lru_cache(maxsize=64)
def _wanted(deidentification: Deidentification) -> tuple[tuple[str, int, str], ...]:
    """Return keyword, tag and VR of all that is kept."""
    return tuple(
        (keyword, int(tag_for_keyword(keyword) or 0), dictionary_VR(keyword))
        for keyword in sorted(_keywords(deidentification))
    )


def _kept(
    source: Dataset,
    tag: int,
    keyword: str,
    vr: str,
    cleaner: ValueCleaner,
    beside: Mapping[str, str],
) -> DataElement | None:
    try:
        element = source[tag]
        value = element.value
    except UNREADABLE:
        return None
    if vr == "SQ":
        items = _ITEMS[keyword](value if element.VR == "SQ" else (), cleaner)
        return DataElement(tag, "SQ", items) if items else None
    known_vr = element.VR if " or " in vr else vr
    clean = cleaner.cleaned(keyword, known_vr, value, beside)
    return None if clean is None else DataElement(tag, known_vr, clean)


def _times_of_day(source: Dataset) -> dict[str, str]:
    return {day: text_of(source, time_of_day) for day, time_of_day in TIME_OF.items()}


def _identifiers(source: Dataset) -> tuple[str, ...]:
    found: list[str] = []
    for keyword in IDENTIFIERS:
        if keyword not in source:
            continue
        try:
            value: Any = source[keyword].value
        except UNREADABLE:
            continue
        several = isinstance(value, MultiValue | list)
        found += [str(one) for one in (value if several else (value,)) if one]
    return tuple(found)


def _add_age(kept: Dataset, source: Dataset) -> None:
    """Set the age that a file lacks from its dates, as a device that reads the age would have."""
    born, seen = (full_date(text_of(source, k)) for k in ("PatientBirthDate", "StudyDate"))
    if born is None or seen is None or seen < born:
        return
    years = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    if age := pooled_age_string(f"{years:03d}Y"):
        kept.PatientAge = age


def _removed(source: Dataset, kept: Dataset, privates: int) -> dict[str, int]:
    """Count what the source's first level held and the kept headers do not."""
    tags = [tag for tag in source.keys() if tag not in kept and tag not in _PIXELS]  # noqa: SIM118
    private = sum(1 for tag in tags if tag.is_private and tag.element > _LAST_CREATOR)
    ordinary = sum(1 for tag in tags if not tag.is_private)
    return {
        "header.removed": ordinary,
        "private.removed": max(0, private - privates),
        "private.kept": privates,
    }


def declare_faceless(kept: Dataset) -> None:
    """Add to a canonical file's own statement that the face was taken out of its volume."""
    code, meaning = annex_e.CLEAN_VISUAL_FEATURES
    codes = [*kept.DeidentificationMethodCodeSequence, code_item(code, "DCM", meaning)]
    kept.DeidentificationMethodCodeSequence = sorted(codes, key=lambda one: str(one.CodeValue))


def _declare(kept: Dataset, deidentification: Deidentification) -> None:
    """Say in the dataset itself how it was made safe."""
    dates = Option.RETAIN_LONGITUDINAL in deidentification.options or any(
        dictionary_VR(keyword) in {"DA", "TM", "DT"} for keyword in _keywords(deidentification)
    )
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = "DICOM PS3.15 Annex E; all but an allow-list removed"
    kept.DeidentificationMethodCodeSequence = [
        code_item(code, "DCM", meaning) for code, meaning in annex_e.method_codes(deidentification)
    ]
    kept.LongitudinalTemporalInformationModified = "MODIFIED" if dates else "REMOVED"
    if burned_in_policy(deidentification) is not BurnedIn.KEEP:
        kept.BurnedInAnnotation = "NO"
    if any(not str(element.value).isascii() for element in kept):
        kept.SpecificCharacterSet = "ISO_IR 192"
