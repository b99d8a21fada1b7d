"""Which marks could hit which lesions, by the protocol's rule: overlap, centre or distance.

A mark and a lesion can meet only within one `place`: an image, or an image and a class.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proctor_workers.metrics.detection import regions
from proctor_workers.statistics.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The lesions that each mark could hit: those of mark i at first[i] to first[i + 1].

    A greater `closeness` is a better hit: overlap, or distance with its sign turned.
    """

    first: Ints
    lesion: Ints
    closeness: Floats

    @property
    def marks(self) -> int:
        """Number of marks."""
        return len(self.first) - 1


def paired(mark: Ints, lesion: Ints, closeness: Floats, marks: int) -> Pairs:
    """Return pairs from a list of them (n,), ordered by mark and lesion."""
    order = np.lexsort((lesion, mark))
    first = np.concatenate(([0], np.cumsum(np.bincount(mark, minlength=marks))))
    return Pairs(
        first=first.astype(np.int64),
        lesion=np.ascontiguousarray(lesion[order]),
        closeness=np.ascontiguousarray(closeness[order]),
    )


def together(mark_place: Ints, lesion_place: Ints) -> tuple[Ints, Ints]:
    """Return every mark and lesion that share a place, as row numbers, by mark and lesion."""
    places = int(max(mark_place.max(initial=-1), lesion_place.max(initial=-1))) + 1
    held = np.bincount(lesion_place, minlength=places)
    start = np.cumsum(held) - held
    count = held[mark_place]
    mark = np.repeat(np.arange(len(mark_place)), count)
    within = np.arange(len(mark)) - np.repeat(np.cumsum(count) - count, count)
    by_place = np.argsort(lesion_place, kind="stable")
    return mark.astype(np.int64), by_place[start[mark_place[mark]] + within].astype(np.int64)


def overlapping(
    marks: Floats, lesions: Floats, places: tuple[Ints, Ints], *, least: float, crowd: Bools
) -> Pairs:
    """Return pairs of boxes (n, 4 or 6) whose intersection over union is at least `least`.

    Of a lesion box that holds a `crowd` (lesions,), the mark's share inside counts.
    """
    mark, lesion = together(*places)
    share = regions.overlaps(marks[mark], lesions[lesion], crowd[lesion])
    near = share >= least
    return paired(mark[near], lesion[near], share[near], len(marks))


def centred(points: Floats, lesions: Floats, places: tuple[Ints, Ints]) -> Pairs:
    """Return pairs of points (n, axes) and the boxes they lie in; the nearer centre is closer."""
    mark, lesion = together(*places)
    axes = points.shape[1]
    point, box = points[mark], lesions[lesion]
    inside = np.all((point >= box[:, :axes]) & (point < box[:, axes:]), axis=1)
    away = np.sum((point - regions.centres(box)) ** 2, axis=1)
    return paired(mark[inside], lesion[inside], -away[inside], len(points))


def near(
    points: Floats,
    lesions: Floats,
    places: tuple[Ints, Ints],
    *,
    radius: float,
    spacing: Floats,
) -> Pairs:
    """Return pairs of points (n, axes) not farther apart than `radius` mm.

    `spacing` is the size of a pixel in mm, (axes,) or one for each mark (n, axes).
    """
    mark, lesion = together(*places)
    scale = spacing[mark] if spacing.ndim == 2 else spacing
    away = np.sqrt(np.sum(((points[mark] - lesions[lesion]) * scale) ** 2, axis=1))
    close = away <= radius
    return paired(mark[close], lesion[close], -away[close], len(points))


def labels_at(points: Floats, labels: NDArray[np.integer]) -> Ints:
    """Return the label of a mask at each point (n,), for the centre-in-mask rule.

    `points` are (x, y[, z]); `labels` is indexed [y, x] or [z, y, x], 0 meaning no lesion.
    """
    regions.checked_points(points, np.array(labels.shape[::-1], dtype=np.float64))
    pixel = np.floor(points).astype(np.int64)
    found: Ints = labels[tuple(pixel[:, ::-1].T)].astype(np.int64)
    return found
