"""Reads the pictures of one case and writes their canonical form.

1 decode  2 look for burned-in text, if asked for  3 write and fingerprint
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from proctor_workers.hidden_data.case_files import (
    CanonicalFile,
    CaseContent,
    Fact,
    Grid,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.deidentify.burned_in import CleanedPixels, clean_pixels
from proctor_workers.hidden_data.deidentify.profile import burned_in_policy
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.formats import slides
from proctor_workers.hidden_data.formats.base import Format
from proctor_workers.hidden_data.formats.fingerprints import fingerprinted, traces
from proctor_workers.hidden_data.formats.raster.jpeg import BMP, JPEG, read_bmp, read_jpeg
from proctor_workers.hidden_data.formats.raster.picture import LARGEST_FILE, Picture
from proctor_workers.hidden_data.formats.raster.png import MAGIC as PNG
from proctor_workers.hidden_data.formats.raster.png import read_png
from proctor_workers.hidden_data.formats.raster.tiff import MAGIC as TIFF
from proctor_workers.hidden_data.formats.raster.tiff import read_tiff
from proctor_workers.hidden_data.formats.raster.writing import write_picture

_BMP_HEADERS = {size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124)}
_PLAIN_PROFILES = frozenset({"none", "srgb", "grey gamma"})


def recognises(head: bytes, _name: str) -> bool:
    """Say whether a file's first bytes are those of a picture."""
    return head.startswith((PNG, JPEG, *TIFF)) or _is_bmp(head)


def read_pictures(request: ReadRequest) -> CaseContent:
    """Write one canonical file for each picture, in the table's order.

    Raises:
        UnreadableFileError: a file is damaged, too large or of a kind not taken.
        QuarantineError: burned-in text was found, and a person must look.
    """
    if any(slides.is_slide(file.path) for file in request.files):
        return slides.read(request)
    done = [_done(request, position, file) for position, file in enumerate(request.files)]
    first = done[0].picture
    actions: Counter[str] = Counter()
    for one in done:
        actions.update({"metadata.dropped": one.picture.dropped} | dict(one.cleaned.actions))
    return CaseContent(
        files=tuple(one.file for one in done),
        facts=_facts(first, len(done)),
        artefacts=_artefacts(first),
        findings=tuple(finding for one in done for finding in one.findings()),
        actions=actions,
        grid=_grid(first) if len(done) == 1 else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """One picture that was written, as it was before text was blanked."""

    source: SourceFile
    picture: Picture
    cleaned: CleanedPixels
    file: CanonicalFile

    def findings(self) -> Iterator[Finding]:
        yield from self.cleaned.findings
        if self.picture.is_colour and self.picture.colour_profile not in _PLAIN_PROFILES:
            yield Finding(
                code="image.colour_profile",
                severity=Severity.WARNING,
                message="Its colours are meant for another colour space than sRGB; they are kept "
                "as stored, without the profile.",
                cure="Convert it to sRGB if the model is to see the colours that a screen shows.",
                file=self.source.name,
                values={"profile": self.picture.colour_profile},
            )


def _done(request: ReadRequest, position: int, source: SourceFile) -> _Done:
    try:
        picture = _read(source.path)
        with np.errstate(all="ignore"):  # foreign floats overflow
            cleaned = clean_pixels(
                picture.pixels,
                "RGB" if picture.is_colour else "MONOCHROME2",
                burned_in_policy(request.deidentification),
                file=source.name,
            )
        file = _written(request, position, replace(picture, pixels=cleaned.pixels), source.path)
    except UnreadableFileError as exc:
        raise _of(exc, source) from exc
    return _Done(source=source, picture=picture, cleaned=cleaned, file=file)


FORMATS = (Format(name="image", recognises=recognises, read=read_pictures),)


def _is_bmp(head: bytes) -> bool:
    return head.startswith(BMP) and head[6:10] == bytes(4) and head[14:18] in _BMP_HEADERS


def _read(path: Path) -> Picture:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UnreadableFileError("is too large (above 4 GiB)", "Scale it down, or tile it.")
        with path.open("rb") as file:
            head = file.read(4)
        if head in TIFF:
            return read_tiff(path)
        content = path.read_bytes()
    except OSError as exc:
        raise UnreadableFileError("cannot be opened", "Look at its rights.") from exc
    if content.startswith(PNG):
        return read_png(content)
    return read_jpeg(content) if content.startswith(JPEG) else read_bmp(content)


def _of(error: UnreadableFileError, file: SourceFile) -> UnreadableFileError:
    return type(error)(error.refusal.what, error.refusal.cure, file=error.file or file.name)


def _written(request: ReadRequest, position: int, picture: Picture, origin: Path) -> CanonicalFile:
    ending = "tiff" if request.form.rasters == "tiff" else "png"
    file = write_picture(picture, request.folder / f"{position}.{ending}")
    with origin.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return fingerprinted(file, picture.pixels, picture.middle, digest)


def _facts(picture: Picture, files: int) -> dict[str, Fact]:
    rows, columns = picture.middle.shape[:2]
    facts: dict[str, Fact] = {
        "format": picture.format,
        "photometric": picture.photometric,
        "bits_stored": float(picture.bits),
        "rows": float(rows),
        "columns": float(columns),
        "slices": float(picture.pages),
        "files": float(files),
        "colour_profile": picture.colour_profile,
        "turned": float(picture.turned),
    }
    if picture.spacing:
        facts |= dict(zip(("row_spacing", "column_spacing"), picture.spacing, strict=True))
    return facts


def _artefacts(picture: Picture) -> dict[str, Fact]:
    return {
        **traces(picture.pixels, bits_stored=8 * picture.pixels.itemsize),
        "original_compression": picture.compression,
        "lossy_before": float(picture.lossy),
    }


def _grid(picture: Picture) -> Grid:
    pages = (picture.pages,) if picture.pages > 1 else ()
    rows, columns = picture.middle.shape[:2]
    return Grid(size=(*pages, rows, columns))
