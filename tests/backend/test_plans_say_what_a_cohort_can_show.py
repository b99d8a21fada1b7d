"""The planner on whole protocols: every endpoint has a number or says what it lacks."""

import io
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.planning.comparisons import difference_power, noninferiority_power
from proctor_backend.planning.outlook import Counts, Outlook, outlooks
from proctor_backend.planning.proportions import expected_width, power
from proctor_backend.services.planning import plan_on_counts
from proctor_backend.services.protocols import parse_protocol

EXAMPLES = Path(__file__).parents[2] / "docs/examples/protocols"
COUNTS = Counts(
    cases=600,
    patients=600,
    positives=300,
    levels={"sex": {"F": 250, "M": 350}, "age": {"17": 20, "49": 180, "70": 400}},
)


def planned(name: str, counts: Counts = COUNTS, **values: Any) -> dict[str, Outlook]:
    document = YAML(typ="safe").load((EXAMPLES / f"{name}.yaml").read_text("utf-8"))
    for endpoint in document["endpoints"]:
        endpoint.pop("planned", None)
        if endpoint["id"] in values:
            endpoint["planned"] = values[endpoint["id"]]
    for part in ("sample_size", "estimand"):
        document[part] |= values.get(part, {})
    completed = parse_protocol(dumped(document)).document
    return {
        f"{one.endpoint} {one.group}" if one.group else one.endpoint: one
        for one in outlooks(completed, counts)
    }


def dumped(document: dict[str, Any]) -> str:
    stream = io.StringIO()
    YAML(typ="safe").dump(document, stream)
    return stream.getvalue()


def test_rate_is_planned_over_its_own_cases_by_the_exact_method() -> None:
    found = planned("binary-dicom", sensitivity={"value": 0.9})["sensitivity"]
    assert (found.n, found.assumed) == (300, 0.9)
    assert found.width == pytest.approx(expected_width(0.9, 300))
    assert found.power == pytest.approx(power(0.9, 300, found.goal))


def test_goal_stands_in_where_no_value_is_planned() -> None:
    found = planned("binary-dicom")["sensitivity"]
    assert found.assumed == found.goal
    assert found.power is not None
    assert found.power <= 0.025
    assert found.required_n is None


def test_subgroups_have_their_own_width_and_the_power_to_see_the_margin() -> None:
    found = planned("binary-dicom", sensitivity={"value": 0.9})
    level = found["sensitivity sex F"]
    assert level.width is not None
    assert level.width > found["sensitivity"].width
    expected = difference_power(0.8, 125, 0.9, 175, alpha=0.05)
    assert level.power == pytest.approx(expected, abs=1e-9)


def test_numeric_levels_are_gathered_into_bands() -> None:
    found = planned("binary-dicom", auroc={"value": 0.9})
    groups = {name for name in found if name.startswith("auroc age ")}
    assert groups == {"auroc age <18", "auroc age 18 to <50", "auroc age 65 to <80"}


def test_repeated_rows_widen_by_the_correlation() -> None:
    repeated = Counts(cases=600, patients=200, positives=300)
    values = {
        "sensitivity": {"value": 0.9},
        "estimand": {"unit": "case", "aggregation_to_patient": "none"},
    }
    wide = planned("binary-dicom", repeated, **values, sample_size={"correlation": 0.8})
    mild = planned("binary-dicom", repeated, **values, sample_size={"correlation": 0.1})
    single = planned("binary-dicom", **values)
    widths = [one["sensitivity"].width for one in (wide, mild, single)]
    assert widths[0] > widths[1] > widths[2]


def test_calibration_is_planned_from_the_area() -> None:
    plain = planned("binary-table", calibration_slope={"value": 1.0})["calibration_slope"]
    assert plain.width is None or plain.width > 0
    found = planned("binary-table", auroc={"value": 0.78}, calibration_slope={"value": 1.0})[
        "calibration_slope"
    ]
    assert found.width is not None


def test_other_quantities_say_what_they_lack_or_take_the_standard_deviation() -> None:
    lacking = planned("binary-table", brier={"value": 0.15})["brier"]
    assert lacking.reason is not None
    assert "planned.sd" in lacking.reason
    given = planned("binary-table", brier={"value": 0.15, "sd": 0.2})["brier"]
    assert given.width == pytest.approx(2 * 1.964 * 0.2 / 600**0.5, rel=0.002)


def test_unknown_counts_are_named_not_guessed() -> None:
    found = planned("binary-dicom", Counts(cases=600, patients=600), sensitivity={"value": 0.9})
    assert found["sensitivity"].width is None
    assert found["sensitivity"].reason == "the number of positive cases is not known"


def test_others_see_the_width_alone_to_the_nearest_twentieth() -> None:
    found = planned("binary-dicom", sensitivity={"value": 0.9})["sensitivity"]
    coarse = found.coarse()
    assert set(coarse) == {"endpoint", "metric", "group", "width"}
    assert coarse["width"] == 0.05
    assert found.width != 0.05


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_planned_without_a_fault(path: Path) -> None:
    text = path.read_text("utf-8")
    counts = {"cases": 400, "patients": 300, "positives": 120, "levels": {"sex": {"F": 190}}}
    try:
        found = plan_on_counts(protocol_text=text, counts=counts)["outlooks"]
    except InvalidInputError:
        pytest.skip("its own test says what is wrong with it")
    assert found
    assert all(one["width"] is not None or one["reason"] for one in found)


def test_sizes_that_contradict_each_other_are_refused() -> None:
    text = (EXAMPLES / "binary-table.yaml").read_text("utf-8")
    with pytest.raises(InvalidInputError, match="contradict"):
        plan_on_counts(protocol_text=text, counts={"cases": 10, "patients": 20})


def test_comparison_is_planned_from_the_share_of_disagreement() -> None:
    comparison = {
        "against": "v1", "hypothesis": "non_inferiority", "margin": 0.05, "reason": "A reason.",
    }  # fmt: skip
    document = YAML(typ="safe").load((EXAMPLES / "binary-dicom.yaml").read_text("utf-8"))
    document["endpoints"][0] |= {
        "comparison": comparison,
        "planned": {"value": 0.9, "disagreement": 0.1},
    }
    name = document["endpoints"][0]["id"]
    completed = parse_protocol(dumped(document)).document
    found = {one.group: one for one in outlooks(completed, COUNTS) if one.endpoint == name}
    planned_one = found["against v1"]
    assert planned_one.power == pytest.approx(
        noninferiority_power(0.05, 0.05, planned_one.n or 0, 0.05), abs=1e-9
    )
    assert planned_one.width == pytest.approx(2 * 1.96 * (0.1 / 300) ** 0.5, rel=0.001)


def test_one_class_of_several_is_planned_on_its_own_cases() -> None:
    counts = Counts(cases=500, patients=500, values={"a": 100, "b": 400})
    assert counts.against("a").positives == 100
    assert counts.against(None).positives is None


def test_level_without_one_class_has_no_power_and_no_fault() -> None:
    few = Counts(cases=600, patients=600, positives=3, levels={"sex": {"F": 20, "M": 580}})
    found = planned("binary-table", few, auroc={"value": 0.8})
    assert found["auroc sex F"].power is None
    assert found["auroc sex F"].reason is not None


def test_what_no_cohort_counts_is_not_planned() -> None:
    text = (EXAMPLES / "detection.yaml").read_text("utf-8")
    found = plan_on_counts(protocol_text=text, counts={"cases": 400})["outlooks"]
    lesions = next(one for one in found if one["metric"] == "lesion_sensitivity")
    assert lesions["width"] is None
    assert lesions["reason"]
