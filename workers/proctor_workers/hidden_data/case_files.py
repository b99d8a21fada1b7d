"""What a format's reader is given and what it returns: one case's files, in and out.

A reader decodes the original files of one case and writes their canonical form, once, into a
scratch folder. It decides what a file is and keeps of it; where files come from and where they go
is the ingest's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from proctor_workers.hidden_data.deidentify.profile import Deidentification
from proctor_workers.hidden_data.findings import Finding
from proctor_workers.hidden_data.pseudonyms import PatientKeys

Fact = str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """An original file on this machine; `name` is its path as the table of cases has it.

    Read only. `path` need not end as `name` does: a reader goes by the bytes. Files that belong
    together (`.hea` with `.dat`, `.mhd` with `.raw`) find each other by `name`.
    """

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalForm:
    """In which form a cohort's files are kept, for ever; chosen by the plan."""

    volumes: str = "native"  # of DICOM series and volumes: native, nifti or nrrd
    rasters: str = "png"  # of PNG, JPEG and TIFF pictures: png or tiff
    tables: str = "parquet"  # of CSV and Parquet case files: parquet or csv


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """One case to be read."""

    files: tuple[SourceFile, ...]
    keys: (
        PatientKeys  # replaces identifiers and shifts dates, the same for all of a patient's files
    )
    deidentification: Deidentification
    form: CanonicalForm
    folder: Path  # empty, the case's own; canonical files are written here


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalFile:
    """One file as it is staged, for ever.

    `original_uid` is the file's identifier at its origin (a SOP Instance UID), empty if it has
    none. `source_sha256` is the digest of the original bytes (of the first original, where several
    became one). Where pixels were decoded `decoded_pixel_sha256`, `perceptual_hash` and
    `detail_hash` are those of `proctor_sdk.fingerprints.pixels`, else empty.
    """

    name: str
    role: str
    path: Path
    size: int
    sha256: str
    decoded_pixel_sha256: str = ""
    perceptual_hash: str = ""
    original_uid: str = ""
    source_sha256: str = ""
    detail_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The array that a model reads, and where it lies in the patient.

    `size` and `spacing` (mm) are in the array's order: slices, rows, columns or rows, columns.
    `affine` maps homogeneous array indices in that order to patient coordinates (LPS, mm), row by
    row, 4 × 4. `instances` are the original SOP Instance UIDs, slice by slice.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    affine: tuple[tuple[float, ...], ...] | None = None
    frame_of_reference: str = ""
    instances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseContent:
    """What became of a case's files.

    `facts` are properties of the acquisition that a model legitimately sees or may infer, by the
    names of `quality.facts`; `artefacts` are traces that say nothing of the patient and could still
    give the truth away (see `leak_audit.features`). `actions` counts what de-identification did.
    """

    files: tuple[CanonicalFile, ...]
    facts: Mapping[str, Fact] = field(default_factory=dict)
    artefacts: Mapping[str, Fact] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    actions: Mapping[str, int] = field(default_factory=dict)
    grid: Grid | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file of the partner's that cannot be taken; the row is told where this is read."""

    what: str
    cure: str


class UnreadableFileError(Exception):
    """A file cannot be taken at all: broken, of an unknown kind, too large. Names why and the cure.

    The sentence follows the file's name: "is a damaged DICOM file".
    """

    def __init__(self, what: str, cure: str, *, file: str = "") -> None:
        super().__init__(what)
        self.refusal = Refusal(what, cure)
        self.file = file


class QuarantineError(UnreadableFileError):
    """A case could be read, and must be seen by a person before a model may see it."""
