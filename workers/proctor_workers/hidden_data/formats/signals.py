"""Reads case files that are signals (WFDB, EDF, EDF+, BDF) and has them written in one form."""

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from proctor_workers.hidden_data.case_files import (
    CanonicalFile,
    CaseContent,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.formats.base import HEAD_BYTES, Format
from proctor_workers.hidden_data.formats.edf import is_edf, read_edf
from proctor_workers.hidden_data.formats.recordings import (
    Origin,
    Recording,
    artefacts,
    facts,
    findings,
    write_recording,
)
from proctor_workers.hidden_data.formats.wfdb_records import read_header, read_record

_HEADER = ".hea"
_SAMPLES = frozenset({".dat", ".mat", ".sig"})
# WFDB's annotators (annot(5)) and those of PhysioNet's larger collections.
_ANNOTATIONS = frozenset(
    {".atr", ".qrs", ".ecg", ".ann", ".xws", ".apn", ".st", ".stf", ".ari", ".pu", ".man", ".wqrs"}
    | {".event", ".arousal", ".trigger", ".gqrs", ".breath", ".anI", ".anII"}
)


def recognises(head: bytes, name: str) -> bool:
    """Say whether a file is part of a signal; samples and annotations are known by name only."""
    return is_edf(head) or PurePosixPath(name).suffix in {_HEADER} | _SAMPLES | _ANNOTATIONS


def read(request: ReadRequest) -> CaseContent:
    """Rewrite one case's signals as WFDB records, one for each sampling rate.

    Raises:
        UnreadableFileError: a file is damaged, missing, or of annotations.
    """
    found = list(_recordings(request))
    files: list[CanonicalFile] = []
    for position, (_, file, recording) in enumerate(found):
        origin = Origin(sha256=_sha256(file.path))
        files += write_recording(request.folder, position, recording, origin)
    recordings = [recording for _, _, recording in found]
    return CaseContent(
        files=tuple(files),
        facts=facts(recordings, ", ".join(sorted({kind for kind, _, _ in found}))),
        artefacts=artefacts(recordings),
        findings=tuple(
            finding for _, file, recording in found for finding in findings(recording, file.name)
        ),
    )


def _recordings(request: ReadRequest) -> Iterator[tuple[str, SourceFile, Recording]]:
    used: set[str] = set()
    for file in request.files:
        if PurePosixPath(file.name).suffix in _ANNOTATIONS:
            raise UnreadableFileError(
                "holds annotations, which are the answer",
                "Put them into the reference standard, not among the case's files.",
                file=file.name,
            )
    for file in request.files:
        with _naming(file):
            if _is_edf(file.path):
                used.add(file.name)
                yield from (("EDF", file, recording) for recording in read_edf(file.path))
            elif PurePosixPath(file.name).suffix == _HEADER:
                header = read_header(file.path)
                parts = {name: _beside(request, file, name) for name in header.files}
                used |= {file.name, *(part.name for part in parts.values())}
                paths = {name: part.path for name, part in parts.items()}
                yield from (("WFDB", file, one) for one in read_record(header, paths))
    if left := [file.name for file in request.files if file.name not in used]:
        raise UnreadableFileError(
            "is named by no header of the case", "Add its .hea file, or leave it out.", file=left[0]
        )


class _naming:  # noqa: N801  reads as a statement
    """Gives an error the name of the file in whose reading it was raised."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnreadableFileError) and not error.file:
            error.file = self._file.name


def _beside(request: ReadRequest, header: SourceFile, name: str) -> SourceFile:
    """Return the case's file that a header names; never one elsewhere on this machine."""
    wanted = str(PurePosixPath(header.name).parent / name)
    for file in request.files:
        if file.name == wanted and "/" not in name:
            return file
    raise UnreadableFileError(
        "names a signal file that the case has not", "Add it to the case's files."
    )


def _is_edf(path: Path) -> bool:
    with path.open("rb") as file:
        return is_edf(file.read(HEAD_BYTES))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


FORMATS = (Format(name="signal", recognises=recognises, read=read),)
