"""Twelve steps of a series ahead: the report shows scaled errors, coverage and the fan."""

import json
import random

import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release

TASK = Task("forecasting")
STEPS = 12


def cases(count: int) -> list[dict]:
    """Random walks, two origins a patient; the quantiles widen with the step."""
    draw = random.Random(4)  # noqa: S311 - a fixed cohort
    made = []
    for number in range(count):
        walk = [120.0]
        for _ in range(35):
            walk.append(round(walk[-1] + draw.gauss(0, 5), 1))
        history, values = walk[:24], walk[24:]
        quantiles = {
            level: [round(history[-1] + z * 5 * (step + 1) ** 0.5, 1) for step in range(STEPS)]
            for level, z in (("0.05", -1.645), ("0.5", 0.0), ("0.95", 1.645))
        }
        made.append(
            case(
                f"c{number}",
                f"p{number // 2}",
                None if number == 7 else {"forecast": {"quantiles": quantiles}},
                reference_outputs=json.dumps({"series": {"history": history, "values": values}}),
                reference_status="verified",
                **{"attr.sex": "FM"[number // 2 % 2], "attr.day": number % 2},
            )
        )
    return made


@pytest.mark.podman
def test_forecasting_reaches_a_report(lab: Lab, answers_archive):
    _, body = reaches_release(lab, answers_archive, TASK, example("forecasting"), cases(32))
    results = {one["id"]: one for one in body["body"]["results"]}
    assert results["coverage"]["denominator"] == 32 * STEPS
    for name in ("mase", "mae_at_one_hour", "coverage", "crps"):
        interval = results[name]["interval"]
        assert interval["lower"] < results[name]["estimate"] < interval["upper"], name
    assert "forecast_fan" in {
        figure["kind"] for figure in body["body"]["editions"]["full"]["figures"]
    }
