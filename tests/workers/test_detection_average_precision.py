"""Average precision equals pycocotools and faster-coco-eval; resamples equal the copied data."""

import contextlib
import io
from dataclasses import dataclass, replace
from typing import Any

import faster_coco_eval
import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from proctor_workers.metrics.detection import average_precision, coco, hits, masks, regions

CLASSES = 3


@dataclass(frozen=True)
class Made:
    """Boxes of objects and of marks, as [x0, y0, x1, y1]."""

    truth: coco.Truth
    found: coco.Found
    boxes: np.ndarray
    marks: np.ndarray
    images: int


def made(seed: int, images: int = 30, *, grid: float = 0.25) -> Made:
    """Random objects of all sizes: crowds, equal scores, images without objects or marks."""
    rng = np.random.default_rng(seed)
    image = np.sort(rng.integers(0, images, images * 6))
    lower = rng.uniform(0, 150, (len(image), 2))
    boxes = np.hstack([lower, lower + np.exp(rng.uniform(1.5, 5, (len(image), 2)))])
    boxes = np.round(boxes / grid) * grid + [0, 0, 1, 1]
    label = rng.integers(0, CLASSES - 1, len(image))
    crowd = rng.random(len(image)) < 0.1
    source = np.sort(np.concatenate([np.flatnonzero(rng.random(len(image)) < 0.8)] * 2))
    side = boxes[source, 2:] - boxes[source, :2]
    shift = rng.normal(0, 0.08, (len(source), 4)) * np.hstack([side, side])
    marks = np.round((boxes[source] + shift) / grid) * grid
    marks[:, 2:] = np.maximum(marks[:, 2:], marks[:, :2] + 1)
    wrong = rng.random(len(source)) < 0.1
    return Made(
        truth=coco.Truth(image=image, label=label, size=regions.sizes(boxes), crowd=crowd),
        found=coco.Found(
            image=image[source],
            label=np.where(wrong, rng.integers(0, CLASSES, len(source)), label[source]),
            size=regions.sizes(marks),
            score=np.round(rng.random(len(source)), 1),
        ),
        boxes=boxes,
        marks=marks,
        images=images,
    )


def places(data: Made) -> tuple[np.ndarray, np.ndarray]:
    return (
        coco.places(data.found.image, data.found.label, CLASSES),
        coco.places(data.truth.image, data.truth.label, CLASSES),
    )


def matches(data: Made) -> coco.Matches:
    pairs = hits.overlapping(
        data.marks, data.boxes, places(data), least=0.5, crowd=data.truth.crowd
    )
    return coco.match(pairs, data.truth, data.found, CLASSES)


