"""Detection: COCO's summary, and FROC and wAFROC with intervals, beside pycocotools."""

import contextlib
import io
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import faster_coco_eval
import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tests.bench.record import Row, paired

from proctor_workers.metrics.detection import (
    areas,
    average_precision,
    coco,
    froc,
    hits,
    matching,
    responses,
)
from proctor_workers.metrics.detection.intervals import replicates
from proctor_workers.statistics.bootstrap import (
    Resampling,
    acceleration,
    bca_limits,
    jackknife_influence,
)
from proctor_workers.statistics.draws import Stream

IMAGES, OBJECTS, CLASSES, RESAMPLES, SIDE = 5_000, 10, 3, 2_000, 640
Boxes = NDArray[np.float64]


@dataclass(frozen=True)
class Cohort:
    """Ten objects and ten marks an image; every second image is without objects for FROC."""

    truth: coco.Truth
    found: coco.Found
    boxes: Boxes
    marks: Boxes

    def matches(self) -> coco.Matches:
        """Match every mark, from boxes on."""
        places = (
            coco.places(self.found.image, self.found.label, CLASSES),
            coco.places(self.truth.image, self.truth.label, CLASSES),
        )
        pairs = hits.overlapping(self.marks, self.boxes, places, least=0.5, crowd=self.truth.crowd)
        return coco.match(pairs, self.truth, self.found, CLASSES)

    def summary(self) -> float:
        """Time the full summary, from boxes to the twelve numbers."""
        begun = time.perf_counter()
        coco.summary(self.matches())
        return time.perf_counter() - begun

    def precision(self) -> float:
        """Time the resamples of average precision, matching included."""
        begun = time.perf_counter()
        _precision(self.matches())
        return time.perf_counter() - begun

    def free_response(self) -> float:
        """Time matching, FROC at seven rates and wAFROC, each with BCa limits."""
        begun = time.perf_counter()
        truth = self.truth.image % 2 == 0
        crowd = self.truth.crowd[truth]
        places = (self.found.image, self.truth.image[truth])
        pairs = hits.overlapping(self.marks, self.boxes[truth], places, least=0.5, crowd=crowd)
        order = matching.by_score(self.found.score, self.found.image)
        hit = matching.matched(pairs, order, crowd, extra="false")
        response = responses.free_response(
            np.arange(IMAGES), (places[1], crowd), (places[0], self.found.score, hit)
        )
        rates = np.array(froc.RATES)
        _limits(
            froc.sensitivities(response, rates),
            froc.sensitivities_without(response, rates),
            froc.sensitivity(response, rates),
        )
        ratings = areas.afroc(response, weighted=True)
        _limits(areas.areas(ratings), areas.areas_without(ratings), np.array([areas.area(ratings)]))
        return time.perf_counter() - begun

    def pycocotools(self) -> float:
        """Time its evaluation of loaded data."""
        return _timed(lambda: COCOeval(*self._loaded(COCO), "bbox"))

    def faster(self) -> float:
        """Time faster-coco-eval's evaluation of loaded data."""
        return _timed(
            lambda: faster_coco_eval.COCOeval_faster(*self._loaded(faster_coco_eval.COCO), "bbox")
        )

    def _loaded(self, library: Any) -> tuple[Any, Any]:
        known = library()
        known.dataset = deepcopy(self._base)
        known.createIndex()
        return known, known.loadRes(deepcopy(self._marks))

    @cached_property
    def _base(self) -> dict[str, Any]:
        images = [{"id": one + 1, "width": SIDE, "height": SIDE} for one in range(IMAGES)]
        classes = [{"id": one + 1, "name": str(one)} for one in range(CLASSES)]
        objects = [
            {"id": row + 1, "image_id": image + 1, "category_id": label + 1, "bbox": box}
            | {"area": box[2] * box[3], "iscrowd": 0}
            for row, (image, label, box) in enumerate(_rows(self.truth, self.boxes))
        ]
        return {"images": images, "categories": classes, "annotations": objects, "info": {}}

    @cached_property
    def _marks(self) -> list[dict[str, Any]]:
        return [
            {"image_id": image + 1, "category_id": label + 1, "bbox": box, "score": score}
            for (image, label, box), score in zip(
                _rows(self.found, self.marks), self.found.score.tolist(), strict=True
            )
        ]


