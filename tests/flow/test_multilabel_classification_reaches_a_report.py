"""Several findings a case: the container scores each, the report judges every claim by Holm."""

import random

import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release

LABELS = ("edema", "effusion", "nodule")
TASK = Task(
    "multilabel_classification",
    LABELS,
    tuple({"id": f"{label}_mark", "threshold": 0.5, "target": label} for label in LABELS),
)


def cases(count: int) -> list[dict]:
    """Cases with any of three findings, each scored higher where it is present."""
    draw = random.Random(7)  # noqa: S311 - a fixed cohort
    made = []
    for number in range(count):
        present = [label for place, label in enumerate(LABELS) if number >> place & 1]
        scores = {
            label: round(min(max(draw.gauss(0.35 + 0.3 * (label in present), 0.15), 0), 1), 6)
            for label in LABELS
        }
        made.append(
            case(
                f"c{number}",
                f"p{number}",
                {"scores": scores},
                reference_value="|".join(present) or "none",
                reference_status="verified",
            )
        )
    return made


@pytest.mark.podman
def test_multilabel_classification_reaches_a_report(lab: Lab, answers_archive):
    _, body = reaches_release(lab, answers_archive, TASK, example(TASK.kind), cases(40))
    results = {one["id"]: one for one in body["body"]["results"]}
    for label in LABELS:
        assert results[f"{label}_auc"]["conclusion"] is not None
        assert any("Holm" in flag for flag in results[f"{label}_auc"]["flags"])
    for name in ("mean_area", "macro_f1", "all_right", "edema_sensitivity.edema_mark"):
        assert results[name]["estimate"] is not None, name
    assert "roc_by_target" in {
        figure["kind"] for figure in body["body"]["editions"]["full"]["figures"]
    }
