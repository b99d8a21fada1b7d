"""Rewrites whole slides kept as DICOM (VL Whole Slide Microscopy, PS3.3 A.32.8), level by level.

Frames are carried over as they are. Only the levels of the picture itself are kept: label, overview
and thumbnail may show the slide's label, whatever they are called.
"""

import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit

from proctor_workers.hidden_data.case_files import (
    CanonicalFile,
    CaseContent,
    Fact,
    Grid,
    QuarantineError,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.deidentify.burned_in import burned_in_declared
from proctor_workers.hidden_data.deidentify.profile import burned_in_policy
from proctor_workers.hidden_data.deidentify.uids import CaseUids
from proctor_workers.hidden_data.findings import Finding
from proctor_workers.hidden_data.formats.base import Format
from proctor_workers.hidden_data.formats.codestreams import coarseness
from proctor_workers.hidden_data.formats.dicom.originals import blamed
from proctor_workers.hidden_data.formats.dicom.writing import IMPLEMENTATION
from proctor_workers.hidden_data.formats.fingerprints import fingerprinted, traces
from proctor_workers.hidden_data.formats.raster.picture import profile_named
from proctor_workers.hidden_data.formats.slide_findings import (
    PLAIN_PROFILES,
    colour_profile_dropped,
    missing_magnification,
    missing_resolution,
)
from proctor_workers.hidden_data.formats.slide_frames import (
    NATIVE,
    Frames,
    frame,
    frames_of,
    write_frames,
)
from proctor_workers.hidden_data.formats.slide_headers import slide_headers
from proctor_workers.hidden_data.formats.slide_levels import has_shape_of
from proctor_workers.hidden_data.formats.slide_overview import search_for_text

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
LARGEST_OVERVIEW = 1 << 26  # pixels of the smallest level, which is decoded
LARGEST_HEADER = 1 << 28
_LEVEL = "VOLUME"
Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def recognises(head: bytes, _name: str) -> bool:
    """Say whether a Part 10 file is a whole slide, by its meta information."""
    return head[128:132] == b"DICM" and f"{SOP_CLASS}\0".encode() in head[132:1024]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instance:
    """One opened file: its headers, and where its frames lie."""

    file: SourceFile
    header: Dataset
    frames: Frames

    @property
    def size(self) -> tuple[int, int]:
        """Return columns and rows of the level."""
        return int(self.header.TotalPixelMatrixColumns), int(self.header.TotalPixelMatrixRows)


def read(request: ReadRequest) -> CaseContent:
    """Rewrite one case's slides; files are ordered from the base level down.

    Raises:
        UnreadableFileError: a file is damaged or in a syntax that is not read.
        QuarantineError: the label is in the picture, by the file's own word.
    """
    with blamed(request.files[0].name), _quiet():
        instances = [found for file in request.files if (found := _opened(file)) is not None]
        if not instances:
            raise UnreadableFileError(
                "holds no level of a slide, only label or overview",
                "Add the instances of the picture.",
            )
        instances.sort(key=_order)
        return _Case(request, instances).content()


@contextmanager
def _quiet() -> Iterator[None]:
    """Let foreign values pass that break the standard; none is written as it is."""
    with disable_value_validation(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(file: SourceFile) -> _Instance | None:
    """Open an instance; None for one that is no level of the picture."""
    with blamed(file.name), file.path.open("rb") as opened:
        header = pydicom.dcmread(opened, stop_before_pixels=True)
        if opened.tell() > LARGEST_HEADER:
            raise UnreadableFileError("has headers without end", "Export it again.")
        if str(header.get("SOPClassUID")) != SOP_CLASS:
            raise UnreadableFileError(
                "is no whole slide, as others of its case are", "Leave it out."
            )
        kinds = [str(value) for value in header.get("ImageType") or ()]
        if kinds[2:3] != [_LEVEL]:
            return None
        if header.get("SpecimenLabelInImage") == "YES":
            raise QuarantineError(
                "has the slide's label in its picture, as it says itself", "Crop the label off."
            )
        syntax = UID(str(header.file_meta.TransferSyntaxUID))
        return _Instance(file=file, header=header, frames=frames_of(header, opened, syntax))


def _order(instance: _Instance) -> tuple[str, int, int, int]:
    header = instance.header
    columns, rows = instance.size
    part, number = (int(header.get(k) or 0) for k in ("InConcatenationNumber", "InstanceNumber"))
    return str(header.get("SeriesInstanceUID")), -columns * rows, part, number


class _Case:
    """The levels of one case on their way to their canonical form."""

    def __init__(self, request: ReadRequest, instances: Sequence[_Instance]) -> None:
        self._request, self._instances = request, instances
        self._uids = CaseUids(request.deidentification, request.keys)
        self._actions: Counter[str] = Counter(
            associated_images_dropped=len(request.files) - len(instances)
        )
        self._traces: dict[str, Fact] = {}

    def content(self) -> CaseContent:
        self._check_shapes()
        smallest = self._smallest()
        files = []
        for position, instance in enumerate(self._instances):
            with blamed(instance.file.name):
                file = self._written(position, instance)
                if any(instance is one for one in smallest):
                    file = self._fingerprinted(file, instance)
                files.append(file)
        return CaseContent(
            files=tuple(files),
            facts=self._facts(),
            artefacts=self._artefacts(),
            findings=tuple(self._findings()),
            actions=dict(+self._actions),
            grid=self._grid(),
        )

    def _check_shapes(self) -> None:
        """Hold back what calls itself a level and has another shape than the base."""
        bases: dict[str, tuple[int, int]] = {}
        for instance in self._instances:
            base = bases.setdefault(str(instance.header.get("SeriesInstanceUID")), instance.size)
            if not has_shape_of(base, instance.size):
                raise QuarantineError(
                    "has another shape than the other levels of its slide",
                    "Look at it: it may be the label. Leave it out if it is.",
                    file=instance.file.name,
                )

    def _smallest(self) -> list[_Instance]:
        """Return each slide's smallest level, where it is small enough to be decoded."""
        last = {str(one.header.get("SeriesInstanceUID")): one for one in self._instances}
        return [
            one
            for one in last.values()
            if one.frames.count == _tiles(one) and one.size[0] * one.size[1] <= LARGEST_OVERVIEW
        ]

    def _written(self, position: int, instance: _Instance) -> CanonicalFile:
        dataset, actions = slide_headers(instance.header, self._request, self._uids)
        self._actions.update(actions)
        dataset.SeriesNumber, dataset.InstanceNumber = 1, position + 1
        path = self._request.folder / f"{position}.dcm"
        with path.open("xb") as out, instance.file.path.open("rb") as source:
            out.write(_head(dataset, instance.frames.syntax))
            write_frames(out, source, instance.frames)
        return CanonicalFile(
            name=path.name,
            role="image",
            path=path,
            size=path.stat().st_size,
            sha256=_sha256(path),
            original_uid=str(instance.header.get("SOPInstanceUID") or ""),
            source_sha256=_sha256(instance.file.path),
        )

    def _fingerprinted(self, file: CanonicalFile, instance: _Instance) -> CanonicalFile:
        picture = _overview(instance)
        policy = burned_in_policy(self._request.deidentification)
        self._actions.update(search_for_text(picture, policy))
        if not self._traces:
            self._traces = traces(picture, bits_stored=instance.frames.bits)
        return fingerprinted(file, picture, picture, file.source_sha256)

    def _facts(self) -> dict[str, Fact]:
        base = self._instances[0]
        spacing = _spacing(base.header)
        said: dict[str, Fact] = {
            "format": "DICOM slide",
            "modality": "SM",
            "manufacturer": str(base.header.get("Manufacturer") or ""),
            "model": str(base.header.get("ManufacturerModelName") or ""),
            "transfer_syntax": str(base.frames.syntax),
            "photometric": str(base.header.get("PhotometricInterpretation") or ""),
            "bits_stored": float(base.header.get("BitsStored") or 0),
            "columns": float(base.size[0]),
            "rows": float(base.size[1]),
            "levels": float(len({one.size for one in self._instances})),
            "files": float(len(self._instances)),
            "magnification": float(_optics(base.header).get("ObjectiveLensPower") or 0),
            "colour_profile": _profile(base.header),
            "row_spacing": spacing[0] if spacing else 0.0,
            "column_spacing": spacing[1] if spacing else 0.0,
        }
        return {name: value for name, value in said.items() if value}

    def _artefacts(self) -> dict[str, Fact]:
        base = self._instances[0]
        lossy = str(base.header.get("LossyImageCompression")) == "01"
        return self._traces | {
            "tile_compression": str(base.frames.syntax),
            "tile_coarseness": _coarseness(base),
            "lossy_before": float(lossy),
            "tile_columns": float(base.frames.columns),
        }

    def _findings(self) -> Iterator[Finding]:
        base = self._instances[0]
        for instance in self._instances:
            declared = str(instance.header.get("BurnedInAnnotation") or "")
            yield from burned_in_declared(
                declared, burned_in_policy(self._request.deidentification), file=instance.file.name
            )
        if _spacing(base.header) is None:
            yield missing_resolution(base.file.name)
        if not _optics(base.header).get("ObjectiveLensPower"):
            yield missing_magnification(base.file.name)
        if (profile := _profile(base.header)) not in PLAIN_PROFILES:
            yield colour_profile_dropped(profile, base.file.name)

    def _grid(self) -> Grid:
        base = self._instances[0]
        columns, rows = base.size
        return Grid(
            size=(rows, columns),
            spacing=_spacing(base.header),
            instances=(str(base.header.get("SOPInstanceUID") or ""),),
        )


def _spacing(header: Dataset) -> tuple[float, float] | None:
    """Return row and column spacing in mm."""
    groups = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    measures = groups[0].get("PixelMeasuresSequence") or [Dataset()]
    values = [float(value) for value in measures[0].get("PixelSpacing") or ()]
    return (values[0], values[1]) if len(values) == 2 and min(values) > 0 else None


def _coarseness(instance: _Instance) -> float:
    """Return how coarsely the frames are quantised, by the first one's table."""
    if instance.frames.syntax != JPEGBaseline8Bit:
        return 0.0
    with instance.file.path.open("rb") as file:
        return coarseness(frame(file, instance.frames, 0))


def _optics(header: Dataset) -> Dataset:
    """Return the first optical path."""
    return next(iter(header.get("OpticalPathSequence") or ()), Dataset())


def _profile(header: Dataset) -> str:
    """Return which of the usual colour profiles a slide has."""
    profile = _optics(header).get("ICCProfile")
    return profile_named(profile if isinstance(profile, bytes) else None)


def _tiles(instance: _Instance) -> int:
    columns, rows = instance.size
    return -(-columns // instance.frames.columns) * -(-rows // instance.frames.rows)


def _overview(instance: _Instance) -> Pixels:
    """Return the pixels of a level whose frames fill it row by row."""
    frames, (columns, rows) = instance.frames, instance.size
    across = -(-columns // frames.columns)
    down = -(-rows // frames.rows)
    shape = (down * frames.rows, across * frames.columns, frames.samples)
    whole = np.zeros(shape, np.uint8 if frames.bits == 8 else np.uint16)
    with instance.file.path.open("rb") as file:
        for index, (row, column) in enumerate(_places(instance)):
            tile = _decoded(file, instance, index)
            whole[row : row + frames.rows, column : column + frames.columns] = tile
    picture = whole[:rows, :columns]
    return picture if frames.samples == 3 else picture[..., 0]


def _places(instance: _Instance) -> Iterator[tuple[int, int]]:
    """Yield the first row and column of each frame (PS3.3 C.7.6.17.3)."""
    frames = instance.frames
    across = -(-instance.size[0] // frames.columns)
    groups = instance.header.get("PerFrameFunctionalGroupsSequence") or ()
    if instance.header.get("DimensionOrganizationType") == "TILED_FULL" or not groups:
        for index in range(frames.count):
            yield index // across * frames.rows, index % across * frames.columns
        return
    for group in groups:
        place = group.PlanePositionSlideSequence[0]
        yield (
            int(place.RowPositionInTotalImagePixelMatrix) - 1,
            int(place.ColumnPositionInTotalImagePixelMatrix) - 1,
        )


def _decoded(file: BinaryIO, instance: _Instance, index: int) -> Pixels:
    frames = instance.frames
    content = frame(file, frames, index)
    shape = (frames.rows, frames.columns, frames.samples)
    if frames.syntax in NATIVE:
        values = np.frombuffer(content, "u1" if frames.bits == 8 else "<u2")
        if frames.samples == 3 and int(instance.header.get("PlanarConfiguration") or 0):
            return values.reshape(frames.samples, *shape[:2]).transpose(1, 2, 0)
        return values.reshape(shape)
    if frames.syntax != JPEGBaseline8Bit:
        return np.asarray(imagecodecs.jpeg2k_decode(content)).reshape(shape)
    colours = None if frames.samples == 1 else _colours(instance.header)
    tile = imagecodecs.jpeg8_decode(content, colorspace=colours, outcolorspace=colours and "RGB")
    return np.asarray(tile).reshape(shape)


def _colours(header: Dataset) -> str:
    return "RGB" if header.get("PhotometricInterpretation") == "RGB" else "YCBCR"


def _head(dataset: Dataset, syntax: UID) -> bytes:
    """Return preamble, meta information and headers: all that stands before the pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax in NATIVE else syntax
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "PROCTOR_1"
    dataset.file_meta, dataset.preamble = meta, bytes(128)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return out.getvalue()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


FORMATS = (Format(name="DICOM slide", recognises=recognises, read=read),)
