"""Reads boxes, points and instance masks of a cohort into lesions and marks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError
from proctor_workers.answers import Answer, Answers, Cases
from proctor_workers.metrics.detection.findings import Findings, Objects
from proctor_workers.metrics.detection.masks import Runs, runs_of_spans
from proctor_workers.metrics.detection.regions import (
    InvalidRegionError,
    checked_boxes,
    checked_points,
)
from proctor_workers.statistics.arrays import Bools, Floats, Ints

IGNORED = "ignore"  # the category of a reference region in which marks do not count
_PLACES = ("boxes", "points", "mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The findings, and which cases cannot be compared (`bad`) or have a mark without score."""

    findings: Findings
    bad: Bools
    unscored: Bools


@dataclass(slots=True)
class _Parts:
    """What is said of one case: regions with class, number and either coordinates or runs."""

    frame: Floats | None = None
    given: bool = False
    category: list[str | None] = field(default_factory=list)
    number: list[float | None] = field(default_factory=list)
    region: list[Floats] = field(default_factory=list)
    tag: str = ""
    semantic: bool = False  # a mask of structures, not of instances


def _parts(rows: Iterable[Answer]) -> _Parts:
    found = _Parts()
    for row in rows:
        if row.output not in _PLACES or found.tag not in {"", row.output}:
            continue
        found.given, found.tag = True, row.output
        if row.location is None:
            continue
        if row.output == "mask" and found.frame is None:
            found.frame = row.location
            continue
        found.semantic |= row.output == "mask" and row.unit is None
        found.category.append(row.category)
        found.number.append(row.score)
        found.region.append(row.location)
    return found


def read(cases: Cases, answers: Answers, targets: Sequence[str]) -> Read:
    """Read the reference standard's lesions and a rater's marks.

    A score in the reference standard is a lesion's clinical weight; its category `IGNORED` makes a
    region in which marks do not count.

    A mark that cannot be compared makes its case bad: other axes than the reference, wholly outside
    the image where its size is known, another grid, no class where there are several.

    Raises:
        DataError: a case's reference standard gives no boxes, points or instances, or names an
            unknown class or a weight that is none.
    """
    names = list(targets) or [""]
    truth = [_parts(rows) for rows in cases.truth()]
    said = [_parts(rows) for rows in answers]
    _check(truth, names)
    axes = _axes(truth, said)
    bad = np.array([not _fits(*pair, names, axes) for pair in zip(said, truth, strict=True)])
    said = [_Parts() if wrong else one for one, wrong in zip(said, bad, strict=True)]
    ignored = [name == IGNORED for one in truth for name in one.category]
    lesions = _objects(truth, truth, names, axes)
    marks = _objects(said, truth, names, axes)
    unscored = np.array([None in one.number for one in said], dtype=np.bool_)
    return Read(
        findings=Findings(
            images=len(cases),
            classes=len(names),
            lesions=lesions,
            ignored=np.array(ignored, dtype=np.bool_),
            marks=marks,
            spacing=np.array([_spacing(one, axes) for one in truth]).reshape(-1, axes),
            under=_under(truth, marks, lesions),
        ),
        bad=bad,
        unscored=unscored,
    )


def own_calls(cases: Cases, answers: Answers, points: Sequence[str]) -> dict[str, Any]:
    """Return the device's own call of each case (1, 0, -1 for none) at each operating point."""
    output, point_of = answers.column("output"), answers.column("operating_point")
    found = {}
    for point in points:
        own = np.full(len(cases), -1, dtype=np.int64)
        called = (output == "call") & (point_of == point)
        own[answers.row_case[called]] = answers.column("call")[called].astype(np.int64)
        found[f"call:{point}"] = own
    return found


def _check(truth: Sequence[_Parts], names: Sequence[str]) -> None:
    for one in truth:
        if not one.given or one.semantic:
            raise DataError(
                "A case's reference standard gives no boxes, points or instances.",
                cure="Give the lesions of every case; an empty list where there are none.",
            )
        unknown = {name for name in one.category if name is not None} - {*names, IGNORED}
        if unknown or (None in one.category and len(names) > 1):
            raise DataError(
                "A lesion of the reference standard has no class of the task.",
                cure=f"Name one of the task's targets, or '{IGNORED}' where marks do not count.",
            )
        if any(number is not None and number <= 0 for number in one.number):
            raise DataError(
                "A lesion of the reference standard has a weight of 0 or less.",
                cure="Give clinical weights above 0 as scores of the reference, or none.",
            )


def _axes(truth: Sequence[_Parts], said: Sequence[_Parts]) -> int:
    counts = {_axes_of(one) for one in truth} - {0}
    if len(counts) > 1:
        raise DataError(
            "The reference standard is partly of images and partly of volumes.",
            cure="Give all regions with the same number of coordinates.",
        )
    if counts:
        return counts.pop()
    return next((axes for one in said if (axes := _axes_of(one))), 2)


def _axes_of(one: _Parts) -> int:
    if one.frame is not None:
        return len(one.frame) // 2
    return len(one.region[0]) // (2 if one.tag == "boxes" else 1) if one.region else 0


