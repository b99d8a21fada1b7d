"""Masks, landmarks, transforms and images: a container's answers become a signed report."""

import json

import numpy as np
import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release
from tests.workers.kinds.made_spatial import MAKERS, TARGETS

SHOWN = {
    "segmentation": ("liver_goal", "liver_dice", "liver_hd95", "liver_nsd"),
    "landmarks": ("within_2_mm", "point_error", "sella_error"),
    "registration": ("within_3_mm", "error"),
    "image_to_image": ("error_in_body", "bias_in_body", "within_80", "similarity", "noise"),
}


def cases(task: str, count: int) -> list[dict]:
    """Cases of a task, one of which is not answered."""
    draw = np.random.default_rng(11)
    made = []
    for number in range(count):
        truth, found = MAKERS[task](draw)
        made.append(
            case(
                f"c{number}",
                f"p{number}",
                None if number == 7 else found,
                reference_outputs=json.dumps(truth),
                reference_status="verified",
                **{"attr.sex": "FM"[number % 2]},
            )
        )
    return made


@pytest.mark.podman
@pytest.mark.parametrize("task", SHOWN)
def test_a_task_reaches_a_report(lab: Lab, answers_archive, task):
    shape = Task(task, targets=tuple(TARGETS.get(task, ())))
    _, body = reaches_release(lab, answers_archive, shape, example(task), cases(task, 30))
    results = {one["id"]: one for one in body["body"]["results"]}
    for name in SHOWN[task]:
        interval = results[name]["interval"]
        assert interval["lower"] < interval["upper"], name
        assert interval["lower"] <= results[name]["estimate"] <= interval["upper"], name
    shown = {
        edition: [one for one in part["figures"] if one["kind"] == "case_values"]
        for edition, part in body["body"]["editions"].items()
    }
    assert all("values" in one["data"] for one in shown["full"])
    assert all("steps" in one["data"] for one in (*shown["public"], *shown["submission"]))
    assert shown["full"]
    assert shown["public"]
    assert any(results[f"{name}@excluded"]["n"] == 29 for name in SHOWN[task])
