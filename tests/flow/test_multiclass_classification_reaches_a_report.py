"""Three diagnoses a case: the container gives scores, the report shows agreement and areas."""

import random

import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release

TARGETS = ("melanoma", "naevus", "keratosis")
TASK = Task(
    "multiclass_classification",
    TARGETS,
    ({"id": "excise", "threshold": 0.4, "target": "melanoma"},),
)


def cases(count: int) -> list[dict]:
    """Cases whose own diagnosis scores highest more often than not."""
    draw = random.Random(5)  # noqa: S311 - a fixed cohort
    made = []
    for number in range(count):
        truth = TARGETS[number % 3]
        weight = {name: draw.uniform(0.1, 1) + 0.6 * (name == truth) for name in TARGETS}
        total = sum(weight.values())
        scores = {name: round(one / total, 6) for name, one in weight.items()}
        made.append(
            case(
                f"c{number}",
                f"p{number // 2}",
                None if number == 7 else {"scores": scores},
                reference_value=truth,
                reference_status="verified",
            )
        )
    return made


@pytest.mark.podman
def test_multiclass_classification_reaches_a_report(lab: Lab, answers_archive):
    _, body = reaches_release(lab, answers_archive, TASK, example(TASK.kind), cases(36))
    results = {one["id"]: one for one in body["body"]["results"]}
    for name in ("kappa", "hand_till", "macro_f1", "melanoma_auc", "melanoma_sensitivity.excise"):
        assert results[name]["estimate"] is not None, name
        assert results[name]["interval"] is not None, name
    kinds = {figure["kind"] for figure in body["body"]["editions"]["full"]["figures"]}
    assert {"confusion_matrix", "roc_by_target"} <= kinds
