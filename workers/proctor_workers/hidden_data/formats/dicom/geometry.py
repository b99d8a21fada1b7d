"""Reads where a file's slices lie: one of a plain image, one for each frame of an enhanced one."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from proctor_workers.hidden_data.formats.dicom.originals import BROKEN, Original
from proctor_workers.hidden_data.formats.dicom.pixels import Layout
from proctor_workers.hidden_data.formats.series import Slice

# What tells slices of one place apart, in this order (PS3.3 C.7.6.13, C.8.3.1).
_PHASES = ("TemporalPositionIdentifier", "AcquisitionNumber", "EchoTime", "DiffusionBValue",
           "TriggerTime")  # fmt: skip


def slices_of(original: Original, layout: Layout) -> tuple[Slice, ...]:
    """Return the slices of one file; of frames that have no place, one that stands for them all."""
    header = original.header
    if layout.frames == 1 and "PerFrameFunctionalGroupsSequence" not in header:
        return (_slice(original, layout, header, header, header),)
    groups = header.get("PerFrameFunctionalGroupsSequence") or ()
    if len(groups) == layout.frames:
        shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
        return tuple(_of_frame(original, layout, group, shared) for group in groups)
    offsets = numbers(header, "GridFrameOffsetVector")
    whole = _slice(original, layout, header, header, header)
    if offsets and len(offsets) == layout.frames and whole.position and whole.orientation:
        return _planes(whole, offsets)
    return (_slice(original, layout, Dataset(), Dataset(), header),)


def _of_frame(original: Original, layout: Layout, group: Dataset, shared: Dataset) -> Slice:
    places, planes, measures = (
        macro(name, group, shared)
        for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    )
    return _slice(original, layout, places, planes, measures)


def macro(name: str, group: Dataset, shared: Dataset) -> Dataset:
    """Return a functional group of a frame: its own, or the one that all frames share."""
    items = group.get(name) or shared.get(name) or ()
    return next(iter(items), Dataset())


def _slice(
    original: Original, layout: Layout, places: Dataset, planes: Dataset, measures: Dataset
) -> Slice:
    header = original.header
    spacing = numbers(measures, "PixelSpacing") or numbers(header, "ImagerPixelSpacing")
    thickness = numbers(measures, "SliceThickness")
    number = numbers(header, "InstanceNumber")
    return Slice(
        uid=str(header.get("SOPInstanceUID") or ""),
        file=original.name,
        series=str(header.get("SeriesInstanceUID") or ""),
        number=int(number[0]) if number else 0,
        size=(layout.rows, layout.columns),
        position=numbers(places, "ImagePositionPatient"),
        orientation=numbers(planes, "ImageOrientationPatient"),
        spacing=(spacing[0], spacing[1]) if spacing and len(spacing) == 2 else None,
        thickness=thickness[0] if thickness and thickness[0] > 0 else None,
        frame_of_reference=str(header.get("FrameOfReferenceUID") or ""),
        phase=tuple((numbers(header, name) or (0.0,))[0] for name in _PHASES),
    )


def _planes(whole: Slice, offsets: Sequence[float]) -> tuple[Slice, ...]:
    """Return the planes of a dose: offsets from the first, or positions in z (PS3.3 C.8.8.3.2)."""
    row, column = np.split(np.array(whole.orientation), 2)
    normal, first = np.cross(row, column), np.array(whole.position)
    relative = np.array(offsets) - offsets[0]
    places = first + relative[:, None] * normal
    thickness = abs(offsets[1] - offsets[0]) if len(offsets) > 1 else whole.thickness
    return tuple(
        Slice(
            uid=whole.uid,
            file=whole.file,
            series=whole.series,
            number=whole.number,
            size=whole.size,
            position=tuple(place.tolist()),
            orientation=whole.orientation,
            spacing=whole.spacing,
            thickness=thickness,
            frame_of_reference=whole.frame_of_reference,
        )
        for place in places
    )


def numbers(source: Dataset, keyword: str) -> tuple[float, ...] | None:
    """Return an element's numbers; None where it has none, or one is no finite number."""
    try:
        value: Any = source.get(keyword)
        if value is None or value == "":
            return None
        values = [value] if isinstance(value, str | int | float) else list(value)
        found = tuple(float(one) for one in values)
    except BROKEN:
        return None
    return found if found and all(math.isfinite(one) for one in found) else None
