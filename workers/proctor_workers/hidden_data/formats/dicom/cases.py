"""The outline of reading a case of DICOM files: what they are, in which order, and what is kept."""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

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
from proctor_workers.hidden_data.deidentify.burned_in import (
    burned_in_declared,
    clean_pixels,
    ultrasound_regions,
)
from proctor_workers.hidden_data.deidentify.headers import declare_faceless, kept_headers
from proctor_workers.hidden_data.deidentify.profile import Faces, burned_in_policy
from proctor_workers.hidden_data.deidentify.uids import UIDS, CaseUids
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.formats import slides_dicom, waveforms
from proctor_workers.hidden_data.formats.dicom.directory import without_directories
from proctor_workers.hidden_data.formats.dicom.facts import facts_of, original_compression
from proctor_workers.hidden_data.formats.dicom.geometry import numbers, slices_of
from proctor_workers.hidden_data.formats.dicom.kinds import Kind, kind_of
from proctor_workers.hidden_data.formats.dicom.originals import Original, blamed, opened, sha256_of
from proctor_workers.hidden_data.formats.dicom.pixels import Layout, Pixels, decoded, layout_of
from proctor_workers.hidden_data.formats.dicom.technical import keep_technical
from proctor_workers.hidden_data.formats.dicom.volumes import Assembly, check_volume, scales_of
from proctor_workers.hidden_data.formats.dicom.writing import set_layout, write
from proctor_workers.hidden_data.formats.fingerprints import fingerprinted, traces
from proctor_workers.hidden_data.formats.series import Arrangement, arranged
from proctor_workers.hidden_data.formats.volumes.writing import write_volume

HELD = 1 << 26  # bytes of a case that are held while it is read; a larger one is read twice
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # what an image counts as that does not say


def read_dicom(request: ReadRequest) -> CaseContent:
    """Write the canonical form of a case's DICOM files.

     1. headers are parsed; a DICOMDIR gives way to the files that it lists
     2. signals and whole slides go to their readers; what holds no image is refused
     3. slices are put in order by geometry
     4. file by file: decoded, made safe, written; or all of a volume into one NIfTI or NRRD
     5. facts, traces and findings

    Raises:
        UnreadableFileError: a file is broken, no image, or too large.
        QuarantineError: a person must look at the case first.
    """
    with _quiet(), blamed(request.files[0].name):
        originals, findings = without_directories(_opened(request.files))  # 1
        kind = _kind(originals)  # 2
        listed = replace(request, files=tuple(one.file for one in originals))
        if kind is Kind.WAVEFORM:
            return waveforms.read(listed)
        if kind is Kind.SLIDE:
            return slides_dicom.read(listed)
        return _Images(request, originals, findings).content()


