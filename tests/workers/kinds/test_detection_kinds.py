"""Boxes, points and instance masks through the whole measurement."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.workers.kinds.made_detection import (
    SIZE,
    detection,
    made,
    masks,
    protocol,
    square,
    with_reference,
)

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.result import Measurement, Result
from proctor_backend.reporting.figures import PAINTERS
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure
from proctor_workers.metrics.detection import froc, responses

TASKS = ("detection", "instance_segmentation")
RULE = {"hit_rule": "overlap", "least_overlap": 0.3, "extra_hits": "neutral"}


def measured(task: str, *made_of: Any, **changes: Any) -> Measurement:
    manifest, observations, reference = made_of or made(task)
    return measure(protocol(task, **changes), manifest, observations, reference)


@pytest.fixture(scope="module")
def every() -> dict[str, Measurement]:
    return {task: measured(task) for task in TASKS}


def values(found: Measurement) -> dict[str, Result]:
    return {one.id: one for one in found.results}


def endpoint(metric: str, rule: str = "exclude", **more: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "metric": metric,
        "role": "primary",
        "itd_rule": rule,
        "definition": "One quantity.",
        "interval": {"method": "auto", "level": 0.95},
    } | more


def one(task: str, metric: str, *made_of: Any, rule: str = "exclude", **more: Any) -> Result:
    asked = endpoint(metric, rule, **more)
    found = values(measured(task, *made_of, endpoints=[asked], subgroups=[]))
    return next(row for name, row in found.items() if name.split(".")[0] == "one")


@pytest.mark.parametrize("task", TASKS)
def test_every_declared_endpoint_has_value_and_interval(
    every: dict[str, Measurement], task: str
) -> None:
    results = values(every[task])
    for asked in protocol(task)["endpoints"]:
        row = next(results[name] for name in results if name.split(".")[0] == asked["id"])
        assert row.estimate is not None, row
        assert row.interval is not None, row
        assert row.interval.lower <= row.estimate <= row.interval.upper


@pytest.mark.parametrize("task", TASKS)
def test_groups_are_compared(every: dict[str, Measurement], task: str) -> None:
    results = values(every[task])
    contrast = next(row for name, row in results.items() if name.endswith("sex.F-vs-M"))
    assert contrast.estimate is not None


@pytest.mark.parametrize("task", TASKS)
def test_order_of_rows_changes_no_byte(every: dict[str, Measurement], task: str) -> None:
    manifest, observations, reference = made(task)
    turned = reference.take(list(reversed(range(len(reference)))))
    again = measure(protocol(task), manifest, observations, turned)
    assert canonical_bytes(again.as_dict()) == canonical_bytes(every[task].as_dict())


@pytest.mark.parametrize("task", TASKS)
def test_froc_figure_is_drawn_and_has_a_form_without_cases(
    every: dict[str, Measurement], task: str
) -> None:
    figure = next(one for one in every[task].figures if one.kind == "froc")
    document = {"id": figure.id, "data": figure.data}
    results = {row.id: row.as_dict() for row in every[task].results}
    for data in (figure.data, figure.data["public"]):
        canvas = PAINTERS["froc"](document | {"data": data}, results)
        assert canvas is not None
        canvas.savefig(io.BytesIO(), format="png")
    assert set(figure.data["public"]) == {"nlf", "llf"}


def test_steps_of_the_public_curve_hold_eleven_patients(every: dict[str, Measurement]) -> None:
    figure = next(one for one in every["detection"].figures if one.kind == "froc")
    assert 1 < len(figure.data["public"]["nlf"]) <= 1 + 58 // 11 * 4
    assert len(figure.data["nlf"]) > len(figure.data["public"]["nlf"])


@pytest.mark.parametrize("task", TASKS)
def test_reviewer_sees_missed_lesions_first(every: dict[str, Measurement], task: str) -> None:
    outcomes = [case["outcome"] for case in every[task].errors]
    assert outcomes[0] == "missed_lesion"
    assert outcomes == sorted(outcomes, reverse=True)


def few(*cases: tuple[list[Any], list[Any]], **reference: Any) -> Any:
    """Cases of boxes given as (lesions, marks with scores)."""
    replaced = {
        f"cas_{place:03d}": {"boxes": [{"box": box, "score": score} for box, score in marks]}
        for place, (_, marks) in enumerate(cases)
    }
    manifest, observations, table = made("detection", len(cases), failures=0, rows=1, **replaced)
    for place, (lesions, _) in enumerate(cases):
        table = with_reference(
            table, place, {"boxes": [{"box": box} for box in lesions]} | reference
        )
    return manifest, observations, table


A, B = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]
CASES = (
    ([A], [(A, 0.9), (A, 0.6)]),  # hit, and hit once more
    ([A, B], [(B, 0.4)]),  # one hit below the threshold, one missed
    ([], [(B, 0.7)]),  # a false mark
    ([], []),
)


def test_lesions_and_marks_are_counted() -> None:
    found = one(
        "detection", "lesion_sensitivity", *few(*CASES), operating_point="marketed", parameters=RULE
    )
    assert (found.numerator, found.denominator) == (1, 3)


def test_extra_hits_are_false_or_neutral() -> None:
    rates = [
        one("detection", "nlf", *few(*CASES), parameters=RULE | {"extra_hits": word}).estimate
        for word in ("neutral", "false")
    ]
    assert rates == [0.25, 0.5]


def test_average_precision_counts_the_further_mark_as_false() -> None:
    found = one("detection", "average_precision", *few(*CASES), parameters={"overlap": "50"})
    assert found.estimate == pytest.approx((34 + 33 * 0.5) / 101)


def test_recall_is_limited_by_the_number_of_marks() -> None:
    found = one("detection", "average_recall", *few(*CASES), parameters={"marks": 1})
    assert found.estimate == pytest.approx(2 / 3)


def test_center_and_distance_hit_where_overlap_does_not() -> None:
    small = few(([A], [([4.0, 4.0, 5.0, 5.0], 0.9)]), ([], []))
    shares = [
        one("detection", "llf", *small, parameters=RULE | rule).estimate
        for rule in (
            {"hit_rule": "overlap"},
            {"hit_rule": "center"},
            {"hit_rule": "distance", "radius": 1.0},
            {"hit_rule": "distance", "radius": 0.5},
        )
    ]
    assert shares == [0.0, 1.0, 1.0, 0.0]


def test_points_hit_points_by_distance() -> None:
    manifest, observations, table = made(
        "detection",
        2,
        failures=0,
        rows=1,
        cas_000={"points": [{"point": [3.0, 4.0], "score": 0.5}]},
        cas_001={"points": []},
    )
    table = with_reference(table, 0, {"points": [{"point": [0.0, 0.0]}]})
    table = with_reference(table, 1, {"points": []})
    made_of = (manifest, observations, table)
    rule = RULE | {"hit_rule": "distance", "radius": 5.0}
    assert one("detection", "llf", *made_of, parameters=rule).estimate == 1.0
    with pytest.raises(DataError, match="needs lesions with an extent"):
        one("detection", "llf", *made_of, parameters=RULE)


def test_marks_in_an_ignored_region_do_not_count() -> None:
    made_of = few(([A], [(A, 0.9), (B, 0.8)]), ([], []))
    ignored = {"boxes": [{"box": A}, {"box": B, "category": "ignore"}]}
    table = with_reference(made_of[2], 0, ignored)
    assert one("detection", "nlf", *made_of[:2], table, parameters=RULE).estimate == 0.0


def test_center_lies_in_the_mask_of_the_reference() -> None:
    inside, outside = [4.0, 1.0, 6.0, 3.0], [10.0, 10.0, 12.0, 12.0]
    manifest, observations, table = few(([], [(inside, 0.9), (outside, 0.8)]), ([], []))
    for place, parts in ((0, [{"runs": square(1, 4, 3)}]), (1, [])):
        table = with_reference(table, place, masks(*parts))
    rule = RULE | {"hit_rule": "center"}
    made_of = (manifest, observations, table)
    assert one("detection", "llf", *made_of, parameters=rule).estimate == 1.0
    assert one("detection", "nlf", *made_of, parameters=rule).estimate == 0.5


@pytest.mark.parametrize(
    ("metric", "worst"), [("llf", 1 / 3), ("nlf", (1 + 8) / 4), ("patient_auroc", 0.5)]
)
def test_a_missing_output_is_the_worst_case(metric: str, worst: float) -> None:
    manifest, observations, table = few(*CASES)
    status = observations["status"].to_pylist()
    rows = [
        place for place, case in enumerate(observations["case"].to_pylist()) if case == "cas_001"
    ]
    for place in rows:
        status[place] = "failed"
    at = observations.column_names.index("status")
    observations = observations.set_column(at, "status", pa.array(status))
    found = one(
        "detection", metric, manifest, observations, table, rule="worst_case", parameters=RULE
    )
    assert found.estimate == pytest.approx(worst)


def test_images_are_called_by_their_highest_mark_or_the_device() -> None:
    made_of = few(*CASES)
    found = [
        one("detection", metric, *made_of, operating_point="marketed")
        for metric in ("sensitivity", "specificity")
    ]
    assert [(row.numerator, row.denominator) for row in found] == [(1, 2), (1, 2)]
    outputs = {"boxes": [], "call": {"marketed": True}}
    manifest, observations, _ = made("detection", 4, failures=0, rows=1, cas_003=outputs)
    called = one(
        "detection", "specificity", manifest, observations, made_of[2], operating_point="marketed"
    )
    assert called.numerator is not None
    assert called.numerator < called.denominator


def test_the_best_case_of_a_comparator_hits_everything() -> None:
    response = responses.FreeResponse(
        patient=np.arange(2),
        weight=np.ones(2),
        lesion_image=np.array([0]),
        lesion_weight=np.ones(1),
        lesion_score=np.array([-np.inf]),
        false_image=np.array([0, 1]),
        false_score=np.array([0.5, 0.4]),
        failed=np.zeros(2, dtype=bool),
    )
    best = responses.with_successes(response, np.array([True, True]))
    assert froc.sensitivity(best, np.array([0.125])).tolist() == [1.0, 1.0]
    assert len(best.false_score) == 0


def test_a_box_outside_the_image_counts_as_a_failed_output() -> None:
    beyond = [100.0, 100.0, 110.0, 110.0]
    manifest, observations, table = few(([], [(beyond, 0.9)]), ([], []))
    for place in (0, 1):
        table = with_reference(table, place, masks({"runs": square(1, 4, 3)}))
    made_of = (manifest, observations, table)
    kept = one("detection", "llf", *made_of, parameters=RULE)
    assert kept.denominator == 1
    worst = one("detection", "nlf", *made_of, rule="worst_case", parameters=RULE)
    assert worst.estimate == 4.0


def test_a_mark_without_score_counts_as_a_failed_output() -> None:
    made_of = made("detection", 4, failures=0, rows=1, cas_000={"boxes": [{"box": A}]})
    found = one("detection", "nlf", *made_of, parameters=RULE)
    assert found.n == 3


def test_an_instance_mask_on_another_grid_counts_as_a_failed_output() -> None:
    other = masks({"runs": [0, 4], "category": "tumour", "score": 0.5}, size=(8, 8))
    made_of = made("instance_segmentation", 4, failures=0, rows=1, cas_000=other)
    assert one("instance_segmentation", "panoptic_quality", *made_of).n == 3


def test_a_mask_of_structures_is_no_mask_of_instances() -> None:
    labels = {"mask": {"size": list(SIZE), "labels": {"tumour": [0, 4]}}}
    made_of = made("instance_segmentation", 4, failures=0, rows=1, cas_000=labels)
    assert one("instance_segmentation", "panoptic_quality", *made_of).n == 3


def test_perfect_instances_have_quality_one() -> None:
    truth = [
        {"runs": square(1, 1, 6), "category": "tumour"},
        {"runs": square(12, 1, 6), "category": "lymphocyte"},
    ]
    made_of = made(
        "instance_segmentation", 2, failures=0, rows=1, cas_000=masks(*truth), cas_001=masks()
    )
    table = with_reference(with_reference(made_of[2], 0, masks(*truth)), 1, masks())
    found = one("instance_segmentation", "panoptic_quality", *made_of[:2], table)
    assert found.estimate == 1.0


def test_a_target_is_measured_alone() -> None:
    made_of = made("instance_segmentation")
    whole = one("instance_segmentation", "panoptic_quality", *made_of).estimate
    parts = [
        one("instance_segmentation", "panoptic_quality", *made_of, target=name).estimate
        for name in ("tumour", "lymphocyte")
    ]
    assert whole == pytest.approx(np.mean(parts))


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no target"):
        one("detection", "llf", target="cyst", parameters=RULE)


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        (None, "gives no boxes"),
        ({"boxes": [{"box": A, "category": "cyst"}]}, "no class of the task"),
        ({"boxes": [{"box": [0, 0, 0, 1, 1, 1]}]}, "partly of volumes"),
        ({"boxes": [{"box": A, "score": 0.0}]}, "a weight of 0"),
        ({"mask": {"size": [4, 4], "labels": {"mass": [0, 1]}}}, "gives no boxes"),
    ],
)
def test_a_reference_standard_that_is_no_detection_is_refused(outputs: Any, what: str) -> None:
    manifest, observations, table = few(*CASES)
    with pytest.raises(DataError, match=what):
        measured("detection", manifest, observations, with_reference(table, 0, outputs))


def test_an_enriched_cohort_is_standardised_or_refused() -> None:
    changes = {"sampling_design": {"kind": "case_control", "description": "Enriched."}}
    asked = [endpoint("nlf", parameters=RULE)]
    made_of = few(*CASES)
    found = {}
    for prevalence in (None, 0.1):
        population = {"description": "x", "prevalence": prevalence}
        rows = values(
            measured(
                "detection",
                *made_of,
                endpoints=asked,
                subgroups=[],
                target_population=population,
                **changes,
            )
        )
        found[prevalence] = rows["one"]
    assert "refused" in found[None].flags[0]
    assert found[0.1].estimate == pytest.approx(0.9 * 1 / 2)


def test_volumes_are_measured() -> None:
    draw = np.random.default_rng(1)
    truth, said = detection(draw)
    assert truth.keys() == said.keys()
    cube = [0.0, 0, 0, 4, 4, 4]
    made_of = few(([cube], [([0.0, 0, 1, 4, 4, 5], 0.9)]), ([], []))
    assert one("detection", "llf", *made_of, parameters=RULE).estimate == 1.0
    strict = RULE | {"least_overlap": 0.7}
    assert one("detection", "llf", *made_of, parameters=strict).estimate == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        {"mask": {"size": [*SIZE, 4], "instances": [{"runs": [2000, 30], "score": 0.5}]}},
        {"mask": {"size": list(SIZE), "labels": {"tumour": [0, 5]}}},
        {"mask": {"size": [65536, 65536], "instances": [{"runs": [0, 2**32], "score": 0.5}]}},
    ],
)
def test_masks_that_lie_on_no_image_of_the_cohort_fail_their_cases(answer: dict[str, Any]) -> None:
    manifest, observations, reference = made(
        "instance_segmentation", failures=0, **{f"cas_{index:03d}": answer for index in range(60)}
    )
    found = values(measured("instance_segmentation", manifest, observations, reference))
    assert found["quality"].estimate == 0
