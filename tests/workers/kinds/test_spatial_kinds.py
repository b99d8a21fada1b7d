"""Masks, points, transforms and images through the whole measurement."""

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.workers.kinds.made_spatial import (
    TASKS,
    box,
    made,
    mask_outputs,
    picture,
    points,
    protocol,
    with_reference,
)

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.quantities import QUANTITIES, quantities_of
from proctor_backend.domain.result import Conclusion, Measurement
from proctor_backend.reporting.figures import PAINTERS
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.kinds.registry import KINDS
from proctor_workers.measurement import measure


def measured(task: str, *made_of: Any, **changes: Any) -> Measurement:
    manifest, observations, reference = made_of or made(task)
    return measure(protocol(task, **changes), manifest, observations, reference)


@pytest.fixture(scope="module")
def every() -> dict[str, Measurement]:
    return {task: measured(task) for task in TASKS}


def values(found: Measurement) -> dict[str, Any]:
    return {one.id: one for one in found.results}


@pytest.mark.parametrize("task", TASKS)
def test_every_declared_endpoint_has_value_and_interval(
    every: dict[str, Measurement], task: str
) -> None:
    results = values(every[task])
    for endpoint in protocol(task)["endpoints"]:
        one = results[endpoint["id"]]
        assert one.estimate is not None, one
        assert one.interval is not None or "no interval" in " ".join(one.flags), one
        assert 20 <= one.patients <= 40, one.id


@pytest.mark.parametrize("task", TASKS)
def test_every_quantity_of_the_vocabulary_has_a_metric(task: str) -> None:
    for name in quantities_of(task):
        given = {"tolerance": 1.0, "goal": 0.5, "measure": "dice", "radius": 2.0, "data_range": 1.0}
        given |= {"fraction": 0.1, "first": "a", "second": "b"}
        parameters = QUANTITIES[name].with_defaults(given)
        metric = KINDS[task].metric(name, parameters)
        assert metric.name == name
        assert metric.complete_cases == QUANTITIES[name].complete_cases
    with pytest.raises(InvalidInputError, match="no quantity"):
        KINDS[task].metric("sensitivity", {})


@pytest.mark.parametrize("task", TASKS)
def test_order_of_rows_changes_no_byte(every: dict[str, Measurement], task: str) -> None:
    manifest, observations, reference = made(task)
    turned = reference.take(list(reversed(range(len(reference)))))
    again = measure(protocol(task), manifest, observations, turned)
    assert canonical_bytes(again.as_dict()) == canonical_bytes(every[task].as_dict())


@pytest.mark.parametrize("task", TASKS)
def test_figure_by_case_has_a_painter_and_a_form_without_cases(
    every: dict[str, Measurement], task: str
) -> None:
    figures = [one for one in every[task].figures if one.kind == "case_values"]
    assert figures
    assert "case_values" in PAINTERS
    for figure in figures:
        public = figure.data["public"]
        assert "worst" not in public
        assert all(step["cases"] >= 11 for step in public["steps"])
        assert sum(step["cases"] for step in public["steps"]) == len(figure.data["values"])


@pytest.mark.parametrize("task", TASKS)
def test_reviewer_sees_the_cases_of_least_agreement_first(
    every: dict[str, Measurement], task: str
) -> None:
    scores = [one["score"] for one in every[task].errors]
    assert {one["outcome"] for one in every[task].errors} == {"least_agreement"}
    first = next(one for one in every[task].figures if one.kind == "case_values")
    assert scores == first.data["values"][: len(scores)]


@pytest.mark.parametrize("task", TASKS)
def test_share_of_cases_at_goal_counts_failed_ones_as_missed(
    every: dict[str, Measurement], task: str
) -> None:
    name = {
        "segmentation": "liver_goal",
        "landmarks": "within_2_mm",
        "registration": "within_3_mm",
        "image_to_image": "within_80",
    }[task]
    results = values(every[task])
    worst, without = results[name], results[f"{name}@excluded"]
    assert worst.n == 40
    assert without.n == 38
    assert worst.estimate == pytest.approx(without.estimate * 38 / 40)


def test_repeated_patients_get_clustered_intervals() -> None:
    results = values(measured("segmentation", *made("segmentation", rows=2)))
    assert results["liver_goal"].method == "Korn-Graubard"
    assert results["liver_dice"].patients == 20


def test_dice_is_the_mean_over_cases_and_a_failed_case_has_none_right() -> None:
    results = values(measured("segmentation"))
    shown = next(one for one in measured("segmentation").figures if one.id == "cases.liver_dice")
    assert results["liver_dice"].estimate == pytest.approx(np.sum(shown.data["values"]) / 40)
    assert set(np.round(shown.data["values"], 9)) <= {round(2 * n / (6 + n), 9) for n in (4, 5, 6)}


