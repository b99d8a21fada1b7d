"""Tells DICOM images from what other readers take, and says why the rest is refused."""

from enum import StrEnum

from pydicom.dataset import Dataset
from pydicom.uid import UID

from proctor_workers.hidden_data.case_files import UnreadableFileError

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_DIRECTORY = "1.2.840.10008.1.3.10"
_WAVEFORMS = f"{_STORAGE}9."
_SLIDE = f"{_STORAGE}77.1.6"
_AS_REFERENCE = "Name it as reference_file, or leave it out."
_LEAVE_OUT = "Leave it out of the case."
# By the beginning of the SOP class (PS3.4 B.5): what it is, and the cure.
_REFUSED = (
    ("66.4", "is a segmentation, which would show a model the answer", _AS_REFERENCE),
    ("66.5", "is a surface segmentation, which would show a model the answer", _AS_REFERENCE),
    ("66.6", "is a set of fibre tracts", _LEAVE_OUT),
    ("66.7", "is a label map, which would show a model the answer", _AS_REFERENCE),
    ("66.8", "is a height map", _LEAVE_OUT),
    ("66", "is raw data, a registration or fiducials, and no image", _LEAVE_OUT),
    ("67", "is a mapping to real-world values, and no image", _LEAVE_OUT),
    ("68", "is a surface, and no image", _LEAVE_OUT),
    ("88", "is a structured report, and no image", _AS_REFERENCE),
    ("481.3", "is a set of radiotherapy structures, and no image", _AS_REFERENCE),
    ("481", "is a radiotherapy plan or record, and no image", _LEAVE_OUT),
    ("104", "is an encapsulated document, and no image", _LEAVE_OUT),
    ("11", "is a presentation state, and no image", _LEAVE_OUT),
    ("4.2", "holds spectra, and no image", _LEAVE_OUT),
)
_RT_IMAGES = frozenset({f"{_STORAGE}481.1", f"{_STORAGE}481.2"})  # RT Image, RT Dose


class Kind(StrEnum):
    """Who reads an object."""

    IMAGE = "images"
    WAVEFORM = "signals"
    SLIDE = "whole slides"


def kind_of(header: Dataset, *, has_pixels: bool) -> Kind:
    """Return who reads an object.

    Raises:
        UnreadableFileError: it is neither an image nor a signal.
    """
    sop_class = str(header.get("SOPClassUID") or "")
    if sop_class.startswith(_WAVEFORMS):
        return Kind.WAVEFORM
    if sop_class == _SLIDE:
        return Kind.SLIDE
    if sop_class not in _RT_IMAGES:
        for beginning, what, cure in _REFUSED:
            if (sop_class + ".").startswith(f"{_STORAGE}{beginning}."):
                raise UnreadableFileError(what, cure)
    if not has_pixels:
        known = UID(sop_class).name if sop_class.startswith(_STORAGE) else "DICOM"
        raise UnreadableFileError(
            f"is a {known.removesuffix(' Storage')} object without pixels", _LEAVE_OUT
        )
    return Kind.IMAGE


def is_directory(header: Dataset) -> bool:
    """Say whether a file is a DICOMDIR."""
    meta = header.file_meta
    named = str(meta.get("MediaStorageSOPClassUID") or "") if meta else ""
    return named == _DIRECTORY or "DirectoryRecordSequence" in header
