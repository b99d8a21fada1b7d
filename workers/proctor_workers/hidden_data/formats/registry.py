"""Knows a case's format by its files' first bytes and hands the case to that format's reader."""

from proctor_workers.hidden_data.case_files import (
    CaseContent,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.formats import (
    dicom,
    raster,
    signals,
    slides,
    slides_dicom,
    tables,
    volumes,
)
from proctor_workers.hidden_data.formats.base import HEAD_BYTES, Format

# The first that recognises a file reads it: what is told by its bytes stands before what is not.
FORMATS: tuple[Format, ...] = (
    *slides_dicom.FORMATS,  # before DICOM: a slide of gigabytes is not to be held in memory
    *dicom.FORMATS,
    *raster.FORMATS,
    *volumes.FORMATS,
    *slides.FORMATS,
    *signals.FORMATS,
    *tables.FORMATS,
)
_NAMED = {
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF document",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
}


def read_case(request: ReadRequest) -> CaseContent:
    """Read one case's files and write their canonical form.

    Raises:
        UnreadableFileError: a file is broken, too large, or of a kind that is not taken.
        QuarantineError: a person must look at the case first.
    """
    found = {_format_of(file).name: _format_of(file) for file in request.files}
    if len(found) > 1:
        raise UnreadableFileError(
            f"belongs to a case of several formats ({', '.join(sorted(found))})",
            "Give a case files of one format.",
            file=request.files[0].name,
        )
    (reader,) = found.values()
    return reader.read(request)


def _format_of(file: SourceFile) -> Format:
    try:
        with file.path.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
    except OSError as exc:
        raise UnreadableFileError(
            "cannot be opened", "Look at its rights.", file=file.name
        ) from exc
    for known in FORMATS:
        if known.recognises(head, file.name):
            return known
    named = next((name for magic, name in _NAMED.items() if head.startswith(magic)), "")
    raise UnreadableFileError(
        f"is {named}, which holds no image itself" if named else "is of an unknown format",
        "Unpack it." if "archive" in named else "See the formats that are read in the reference.",
        file=file.name,
    )
