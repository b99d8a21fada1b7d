"""Average precision and recall with COCO's rules (Lin et al., ECCV 2014), for boxes and for masks.

Matching is done once for each range of sizes and each threshold; everything after it, resamples
included, only adds up precision and recall. Equal scores are ordered by image, then by emission.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proctor_workers.metrics.detection.hits import Pairs
from proctor_workers.metrics.detection.matching import FALSE, by_score, take
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of overlap
RECALLS = np.linspace(0.0, 1.0, 101)
MOST = (1, 10, 100)  # marks an image and class that count
AREAS = {  # pixels; both ends belong to the range
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
HIT, MISS, LEFT_OUT = 1, 0, -1
EPSILON = float(np.spacing(1))  # COCO's guard of the denominator

States = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Reference objects (n,): image and class codes, size, and whether a region holds a crowd."""

    image: Ints
    label: Ints
    size: Floats
    crowd: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Marks (n,): image and class codes, size and score; in order of emission on each image."""

    image: Ints
    label: Ints
    size: Floats
    score: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """What became of each mark, ordered by class and score, under each size range and threshold.

    `state` (ranges, thresholds, marks) is 1 for a hit, 0 for a false mark and -1 for one left out;
    `first` (classes + 1,) bounds the classes; `rank` is a mark's place on its image and class;
    `counts` (ranges, objects) says which objects count.
    """

    state: States
    first: Ints
    rank: Ints
    image: Ints
    counts: Bools
    object_image: Ints
    object_label: Ints

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.first) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """COCO's twelve numbers, NaN where it says -1, and the tables behind them.

    `precision` (thresholds, recalls, classes, ranges) and `recall` (thresholds, classes, ranges,
    most marks) are NaN for classes without objects.
    """

    numbers: dict[str, float]
    precision: Floats
    recall: Floats


def places(image: Ints, label: Ints, classes: int) -> Ints:
    """Return one code for each image and class, within which marks and objects meet."""
    return image * classes + label


def match(
    pairs: Pairs,
    truth: Truth,
    found: Found,
    classes: int,
    *,
    areas: dict[str, tuple[float, float]] = AREAS,
) -> Matches:
    """Match marks to objects for each size range and threshold.

    `pairs` holds the overlaps of at least the lowest threshold. Objects outside a range and crowds
    do not count, nor do marks on them, nor false marks outside the range.
    """
    order = by_score(found.score, found.image)
    order = order[np.argsort(found.label[order], kind="stable")]
    rank = _ranks(places(found.image, found.label, classes)[order])
    kept = rank < MOST[-1]
    order, rank = order[kept], rank[kept]
    ranges = np.array(list(areas.values()))
    outside = (truth.size < ranges[:, :1]) | (truth.size > ranges[:, 1:])
    ignored = outside | truth.crowd
    state = np.empty((len(ranges), len(THRESHOLDS), len(order)), dtype=np.int8)
    overlaps = (pairs.first, pairs.lesion, pairs.closeness)
    _judge(overlaps, order, ignored, truth.crowd, (found.size[order], ranges), state)
    return Matches(
        state=state,
        first=np.searchsorted(found.label[order], np.arange(classes + 1)),
        rank=rank,
        image=found.image[order],
        counts=~ignored,
        object_image=truth.image,
        object_label=truth.label,
    )


@compiled
def _judge(
    overlaps: tuple[Ints, Ints, Floats],
    order: Ints,
    ignored: Bools,
    crowd: Bools,
    sizes: tuple[Floats, Floats],
    state: States,
) -> None:
    """Match under each range and threshold and write each mark's state."""
    first, lesion, closeness = overlaps
    size, ranges = sizes
    hit = np.empty(len(first) - 1, dtype=np.int64)
    for area in range(state.shape[0]):
        for step in range(state.shape[1]):
            take(first, lesion, closeness, order, ignored[area], crowd, THRESHOLDS[step], hit)
            for mark in range(len(order)):
                one = hit[order[mark]]
                if one != FALSE:
                    state[area, step, mark] = LEFT_OUT if ignored[area, one] else HIT
                elif size[mark] < ranges[area, 0] or size[mark] > ranges[area, 1]:
                    state[area, step, mark] = LEFT_OUT
                else:
                    state[area, step, mark] = MISS


def _ranks(place: Ints) -> Ints:
    """Return how many rows of the same place stand before each row."""
    order = np.argsort(place, kind="stable")
    ordered = place[order]
    rank = np.empty(len(place), dtype=np.int64)
    rank[order] = np.arange(len(place)) - np.searchsorted(ordered, ordered)
    return rank


