"""Times to an event: the container tells risk and curve, the report shows C and Kaplan-Meier."""

import json
import math
import random

import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release

GRID = (182, 365, 730, 1095, 1460)
TASK = Task("survival", points=({"id": "high_risk", "threshold": 0.0},))


def cases(count: int) -> list[dict]:
    """Exponential times whose rate the model knows with noise; a third are censored."""
    draw = random.Random(9)  # noqa: S311 - a fixed cohort
    made = []
    for number in range(count):
        x = draw.gauss(0, 1)
        until, censored = draw.expovariate(math.exp(x) / 1200), draw.uniform(300, 4000)
        risk = x + draw.gauss(0, 0.4)
        curve = [round(math.exp(-time * math.exp(risk) / 1200), 4) for time in GRID]
        event = {"time": round(min(until, censored), 1), "observed": until <= censored}
        made.append(
            case(
                f"c{number}",
                f"p{number}",
                {"survival": {"risk": round(risk, 4), "times": GRID, "probabilities": curve}},
                reference_outputs=json.dumps({"event": event}),
                reference_status="verified",
            )
        )
    return made


@pytest.mark.podman
def test_survival_reaches_a_report(lab: Lab, answers_archive):
    _, body = reaches_release(lab, answers_archive, TASK, example(TASK.kind), cases(40))
    results = {one["id"]: one for one in body["body"]["results"]}
    for name in ("harrell_c", "uno_c", "auc_three_years", "brier_three_years", "slope"):
        assert results[name]["estimate"] is not None, name
        assert results[name]["interval"] is not None, name
    shown = {figure["kind"] for figure in body["body"]["editions"]["full"]["figures"]}
    assert {"survival_curves", "survival_calibration"} <= shown