def test_two_empty_masks_are_left_out_and_counted() -> None:
    results = values(measured("segmentation"))
    tumour = results["tumour_dice"]
    assert tumour.n < 40
    assert any(f"{40 - tumour.n} cases left out: both masks are empty" in f for f in tumour.flags)


def test_failed_case_lies_the_diagonal_away() -> None:
    results = values(measured("segmentation"))
    far = math.hypot(12, 8, 8)
    worst, without = results["liver_hd95"], results["liver_hd95@excluded"]
    assert worst.estimate == pytest.approx((38 * without.estimate + 2 * far) / 40)


def test_without_a_target_a_case_has_the_mean_of_its_structures() -> None:
    endpoint = protocol("segmentation")["endpoints"][1] | {"id": "dice", "target": None}
    endpoint["itd_rule"] = "exclude"
    found = measured("segmentation", endpoints=[endpoint | {"role": "primary"}], subgroups=[])
    both = values(found)["dice"].estimate
    assert both > values(found)["dice.liver"].estimate


@pytest.mark.parametrize(
    "frame",
    [
        {"size": [6, 8, 7]},
        {"size": [48, 8]},
        {"spacing": [2.0, 1.0, 1.5]},
    ],
)
def test_mask_on_another_grid_counts_as_failed(frame: dict[str, Any]) -> None:
    other = mask_outputs({"liver": box(1, 6) * 0}, **frame)
    if len(other["mask"]["size"]) == 2:
        other = {"mask": {"size": [48, 8], "labels": {}}}
    results = values(measured("segmentation", *made("segmentation", cas_010=other)))
    assert results["liver_dice@excluded"].n == 37
    assert results["liver_dice"].n == 40


def test_structure_that_is_not_named_is_empty() -> None:
    nothing = mask_outputs({})
    results = values(measured("segmentation", *made("segmentation", cas_010=nothing)))
    assert results["liver_dice@excluded"].n == 38


def test_mask_without_spacing_is_taken_to_lie_on_the_reference() -> None:
    plain = {"mask": dict(mask_outputs({"liver": box(1, 7)})["mask"])}
    del plain["mask"]["spacing"]
    results = values(measured("segmentation", *made("segmentation", cas_010=plain)))
    assert results["liver_dice@excluded"].n == 38


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (points(np.zeros((3, 2))), "no mask"),
        (mask_outputs({"spleen": box(1, 4)}), "does not answer for"),
        ({"mask": {"size": [6, 8, 8], "labels": {"liver": [0, 4]}}}, "no spacing"),
    ],
)
def test_reference_that_is_no_mask_of_the_task_is_refused(
    outputs: dict[str, Any], told: str
) -> None:
    manifest, observations, reference = made("segmentation")
    with pytest.raises(DataError, match=told):
        measured("segmentation", manifest, observations, with_reference(reference, 3, outputs))


def test_target_that_the_manifest_lacks_is_refused() -> None:
    endpoint = protocol("segmentation")["endpoints"][1] | {"target": "spleen"}
    with pytest.raises(InvalidInputError, match="no target 'spleen'"):
        measured("segmentation", endpoints=[endpoint], subgroups=[])


def test_landmark_error_is_in_mm_and_a_missing_landmark_is_not_found() -> None:
    exact = points(np.array([[200.0, 330.0], [900.0, 250.0]]))
    found = measured("landmarks", *made("landmarks", cas_010=exact))
    results = values(found)
    assert results["sella_error"].n == 38
    rate = results["within_2_mm@excluded"].estimate
    full = values(measured("landmarks"))["within_2_mm@excluded"].estimate
    assert rate < full
    worst = next(one for one in found.figures if one.id == "cases.point_error")
    assert 1.5 in np.round(worst.data["values"], 9)  # (3 mm + 0) / 2 of the points given


def test_landmarks_with_other_axes_count_as_failed() -> None:
    solid = points(np.zeros((3, 3)))
    results = values(measured("landmarks", *made("landmarks", cas_010=solid)))
    assert results["within_2_mm@excluded"].n == 37


def test_surest_of_several_points_of_one_name_counts() -> None:
    sure = points(np.array([[200.0, 300.0], [900.0, 250.0], [800.0, 900.0]]), score=0.9)
    vague = points(np.zeros((3, 2)), score=0.1)
    both = {"points": [*vague["points"], *sure["points"]]}
    found = measured("landmarks", *made("landmarks", cas_010=both))
    shown = next(one for one in found.figures if one.id == "cases.point_error")
    assert min(shown.data["values"]) == 0.0


