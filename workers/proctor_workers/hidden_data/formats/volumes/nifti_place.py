"""Says where a NIfTI's voxels lie in the patient, and which of its fields say so.

There are up to three answers in a header: sform, qform, and the bare spacing. sform counts before
qform, as nibabel and FSL have it; where they differ, that is told, because others take the other.
Source: nifti1.h, methods 1 to 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from nibabel.quaternions import fillpositive, quat2mat

from proctor_workers.hidden_data.formats.volumes.text_header import malformed
from proctor_workers.hidden_data.formats.volumes.volume import Matrix, checked_affine

QUATERNION = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
ROWS = ("srow_x", "srow_y", "srow_z")
FIELDS = ("pixdim", "xyzt_units", "qform_code", "sform_code", *QUATERNION, *ROWS)
_TO_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # xyzt_units, its three low bits
_LARGEST_CODE, _ALIGNED = 5, 2  # NIFTI_XFORM_TEMPLATE_OTHER, NIFTI_XFORM_ALIGNED_ANAT
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SPACING_DIFFERS = 0.01  # share
_ROUNDED = -1e-5  # by which 1 - b² - c² - d² may fall below 0 in 32 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Affine to LPS, mm; whether the file says one; the fields that are kept; what is doubtful."""

    affine: Matrix
    oriented: bool
    fields: Mapping[str, Any]
    doubts: tuple[str, ...] = ()


def place_of(header: np.void, size: tuple[int, int, int]) -> Place:
    """Return the place of a NIfTI of (slices, rows, columns).

    Raises:
        UnreadableFileError: what the header says cannot be.
    """
    fields = {name: np.array(header[name]) for name in FIELDS}
    to_mm = np.diag([_TO_MM.get(int(header["xyzt_units"]) & 7, 1.0)] * 3 + [1.0])
    sform = _sform(header) if int(header["sform_code"]) > 0 else None
    qform = _qform(header, fallback=sform is not None) if int(header["qform_code"]) > 0 else None
    chosen = sform if sform is not None else qform
    oriented = chosen is not None
    if chosen is None:
        chosen = np.diag([*_spacing(header), 1.0])
    lps = _RAS_TO_LPS @ chosen if oriented else chosen
    affine = checked_affine(to_mm @ lps)
    return Place(
        affine=affine,
        oriented=oriented,
        fields=_kept(fields, sform=sform is not None, qform=qform is not None),
        doubts=_doubts(header, sform, qform, size),
    )


def place_of_analyze(header: np.void) -> Place:
    """Return the place of an Analyze volume, which says its spacing only."""
    affine = checked_affine(np.diag([*_spacing(header), 1.0]))
    return Place(affine=affine, oriented=False, fields={})


def _spacing(header: np.void) -> Matrix:
    pixdim = np.asarray(header["pixdim"], np.float64)[1:4]
    return np.abs(np.where(pixdim == 0, 1.0, pixdim))


def _sform(header: np.void) -> Matrix:
    rows = [np.asarray(header[name], np.float64) for name in ROWS]
    return np.vstack([*rows, [0, 0, 0, 1]])


def _qform(header: np.void, *, fallback: bool) -> Matrix | None:
    """Return the matrix; none where its quaternion is none and an sform stands in for it."""
    b, c, d, *offset = (float(header[name]) for name in QUATERNION)
    try:
        rotation = quat2mat(fillpositive(np.array([b, c, d]), w2_thresh=_ROUNDED))
    except ValueError as exc:
        if fallback:
            return None
        raise malformed() from exc
    spacing = _spacing(header)
    spacing[2] *= -1.0 if float(header["pixdim"][0]) < 0 else 1.0
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation * spacing, offset
    return matrix


def _kept(fields: Mapping[str, Any], *, sform: bool, qform: bool) -> dict[str, Any]:
    """Return the fields with what means nothing set to 0, so that nothing can be written there."""
    kept = dict(fields)
    for used, code, names in ((sform, "sform_code", ROWS), (qform, "qform_code", QUATERNION)):
        if not used:
            kept |= {name: np.zeros_like(fields[name]) for name in (code, *names)}
        elif not 0 < int(fields[code]) <= _LARGEST_CODE:
            kept[code] = np.array(_ALIGNED, fields[code].dtype)
    pixdim = np.zeros_like(fields["pixdim"])
    pixdim[0] = -1 if fields["pixdim"][0] < 0 else 1
    pixdim[1:4] = np.where(fields["pixdim"][1:4] == 0, 1, np.abs(fields["pixdim"][1:4]))
    units = int(fields["xyzt_units"]) & 7
    kept["xyzt_units"] = np.array(units if units in _TO_MM else 0, fields["xyzt_units"].dtype)
    return kept | {"pixdim": pixdim}


def _doubts(
    header: np.void, sform: Matrix | None, qform: Matrix | None, size: tuple[int, int, int]
) -> tuple[str, ...]:
    doubts = []
    spacing = _spacing(header)
    if sform is not None:
        columns = np.linalg.norm(sform[:3, :3], axis=0)
        if (np.abs(columns - spacing) > _SPACING_DIFFERS * columns).any():
            doubts.append("spacing_differs")
    if sform is not None and qform is not None:
        corners = np.array(
            [(*corner, 1) for corner in product(*((0, side - 1) for side in size[::-1]))]
        )
        apart = np.linalg.norm((corners @ (sform - qform).T)[:, :3], axis=1)
        if apart.max() > spacing.max():
            doubts.append("forms_differ")
    return tuple(doubts)
