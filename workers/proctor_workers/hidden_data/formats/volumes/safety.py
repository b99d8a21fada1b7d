"""Takes text and faces out of a volume, as the plan has it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from proctor_backend.viewer.upright import Turn
from proctor_workers.hidden_data.deidentify.burned_in import clean_pixels
from proctor_workers.hidden_data.deidentify.faces import remove_face
from proctor_workers.hidden_data.deidentify.profile import (
    Deidentification,
    Faces,
    burned_in_policy,
)
from proctor_workers.hidden_data.findings import Finding
from proctor_workers.hidden_data.formats.volumes.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeVolume:
    """A volume as it may be kept, what was found in it, and what was done, counted."""

    volume: Volume
    findings: tuple[Finding, ...]
    actions: Mapping[str, int]


def made_safe(volume: Volume, plan: Deidentification, *, file: str) -> SafeVolume:
    """Return the volume without burned-in text and without its face, where the plan asks for it.

    Raises:
        QuarantineError: text was found, or no face could be removed for certain.
    """
    turn = Turn.upright(volume.affine) if volume.oriented else Turn()
    with np.errstate(all="ignore"):  # foreign floats overflow
        cleaned = clean_pixels(
            turn.applied(volume.voxels), "MONOCHROME2", burned_in_policy(plan), file=file
        )
        actions = Counter(cleaned.actions)
        volume = replace(volume, voxels=turn.undone(cleaned.pixels))
        if plan.faces is Faces.REMOVE:
            volume = _without_face(volume)
            actions["faces.removed"] += 1
    return SafeVolume(volume=volume, findings=cleaned.findings, actions=actions)


def _without_face(volume: Volume) -> Volume:
    """Set the face to the value of the air; stored values elsewhere stay as they are."""
    scaled = (volume.slope, volume.inter) != (1.0, 0.0)
    values = volume.voxels * volume.slope + volume.inter if scaled else volume.voxels
    clean, face = remove_face(values, volume.grid().affine)
    if scaled:
        air = (clean[face][:1] - volume.inter) / volume.slope
        clean = volume.voxels.copy()
        clean[face] = np.rint(air) if clean.dtype.kind in "iu" else air
    return replace(volume, voxels=clean)