def test_reference_without_landmarks_is_refused() -> None:
    manifest, observations, reference = made("landmarks")
    nothing = with_reference(reference, 3, {"points": []})
    with pytest.raises(DataError, match="no landmarks"):
        measured("landmarks", manifest, observations, nothing)


def test_displacement_field_maps_x_along_the_columns() -> None:
    size, spacing = [20, 30, 40], [3.0, 2.0, 2.0]
    shift = np.tile([10.0, 0.0, 0.0], 20 * 30 * 40).tolist()
    field = {"transform": {"displacement": {"size": size, "spacing": spacing, "vectors": shift}}}
    found = measured("registration", *made("registration", cas_010=field))
    shown = next(one for one in found.figures if one.id == "cases.error")
    assert min(shown.data["values"]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "transform",
    [
        {"matrix": np.eye(3).tolist()},
        {"matrix": np.ones((4, 4)).tolist()},
        {"displacement": {"size": [2, 2, 2], "spacing": [1, 1, 1], "vectors": [0.0] * 24}},
        {"displacement": {"size": [2, 2, 2], "vectors": [0.0] * 24}},
    ],
)
def test_transform_that_does_not_map_the_targets_counts_as_failed(
    transform: dict[str, Any],
) -> None:
    given = {"transform": transform}
    results = values(measured("registration", *made("registration", cas_010=given)))
    assert results["error@excluded"].n == 37


def test_reference_without_pairs_is_refused() -> None:
    manifest, observations, reference = made("registration")
    single = {"points": [{"name": "a", "point": [0, 0, 0], "category": "fixed"}]}
    with pytest.raises(DataError, match="no pairs"):
        measured("registration", manifest, observations, with_reference(reference, 3, single))


def test_error_within_the_body_is_the_planted_one() -> None:
    results = values(measured("image_to_image"))
    assert results["bias_in_body"].estimate == pytest.approx(20, abs=1)
    assert 0 < results["error_in_body"].estimate - 20 < 1


def test_image_of_another_size_counts_as_failed() -> None:
    small = picture(np.zeros((12, 13)))
    results = values(measured("image_to_image", *made("image_to_image", cas_010=small)))
    assert results["error_in_body@excluded"].n == 37


def test_equal_images_have_no_noise_ratio_and_are_left_out() -> None:
    truth = made("image_to_image")[2]["reference_outputs"][10].as_py()
    same = {"image": json.loads(truth)["image"]}
    results = values(measured("image_to_image", *made("image_to_image", cas_010=same)))
    assert results["noise"].n == 37
    assert any("1 cases left out" in flag for flag in results["noise"].flags)


def test_reference_too_small_for_the_window_is_refused() -> None:
    manifest, _, reference = made("image_to_image")
    small = picture(np.zeros((8, 8)))
    _, observations, _ = made("image_to_image", cas_003=small)
    with pytest.raises(DataError, match="shorter than the window"):
        measured("image_to_image", manifest, observations, with_reference(reference, 3, small))


def with_second_reader(reference: pa.Table) -> pa.Table:
    """A reader who always leaves one column of the liver out, and saw one case not."""
    said = {"reader": {"kind": "reader", "outputs": mask_outputs({"liver": box(1, 6)})}}
    text = [None if case == 5 else canonical_bytes(said).decode() for case in range(len(reference))]
    return reference.append_column("raters", pa.array(text, pa.string()))


def test_model_is_compared_with_a_second_reader_on_the_same_cases() -> None:
    endpoint = protocol("segmentation")["endpoints"][1] | {
        "role": "primary",
        "comparison": {
            "against": "reader",
            "hypothesis": "non_inferiority",
            "margin": 0.5,
            "reason": "Half of what two readers differ by.",
        },
    }
    manifest, observations, reference = made("segmentation")
    found = values(
        measured(
            "segmentation",
            manifest,
            observations,
            with_second_reader(reference),
            endpoints=[endpoint],
            subgroups=[],
        )
    )
    difference = found["liver_dice~reader"]
    assert difference.estimate == pytest.approx(
        found["liver_dice"].estimate - found["liver_dice~reader.alone"].estimate
    )
    assert difference.interval.lower < difference.estimate < difference.interval.upper
    assert 0 <= difference.extra["p_values"]["Wilcoxon signed-rank"] <= 1
    limits = [difference.extra[f"hodges_lehmann_{side}"] for side in ("lower", "upper")]
    assert limits[0] <= difference.extra["hodges_lehmann"] <= limits[1]
    assert difference.conclusion is Conclusion.CRITERION_MET
    assert found["liver_dice~reader@worst_case"].estimate < difference.estimate
