import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_workers.metrics.segmentation.masks import (
    Grid,
    LabelError,
    MaskPair,
    MaskShapeError,
    SpacingError,
    check_same_spacing,
)
from proctor_workers.metrics.segmentation.scores import (
    DISTANCES,
    MEASURES,
    Definitions,
    score_case,
)

LABELS = [1, 2, 7]
SPACING = (2.0, 1.0, 0.5)


def volume(seed: int, shape: tuple[int, ...] = (6, 9, 8)) -> np.ndarray:
    return np.random.default_rng(seed).choice([0, 0, 0, *LABELS], shape).astype(np.uint8)


def one(reference: np.ndarray, predicted: np.ndarray, **settings: object) -> dict[str, float]:
    found = score_case(
        reference, predicted, spacing=(1.0, 1.0), labels=[1], definitions=Definitions(**settings)
    )[0]
    return {**found.values, "empty": found.empty}


FULL, NONE = np.ones((3, 4), dtype=np.uint8), np.zeros((3, 4), dtype=np.uint8)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_counts_and_boxes_are_those_of_each_label(seed: int) -> None:
    reference, predicted = volume(seed), volume(seed + 1)
    reference[reference == 7] = 0
    pair = MaskPair.of(reference, predicted, spacing=SPACING, labels=LABELS)
    for counts in pair.counts:
        a, b = reference == counts.label, predicted == counts.label
        assert (counts.reference, counts.predicted, counts.shared) == (
            a.sum(),
            b.sum(),
            (a & b).sum(),
        )
        box = tuple((int(x.min()), int(x.max()) + 1) for x in np.nonzero(a | b))
        assert counts.box == box


@given(st.integers(0, 10_000), st.permutations(range(3)), st.lists(st.booleans(), min_size=3))
@settings(max_examples=15, deadline=None)
def test_turning_both_masks_changes_nothing(seed: int, order: list[int], flip: list[bool]) -> None:
    reference, predicted = volume(seed), volume(seed + 1)
    axes = [axis for axis in range(3) if flip[axis]]
    for convention in ("voxel", "surfel"):
        definitions = Definitions(convention=convention, tolerance=0.9)
        measures = [name for name in MEASURES if name != "cldice"]
        common = {"labels": LABELS, "measures": measures, "definitions": definitions}
        whole = score_case(reference, predicted, spacing=SPACING, **common)
        turned = score_case(
            np.flip(reference, axes).transpose(order),
            np.flip(predicted, axes).transpose(order),
            spacing=[SPACING[axis] for axis in order],
            **common,
        )
        for mine, other in zip(whole, turned, strict=True):
            assert mine.values == pytest.approx(other.values, rel=1e-12, nan_ok=True)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_exchanging_both_masks_changes_no_symmetric_measure(seed: int) -> None:
    reference, predicted = volume(seed), volume(seed + 1)
    symmetric = ["dice", "iou", "nsd", "cldice", *DISTANCES]
    common = {"labels": LABELS, "measures": symmetric, "spacing": SPACING}
    definitions = Definitions(convention="surfel")
    there = score_case(reference, predicted, definitions=definitions, **common)
    back = score_case(predicted, reference, definitions=definitions, **common)
    for mine, other in zip(there, back, strict=True):
        assert mine.values == pytest.approx(other.values, rel=1e-12)


def test_relabelling_changes_only_the_names() -> None:
    reference, predicted = volume(3), volume(4)
    names = np.array([0, 5, 4, 0, 0, 0, 0, 9], dtype=np.int64)
    common = {"spacing": SPACING, "definitions": Definitions()}
    first = score_case(reference, predicted, labels=LABELS, **common)
    second = score_case(names[reference], names[predicted], labels=[5, 4, 9], **common)
    assert [one.values for one in first] == [one.values for one in second]


def test_equal_masks_agree_fully() -> None:
    found = one(FULL, FULL)
    assert {found[name] for name in ("dice", "iou", "nsd", "cldice", "precision", "recall")} == {1}
    assert {found[name] for name in (*DISTANCES, "volume_error", "relative_volume_error")} == {0}


def test_precision_recall_and_volume_errors_have_their_directions() -> None:
    found = score_case(
        FULL, np.eye(3, 4, dtype=np.uint8), spacing=(2, 5), labels=[1], definitions=Definitions()
    )[0].values
    assert (found["precision"], found["recall"]) == (1.0, 0.25)
    assert (found["volume_error"], found["absolute_volume_error"]) == (-90.0, 90.0)
    assert found["relative_volume_error"] == -0.75
    assert found["absolute_relative_volume_error"] == 0.75


