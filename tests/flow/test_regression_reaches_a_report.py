"""An ejection fraction a case: the report shows bias, limits of agreement and their plot."""

import random

import pytest
from tests.flow.lab import Lab
from tests.flow.tasks import Task, case, example, reaches_release

TASK = Task("regression", ("ejection_fraction",))


def cases(count: int) -> list[dict]:
    """Values three points too high on average, with one case that is not answered."""
    draw = random.Random(3)  # noqa: S311 - a fixed cohort
    made = []
    for number in range(count):
        truth = round(draw.gauss(55, 10), 1)
        value = {"ejection_fraction": round(truth + 3 + draw.gauss(0, 3), 2)}
        made.append(
            case(
                f"c{number}",
                f"p{number}",
                None if number == 7 else {"value": value},
                reference_value=truth,
                reference_status="verified",
                **{"attr.sex": "FM"[number % 2]},
            )
        )
    return made


@pytest.mark.podman
def test_regression_reaches_a_report(lab: Lab, answers_archive):
    _, body = reaches_release(lab, answers_archive, TASK, example("regression"), cases(32))
    results = {one["id"]: one for one in body["body"]["results"]}
    assert results["within_10_points"]["n"] == 32
    assert results["bias"]["n"] == 31
    for name in ("within_10_points", "bias", "upper_limit_of_agreement", "slope", "concordance"):
        interval = results[name]["interval"]
        assert interval["lower"] < results[name]["estimate"] < interval["upper"], name
    assert "bland_altman" in {
        figure["kind"] for figure in body["body"]["editions"]["full"]["figures"]
    }
