"""Designs for which simulation found that a limit errs are refused, each with its cure."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from proctor_backend.domain.interval_rules import compared_tests, unfit_intervals
from proctor_backend.services.protocols import check_protocol

EXAMPLES = Path(__file__).parents[2] / "docs/examples/protocols"

DESIGN = {
    "estimand": {"unit": "case"},
    "sample_size": {"planned_n": 400, "planned_positive": 200, "planned_patients": 400},
}
ENDPOINT = {
    "metric": "sensitivity",
    "interval": {"method": "auto"},
    "criterion": {"bound": "lower", "comparator": ">=", "value": 0.85},
    "comparison": None,
}
REPEATED = {"planned_patients": 60}


def refused(size: dict[str, Any] | None = None, unit: str = "case", **endpoint: Any) -> list[str]:
    document = deepcopy(DESIGN)
    document["sample_size"] |= size or {}
    document["estimand"]["unit"] = unit
    found = unfit_intervals(document, ENDPOINT | endpoint, ("endpoints", 0))
    return [problem.cure for problem in found]


def criterion(value: float, bound: str = "lower") -> dict[str, Any]:
    return {"bound": bound, "comparator": ">=" if bound == "lower" else "<=", "value": value}


def test_a_protocols_text_is_refused_at_its_line() -> None:
    text = (EXAMPLES / "binary-dicom.yaml").read_text("utf-8")
    method = "interval: {method: clopper_pearson, level: 0.95}"
    rare = text.replace(method, method.replace("clopper_pearson", "wilson")).replace(
        "value: 0.80}", "value: 0.10}"
    )
    found = check_protocol(rare)
    assert {one["field"] for one in found} == {
        "endpoints[0].interval.method", "endpoints[1].interval.method",
    }  # fmt: skip
    assert all(one["cure"] == "Write clopper_pearson." for one in found)


def test_plain_design_is_accepted() -> None:
    for metric in ("sensitivity", "auroc", "auprc", "balanced_accuracy", "f1"):
        assert refused(metric=metric) == []


def test_wilson_does_not_judge_the_far_side_of_a_rare_share() -> None:
    wilson = {"interval": {"method": "wilson"}}
    assert refused(**wilson, criterion=criterion(0.02)) == ["Write clopper_pearson."]
    assert refused(**wilson, criterion=criterion(0.9, "upper")) == ["Write clopper_pearson."]
    assert refused(**wilson, criterion=criterion(0.05, "upper")) == []
    assert refused(**wilson, criterion=criterion(0.9)) == []


def test_repeated_rows_need_patients_that_fail() -> None:
    assert refused(REPEATED, criterion=criterion(0.95))[0].startswith("Plan at least 400 patients")
    assert refused(REPEATED, criterion=criterion(0.60)) == []
    assert refused(REPEATED, unit="patient", criterion=criterion(0.95)) == []


@pytest.mark.parametrize("method", ["auto", "logit_delong"])
def test_logit_does_not_judge_an_area_of_clusters_or_of_a_rare_class(method: str) -> None:
    area = {"metric": "auroc", "interval": {"method": method}}
    assert refused(REPEATED, **area) == ["Write newcombe5."]
    assert refused({"planned_positive": 50}, **area) == ["Write newcombe5."]
    assert refused({"planned_positive": 50}, **area, criterion=criterion(0.7)) == []


def test_an_area_planned_near_one_is_left_to_auto_alone() -> None:
    area = {"metric": "auroc", "criterion": criterion(0.96)}
    few = {"planned_positive": 90}
    assert refused(few, **area, interval={"method": "logit_delong"}) == ["Write newcombe5."]
    assert refused(few, **area, interval={"method": "auto"}) == []
    assert refused(few, **area, interval={"method": "newcombe5"}) == []


def test_bootstrap_does_not_judge_too_few_patients_or_errors() -> None:
    tiny = {"planned_n": 30, "planned_patients": 30, "planned_positive": 15}
    assert refused(tiny, metric="f1")[0].startswith("Plan at least 40 patients")
    assert refused(REPEATED, metric="auprc")[0].startswith("Plan at least 300 patients")
    rare = refused({"planned_positive": 20}, metric="balanced_accuracy", criterion=criterion(0.9))
    assert rare[0].startswith("Judge sensitivity and specificity")


def test_ratio_with_a_closed_form_is_no_bootstrap() -> None:
    tiny = {"planned_n": 30, "planned_patients": 30, "planned_positive": 15}
    assert refused(tiny, metric="lr_positive", criterion=criterion(3)) == []


def test_hypotheses_on_shares_need_cases() -> None:
    by_margin = {"hypothesis": "superiority", "margin": 0.05, "reason": "a reason"}
    assert refused(criterion=None, comparison=by_margin)[0].startswith("Remove the margin")
    assert refused({"planned_n": 1000, "planned_positive": 500, "planned_patients": 1000},
                   criterion=None, comparison=by_margin) == []  # fmt: skip
    plain = {"hypothesis": "non_inferiority", "margin": 0.05, "reason": "a reason"}
    assert refused(criterion=None, comparison=plain) == []
    assert refused(REPEATED, criterion=None, comparison=plain)[0].startswith("Plan at least 100")


def test_a_quantity_without_a_judgeable_interval_is_not_compared_between_groups() -> None:
    document = {
        "endpoints": [{"id": "z", "metric": "spiegelhalter_z"}, {"id": "a", "metric": "auroc"}],
        "subgroups": [
            {"attribute": "sex", "endpoints": ["a", "z"], "family": "bias"},
            {"attribute": "race", "endpoints": ["z"]},
        ],
    }
    found = list(compared_tests(document))
    assert [problem.path for problem in found] == [("subgroups", 0, "endpoints", 1)]
