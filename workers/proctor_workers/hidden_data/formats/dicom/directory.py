"""Replaces a DICOMDIR by the files that it lists (PS3.3 F.3); it is never kept itself."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from pydicom.dataset import Dataset

from proctor_workers.hidden_data.case_files import SourceFile, UnreadableFileError
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.formats.dicom.kinds import is_directory
from proctor_workers.hidden_data.formats.dicom.originals import Original, blamed, opened

MOST_FILES = 20_000
_IMAGES = frozenset({"IMAGE", "WAVEFORM"})  # of the types of record, PS3.3 F.5


def without_directories(originals: Sequence[Original]) -> tuple[list[Original], list[Finding]]:
    """Return the case's files without its DICOMDIRs; one that stands alone gives its files.

    They lie beside the DICOMDIR on this machine, or the case names them too, or its whole folder.

    Raises:
        UnreadableFileError: the listed files are not there, or belong to several patients.
    """
    directories = [one for one in originals if is_directory(one.header)]
    if not directories:
        return list(originals), []
    files = [one for one in originals if not is_directory(one.header)]
    if files:
        return files, [found for one in directories for found in _missing(one, files)]
    for one in directories:
        with blamed(one.name):
            files += [opened(file) for file in _beside(one)]
    return files, []


def _beside(directory: Original) -> list[SourceFile]:
    records = directory.header.get("DirectoryRecordSequence") or ()
    if sum(_type(record) == "PATIENT" for record in records) > 1:
        raise UnreadableFileError(
            "is a DICOMDIR of several patients", "Name each case's files or folder in its row."
        )
    listed = [_found(directory.file, parts) for parts in _listed(directory.header)]
    if not listed or len(listed) > MOST_FILES:
        raise UnreadableFileError(
            "is a DICOMDIR that lists no images, or too many", "Name the files in the row."
        )
    return listed


def _found(directory: SourceFile, parts: tuple[str, ...]) -> SourceFile:
    """Return a listed file, which must lie below the folder of its DICOMDIR."""
    folder = directory.path.parent.resolve()
    path = Path(folder, *parts).resolve()
    if not path.is_relative_to(folder) or path == folder or not path.is_file():
        raise UnreadableFileError(
            "is a DICOMDIR whose files do not lie beside it", "Name them or their folder too."
        )
    name = PurePosixPath(directory.name).parent.joinpath(*parts)
    return SourceFile(name=str(name), path=path)


def _missing(directory: Original, files: Sequence[Original]) -> Iterator[Finding]:
    """Tell of listed files that the case does not name."""
    with blamed(directory.name):
        named = {tuple(part.lower() for part in PurePosixPath(one.name).parts) for one in files}
        ends = {parts[-depth:] for parts in named for depth in range(1, len(parts) + 1)}
        listed = [tuple(part.lower() for part in parts) for parts in _listed(directory.header)]
        missing = sum(parts not in ends for parts in listed)
    if missing:
        yield Finding(
            code="dicomdir.files_missing",
            severity=Severity.WARNING,
            message=f"lists {missing} images that its case does not name",
            cure="Name them in the row, or its whole folder.",
            file=directory.name,
            values={"count": missing},
        )


def _listed(header: Dataset) -> Iterator[tuple[str, ...]]:
    """Yield the path of every image that the records name."""
    for record in header.get("DirectoryRecordSequence") or ():
        parts = record.get("ReferencedFileID")
        if not parts or _type(record) not in _IMAGES:
            continue
        named = (parts,) if isinstance(parts, str) else tuple(str(part) for part in parts)
        if any(part in {"", ".", ".."} or "/" in part or "\\" in part for part in named):
            raise UnreadableFileError("is a damaged DICOMDIR", "Name the files in the row.")
        yield named


def _type(record: Dataset) -> str:
    return str(record.get("DirectoryRecordType") or "").strip()
