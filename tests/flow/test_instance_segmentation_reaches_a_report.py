"""Masks of single nuclei: the report shows panoptic quality of each kind."""

import json
import random

import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release

KINDS = ("tumour", "lymphocyte")
TASK = Task("instance_segmentation", targets=KINDS)
SIDE = 24


def square(row: int, column: int, side: int) -> list[int]:
    starts = [(row + down) * SIDE + column for down in range(side)]
    return [number for start in starts for number in (start, side)]


def masks(parts: list[dict]) -> dict:
    return {"mask": {"size": [SIDE, SIDE], "instances": parts}}


def cases(count: int) -> list[dict]:
    """Four nuclei a field, each outlined a little too small or large, or not at all."""
    draw = random.Random(5)  # noqa: S311 - a fixed cohort
    made = []
    for number in range(count):
        truth, said = [], []
        for place, (row, column) in enumerate(((1, 1), (1, 12), (12, 1), (12, 12))):
            kind = KINDS[place % 2]
            truth.append({"runs": square(row, column, 6), "category": kind})
            if (side := draw.randrange(3, 8)) > 3:
                score = round(draw.random(), 2)
                said.append({"runs": square(row, column, side), "category": kind, "score": score})
        made.append(
            case(
                f"c{number}",
                f"p{number // 2}",
                None if number == 7 else masks(said),
                reference_outputs=json.dumps(masks(truth)),
                reference_status="verified",
            )
        )
    return made


@pytest.mark.podman
def test_instance_segmentation_reaches_a_report(lab: Lab, answers_archive):
    protocol = example("instance_segmentation")
    _, body = reaches_release(lab, answers_archive, TASK, protocol, cases(32))
    results = {one["id"]: one for one in body["body"]["results"]}
    for name in ("quality", "tumour_quality", "dice", "precision", "found"):
        interval = results[name]["interval"]
        assert interval["lower"] < results[name]["estimate"] < interval["upper"], name
    assert results["found"]["denominator"] == 4 * 32
