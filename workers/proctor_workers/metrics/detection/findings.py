"""Everything that was marked and sought in a cohort, and what each rule makes of it once."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np

from proctor_workers.metrics import instances
from proctor_workers.metrics.detection import coco, hits, masks, matching, regions, responses
from proctor_workers.metrics.detection.masks import Runs
from proctor_workers.metrics.detection.responses import FreeResponse
from proctor_workers.statistics.arrays import Bools, Floats, Ints

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRule:
    """When a mark hits a lesion, and what a further mark on it is."""

    name: Literal["overlap", "center", "distance"]
    least_overlap: float
    radius: float
    extra: Literal["false", "neutral"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """Lesions or marks (n,): image and class codes, region and number.

    `box` (n, 2 axes) is NaN and `size` 0 where only a point is given. `number` is a mark's score or
    a lesion's clinical weight. `masks` are there for all or for none.
    """

    image: Ints
    label: Ints
    box: Floats
    centre: Floats
    size: Floats
    number: Floats
    masks: Runs | None = None

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """Lesions and marks on the images of a cohort, both ordered by image.

    `ignored` lesions are regions in which marks do not count. `spacing` is the size of a pixel in
    mm, one row an image; `under` says of each mark which lesion's mask its centre lies in (-1).
    """

    images: int
    classes: int
    lesions: Objects
    ignored: Bools
    marks: Objects
    spacing: Floats
    under: Ints | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def response(self, rule: HitRule, label: int | None) -> FreeResponse:
        """Return hits and false marks under a rule, of one class or of all; images are patients."""
        return self._once((rule, label), lambda: self._response(rule, label))

    def matches(self, label: int | None) -> coco.Matches:
        """Return COCO's matches, of one class or of all."""
        return self._once(("coco", label), lambda: self._matches(label))

    def instance_sums(self, beyond: float) -> Floats:
        """Return each image's sums of partners (images, classes, `instances.COLUMNS`)."""
        return self._once(("instances", beyond), lambda: self._instance_sums(beyond))

    def _instance_sums(self, beyond: float) -> Floats:
        one, two = self.lesions, self.marks
        if one.masks is None or two.masks is None:
            raise ValueError("instances are masks")
        found = np.zeros((self.images, self.classes, len(instances.COLUMNS)))
        pair = hits.together(two.image, one.image)
        shared = masks.shared_pixels(two.masks, one.masks, pair)
        mark_bounds = np.searchsorted(two.image, np.arange(self.images + 1))
        lesion_bounds = np.searchsorted(one.image, np.arange(self.images + 1))
        sizes = np.diff(mark_bounds) * np.diff(lesion_bounds)
        starts = np.cumsum(sizes) - sizes
        for image in range(self.images):
            marks = slice(mark_bounds[image], mark_bounds[image + 1])
            lesions = slice(lesion_bounds[image], lesion_bounds[image + 1])
            reference = one.masks.size[lesions]
            predicted = two.masks.size[marks]
            part = shared[starts[image] : starts[image] + sizes[image]]
            pixels = instances.Overlap(
                shared=part.reshape(len(predicted), len(reference)).T,
                reference=reference,
                predicted=predicted,
                void=np.zeros(len(predicted)),
            )
            classes = (one.label[lesions], two.label[marks])
            partners = instances.matched(pixels, classes, beyond=beyond, rule="hungarian")
            found[image] = instances.sums(pixels, partners, classes, self.classes)
        return found

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    def _places(self) -> tuple[Ints, Ints]:
        return (
            coco.places(self.marks.image, self.marks.label, self.classes),
            coco.places(self.lesions.image, self.lesions.label, self.classes),
        )

    def _response(self, rule: HitRule, label: int | None) -> FreeResponse:
        marks, lesions = self.marks, self.lesions
        order = matching.by_score(marks.number, marks.image)
        hit = matching.matched(self._pairs(rule), order, self.ignored, extra=rule.extra)
        sought = np.ones(len(lesions), dtype=np.bool_) if label is None else lesions.label == label
        said = np.ones(len(marks), dtype=np.bool_) if label is None else marks.label == label
        return responses.free_response(
            np.arange(self.images),
            (lesions.image, self.ignored | ~sought),
            (marks.image, marks.number, np.where(said, hit, matching.NEUTRAL)),
            lesion_weight=np.where(sought, lesions.number, 1.0),
        )

    def _pairs(self, rule: HitRule) -> hits.Pairs:
        places, marks, lesions = self._places(), self.marks, self.lesions
        if rule.name == "distance":
            return hits.near(
                marks.centre,
                lesions.centre,
                places,
                radius=rule.radius,
                spacing=self.spacing[marks.image],
            )
        if rule.name == "center":
            return self._centred(places)
        return self._overlapping(places, rule.least_overlap)

    def _centred(self, places: tuple[Ints, Ints]) -> hits.Pairs:
        if self.under is None:
            return hits.centred(self.marks.centre, self.lesions.box, places)
        mark = np.flatnonzero(self.under >= 0)
        lesion = self.under[mark]
        same = places[0][mark] == places[1][lesion]
        mark, lesion = mark[same], lesion[same]
        return hits.paired(mark, lesion, np.zeros(len(mark)), len(self.marks))

    def _overlapping(self, places: tuple[Ints, Ints], least: float) -> hits.Pairs:
        one, two = self.marks.masks, self.lesions.masks
        if one is not None and two is not None:
            return masks.overlapping(one, two, places, least=least, crowd=self.ignored)
        boxes = (self.marks.box, self.lesions.box)
        return hits.overlapping(*boxes, places, least=least, crowd=self.ignored)

    def _matches(self, label: int | None) -> coco.Matches:
        marks, lesions = self.marks, self.lesions
        found = coco.match(
            self._overlapping(self._places(), float(coco.THRESHOLDS[0])),
            coco.Truth(
                image=lesions.image, label=lesions.label, size=lesions.size, crowd=self.ignored
            ),
            coco.Found(image=marks.image, label=marks.label, size=marks.size, score=marks.number),
            self.classes,
        )
        return found if label is None else coco.of_class(found, label)


def objects_of_boxes(image: Ints, label: Ints, box: Floats, number: Floats) -> Objects:
    """Return objects given as boxes (n, 4 or 6)."""
    return Objects(
        image=image,
        label=label,
        box=box,
        centre=regions.centres(box),
        size=regions.sizes(box),
        number=number,
    )


def objects_of_points(image: Ints, label: Ints, point: Floats, number: Floats) -> Objects:
    """Return objects given as points (n, 2 or 3)."""
    return Objects(
        image=image,
        label=label,
        box=np.full((len(image), 2 * point.shape[1]), np.nan),
        centre=point,
        size=np.zeros(len(image)),
        number=number,
    )
