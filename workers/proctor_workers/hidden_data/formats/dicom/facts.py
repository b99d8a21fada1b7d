"""Says how a case's images were acquired, and which traces their files carry."""

from collections.abc import Iterable, Sequence

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.uid import UID

from proctor_workers.hidden_data.case_files import Fact
from proctor_workers.hidden_data.deidentify.headers import cleaner_of
from proctor_workers.hidden_data.deidentify.values import ValueCleaner
from proctor_workers.hidden_data.formats.dicom.geometry import numbers
from proctor_workers.hidden_data.formats.dicom.originals import Original
from proctor_workers.hidden_data.formats.dicom.pixels import Layout
from proctor_workers.hidden_data.formats.series import Arrangement
from proctor_workers.hidden_data.pseudonyms import PatientKeys

_WORDS = {
    "modality": ("Modality",),
    "manufacturer": ("Manufacturer",),
    "model": ("ManufacturerModelName",),
    "scanner": ("StationName", "DeviceSerialNumber"),
    "view": ("ViewPosition",),
    "laterality": ("ImageLaterality", "Laterality"),
    "body_part": ("BodyPartExamined",),
}
_LONGEST = 64  # DICOM's LO
_SEVERAL = "several"


def facts_of(
    originals: Sequence[Original],
    layouts: Sequence[Layout],
    arrangement: Arrangement,
    keys: PatientKeys,
) -> dict[str, Fact]:
    """Return the facts of a case; a word that its files do not share is "several".

    A word that is no code, or that names the patient, is none.
    """
    headers, first = [one.header for one in originals], layouts[0]
    facts: dict[str, Fact] = {
        "format": "dicom",
        "files": float(len(originals)),
        "transfer_syntax": _shared(_named(one.syntax) for one in originals),
        "photometric": _shared(one.photometric for one in layouts),
        "bits_stored": float(first.stored),
        "rows": float(first.rows),
        "columns": float(first.columns),
        "slices": float(sum(one.frames for one in layouts)),
        "orientation": arrangement.orientation,
    }
    cleaner = cleaner_of(headers[0], keys)
    for name, keywords in _WORDS.items():
        facts[name] = _shared(_word(header, keywords, cleaner) for header in headers)
    spacing = _spacing(headers[0])
    if spacing:
        facts["row_spacing"], facts["column_spacing"] = spacing[:2]
    if arrangement.slice_spacing is not None:
        facts["slice_spacing"] = arrangement.slice_spacing
    return {name: fact for name, fact in facts.items() if fact != ""}


def original_compression(originals: Sequence[Original]) -> str:
    """Return how the files' pixels were compressed."""
    return _shared(_named(one.syntax) if one.syntax.is_compressed else "none" for one in originals)


def _named(syntax: UID) -> str:
    return str(syntax.keyword or syntax.name)


def _word(header: Dataset, keywords: Iterable[str], cleaner: ValueCleaner) -> str:
    found = (
        cleaner.cleaned(keyword, dictionary_VR(keyword), str(header.get(keyword) or "").strip(), {})
        for keyword in keywords
    )
    return next((word for word in found if word), "")[:_LONGEST]


def _shared(words: Iterable[str]) -> str:
    found = set(words)
    return found.pop() if len(found) == 1 else _SEVERAL


def _spacing(header: Dataset) -> tuple[float, ...] | None:
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    measures = next(iter(shared.get("PixelMeasuresSequence") or ()), header)
    found = numbers(measures, "PixelSpacing") or numbers(header, "ImagerPixelSpacing")
    return found if found and len(found) == 2 else None
