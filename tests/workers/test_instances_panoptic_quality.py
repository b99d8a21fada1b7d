"""Instance segmentation: partners, panoptic quality, Dice by instance, void and bad masks."""

import numpy as np
import pytest
from torchmetrics.detection import PanopticQuality

from proctor_workers.metrics import instances
from proctor_workers.metrics.detection import masks, regions


def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A reference of squares and a prediction that is shifted, splits some and adds others."""
    rng = np.random.default_rng(seed)
    reference, predicted = np.zeros((64, 64), dtype=int), np.zeros((64, 64), dtype=int)
    for number, (row, column) in enumerate(np.ndindex(5, 5), start=1):
        y, x = 12 * row + 2, 12 * column + 2
        size = rng.integers(4, 10)
        reference[y : y + size, x : x + size] = number
        dy, dx = rng.integers(0, 3, 2)
        if rng.random() < 0.8:
            predicted[y + dy : y + dy + size, x + dx : x + dx + size] = 40 - number
    return reference, predicted


def table(reference: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    pixels = instances.overlap(reference, predicted)
    return instances.sums(pixels, instances.matched(pixels))[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_panoptic_quality_equals_torchmetrics(seed: int) -> None:
    import torch

    reference, predicted = made(seed)
    pair = [
        torch.tensor(np.stack([np.where(one > 0, 1, 7), one], axis=-1))[None]
        for one in (predicted, reference)
    ]
    theirs = PanopticQuality(things={1}, stuffs={7}, return_per_class=True)(*pair)
    ours = instances.panoptic_quality(table(reference, predicted))
    assert float(ours) == pytest.approx(float(theirs[0, 0]), abs=1e-6)


def test_quality_is_the_product_of_its_parts() -> None:
    sums = table(*made(4))
    product = instances.segmentation_quality(sums) * instances.recognition_quality(sums)
    assert float(product) == pytest.approx(float(instances.panoptic_quality(sums)))


def test_identical_masks_are_perfect() -> None:
    reference, _ = made(5)
    sums = table(reference, reference)
    assert float(instances.panoptic_quality(sums)) == 1.0
    assert float(instances.lesionwise_dice(sums)) == 1.0


def test_names_of_instances_do_not_matter() -> None:
    reference, predicted = made(6)
    renamed = np.where(predicted > 0, 1000 - 7 * predicted, 0)
    assert table(reference, predicted).tolist() == pytest.approx(table(reference, renamed).tolist())


def test_nothing_there_and_nothing_found_is_undefined() -> None:
    empty = np.zeros((8, 8), dtype=int)
    assert np.isnan(instances.panoptic_quality(table(empty, empty)))


def test_nothing_found_is_zero() -> None:
    reference, _ = made(7)
    sums = table(reference, np.zeros_like(reference))
    assert sums.tolist() == [0, 0, 0, 0, 25]
    assert float(instances.panoptic_quality(sums)) == 0.0


def test_single_masks_and_label_maps_give_the_same() -> None:
    reference, predicted = made(8)
    runs = [
        masks.runs_of_bitmaps([one == label for label in np.unique(one)[1:]])
        for one in (reference, predicted)
    ]
    pixels = instances.overlap_of_runs(*runs)
    found = instances.sums(pixels, instances.matched(pixels, rule="hungarian"))[0]
    assert found.tolist() == table(reference, predicted).tolist()


def test_classes_are_matched_apart() -> None:
    reference, predicted = made(9)
    pixels = instances.overlap(reference, predicted)
    truth = np.zeros(len(pixels.reference), dtype=np.int64)
    said = np.ones(len(pixels.predicted), dtype=np.int64)
    found = instances.matched(pixels, (truth, said))
    sums = instances.sums(pixels, found, (truth, said), 2)
    assert sums[:, 2].tolist() == [0, 0]
    assert (sums[0, 4], sums[1, 3]) == (len(truth), len(said))


def test_hungarian_takes_the_best_sum_below_one_half() -> None:
    reference = np.array([1, 1, 1, 1, 2, 2, 2, 2])
    predicted = np.array([0, 1, 1, 1, 1, 1, 2, 0])
    pixels = instances.overlap(reference, predicted)
    found = instances.matched(pixels, beyond=0.1, rule="hungarian")
    assert list(zip(found.reference.tolist(), found.predicted.tolist(), strict=True)) == [
        (0, 0),
        (1, 1),
    ]


def test_unique_partners_need_more_than_one_half() -> None:
    with pytest.raises(ValueError, match="Hungarian"):
        instances.matched(instances.overlap(*made(10)), beyond=0.3)


def test_predictions_in_void_are_left_out_and_their_pixels_do_not_count() -> None:
    reference = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    predicted = np.array([1, 1, 1, 1, 1, 1, 2, 2])
    void = np.array([False] * 4 + [True] * 4)
    pixels = instances.overlap(reference, predicted, void)
    found = instances.matched(pixels)
    assert instances.sums(pixels, found)[0].tolist() == [1, 1, 1, 0, 0]


def test_a_missed_instance_has_dice_zero() -> None:
    reference = np.array([1, 1, 0, 2, 2, 2])
    predicted = np.array([0, 0, 0, 1, 1, 0])
    pixels = instances.overlap(reference, predicted)
    dice = instances.instance_dice(pixels, instances.matched(pixels))
    assert dice.tolist() == [0.0, 0.8]


@pytest.mark.parametrize(
    ("reference", "predicted"),
    [(np.zeros((3, 3), int), np.zeros((3, 4), int)), (np.zeros(3, int), np.array([0, -1, 1]))],
)
def test_masks_that_cannot_be_compared_are_refused(
    reference: np.ndarray, predicted: np.ndarray
) -> None:
    with pytest.raises(regions.InvalidRegionError):
        instances.overlap(reference, predicted)


def test_mean_over_classes_leaves_undefined_ones_out() -> None:
    assert float(instances.class_mean(np.array([0.4, np.nan, 0.6]))) == 0.5
    assert np.isnan(instances.class_mean(np.array([np.nan, np.nan])))
