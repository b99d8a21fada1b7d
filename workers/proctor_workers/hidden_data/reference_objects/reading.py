"""Reads a case's reference file, whatever it is, into outputs in the contract's tags."""

import warnings
from collections.abc import Mapping, Sequence

from proctor_workers.hidden_data.case_files import (
    Grid,
    Refusal,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.formats.base import HEAD_BYTES
from proctor_workers.hidden_data.formats.dicom.originals import is_dicom
from proctor_workers.hidden_data.formats.raster.png import MAGIC as PNG
from proctor_workers.hidden_data.formats.raster.tiff import MAGIC as TIFF
from proctor_workers.hidden_data.formats.volumes.case_volumes import is_header
from proctor_workers.hidden_data.reference_objects.dicom_objects import dicom_outputs
from proctor_workers.hidden_data.reference_objects.json_outputs import checked_outputs
from proctor_workers.hidden_data.reference_objects.label_maps import (
    png_mask,
    tiff_mask,
    volume_mask,
)
from proctor_workers.hidden_data.reference_objects.masks import Taken

LARGEST_FILE = 1 << 31  # bytes


def reference_outputs(
    file: SourceFile,
    *,
    labels: Mapping[str, str],
    grid: Grid | None,
    companions: Sequence[SourceFile] = (),
) -> Taken:
    """Return the canonical JSON of a reference file and what is odd about it, or why it is refused.

    Whatever the bytes are, nothing is raised.

    Args:
        file: JSON in the contract's tags, a label map (PNG, TIFF, NIfTI, NRRD, MetaImage), or a
            DICOM SEG, RTSTRUCT or SR.
        labels: what values of a label map mean, and what structures of an object are called.
        grid: of the case's pictures; masks are made on it.
        companions: files that a header names, such as the data of `.mhd`.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of the libraries, about foreign bytes
            return _outputs(file, labels, grid, companions)
    except UnreadableFileError as exc:
        return exc.refusal, ()
    except MemoryError:
        return Refusal("is too large to be read here", "Cut it into several cases."), ()


def _outputs(
    file: SourceFile, labels: Mapping[str, str], grid: Grid | None, companions: Sequence[SourceFile]
) -> Taken:
    head = _head(file)
    if head.startswith(PNG):
        return png_mask(file.path.read_bytes(), file.name, labels, grid)
    if head.startswith(TIFF) and not _is_part_10(head):  # whose preamble may be that of a TIFF
        return tiff_mask(file, labels, grid)
    if is_header(head, file.name):
        return volume_mask((file, *companions), labels, grid)
    if is_dicom(head, file.name):
        return dicom_outputs(file, labels, grid)
    return checked_outputs(file.path.read_bytes()), ()


def _is_part_10(head: bytes) -> bool:
    """Say whether a file says that it is DICOM behind its preamble (PS3.10 7.1)."""
    return head[128:132] == b"DICM"


def _head(file: SourceFile) -> bytes:
    try:
        if file.path.stat().st_size > LARGEST_FILE:
            raise UnreadableFileError("is larger than 2 GiB", "Split it.")
        with file.path.open("rb") as opened:
            return opened.read(HEAD_BYTES)
    except OSError as exc:
        raise UnreadableFileError("cannot be opened", "Look at its rights.") from exc