def _fits(said: _Parts, truth: _Parts, names: Sequence[str], axes: int) -> bool:
    """Whether a case's marks can be compared with its lesions."""
    if said.semantic or (None in said.category and len(names) > 1):
        return False
    if said.frame is not None:
        if len(said.frame) != 2 * axes:
            return False
        return truth.frame is None or np.array_equal(said.frame[:axes], truth.frame[:axes])
    per_region = axes if said.tag == "points" else 2 * axes
    if any(len(one) != per_region for one in said.region):
        return False
    return truth.frame is None or _inside(said, truth.frame[:axes][::-1])


def _inside(said: _Parts, extent: Floats) -> bool:
    """Whether points lie in the image, and boxes at least in part."""
    regions = np.array(said.region)
    try:
        if said.tag == "points" and said.region:
            checked_points(regions, extent)
        elif said.region:
            checked_boxes(regions, extent)
    except InvalidRegionError:
        return False
    return True


def _spacing(one: _Parts, axes: int) -> Floats:
    """Return the size of a pixel along x, y[, z]; 1 where none is given: coordinates in mm."""
    if one.frame is None or not np.all(one.frame[axes:] > 0):
        return np.ones(axes)
    return one.frame[axes:][::-1]


def _objects(
    parts: Sequence[_Parts], truth: Sequence[_Parts], names: Sequence[str], axes: int
) -> Objects:
    image = np.repeat(np.arange(len(parts)), [len(one.region) for one in parts])
    place = {name: code for code, name in enumerate(names)} | {None: 0, IGNORED: 0}
    label = np.array([place[name] for one in parts for name in one.category], dtype=np.int64)
    number = np.array([1.0 if n is None else n for one in parts for n in one.number], dtype=float)
    boxes = [
        _box(region, one, whole.frame, axes)
        for one, whole in zip(parts, truth, strict=True)
        for region in one.region
    ]
    box = np.array(boxes).reshape(-1, 2 * axes)
    centre = (box[:, :axes] + box[:, axes:]) / 2
    runs = _runs(parts, truth)
    size = np.prod(box[:, axes:] - box[:, :axes], axis=1) if runs is None else runs.size
    return Objects(
        image=image.astype(np.int64),
        label=label,
        box=np.where(np.any(box[:, axes:] <= box[:, :axes], axis=1)[:, None], np.nan, box),
        centre=centre,
        size=size,
        number=number,
        masks=runs,
    )


def _runs(parts: Sequence[_Parts], truth: Sequence[_Parts]) -> Runs | None:
    """Return the masks where every region is one; none are masks too where the lesions are."""
    if not any(one.tag == "mask" for one in (*parts, *truth)) or any(
        one.tag in {"boxes", "points"} for one in parts
    ):
        return None
    frames = [one.frame for one in parts if one.frame is not None for _ in one.region]
    pixels = [int(np.prod(frame[: len(frame) // 2])) for frame in frames]
    spans = [region.astype(np.int64) for one in parts for region in one.region]
    return runs_of_spans(spans, pixels)


def _box(region: Floats, one: _Parts, frame: Floats | None, axes: int) -> Floats:
    """Return a region's bounding box; a point's has no extent."""
    if one.tag == "points":
        return np.concatenate([region, region])
    if one.tag == "boxes":
        return region if frame is None else checked_boxes(region[None], frame[:axes][::-1])[0]
    return _bounds(region.astype(np.int64), one.frame, axes)


def _bounds(spans: Ints, frame: Floats | None, axes: int) -> Floats:
    """Return the bounding box of runs on a grid of [slices,] rows, columns."""
    if frame is None or not len(spans):
        return np.zeros(2 * axes)
    size = tuple(frame[:axes].astype(np.int64))
    ends = np.concatenate([spans[::2], spans[::2] + spans[1::2] - 1])
    place = np.stack(np.unravel_index(ends, size))[::-1]
    across = spans[::2] // size[-1] != (spans[::2] + spans[1::2] - 1) // size[-1]
    low, high = place.min(axis=1), place.max(axis=1) + 1
    if across.any():  # a run that goes on in the next row touches both borders
        low[0], high[0] = 0, size[-1]
    return np.concatenate([low, high]).astype(np.float64)


def _under(truth: Sequence[_Parts], marks: Objects, lesions: Objects) -> Ints | None:
    """Return the lesion whose mask holds each mark's centre, -1 where none does."""
    if lesions.masks is None:
        return None
    found = np.full(len(marks), -1, dtype=np.int64)
    first = np.searchsorted(lesions.image, np.arange(len(truth) + 1))
    for mark, image in enumerate(marks.image):
        frame = truth[image].frame
        if frame is None:
            continue
        size = frame[: len(frame) // 2].astype(np.int64)
        place = np.floor(marks.centre[mark][::-1]).astype(np.int64)
        if np.any(place < 0) or np.any(place >= size):
            continue
        pixel = int(np.ravel_multi_index(tuple(place), tuple(size)))
        for lesion in range(first[image], first[image + 1]):
            ends = lesions.masks.ends[lesions.masks.first[lesion] : lesions.masks.first[lesion + 1]]
            if np.searchsorted(ends, pixel, side="right") % 2:
                found[mark] = lesion
                break
    return found