def _rows(of: coco.Truth | coco.Found, boxes: Boxes) -> list[tuple[int, int, list[float]]]:
    sized = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    return list(zip(of.image.tolist(), of.label.tolist(), sized.tolist(), strict=True))


def _limits(loop: froc.Loop, without: Boxes, value: Boxes) -> None:
    stratum = np.zeros(IMAGES, dtype=np.int64)
    drawn = replicates(Resampling(RESAMPLES, stratum, Stream(1, "bench")), loop, len(value))
    for column, estimate in enumerate(value):
        pull = jackknife_influence(without[:, column], stratum)
        bca_limits(float(estimate), drawn[:, column], acceleration(pull, stratum))


def _precision(matches: coco.Matches) -> None:
    loop = average_precision.precisions(
        matches, np.arange(IMAGES), np.ones(IMAGES), [average_precision.PRECISIONS["AP"]]
    )
    stratum = np.zeros(IMAGES, dtype=np.int64)
    replicates(Resampling(RESAMPLES, stratum, Stream(1, "bench")), loop, 1)


def _timed(prepared: Callable[[], Any]) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        run = prepared()
        begun = time.perf_counter()
        run.evaluate()
        run.accumulate()
        run.summarize()
        return time.perf_counter() - begun


def made() -> Cohort:
    """Make objects of all sizes and marks near them, some of another class."""
    rng = np.random.default_rng(1)
    image = np.repeat(np.arange(IMAGES), OBJECTS)
    side = np.exp(rng.uniform(np.log(12), np.log(200), (len(image), 2)))
    lower = rng.uniform(0, SIDE - 200, (len(image), 2))
    boxes = np.hstack([lower, lower + side])
    marks = boxes + rng.normal(0, 0.08, boxes.shape) * np.hstack([side, side])
    marks[:, 2:] = np.maximum(marks[:, 2:], marks[:, :2] + 1)
    label = rng.integers(0, CLASSES, len(image))
    other = np.where(rng.random(len(image)) < 0.1, rng.integers(0, CLASSES, len(image)), label)
    nobody = np.zeros(len(image), dtype=np.bool_)
    sizes = [np.prod(part[:, 2:] - part[:, :2], axis=1) for part in (boxes, marks)]
    return Cohort(
        truth=coco.Truth(image=image, label=label, size=sizes[0], crowd=nobody),
        found=coco.Found(image=image, label=other, size=sizes[1], score=rng.random(len(image))),
        boxes=boxes,
        marks=marks,
    )


def rows() -> list[Row]:
    """Measure the summary beside both libraries, and intervals beside one pycocotools run."""
    cohort = made()
    for warm in (cohort.summary, cohort.free_response, cohort.precision):
        warm()
    what = f"{IMAGES:,} images, {OBJECTS} boxes each, {CLASSES} classes"
    return [
        _row("detection_summary", f"COCO summary, {what}", cohort.summary, cohort.faster, 3.0),
        _row(
            "detection_froc",
            f"FROC and wAFROC with BCa limits, {RESAMPLES:,} resamples, {what}",
            cohort.free_response,
            cohort.pycocotools,
            1.0,
        ),
        _row(
            "detection_precision",
            f"AP in {RESAMPLES:,} resamples, {what}",
            cohort.precision,
            lambda: cohort.pycocotools() * RESAMPLES,
            None,
        ),
    ]


def _row(
    id_: str,
    what: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    goal: float | None,
) -> Row:
    name = "faster-coco-eval" if id_ == "detection_summary" else "one pycocotools run"
    if goal is None:
        name = f"pycocotools, one run times {RESAMPLES:,}"
    found = paired(ours, theirs)
    return Row(
        id=id_,
        what=f"{what}; one thread, evaluation of loaded data",
        unit="s",
        ours=found.ours,
        reference=found.reference,
        reference_name=name,
        ratio=found.ratio,
        interval=found.interval,
        goal="" if goal is None else f"≥ {goal:g} x",
        met=None if goal is None else found.interval[0] >= goal,
    )
