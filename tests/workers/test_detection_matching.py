"""Which mark hits which lesion, under every rule, and what is refused before."""

import numpy as np
import pytest

from proctor_workers.metrics.detection import hits, matching, regions
from proctor_workers.metrics.detection.matching import FALSE, NEUTRAL

BOXES = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])


def hit(
    marks: list[list[float]],
    score: list[float],
    *,
    ignored: tuple[bool, ...] = (False, False),
    extra: str = "false",
    least: float = 0.5,
) -> list[int]:
    """Match boxes of one image with `BOXES` by their overlap."""
    place = np.zeros(len(marks), dtype=np.int64)
    crowd = np.array(ignored)
    pairs = hits.overlapping(
        np.array(marks), BOXES, (place, np.zeros(2, dtype=np.int64)), least=least, crowd=crowd
    )
    order = matching.by_score(np.array(score), place)
    return matching.matched(pairs, order, crowd, extra=extra).tolist()


def test_highest_score_takes_the_lesion_and_the_other_is_false() -> None:
    assert hit([[0, 0, 9, 10], [0, 0, 10, 10]], [0.9, 0.8]) == [0, FALSE]


def test_extra_hits_can_be_neutral() -> None:
    marks = [[0.0, 0, 9, 10], [0, 0, 10, 10], [50, 50, 60, 60]]
    assert hit(marks, [0.9, 0.8, 0.7], extra="neutral") == [0, NEUTRAL, FALSE]


def test_equal_scores_go_by_emission() -> None:
    assert hit([[0, 0, 9, 10], [0, 0, 10, 10]], [0.5, 0.5]) == [0, FALSE]
    assert hit([[0, 0, 10, 10], [0, 0, 9, 10]], [0.5, 0.5]) == [0, FALSE]


def test_a_mark_takes_the_closest_lesion() -> None:
    place = np.zeros(1, dtype=np.int64)
    lesions = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10]])
    pairs = hits.overlapping(
        np.array([[1.0, 0, 11, 10]]),
        lesions,
        (place, np.zeros(2, dtype=np.int64)),
        least=0.5,
        crowd=np.zeros(2, dtype=bool),
    )
    nobody = np.zeros(2, dtype=bool)
    assert matching.matched(pairs, place, nobody, extra="false").tolist() == [1]


def test_marks_in_an_ignored_region_are_neutral_however_many() -> None:
    marks = [[20.0, 20, 25, 25], [25, 25, 30, 30]]
    assert hit(marks, [0.9, 0.8], ignored=(False, True)) == [NEUTRAL, NEUTRAL]


def test_overlap_reaches_its_threshold() -> None:
    assert hit([[0, 0, 5, 10]], [1.0]) == [0]
    assert hit([[0, 0, 5, 10]], [1.0], least=0.51) == [FALSE]


def test_marks_of_another_image_or_class_hit_nothing() -> None:
    pairs = hits.overlapping(
        BOXES, BOXES, (np.array([0, 1]), np.array([1, 0])), least=0.1, crowd=np.zeros(2, dtype=bool)
    )
    assert pairs.lesion.tolist() == []


def test_a_centre_lies_in_the_nearest_box_that_holds_it() -> None:
    lesions = np.array([[0.0, 0, 10, 10], [2, 2, 6, 6]])
    one = (np.zeros(3, dtype=np.int64), np.zeros(2, dtype=np.int64))
    pairs = hits.centred(np.array([[4.0, 4], [9.0, 9], [10.0, 5]]), lesions, one)
    order = np.arange(3)
    found = matching.matched(pairs, order, np.zeros(2, dtype=bool), extra="false")
    assert found.tolist() == [1, 0, FALSE]


def test_distance_is_in_millimetres_and_may_equal_the_radius() -> None:
    places = (np.zeros(2, dtype=np.int64), np.zeros(1, dtype=np.int64))
    points = np.array([[3.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    pairs = hits.near(
        points, np.zeros((1, 3)), places, radius=3.0, spacing=np.array([1.0, 1.0, 2.5])
    )
    assert np.diff(pairs.first).tolist() == [1, 0]


def test_a_mask_names_the_lesion_under_a_point() -> None:
    labels = np.zeros((4, 6), dtype=np.int64)
    labels[1, 2:4] = 7
    points = np.array([[2.0, 1.0], [3.99, 1.99], [4.0, 1.0]])
    assert hits.labels_at(points, labels).tolist() == [7, 7, 0]


def test_no_marks_and_no_lesions_match_nothing() -> None:
    none = np.zeros(0, dtype=np.int64)
    pairs = hits.overlapping(
        np.zeros((0, 4)), np.zeros((0, 4)), (none, none), least=0.5, crowd=none.astype(bool)
    )
    assert matching.matched(pairs, none, none.astype(bool), extra="false").tolist() == []


@pytest.mark.parametrize(
    "box",
    [[5, 0, 5, 3], [5, 0, 4, 3], [np.nan, 0, 1, 1], [0, 0, np.inf, 1], [20, 0, 24, 3], [0, 1, 2]],
)
def test_a_box_that_is_no_region_of_its_image_is_refused(box: list[float]) -> None:
    with pytest.raises(regions.InvalidRegionError) as refused:
        regions.checked_boxes(np.array([box], dtype=float), np.array([20.0, 10.0]))
    assert refused.value.code == "invalid_region"


def test_a_box_across_the_border_is_cut() -> None:
    cut = regions.checked_boxes(np.array([[-2.0, 3, 5, 30]]), np.array([20.0, 10.0]))
    assert cut.tolist() == [[0, 3, 5, 10]]


@pytest.mark.parametrize("point", [[-1.0, 2], [20.0, 2], [np.nan, 2]])
def test_a_point_outside_its_image_is_refused(point: list[float]) -> None:
    with pytest.raises(regions.InvalidRegionError):
        regions.checked_points(np.array([point]), np.array([20.0, 10.0]))


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused(score: float) -> None:
    with pytest.raises(regions.InvalidScoreError):
        regions.checked_scores(np.array([0.5, score]))
