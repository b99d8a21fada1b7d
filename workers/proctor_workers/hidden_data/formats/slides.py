"""Rewrites whole slides (Aperio SVS and other tiled TIFF pyramids) without anything but the tissue.

The compressed tiles are carried over; label, macro image and every text go. What lies in a file
beside its levels is dropped, whatever it is called: a level has the base's shape, and must show
what the base shows.
"""

import hashlib
from collections import Counter
from pathlib import Path

from proctor_workers.hidden_data.case_files import (
    CanonicalFile,
    CaseContent,
    Fact,
    Grid,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.deidentify.profile import BurnedIn, burned_in_policy
from proctor_workers.hidden_data.findings import Finding
from proctor_workers.hidden_data.formats import tiff_directories as tiff
from proctor_workers.hidden_data.formats.base import HEAD_BYTES, Format
from proctor_workers.hidden_data.formats.codestreams import coarseness
from proctor_workers.hidden_data.formats.fingerprints import fingerprinted, traces
from proctor_workers.hidden_data.formats.raster.picture import profile_named
from proctor_workers.hidden_data.formats.slide_findings import (
    PLAIN_PROFILES,
    colour_profile_dropped,
    missing_magnification,
    missing_resolution,
)
from proctor_workers.hidden_data.formats.slide_levels import JPEG, LOSSLESS, Level, levels, tiles
from proctor_workers.hidden_data.formats.slide_origins import (
    Origin,
    is_aperio,
    origin_of,
    other_kind,
    refused_kind,
)
from proctor_workers.hidden_data.formats.slide_overview import (
    overview,
    search_for_text,
    thumbnail,
)
from proctor_workers.hidden_data.formats.tiff_pyramid import insert_thumbnail, write_pyramid

LARGEST_PICTURE = 1 << 26  # pixels: a tiled TIFF with one level and more of them is a slide
LARGEST_OVERVIEW = 1 << 26  # pixels of the smallest level, which is decoded
_MILLIMETRES = 1e-3


def is_slide(path: Path) -> bool:
    """Say whether a TIFF file is a whole slide and no plain picture, by its directories."""
    try:
        return _is_slide(_directories(path))
    except (tiff.TiffError, OSError):
        return False


def _is_slide(found: list[tiff.Directory]) -> bool:
    first = found[0]
    if refused_kind(first) or is_aperio(first):
        return True
    tiled = sum(directory.is_tiled for directory in found)
    pixels = first.number(tiff.WIDTH, 0) * first.number(tiff.LENGTH, 0)
    return first.is_tiled and (tiled > 1 or pixels > LARGEST_PICTURE)


def _directories(path: Path) -> list[tiff.Directory]:
    with path.open("rb") as file:
        return tiff.directories(file)


def read(request: ReadRequest) -> CaseContent:
    """Rewrite one case's slides.

    Raises:
        UnreadableFileError: a file is damaged or of a kind that is not read.
        QuarantineError: a level does not show what the base shows; it may be the label.
    """
    policy = burned_in_policy(request.deidentification)
    slides = [
        _Slide.read(file, request.folder / f"{position}.tiff", policy)
        for position, file in enumerate(request.files)
    ]
    first = slides[0]
    actions = Counter(associated_images_dropped=sum(slide.dropped for slide in slides))
    for slide in slides:
        actions.update(slide.searched)
    return CaseContent(
        files=tuple(slide.canonical() for slide in slides),
        facts=first.facts() | {"files": float(len(slides))},
        artefacts=first.artefacts(),
        findings=tuple(finding for slide in slides for finding in slide.findings()),
        actions=dict(+actions),
        grid=first.grid(),
    )


class _Slide:
    """One slide that was read and written."""

    def __init__(self, file: SourceFile, path: Path, found: list[tiff.Directory]) -> None:
        self.file, self.path = file, path
        self.origin: Origin = origin_of(found[0])
        self.levels: list[Level] = levels(found, file.path.stat().st_size)
        self.dropped = len(found) - len(self.levels)
        self.searched: dict[str, int] = {}
        profile = found[0].tags.get(tiff.ICC_PROFILE)
        self.profile = profile_named(None if profile is None else profile.tobytes())

    @classmethod
    def read(cls, file: SourceFile, path: Path, policy: BurnedIn) -> "_Slide":
        try:
            found = _directories(file.path)
            _check_kind(found[0])
            slide = cls(file, path, found)
            slide.write()
            slide.searched = search_for_text(slide.overview, policy)
        except UnreadableFileError as exc:
            exc.file = file.name
            raise
        except (tiff.TiffError, OSError) as exc:
            raise UnreadableFileError(
                "is a damaged slide", "Export it again.", file=file.name
            ) from exc
        return slide

    def write(self) -> None:
        smallest = self.levels[-1].tiling
        if smallest.columns * smallest.rows > LARGEST_OVERVIEW:
            raise UnreadableFileError("has no small level", "Export it with its pyramid.")
        with self.file.path.open("rb") as source:
            after_base = write_pyramid(
                self.path,
                [(level.tiling, tiles(source, level)) for level in self.levels],
                self.origin.resolution,
            )
        self.overview = overview(self.path)
        insert_thumbnail(self.path, after_base, thumbnail(self.overview))

    def canonical(self) -> CanonicalFile:
        file = CanonicalFile(
            name=self.path.name,
            role="image",
            path=self.path,
            size=self.path.stat().st_size,
            sha256=_sha256(self.path),
        )
        return fingerprinted(file, self.overview, self.overview, _sha256(self.file.path))

    def facts(self) -> dict[str, Fact]:
        base, resolution = self.levels[0].tiling, self.origin.resolution
        said: dict[str, Fact] = {
            "format": "TIFF slide",
            "modality": "SM",
            "manufacturer": self.origin.manufacturer,
            "scanner": self.origin.scanner,
            "photometric": {2: "RGB", 6: "YCBCR"}.get(base.photometric, "MONOCHROME"),
            "bits_stored": 8.0,
            "rows": float(base.rows),
            "columns": float(base.columns),
            "levels": float(len(self.levels)),
            "row_spacing": resolution.row_micrometres * _MILLIMETRES,
            "column_spacing": resolution.column_micrometres * _MILLIMETRES,
            "magnification": resolution.magnification,
            "colour_profile": self.profile,
        }
        return {name: value for name, value in said.items() if value}

    def artefacts(self) -> dict[str, Fact]:
        compression = self.levels[0].source_compression
        return traces(self.overview, bits_stored=8) | {
            "original_compression": str(compression),
            "tile_compression": str(self.levels[0].tiling.compression),
            "tile_coarseness": self._coarseness(),
            "lossy_before": float(compression not in LOSSLESS),
            "tile_columns": float(self.levels[0].tiling.tile_columns),
        }

    def _coarseness(self) -> float:
        """Return how coarsely the base's tiles are quantised, by their tables or the first tile."""
        base = self.levels[0]
        if base.tiling.compression != JPEG:
            return 0.0
        with self.file.path.open("rb") as source:
            first = base.tiling.jpeg_tables or next(filter(None, tiles(source, base)), b"")
        return coarseness(first)

    def findings(self) -> list[Finding]:
        found = []
        if not self.origin.resolution.is_known:
            found.append(missing_resolution(self.file.name))
        if not self.origin.resolution.magnification:
            found.append(missing_magnification(self.file.name))
        if self.profile not in PLAIN_PROFILES:
            found.append(colour_profile_dropped(self.profile, self.file.name))
        return found

    def grid(self) -> Grid:
        base, resolution = self.levels[0].tiling, self.origin.resolution
        spacing = (
            resolution.row_micrometres * _MILLIMETRES,
            resolution.column_micrometres * _MILLIMETRES,
        )
        return Grid(
            size=(base.rows, base.columns), spacing=spacing if resolution.is_known else None
        )


def _check_kind(first: tiff.Directory) -> None:
    if refusal := refused_kind(first):
        raise UnreadableFileError(refusal.what, refusal.cure)
    if not first.is_tiled:
        raise UnreadableFileError("has no tiles", "Export it as a tiled pyramid.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recognises(head: bytes, name: str) -> bool:
    """Say whether a file is a slide of a kind that is no TIFF, all of which are refused by name."""
    return other_kind(head, name) is not None


def read_other(request: ReadRequest) -> CaseContent:
    """Refuse a slide of a kind that is not read.

    Raises:
        UnreadableFileError: always, with the slide's kind.
    """
    for file in request.files:
        with file.path.open("rb") as opened:
            refusal = other_kind(opened.read(HEAD_BYTES), file.name)
        if refusal:
            raise UnreadableFileError(refusal.what, refusal.cure, file=file.name)
    raise UnreadableFileError("is of an unknown format", "Export it as SVS.")


# TIFF pyramids have the magic of all TIFF files: the reader of pictures hands them to `read`.
FORMATS = (Format(name="other slide", recognises=recognises, read=read_other),)
