"""Every finding that an ingest can make.

The page `docs/reference/quality-report.md` is made from this list, and a test holds the code to it.
"""

from collections.abc import Mapping

from proctor_workers.hidden_data.quality.catalogue_entry import Entry
from proctor_workers.hidden_data.quality.catalogue_of_cohorts import OF_COHORTS
from proctor_workers.hidden_data.quality.catalogue_of_files import OF_FILES

FAMILIES: Mapping[str, str] = {
    "file": "Files that were not taken",
    "case": "Cases that were not taken, or mix patients",
    "reference": "Reference standard",
    "readers": "Readers",
    "duplicate": "The same picture twice",
    "patient": "Patients",
    "leak": "What gives the truth away",
    "text": "Identifying text in the table",
    "pixels": "Pixels and burned-in text",
    "attribute": "Attributes",
    "balance": "Classes and subgroups",
    "acquisition": "Acquisition",
    "geometry": "Geometry of DICOM series",
    "volume": "Volumes (NIfTI, NRRD, MetaImage)",
    "image": "Pictures (PNG, JPEG, TIFF)",
    "slide": "Whole slides",
    "signal": "Signals",
    "table": "Tables as case files",
    "dicomdir": "DICOMDIR",
}

CATALOGUE: Mapping[str, Entry] = {**OF_COHORTS, **OF_FILES}


def title_of(code: str) -> str:
    """Return what a person calls a kind of finding."""
    known = CATALOGUE.get(code)
    return known.title if known else code