def theirs(data: Made, *, faster: bool = False, bitmaps: Any = None) -> np.ndarray:
    """Run the library; `bitmaps` of (objects, marks) make it a comparison of masks."""
    truth, found = data.truth, data.found
    base = {"images": [{"id": one + 1, "width": 400, "height": 400} for one in range(data.images)]}
    base["categories"] = [{"id": one + 1, "name": str(one)} for one in range(CLASSES)]
    base["annotations"] = [
        {
            "id": row + 1,
            "image_id": int(truth.image[row]) + 1,
            "category_id": int(truth.label[row]) + 1,
            "area": float(truth.size[row]),
            "iscrowd": int(truth.crowd[row]),
        }
        | shape(data.boxes, row, None if bitmaps is None else bitmaps[0])
        for row in range(len(truth.image))
    ]
    marks = [
        {
            "image_id": int(found.image[row]) + 1,
            "category_id": int(found.label[row]) + 1,
            "score": float(found.score[row]),
        }
        | shape(data.marks, row, None if bitmaps is None else bitmaps[1])
        for row in range(len(found.image))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        known = (faster_coco_eval.COCO if faster else COCO)()
        known.dataset = base | {"info": {}}
        known.createIndex()
        kind = "bbox" if bitmaps is None else "segm"
        run = (faster_coco_eval.COCOeval_faster if faster else COCOeval)(
            known, known.loadRes(marks), kind
        )
        run.evaluate()
        run.accumulate()
        run.summarize()
    stats = np.array(run.stats[:12], dtype=float)
    return np.where(stats < 0, np.nan, stats)


def shape(boxes: np.ndarray, row: int, bitmaps: Any) -> dict[str, Any]:
    if bitmaps is not None:
        return {"segmentation": coco_masks.encode(np.asfortranarray(bitmaps[row].astype(np.uint8)))}
    return {"bbox": [*boxes[row, :2], *(boxes[row, 2:] - boxes[row, :2])]}


def ours(data: Made) -> np.ndarray:
    return np.array(list(coco.summary(matches(data)).numbers.values()))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_boxes_equal_pycocotools(seed: int) -> None:
    data = made(seed)
    np.testing.assert_allclose(ours(data), theirs(data), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", [5, 6])
def test_boxes_equal_faster_coco_eval(seed: int) -> None:
    data = made(seed)
    np.testing.assert_allclose(ours(data), theirs(data, faster=True), rtol=0, atol=1e-12)


def test_more_marks_than_count_are_left_out_as_in_pycocotools() -> None:
    data = made(7, images=2)
    crowded = taken(data, np.sort(np.tile(np.arange(len(data.found.image)), 30)))
    assert np.bincount(places(crowded)[0]).max() > coco.MOST[-1]
    np.testing.assert_allclose(ours(crowded), theirs(crowded), rtol=0, atol=1e-12)


def drawn(boxes: np.ndarray) -> list[np.ndarray]:
    canvas = []
    for x0, y0, x1, y1 in np.maximum(boxes, 0).astype(int):
        bitmap = np.zeros((400, 400), dtype=bool)
        bitmap[y0:y1, x0:x1] = True
        bitmap[y0 : (y0 + y1) // 2, x0 : (x0 + x1) // 2] = False
        canvas.append(bitmap)
    return canvas


def test_masks_equal_pycocotools() -> None:
    data = made(8, images=12, grid=1.0)
    bitmaps = (drawn(data.boxes), drawn(data.marks))
    runs = tuple(masks.runs_of_bitmaps(part) for part in bitmaps)
    data = replace(
        data,
        truth=replace(data.truth, size=runs[0].size),
        found=replace(data.found, size=runs[1].size),
    )
    pairs = masks.overlapping(runs[1], runs[0], places(data), least=0.5, crowd=data.truth.crowd)
    found = coco.summary(coco.match(pairs, data.truth, data.found, CLASSES)).numbers
    expected = theirs(data, bitmaps=bitmaps)
    np.testing.assert_allclose(list(found.values()), expected, rtol=0, atol=1e-12)


def test_spans_and_bitmaps_are_the_same_masks() -> None:
    bitmap = np.zeros((4, 5), dtype=bool)
    bitmap[1, 1:4] = bitmap[3, 4] = True
    spans = masks.runs_of_spans([np.array([6, 3, 19, 1])], [20])
    both = masks.runs_of_bitmaps([bitmap])
    assert spans.ends.tolist() == both.ends.tolist()
    assert spans.size.tolist() == [4.0]


@pytest.mark.parametrize("spans", [[5, 0], [5, 2, 6, 1], [18, 3], [1, 2, 3], [-1, 2]])
def test_spans_that_are_no_mask_are_refused(spans: list[int]) -> None:
    with pytest.raises(regions.InvalidRegionError):
        masks.runs_of_spans([np.array(spans)], [20])


def values(data: Made, times: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Return precisions of resamples of images, each image a patient."""
    found = np.empty((len(times), len(names)))
    loop = average_precision.precisions(
        matches(data),
        np.arange(data.images),
        np.ones(data.images),
        [average_precision.PRECISIONS[name] for name in names],
    )
    loop(times, found)
    return found


def test_every_patient_once_is_the_summary() -> None:
    data = made(9)
    names = tuple(average_precision.PRECISIONS)
    whole = values(data, np.ones((1, data.images), dtype=np.int64), names)[0]
    numbers = coco.summary(matches(data)).numbers
    np.testing.assert_allclose(whole, [numbers[name] for name in names], rtol=0, atol=1e-12)


def copied(data: Made, times: np.ndarray) -> Made:
    """Return the data set in which each image stands as often as it was drawn."""
    image = np.repeat(np.arange(data.images), times)
    rows = [np.flatnonzero(data.truth.image == one) for one in image]
    marks = [np.flatnonzero(data.found.image == one) for one in image]
    of, by = np.concatenate(rows), np.concatenate(marks)
    new = np.arange(len(image))
    return Made(
        truth=coco.Truth(
            image=np.repeat(new, [len(one) for one in rows]),
            label=data.truth.label[of],
            size=data.truth.size[of],
            crowd=data.truth.crowd[of],
        ),
        found=coco.Found(
            image=np.repeat(new, [len(one) for one in marks]),
            label=data.found.label[by],
            size=data.found.size[by],
            score=data.found.score[by],
        ),
        boxes=data.boxes[of],
        marks=data.marks[by],
        images=len(image),
    )


def without_ties(data: Made) -> Made:
    score = np.random.default_rng(3).permutation(len(data.found.score)) / len(data.found.score)
    return replace(data, found=replace(data.found, score=score))


def test_a_resample_is_the_copied_data_set() -> None:
    data = without_ties(made(10, images=15))
    names = tuple(average_precision.PRECISIONS)
    times = np.random.default_rng(4).multinomial(15, np.full(15, 1 / 15), size=5)
    expected = [
        [coco.summary(matches(copied(data, row))).numbers[name] for name in names] for row in times
    ]
    np.testing.assert_allclose(values(data, times, names), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", list(average_precision.RECALLED))
def test_recall_of_patient_sums_is_the_summary(name: str) -> None:
    data = made(11)
    found = matches(data)
    wanted = average_precision.RECALLED[name]
    images = np.arange(data.images)
    sums = average_precision.recall_sums(found, images, np.ones(data.images), wanted)
    value = average_precision.mean_recall(*(part.sum(axis=0) for part in sums))
    assert float(value) == pytest.approx(coco.summary(found).numbers[name], abs=1e-12)


def test_rising_transforms_of_scores_change_nothing() -> None:
    data = made(12)
    risen = replace(data, found=replace(data.found, score=np.exp(3 * data.found.score)))
    assert coco.summary(matches(data)).numbers == coco.summary(matches(risen)).numbers


def taken(data: Made, rows: np.ndarray) -> Made:
    """Return the data with some marks, in another order."""
    names = ("image", "label", "size", "score")
    found = coco.Found(**{name: getattr(data.found, name)[rows] for name in names})
    return replace(data, found=found, marks=data.marks[rows])


def test_order_of_images_changes_nothing() -> None:
    data = made(13)
    turned = np.concatenate(
        [np.flatnonzero(data.found.image == one) for one in reversed(range(data.images))]
    )
    assert ours(taken(data, turned)).tolist() == ours(data).tolist()


def test_no_marks_is_zero() -> None:
    data = made(14)
    assert ours(taken(data, np.arange(0)))[0] == 0.0


def test_no_objects_is_undefined() -> None:
    data = made(14)
    nobody = np.arange(0)
    names = ("image", "label", "size", "crowd")
    truth = coco.Truth(**{name: getattr(data.truth, name)[nobody] for name in names})
    empty = replace(data, truth=truth, boxes=data.boxes[nobody])
    assert np.isnan(ours(empty)).all()
    assert np.isnan(values(empty, np.ones((1, 30), dtype=np.int64), ("AP",))).all()


def test_a_class_alone_is_its_part_of_the_mean() -> None:
    data = made(15)
    whole = coco.summary(matches(data)).precision[..., 0]
    alone = coco.summary(coco.of_class(matches(data), 1)).numbers["AP"]
    assert alone == pytest.approx(float(whole[:, :, 1].mean()), abs=1e-12)


def test_some_images_alone_are_the_data_set_of_them() -> None:
    data = without_ties(made(16))
    times = (np.arange(30) % 2).astype(np.int64)
    some = coco.taken(matches(data), np.flatnonzero(times), np.zeros(15, dtype=bool), 5)
    expected = coco.summary(matches(copied(data, times))).numbers
    assert coco.summary(some).numbers == pytest.approx(expected, abs=1e-12)


def test_an_image_without_output_misses_and_has_false_marks_first() -> None:
    data = made(17)
    failed = np.zeros(30, dtype=bool)
    failed[4] = True
    worst = coco.taken(matches(data), np.arange(30), failed, 5)
    assert (
        worst.state[:, :, worst.first[0] : worst.first[0] + 5].tolist()
        == np.zeros((4, 10, 5)).tolist()
    )
    numbers = (coco.summary(worst).numbers["AP"], coco.summary(matches(data)).numbers["AP"])
    assert numbers[0] < numbers[1]


def test_volumes_are_matched_by_their_overlap() -> None:
    one = np.array([[0.0, 0, 0, 4, 4, 4]])
    other = np.array([[0.0, 0, 1, 4, 4, 5]])
    share = regions.overlaps(one, other, np.zeros(1, dtype=bool))
    assert share.tolist() == [48 / 80]