def summary(matches: Matches) -> Summary:
    """Return COCO's summary of all images; `areas` as in `AREAS`."""
    ranges, thresholds, _ = matches.state.shape
    positives = np.stack(
        [
            np.bincount(matches.object_label[counts], minlength=matches.classes)
            for counts in matches.counts
        ]
    ).astype(np.float64)
    precision = np.full((thresholds, len(RECALLS), matches.classes, ranges), np.nan)
    recall = np.full((thresholds, matches.classes, ranges, len(MOST)), np.nan)
    _accumulate(
        matches.state, matches.first, matches.rank, positives, np.array(MOST), precision, recall
    )
    return Summary(numbers=_numbers(precision, recall), precision=precision, recall=recall)


@compiled
def _accumulate(
    state: States,
    first: Ints,
    rank: Ints,
    positives: Floats,
    most: Ints,
    precision: Floats,
    recall: Floats,
) -> None:
    for area in range(state.shape[0]):
        for step in range(state.shape[1]):
            for label in range(len(first) - 1):
                objects = positives[area, label]
                if objects == 0.0:
                    continue
                low, high = first[label], first[label + 1]
                best = np.zeros(len(RECALLS))
                _envelope(state[area, step, low:high], objects, best)
                precision[step, :, label, area] = best
                for limit in range(len(most)):
                    hits = 0.0
                    for mark in range(low, high):
                        hits += state[area, step, mark] == HIT and rank[mark] < most[limit]
                    recall[step, label, area, limit] = hits / objects


@compiled
def _envelope(state: States, objects: float, best: Floats) -> None:
    """Write the highest precision at or beyond each recall into `best`."""
    hits, false, reached = 0.0, 0.0, 0
    for mark in range(len(state)):
        if state[mark] == HIT:
            hits += 1.0
            while reached < len(best) and hits / objects >= RECALLS[reached]:
                reached += 1
            precision = hits / (false + hits + EPSILON)
            best[reached - 1] = max(best[reached - 1], precision)
        elif state[mark] == MISS:
            false += 1.0
    for step in range(len(best) - 2, -1, -1):
        best[step] = max(best[step], best[step + 1])


def _numbers(precision: Floats, recall: Floats) -> dict[str, float]:
    names = list(AREAS)
    found = {"AP": _mean(precision[..., 0])}
    found |= {"AP50": _mean(precision[0, ..., 0]), "AP75": _mean(precision[5, ..., 0])}
    found |= {f"AP_{names[area]}": _mean(precision[..., area]) for area in (1, 2, 3)}
    found |= {f"AR{most}": _mean(recall[..., 0, limit]) for limit, most in enumerate(MOST)}
    return found | {f"AR_{names[area]}": _mean(recall[..., area, -1]) for area in (1, 2, 3)}


def _mean(table: Floats) -> float:
    defined = table[~np.isnan(table)]
    return float(defined.mean()) if len(defined) else float("nan")


def of_class(matches: Matches, label: int) -> Matches:
    """Return the matches of one class alone."""
    low, high = matches.first[label], matches.first[label + 1]
    objects = matches.object_label == label
    return Matches(
        state=matches.state[:, :, low:high],
        first=np.array([0, high - low]),
        rank=matches.rank[low:high],
        image=matches.image[low:high],
        counts=matches.counts[:, objects],
        object_image=matches.object_image[objects],
        object_label=np.zeros(int(objects.sum()), dtype=np.int64),
    )


def taken(matches: Matches, images: Ints, failed: Bools, cap: int) -> Matches:
    """Return the matches on some images, numbered anew in the order given.

    An image without an output (`failed`, one entry an image given) has its objects missed and
    `cap` false marks of each class before all others.
    """
    last = max(int(part.max(initial=-1)) for part in (images, matches.image, matches.object_image))
    place = np.full(last + 1, -1, dtype=np.int64)
    place[images] = np.arange(len(images))
    mark = place[matches.image]
    kept = (mark >= 0) & ~failed[mark]
    added = np.repeat(np.flatnonzero(failed), cap)
    label = np.repeat(np.arange(matches.classes), np.diff(matches.first))[kept]
    labels = np.concatenate([np.repeat(np.arange(matches.classes), len(added)), label])
    order = np.argsort(labels, kind="stable")
    extra = len(labels) - len(label)
    false = np.full((*matches.state.shape[:2], extra), MISS, dtype=np.int8)
    sought = place[matches.object_image]
    return Matches(
        state=np.concatenate([false, matches.state[:, :, kept]], axis=2)[:, :, order],
        first=np.searchsorted(labels[order], np.arange(matches.classes + 1)),
        rank=np.concatenate([np.zeros(extra, dtype=np.int64), matches.rank[kept]])[order],
        image=np.concatenate([np.tile(added, matches.classes), mark[kept]])[order],
        counts=matches.counts[:, sought >= 0],
        object_image=sought[sought >= 0],
        object_label=matches.object_label[sought >= 0],
    )