@contextmanager
def _quiet() -> Iterator[None]:
    """Have pydicom and NumPy take foreign values as they are, without a word."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _opened(files: Sequence[SourceFile]) -> list[Original]:
    hold = sum(file.path.stat().st_size for file in files) <= HELD
    return [opened(file, hold=hold) for file in files]


def _kind(originals: Sequence[Original]) -> Kind:
    kinds = {}
    for one in originals:
        with blamed(one.name):
            kinds[kind_of(one.header, has_pixels=bool(one.element.keyword))] = one.name
    if len(kinds) > 1:
        raise UnreadableFileError(
            f"belongs to a case of {' and '.join(sorted(kinds))}",
            "Give each kind a case of its own.",
            file=originals[0].name,
        )
    return next(iter(kinds))


class _Images:
    """The images of one case on their way to their canonical form."""

    def __init__(
        self, request: ReadRequest, originals: Sequence[Original], findings: Sequence[Finding]
    ) -> None:
        self._request, self._findings = request, list(findings)
        self._originals = sorted(originals, key=_series_number)
        self._layouts = [_layout(one) for one in self._originals]
        self._arrangement, self._order = self._arranged()  # 3
        self._uids = CaseUids(request.deidentification, request.keys)
        self._actions: Counter[str] = Counter()
        self._series: Counter[str] = Counter()
        self._artefacts: dict[str, Fact] = {}

    def content(self) -> CaseContent:
        """Write the files and return what they are."""
        self._check_patients()
        alone = len(self._order) == 1 and self._layouts[0].frames == 1
        native = self._request.form.volumes == "native" or alone
        faceless = self._request.deidentification.faces is Faces.REMOVE and not alone
        if native and not faceless:
            files = tuple(self._written(self._decoded(p)) for p in range(len(self._order)))  # 4
        else:
            files = self._assembled(native=native, faceless=faceless)
        return CaseContent(  # 5
            files=files,
            facts=facts_of(self._originals, self._layouts, self._arrangement, self._request.keys),
            artefacts=self._artefacts,
            findings=tuple(self._findings),
            actions=dict(self._actions),
            grid=self._arrangement.grid,
        )

    def _arranged(self) -> tuple[Arrangement, tuple[int, ...]]:
        """Return how the slices lie, and the order of the files."""
        slices = []
        for original, layout in zip(self._originals, self._layouts, strict=True):
            with blamed(original.name):
                slices.append(slices_of(original, layout))
        plain = all(len(of_file) == 1 for of_file in slices)
        if plain or len(slices) == 1:
            found = arranged([one for of_file in slices for one in of_file], as_stored=not plain)
            self._findings += found.findings
            return found, found.order if plain else (0,)
        for of_file in slices:
            self._findings += arranged(of_file, as_stored=True).findings
        firsts = arranged([of_file[0] for of_file in slices])
        return Arrangement(order=firsts.order), firsts.order

    def _check_patients(self) -> None:
        patients = {str(one.header.get("PatientID") or "") for one in self._originals} - {""}
        if len(patients) > 1:
            self._tell(
                "case.several_patients",
                Severity.ERROR,
                f"belongs to a case with files of {len(patients)} patients, as their headers say",
                "Give each patient a case of their own.",
            )

    def _assembled(self, *, native: bool, faceless: bool) -> tuple[CanonicalFile, ...]:
        """Return the files of a volume that has to be in memory as a whole."""
        first = self._originals[self._order[0]]
        with blamed(first.name):
            grid = self._grid(faceless=faceless)
        decoded_files = [self._decoded(position) for position in range(len(self._order))]
        with blamed(first.name):
            scales = [
                scale
                for one in decoded_files
                for scale in scales_of(one.original.header, len(one.kept))
            ]
            kept = Assembly(grid, [one.kept for one in decoded_files], scales)
            if faceless:
                kept = kept.without_face()
                self._actions["faces.removed"] += 1
            if native:
                return tuple(
                    self._written(replace(one, kept=values))
                    for one, values in zip(decoded_files, kept.files, strict=True)
                )
            scaled = self._request.form.volumes == "nrrd"
            volume = kept.volume(scaled=scaled)
            came = [one.pixels.values for one in decoded_files]
            unchanged = all(a is b for a, b in zip(came, kept.files, strict=True))
            given = volume if unchanged else Assembly(grid, came, scales).volume(scaled=scaled)
            file = write_volume(volume, self._request.folder / ("0.nrrd" if scaled else "0.nii"))
            self._actions["headers_dropped"] += sum(len(one.header) for one in self._originals)
            digest = decoded_files[0].source_sha256
            picture = given.voxels[len(given.voxels) // 2]
            file = fingerprinted(file, given.voxels, picture, digest)
            return (replace(file, original_uid=str(first.header.get("SOPInstanceUID") or "")),)

    def _grid(self, *, faceless: bool) -> Grid:
        try:
            return check_volume(self._layouts, self._arrangement)
        except UnreadableFileError as exc:
            if not faceless:
                raise
            raise QuarantineError(
                f"{exc.refusal.what}, so that no face can be found in it",
                "Look at it; take the face out by hand, or leave the case out.",
            ) from exc

    def _decoded(self, position: int) -> "_Decoded":
        """Return the pixels of the file that comes at this position."""
        place = self._order[position]
        original, layout = self._originals[place], self._layouts[place]
        with blamed(original.name):
            content, raw = original.content()
            pixels = decoded(original, layout, raw)
            self._tell_of_pixels(original, pixels)
            if position == len(self._order) // 2:
                bits = pixels.stored or pixels.values.dtype.itemsize * 8
                self._artefacts |= traces(pixels.values, bits_stored=bits)
                self._artefacts["original_compression"] = original_compression(self._originals)
            lossy = pixels.lossy or str(original.header.get("LossyImageCompression")) == "01"
            self._artefacts["lossy_before"] = max(
                float(lossy), float(self._artefacts.get("lossy_before", 0.0))
            )
            return _Decoded(
                position=position,
                original=original,
                pixels=pixels,
                kept=self._without_text(original, pixels),
                source_sha256=sha256_of(content),
            )

    def _without_text(self, original: Original, pixels: Pixels) -> NDArray[Any]:
        """Return the values as they may be kept; digests are taken of what came."""
        policy = burned_in_policy(self._request.deidentification)
        annotation = str(original.header.get("BurnedInAnnotation") or "")
        declared = burned_in_declared(annotation, policy, file=original.name)
        told = {one.code for one in self._findings}
        self._findings += [one for one in declared if one.code not in told]  # once for the case
        cleaned = clean_pixels(
            pixels.values,
            pixels.photometric,
            policy,
            file=original.name,
            regions=ultrasound_regions(original.header),
        )
        self._findings += cleaned.findings
        self._actions.update(cleaned.actions)
        return cleaned.pixels

    def _written(self, one: "_Decoded") -> CanonicalFile:
        original, values = one.original, one.pixels.values
        with blamed(original.name):
            dataset = self._headers(one.position, original)
            set_layout(dataset, one.pixels, frames="NumberOfFrames" in original.header)
            path = self._request.folder / f"{one.position}.dcm"
            size, sha256 = write(path, dataset, one.kept)
            file = CanonicalFile(
                name=path.name,
                role="image",
                path=path,
                size=size,
                sha256=sha256,
                original_uid=str(original.header.get("SOPInstanceUID") or ""),
            )
            return fingerprinted(file, values, values[len(values) // 2], one.source_sha256)

    def _headers(self, position: int, original: Original) -> Dataset:
        source = original.header
        dataset, actions = kept_headers(source, self._request.deidentification, self._request.keys)
        if self._actions["faces.removed"]:
            declare_faceless(dataset)
        self._actions.update(actions)
        self._actions["uid.replaced"] += self._uids.replace(dataset, source)
        for keyword in UIDS[:3]:
            if keyword not in dataset:
                own = str(position) if keyword == "SOPInstanceUID" else ""
                setattr(dataset, keyword, self._uids.replaced(keyword, f"no {keyword} {own}"))
        if "SOPClassUID" not in dataset:
            dataset.SOPClassUID = SECONDARY_CAPTURE
        keep_technical(dataset, source, self._uids.replaced)
        series = str(dataset.SeriesInstanceUID)
        self._series[series] += 1
        dataset.SeriesNumber = list(self._series).index(series) + 1
        dataset.InstanceNumber = self._series[series]
        return dataset

    def _tell_of_pixels(self, original: Original, pixels: Pixels) -> None:
        """Say once for the case what is to be known of its pixels."""
        told = {one.code for one in self._findings}
        if pixels.cleared and "pixels.high_bits_cleared" not in told:
            self._tell(
                "pixels.high_bits_cleared",
                Severity.WARNING,
                "has bits above those that its pixels use (old overlays, or a mark); they are gone",
                "Look whether its Bits Stored is right: if not, its values were cut.",
                file=original.name,
            )
        if pixels.unended and "pixels.frame_without_end" not in told:
            self._tell(
                "pixels.frame_without_end",
                Severity.ERROR,
                "has a compressed frame without an end; a part of the picture may be missing",
                "Look at the picture, or export it again.",
                file=original.name,
            )

    def _tell(
        self, code: str, severity: Severity, message: str, cure: str, *, file: str = ""
    ) -> None:
        named = file or self._originals[0].name
        self._findings.append(
            Finding(code=code, severity=severity, message=message, cure=cure, file=named)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoded:
    """A file's pixels as they came, and as they are kept."""

    position: int
    original: Original
    pixels: Pixels
    kept: NDArray[Any]
    source_sha256: str


def _layout(original: Original) -> Layout:
    with blamed(original.name):
        return layout_of(original)


def _series_number(original: Original) -> float:
    return (numbers(original.header, "SeriesNumber") or (0.0,))[0]
