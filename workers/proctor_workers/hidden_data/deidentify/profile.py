"""Which de-identification a plan asks for: PS3.15 Annex E, its Basic Profile and its options."""

from dataclasses import dataclass
from enum import StrEnum


class Option(StrEnum):
    """The options of DICOM PS3.15 Annex E that a plan may set; names as in the standard."""

    RETAIN_LONGITUDINAL = "retain_longitudinal_modified_dates"
    RETAIN_PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    RETAIN_DEVICE_IDENTITY = "retain_device_identity"
    CLEAN_DESCRIPTORS = "clean_descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean_structured_content"
    CLEAN_GRAPHICS = "clean_graphics"
    CLEAN_PIXEL_DATA = "clean_pixel_data"


class BurnedIn(StrEnum):
    """What happens to a picture in which text is found."""

    QUARANTINE = "quarantine"
    BLANK = "blank"
    KEEP = "keep"  # nobody looks


class Faces(StrEnum):
    """What happens to the face in a head volume."""

    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deidentification:
    """How a cohort's files are made safe; the default keeps no more than the pixels need."""

    options: frozenset[Option] = frozenset()
    headers: tuple[str, ...] = ()  # further DICOM keywords that models may see
    private_tags: tuple[str, ...] = ()  # 'GGGG,EE CREATOR' of private elements that are kept
    burned_in: BurnedIn = BurnedIn.KEEP
    faces: Faces = Faces.KEEP
    text_columns: tuple[str, ...] = ()  # table columns whose text is cleaned, not scanned only


def burned_in_policy(deidentification: Deidentification) -> BurnedIn:
    """Return what a reader does with text in pictures: Clean Pixel Data means at least blanking."""
    asked = deidentification.burned_in
    cleaned = Option.CLEAN_PIXEL_DATA in deidentification.options
    return BurnedIn.BLANK if cleaned and asked is BurnedIn.KEEP else asked
