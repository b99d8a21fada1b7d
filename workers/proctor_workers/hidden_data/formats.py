"""Knows a file's format by its first bytes and hands a case to that format's writer."""

from collections.abc import Sequence

from proctor_workers.hidden_data.canonical_file import CanonicalFile, Refusal, UnreadableFileError
from proctor_workers.hidden_data.dicom import canonical_dicom
from proctor_workers.hidden_data.raster import PNG_MAGIC, canonical_png

_NAMED = {
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\x1f\x8b": "gzip (NIfTI?)",
    b"PK\x03\x04": "zip",
    b"NRRD": "NRRD",
    b"%PDF": "PDF",
}


def canonicalise(
    contents: Sequence[bytes], granted: Sequence[str]
) -> list[CanonicalFile] | Refusal:
    """Return the canonical files of one case, or why there are none (called in another process)."""
    try:
        kinds = {_format(content) for content in contents}
        if len(kinds) > 1:
            return Refusal("are of several formats", "Give a case files of one format.")
        return canonical_dicom(contents, granted) if kinds == {"DICOM"} else canonical_png(contents)
    except UnreadableFileError as exc:
        return exc.refusal


def _format(content: bytes) -> str:
    if content[128:132] == b"DICM":
        return "DICOM"
    if content.startswith(PNG_MAGIC):
        return "PNG"
    for magic, name in _NAMED.items():
        if content.startswith(magic):
            raise UnreadableFileError(f"is {name}, which is not read yet", "Use DICOM or PNG.")
    raise UnreadableFileError("is of an unknown format", "Use DICOM (with preamble) or PNG.")
