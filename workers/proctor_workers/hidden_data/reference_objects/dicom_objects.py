"""Hands a DICOM object to who reads its kind as a reference standard, or refuses it by name."""

from collections.abc import Mapping

from pydicom.uid import UID

from proctor_workers.hidden_data.case_files import Grid, Refusal, SourceFile
from proctor_workers.hidden_data.formats.dicom.originals import blamed, opened
from proctor_workers.hidden_data.reference_objects.masks import TOO_LARGE, Taken, is_too_large
from proctor_workers.hidden_data.reference_objects.naming import Names
from proctor_workers.hidden_data.reference_objects.segmentations import segmentation_mask
from proctor_workers.hidden_data.reference_objects.structure_sets import structure_set_mask
from proctor_workers.hidden_data.reference_objects.structured_reports import report_outputs

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_SEGMENTATIONS = frozenset({f"{_STORAGE}66.4", f"{_STORAGE}66.7"})
_STRUCTURE_SET = f"{_STORAGE}481.3"
_REPORTS = f"{_STORAGE}88."
_ANNOTATED = "Export the annotations as SEG, RTSTRUCT or SR (TID 1500)."
# By the beginning of the SOP class (PS3.4 B.5): what it is, and the cure.
_REFUSED = (
    ("11.", "is a presentation state: its drawings have no names", _ANNOTATED),
    ("66.5", "is a surface segmentation", "Export it as a SEG of the pictures' voxels."),
    ("91.1", "is an annotation of a whole slide in bulk", "Give boxes or points as JSON."),
    ("88.59", "is a selection of key images", _ANNOTATED),
    ("481.2", "is a radiotherapy dose", "Give the structure set (RTSTRUCT)."),
    ("481.", "is a radiotherapy plan or record", "Give the structure set (RTSTRUCT)."),
)


def dicom_outputs(file: SourceFile, labels: Mapping[str, str], grid: Grid | None) -> Taken:
    """Return the outputs of a DICOM object, on the grid of the case's pictures.

    Raises:
        UnreadableFileError: it is damaged or too large.
    """
    original = opened(file)
    with blamed(file.name):
        sop_class = str(original.header.get("SOPClassUID") or "")
        if (refusal := _refusal(sop_class)) is not None:
            return refusal, ()
        if grid is None or is_too_large(grid.size):
            return (_NO_PICTURES if grid is None else TOO_LARGE), ()
        names = Names(labels)
        if sop_class.startswith(_REPORTS):
            return report_outputs(original.header, file.name, names, grid)
        if sop_class == _STRUCTURE_SET:
            return structure_set_mask(original.header, file.name, names, grid)
        return segmentation_mask(original, names, grid)


def _refusal(sop_class: str) -> Refusal | None:
    """Return why objects of this class are no reference standard, None if they are."""
    if sop_class in {*_SEGMENTATIONS, _STRUCTURE_SET}:
        return None
    for beginning, what, cure in _REFUSED:
        if sop_class.startswith(f"{_STORAGE}{beginning}"):
            return Refusal(what, cure)
    if sop_class.startswith(_REPORTS):
        return None
    known = UID(sop_class).name if sop_class.startswith(_STORAGE) else "DICOM object"
    return Refusal(f"is a {known.removesuffix(' Storage')}, no annotation", _ANNOTATED)


_NO_PICTURES = Refusal(
    "is a DICOM annotation of a case whose pictures are no one grid",
    "Give the case one series of one size, or the reference as JSON.",
)