def test_two_empty_masks_leave_the_case_out() -> None:
    found = one(NONE, NONE)
    assert found.pop("empty") == "both"
    assert all(math.isnan(value) for value in found.values())


@pytest.mark.parametrize("empty", ["reference", "predicted"])
def test_one_empty_mask_shares_nothing_and_lies_the_diagonal_away(empty: str) -> None:
    found = one(*((NONE, FULL) if empty == "reference" else (FULL, NONE)))
    assert found["empty"] == empty
    assert [found[name] for name in ("dice", "iou", "nsd", "cldice")] == [0] * 4
    assert [found[name] for name in DISTANCES] == [5.0] * 4  # 3 by 4 pixels of 1 mm
    assert math.isnan(found["precision"]) == (empty == "predicted")
    assert math.isnan(found["recall"]) == (empty == "reference")
    assert math.isnan(found["relative_volume_error"]) == (empty == "reference")


def test_one_empty_mask_may_leave_its_distances_out() -> None:
    found = one(NONE, FULL, empty_distance="exclude")
    assert all(math.isnan(found[name]) for name in DISTANCES)
    assert (found["dice"], found["nsd"]) == (0.0, 0.0)


def test_diagonal_runs_from_corner_to_corner() -> None:
    assert Grid.of((2, 3, 6), (1, 1, 1)).diagonal == 7.0
    assert Grid.of((3, 4), (2, 2)).diagonal == 10.0


def test_definition_stands_beside_the_number() -> None:
    definitions = Definitions(convention="surfel", percentile="pooled", tolerance=2)
    assert "surface elements, by their area" in definitions.sentence("nsd")
    assert "2 mm" in definitions.sentence("nsd")
    assert "both directions together" in definitions.sentence("hd95")
    assert all(definitions.sentence(name) for name in MEASURES)


@pytest.mark.parametrize(
    ("predicted", "error", "told"),
    [
        (np.ones((4, 3), dtype=np.uint8), MaskShapeError, "shape"),
        (np.full((3, 4), 2, dtype=np.uint8), LabelError, "prediction holds a label"),
        (np.full((3, 4), -1), LabelError, "outside"),
        (np.full((3, 4), 70_000), LabelError, "outside"),
        (np.full((3, 4), np.nan), LabelError, "whole numbers"),
        (np.ones((3, 4)), LabelError, "whole numbers"),
    ],
)
def test_mask_that_does_not_fit_is_refused(
    predicted: np.ndarray, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        one(FULL, predicted)


def test_unknown_label_of_the_reference_is_told_apart() -> None:
    with pytest.raises(LabelError, match="reference standard holds"):
        one(FULL * 3, FULL)


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, math.nan), (1.0, 1.0, 1.0)])
def test_spacing_that_is_none_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(SpacingError):
        score_case(FULL, FULL, spacing=spacing, labels=[1], definitions=Definitions())


def test_prediction_on_another_spacing_is_refused() -> None:
    check_same_spacing((0.7, 0.7, 1.0), (0.700001, 0.7, 1.0))
    with pytest.raises(SpacingError, match="not the reference"):
        check_same_spacing((0.7, 0.7, 1.0), (0.7, 0.7, 1.25))
    with pytest.raises(SpacingError):
        check_same_spacing((0.7, 0.7, 1.0), (0.7, 0.7))


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2, 2), (0, 3)])
def test_shape_that_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    mask = np.zeros(shape, dtype=np.uint8)
    with pytest.raises(MaskShapeError):
        MaskPair.of(mask, mask, spacing=(1.0,) * len(shape), labels=[1])


@pytest.mark.parametrize("labels", [[1, 1], [0, 1], [70_000]])
def test_label_list_that_is_none_is_refused(labels: list[int]) -> None:
    with pytest.raises(LabelError):
        MaskPair.of(FULL, FULL, spacing=(1, 1), labels=labels)


def test_unknown_measure_and_tolerance_are_refused() -> None:
    with pytest.raises(ValueError, match="no measure"):
        score_case(
            FULL, FULL, spacing=(1, 1), labels=[1], measures=["dise"], definitions=Definitions()
        )
    with pytest.raises(ValueError, match="tolerance"):
        Definitions(tolerance=-1)


@pytest.mark.parametrize("kind", [np.bool_, np.uint16, np.int8, np.int32, np.int64])
def test_any_width_of_whole_number_counts_alike(kind: type) -> None:
    expected = one(FULL, np.eye(3, 4, dtype=np.uint8))
    assert one(FULL.astype(kind), np.eye(3, 4).astype(kind)) == expected
