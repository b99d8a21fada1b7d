"""Average precision and recall of resampled patients: matches stay, only the sums are done again.

A patient drawn twice counts as two patients with the same images. Without equal scores the value
is COCO's for the data set in which the images of a patient stand as often as it was drawn.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proctor_workers.metrics.detection.coco import (
    AREAS,
    EPSILON,
    HIT,
    LEFT_OUT,
    MOST,
    RECALLS,
    THRESHOLDS,
    Matches,
)
from proctor_workers.metrics.detection.froc import Loop
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums

_EASE = 1 - 1e-12  # a recall this near is worth the division that decides
Places = NDArray[np.int32]  # half the memory to read for each resample

_NAMES = list(AREAS)
PRECISIONS = {  # size range and thresholds that a number is the mean over
    "AP": (0, range(len(THRESHOLDS))),
    "AP50": (0, range(1)),
    "AP75": (0, range(5, 6)),
    **{f"AP_{_NAMES[area]}": (area, range(len(THRESHOLDS))) for area in (1, 2, 3)},
}
RECALLED = {  # size range and place among the most marks that count
    **{f"AR{most}": (0, limit) for limit, most in enumerate(MOST)},
    **{f"AR_{_NAMES[area]}": (area, len(MOST) - 1) for area in (1, 2, 3)},
}


class _Marks(NamedTuple):
    """All marks by class and score, and the objects by size range and class, with their bounds."""

    first: Ints
    patient: Ints
    weight: Floats
    sought: Ints
    object_patient: Ints
    object_weight: Floats


class _Cell(NamedTuple):
    """A size range, class and threshold: which marks count, in runs of false marks and of hits.

    `mark` are places among the marks of the class; `ends` are where the runs end in it, false marks
    first; false marks after the last hit change no precision and are left out.
    """

    area: int
    label: int
    mark: Places
    ends: Ints


class _Cells(NamedTuple):
    """Cells one after the other; `counts` (cells, numbers) says which numbers average over one."""

    area: Ints
    label: Ints
    first: Ints
    ends: Ints
    before: Ints
    mark: Places
    counts: Bools


def precisions(
    matches: Matches, patient: Ints, weight: Floats, wanted: Sequence[tuple[int, range]]
) -> Loop:
    """Return the loop for means over a size range and thresholds; NaN where no class has objects.

    `wanted` is made of such as `PRECISIONS` names; `patient` and `weight` are each image's patient
    code and sampling weight.
    """
    keys = [
        (area, step, label)
        for area, step in sorted({(area, step) for area, steps in wanted for step in steps})
        for label in range(matches.classes)
    ]
    counts = [
        [area == place and step in steps for place, steps in wanted] for area, step, _ in keys
    ]
    cells = _joined([_cell(matches, *key) for key in keys], np.array(counts, dtype=np.bool_))
    return partial(_resampled, _marks(matches, patient, weight), cells)


def _marks(matches: Matches, patient: Ints, weight: Floats) -> _Marks:
    held = [
        np.flatnonzero(counts & (matches.object_label == label))
        for counts in matches.counts
        for label in range(matches.classes)
    ]
    image = matches.object_image[np.concatenate(held)]
    return _Marks(
        first=matches.first.astype(np.int64),
        patient=patient[matches.image],
        weight=weight[matches.image],
        sought=np.cumsum([0, *map(len, held)]),
        object_patient=patient[image],
        object_weight=weight[image],
    )


def _cell(matches: Matches, area: int, step: int, label: int) -> _Cell:
    state = matches.state[area, step, matches.first[label] : matches.first[label + 1]]
    mark = np.flatnonzero(state != LEFT_OUT).astype(np.int32)
    hit = np.concatenate(([False], state[mark] == HIT, [False]))
    ends = np.flatnonzero(hit[1:] != hit[:-1])
    return _Cell(area, label, mark, ends)


def _joined(cells: list[_Cell], counts: Bools) -> _Cells:
    before = np.cumsum([0, *(len(cell.mark) for cell in cells[:-1])])
    return _Cells(
        area=np.array([cell.area for cell in cells]),
        label=np.array([cell.label for cell in cells]),
        first=np.cumsum([0, *(len(cell.ends) for cell in cells)]),
        ends=np.concatenate([cell.ends + start for cell, start in zip(cells, before, strict=True)]),
        before=before,
        mark=np.concatenate([cell.mark for cell in cells]),
        counts=counts,
    )


@compiled
def _resampled(marks: _Marks, cells: _Cells, times: Ints, values: Floats) -> None:
    best = np.empty((2, len(RECALLS)))
    mass = np.empty(len(marks.patient))
    classes = len(marks.first) - 1
    objects = np.empty(len(marks.sought) - 1)
    for repeat in range(times.shape[0]):
        for mark in range(len(mass)):
            mass[mark] = marks.weight[mark] * times[repeat, marks.patient[mark]]
        for part in range(len(objects)):
            objects[part] = 0.0
            for one in range(marks.sought[part], marks.sought[part + 1]):
                objects[part] += marks.object_weight[one] * times[repeat, marks.object_patient[one]]
        values[repeat, :] = 0.0
        defined = np.zeros(values.shape[1])
        for cell in range(len(cells.area)):
            label = cells.label[cell]
            sought = objects[cells.area[cell] * classes + label]
            if sought > 0.0:
                held = mass[marks.first[label] : marks.first[label + 1]]
                found = _average(cells, cell, held, sought, best)
                for number in range(values.shape[1]):
                    values[repeat, number] += found * cells.counts[cell, number]
                    defined[number] += cells.counts[cell, number]
        for number in range(values.shape[1]):
            values[repeat, number] /= defined[number] or np.nan


@compiled
def _average(cells: _Cells, cell: int, mass: Floats, sought: float, best: Floats) -> float:
    """Return the mean over recalls of the highest precision at or beyond each.

    `best` holds hits and marks of the highest precision so far; fractions are compared by cross
    multiplication. Only the last of a run of hits can be a peak, whichever marks were not drawn.
    """
    best[0], best[1] = 0.0, 1.0
    hits, false, reached, goal = 0.0, 0.0, 0, 0.0
    start = cells.before[cell]
    for run in range(cells.first[cell], cells.first[cell + 1], 2):
        for place in range(start, cells.ends[run]):
            false += mass[cells.mark[place]]
        for place in range(cells.ends[run], cells.ends[run + 1]):
            hits += mass[cells.mark[place]]
        start = cells.ends[run + 1]
        if hits == 0.0:
            continue
        while hits >= goal and hits / sought >= RECALLS[reached]:
            reached += 1
            goal = _EASE * RECALLS[reached] * sought if reached < len(RECALLS) else np.inf
        step, total = reached - 1, hits + false + EPSILON
        if hits * best[1, step] > best[0, step] * total:
            best[0, step], best[1, step] = hits, total
    total, highest = 0.0, 0.0
    for step in range(len(RECALLS) - 1, -1, -1):
        highest = max(highest, best[0, step] / best[1, step])
        total += highest
    return float(total / len(RECALLS))


def recall_sums(
    matches: Matches, patient: Ints, weight: Floats, wanted: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Return each patient's hits, averaged over thresholds, and objects (patients, classes) each.

    `wanted` is a size range and a place in `MOST`, such as `RECALLED` names; the recall is the mean
    over classes with objects of the ratio of their sums.
    """
    area, limit = wanted
    patients, classes = int(patient.max(initial=-1)) + 1, matches.classes
    label = np.repeat(np.arange(classes), np.diff(matches.first))
    share = np.mean(matches.state[area] == HIT, axis=0) * (matches.rank < MOST[limit])
    hits = group_sums(
        share * weight[matches.image], patient[matches.image] * classes + label, patients * classes
    )
    counted = matches.counts[area]
    image = matches.object_image[counted]
    objects = group_sums(
        weight[image], patient[image] * classes + matches.object_label[counted], patients * classes
    )
    return hits.reshape(patients, classes), objects.reshape(patients, classes)


def mean_recall(hits: Floats, objects: Floats) -> Floats:
    """Return the mean over classes of summed hits by summed objects (..., classes)."""
    found = objects > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(found, hits / objects, 0.0)
        mean: Floats = np.where(
            found.any(axis=-1), recall.sum(axis=-1) / found.sum(axis=-1), np.nan
        )
    return mean
