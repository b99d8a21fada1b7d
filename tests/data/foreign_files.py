"""A case of foreign files, as a format's reader is given it, and bytes that were tampered with."""

import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import numpy as np
from hypothesis import strategies as st

from proctor_workers.hidden_data.case_files import (
    CanonicalForm,
    CaseContent,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.deidentify.profile import Deidentification
from proctor_workers.hidden_data.formats.registry import read_case
from proctor_workers.hidden_data.pseudonyms import Pseudonyms

KEYS = Pseudonyms(bytes(32), "coh_test").patient_keys("patient")
KEEP = Deidentification()


def read(
    folder: Path,
    files: dict[str, bytes | Path],
    form: CanonicalForm | None = None,
    plan: Deidentification = KEEP,
) -> CaseContent:
    """Read files by name, given as bytes or where they lie."""
    originals, written = folder / "originals", folder / "canonical"
    originals.mkdir()
    written.mkdir()
    sources = []
    for position, (name, content) in enumerate(files.items()):
        path = content if isinstance(content, Path) else originals / str(position)
        if isinstance(content, bytes):
            path.write_bytes(content)
        sources.append(SourceFile(name=name, path=path))
    return read_case(
        ReadRequest(
            files=tuple(sources),
            keys=KEYS,
            deidentification=plan,
            form=form or CanonicalForm(),
            folder=written,
        )
    )


def outcome(files: dict[str, bytes | Path], form: CanonicalForm | None = None) -> str:
    """Read files and say what came of it; anything but a refusal is raised."""
    with TemporaryDirectory() as folder:
        try:
            read(Path(folder), files, form)
        except UnreadableFileError as exc:
            return exc.refusal.what
    return "read"


def with_fields(nifti: bytes, **fields: Any) -> bytes:
    """Return a NIfTI-1 file with header fields overwritten; pixdim is given from its first on."""
    header = np.frombuffer(nifti, nibabel.nifti1.header_dtype, 1).copy()
    for name, value in fields.items():
        if name == "pixdim":
            header[name][0, : len(value)] = value
        else:
            header[name][0] = value
    return bytes(header.tobytes() + nifti[348:])


def most_memory(files: dict[str, bytes | Path], form: CanonicalForm | None = None) -> float:
    """Return the peak of memory asked for while the files are read, MB; touched or not."""
    tracemalloc.start()
    try:
        outcome(files, form)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def tampered(content: bytes) -> st.SearchStrategy[bytes]:
    """Return the bytes with a few overwritten, cut out, put in, or the end cut off."""
    places = st.integers(0, len(content) - 1) | st.integers(0, min(len(content) - 1, 700))
    values = st.sampled_from([b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0" * 4])
    edits = st.tuples(places, values | st.binary(min_size=1, max_size=4), st.sampled_from("ooodic"))
    return st.lists(edits, min_size=1, max_size=6).map(lambda made: _edited(content, made))


def _edited(content: bytes, edits: list[tuple[int, bytes, str]]) -> bytes:
    changed = bytearray(content)
    for at, value, kind in edits:
        end = at + (0 if kind == "i" else len(value))
        changed[at:end] = b"" if kind == "d" else value
        if kind == "c":
            del changed[at:]
    return bytes(changed)
