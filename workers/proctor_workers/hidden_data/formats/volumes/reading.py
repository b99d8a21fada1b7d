"""Reads the volumes of one case, whatever their format, and writes their canonical form.

1 tell headers from data  2 decode  3 take out text and face, if asked for  4 write and fingerprint
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from proctor_workers.hidden_data.case_files import (
    CanonicalFile,
    CaseContent,
    Fact,
    Grid,
    ReadRequest,
    UnreadableFileError,
)
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.formats.base import Format
from proctor_workers.hidden_data.formats.fingerprints import fingerprinted, traces
from proctor_workers.hidden_data.formats.volumes.case_volumes import CaseFiles, is_header
from proctor_workers.hidden_data.formats.volumes.safety import made_safe
from proctor_workers.hidden_data.formats.volumes.volume import Volume
from proctor_workers.hidden_data.formats.volumes.writing import write_volume

_DOUBTS = {
    "orientation_unknown": (
        "The file does not say which side of the patient is left.",
        "Export it with its orientation (NIfTI sform or qform, NRRD space).",
    ),
    "spacing_differs": (
        "The spacing in pixdim is another than that of the sform; readers take one or the other.",
        "Write the header anew, so that both say the same.",
    ),
    "forms_differ": (
        "qform and sform put the volume in different places; readers take one or the other.",
        "Keep the one that the model is meant to see.",
    ),
}
COMPANIONS = (".img", ".raw", ".zraw", ".img.gz", ".raw.gz")  # told by their names alone
_REFUSED = (".par", ".rec")


def recognises(head: bytes, name: str) -> bool:
    """Say whether a file is a volume's header, a whole volume, or by its name a volume's data."""
    named = name.lower()
    return is_header(head, name) or named.endswith((*COMPANIONS, *_REFUSED))


def read_volumes(request: ReadRequest) -> CaseContent:
    """Write one canonical file for each volume, in the table's order.

    Raises:
        UnreadableFileError: a file is damaged, incomplete, too large or of a kind not taken.
        QuarantineError: a face could not be removed for certain.
    """
    case = CaseFiles(request.files)
    done = [_done(request, case, position) for position in range(len(case.headers))]
    case.check_all_used()
    grids = [one.grid for one in done]
    same = all(grid == grids[0] for grid in grids)
    actions: Counter[str] = Counter()
    for one in done:
        actions.update(one.actions)
    return CaseContent(
        files=tuple(one.file for one in done),
        facts={**done[0].facts, "files": float(len(done))},
        artefacts=done[0].artefacts,
        findings=(
            *(finding for one in done for finding in one.findings),
            *(() if same else (_grids_differ(request),)),
        ),
        actions=actions,
        grid=grids[0] if same else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """One volume that was written; its voxels are let go."""

    file: CanonicalFile
    grid: Grid
    facts: Mapping[str, Fact]
    artefacts: Mapping[str, Fact]
    findings: tuple[Finding, ...]
    actions: Mapping[str, int]


def _done(request: ReadRequest, case: CaseFiles, position: int) -> _Done:
    source = case.headers[position]
    try:
        volume, digest = case.volume(source)
        facts, artefacts = _facts(volume), _artefacts(volume)
        safe = made_safe(volume, request.deidentification, file=source.name)
        file = _written(request, position, safe.volume, digest)
    except UnreadableFileError as exc:
        raise type(exc)(exc.refusal.what, exc.refusal.cure, file=exc.file or source.name) from exc
    return _Done(
        file=file,
        grid=volume.grid(),
        facts=facts,
        artefacts=artefacts,
        findings=(*safe.findings, *_place_findings(volume, source.name)),
        actions={"metadata.dropped": volume.dropped} | dict(safe.actions),
    )


FORMATS = (Format(name="volume", recognises=recognises, read=read_volumes),)


def _written(request: ReadRequest, position: int, volume: Volume, digest: str) -> CanonicalFile:
    ending = {"nifti": "nii", "nrrd": "nrrd"}.get(request.form.volumes)
    if ending is None:  # native
        ending = "nii" if volume.source in {"nifti", "analyze"} else "nrrd"
    file = write_volume(volume, request.folder / f"{position}.{ending}")
    return fingerprinted(file, volume.voxels, volume.voxels[len(volume.voxels) // 2], digest)


def _facts(volume: Volume) -> dict[str, Fact]:
    slices, rows, columns = volume.voxels.shape
    across, down, through = volume.spacing
    return {
        "format": volume.source,
        "bits_stored": 8.0 * volume.voxels.itemsize,
        "rows": float(rows),
        "columns": float(columns),
        "slices": float(slices),
        "row_spacing": down,
        "column_spacing": across,
        "slice_spacing": through,
        "orientation": volume.orientation(),
    }


def _artefacts(volume: Volume) -> dict[str, Fact]:
    codes = [int(volume.nifti.get(f"{form}_code", 0)) for form in ("qform", "sform")]
    return {
        **traces(volume.voxels, bits_stored=8 * volume.voxels.itemsize),
        "original_compression": volume.compression,
        "lossy_before": 0.0,
        "geometry_codes": "/".join(map(str, codes)),
        "scaled": float((volume.slope, volume.inter) != (1.0, 0.0)),
    }


def _place_findings(volume: Volume, name: str) -> tuple[Finding, ...]:
    doubts = (*volume.doubts, *(() if volume.oriented else ("orientation_unknown",)))
    return tuple(
        Finding(
            code=f"volume.{doubt}",
            severity=Severity.WARNING,
            message=_DOUBTS[doubt][0],
            cure=_DOUBTS[doubt][1],
            file=name,
        )
        for doubt in doubts
    )


def _grids_differ(request: ReadRequest) -> Finding:
    return Finding(
        code="volume.grids_differ",
        severity=Severity.WARNING,
        message="The case's volumes lie on different grids.",
        cure="Resample them to one grid if the model reads them together.",
        file=request.files[0].name,
    )
