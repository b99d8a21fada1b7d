"""Boxes on images: the report shows lesion sensitivity, false marks and the FROC curve."""

import json
import random

import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release

TASK = Task(
    "detection", targets=("mass",), points=({"id": "marketed", "threshold": 0.5, "target": "mass"},)
)


def cases(count: int) -> list[dict]:
    """Two images a patient, every second patient with masses; marks beside them, and false ones."""
    draw = random.Random(4)  # noqa: S311 - a fixed cohort
    made = []
    for number in range(count):
        corners = [(draw.randrange(200), draw.randrange(200)) for _ in range(1 + number % 2)]
        lesions = [[x, y, x + 30, y + 30] for x, y in corners] if number // 2 % 2 else []
        moved = [[x + 4, y, high + 4, low] for x, y, high, low in lesions if draw.random() < 0.9]
        marks = [{"box": box, "score": round(draw.uniform(0.4, 1), 2)} for box in moved]
        if draw.random() < 0.5:
            marks.append({"box": [400, 400, 420, 420], "score": round(draw.uniform(0, 0.7), 2)})
        made.append(
            case(
                f"c{number}",
                f"p{number // 2}",
                None if number == 7 else {"boxes": marks},
                reference_outputs=json.dumps({"boxes": [{"box": box} for box in lesions]}),
                reference_status="verified",
                **{"attr.sex": "FM"[number // 2 % 2]},
            )
        )
    return made


@pytest.mark.podman
def test_detection_reaches_a_report(lab: Lab, answers_archive):
    made = cases(40)
    _, body = reaches_release(lab, answers_archive, TASK, example("detection"), made)
    results = {one["id"]: one for one in body["body"]["results"]}
    lesions = sum(len(json.loads(one["reference_outputs"])["boxes"]) for one in made)
    assert results["sensitivity.marketed"]["denominator"] == lesions
    for name in ("sensitivity.marketed", "false_marks.marketed", "froc", "wafroc", "patients"):
        interval = results[name]["interval"]
        assert interval["lower"] < results[name]["estimate"] < interval["upper"], name
    kinds = {figure["kind"] for figure in body["body"]["editions"]["full"]["figures"]}
    assert "froc" in kinds
