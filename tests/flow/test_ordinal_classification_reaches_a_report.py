"""Grades in an order: the container calls one with probabilities, the report shows distances."""

import random

import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release

GRADES = ("none", "mild", "moderate", "severe", "proliferative")
TASK = Task("ordinal_classification", GRADES)


def cases(count: int) -> list[dict]:
    """Two eyes of a patient, graded mostly right or one beside."""
    draw = random.Random(6)  # noqa: S311 - a fixed cohort
    made = []
    for number in range(count):
        truth = number % 5
        called = min(max(truth + draw.choice((-1, 0, 0, 0, 1)), 0), 4)
        scores = {name: 0.6 if place == called else 0.1 for place, name in enumerate(GRADES)}
        made.append(
            case(
                f"c{number}",
                f"p{number // 2}",
                {"category": GRADES[called], "scores": scores},
                reference_value=GRADES[truth],
                reference_status="verified",
            )
        )
    return made


@pytest.mark.podman
def test_ordinal_classification_reaches_a_report(lab: Lab, answers_archive):
    _, body = reaches_release(lab, answers_archive, TASK, example(TASK.kind), cases(40))
    results = {one["id"]: one for one in body["body"]["results"]}
    for name in ("weighted_kappa", "referable_sensitivity", "ordinal_area", "grades_off"):
        assert results[name]["estimate"] is not None, name
        assert results[name]["interval"] is not None, name
    assert "confusion_matrix" in {
        figure["kind"] for figure in body["body"]["editions"]["full"]["figures"]
    }
