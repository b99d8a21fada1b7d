from typing import Any

import pytest
from material import material, measurement, result

from proctor_backend.reporting import build_context, core_sections
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.words import label

CRUDE = "auroc.sex.F-vs-M"
PAIR = {"factor": "sex", "level": "F", "versus": "M"}
INTERVAL = {"lower": -0.03, "upper": 0.01, "level": 0.95, "method": "patient bootstrap"}


def adjusted(name: str) -> list[dict[str, Any]]:
    return [
        result(f"{CRUDE}.{suffix}-{name}", "auroc_difference", value, 2721, interval=INTERVAL,
               group=PAIR | {"adjusted_for": name}, extra={"crude": CRUDE})
        for suffix, value in (("adjusted-for", -0.01), ("explained-by", -0.051))
    ]  # fmt: skip


def further() -> list[dict[str, Any]]:
    rater = {"against": "predicate", "p_values": {"McNemar exact": 0.03}}
    judged = {
        "hypothesis": "non_inferiority",
        "amounts_to": "a one-sided test",
        "reason": "As cleared",
    }
    return [
        *adjusted("age"), *adjusted("race"), *adjusted("kernel"),
        result(f"{CRUDE}.cause.1", "candidate_cause", None, 2721, group=PAIR, interval=None,
               flags=["Scores separate the two classes less in the group."],
               extra={"crude": CRUDE, "cause": "weaker signal", "verdict": "candidate cause",
                      "attribute": None,
                      "evidence": {"area": {"estimate": -0.06, "lower": -0.09, "upper": -0.03}}}),
        result("sensitivity.main~predicate.alone", "sensitivity", 0.71, 710,
               extra={"against": "predicate", "operating_point": "main"}),
        result("sensitivity.main~predicate", "sensitivity_difference", 0.049, 710, role="primary",
               interval=INTERVAL | {"lower": 0.02, "upper": 0.08}, p_value=0.03,
               criterion={"bound": "lower", "comparator": ">", "value": -0.1},
               conclusion="criterion met",
               extra={**rater, **judged, "operating_point": "main",
                      "both": 500, "device_only": 39, "rater_only": 4, "neither": 167}),
        result("auroc.site.random-effects", "auroc", 0.81, 2721,
               group={"factor": "site", "level": "all"}),
    ]  # fmt: skip


def context(edition: str) -> Context:
    measured = measurement()
    measured["results"] += further()
    return build_context(material(measurement=measured), edition)


def text(edition: str, section: str) -> str:
    found = {one.id: one for one in core_sections(context(edition))}
    return str([block.as_dict() for block in found[section].blocks])


def test_comparison_stands_beside_both_values_with_its_margin() -> None:
    found = text("submission", "comparison")
    for ref in ("sensitivity.main", "sensitivity.main~predicate.alone"):
        assert f"'{ref}'" in found
    assert "a one-sided test" in found
    assert "As cleared" in found


def test_comparison_is_no_secondary_endpoint() -> None:
    assert "~predicate" not in text("submission", "secondary")


def test_label_of_a_comparison_names_the_rater() -> None:
    rows = {row["id"]: row for row in further()}
    name = "sensitivity.main~predicate"
    assert label(rows[name]) == "Sensitivity at “main”, device minus predicate"
    assert label(rows[f"{name}.alone"]) == "Sensitivity at “main” of predicate"


def test_adjusted_difference_stands_beside_the_crude_one() -> None:
    found = text("submission", "subgroups")
    assert f"'{CRUDE}.adjusted-for-age'" in found
    assert f"'{CRUDE}.explained-by-age'" in found


def test_cause_is_told_with_its_numbers() -> None:
    found = text("submission", "subgroups")
    assert "Weaker signal: candidate cause" in found
    assert "area −0.060 (−0.090 to −0.030)" in found


@pytest.mark.parametrize(
    ("name", "there"),
    [
        (f"{CRUDE}.adjusted-for-age", True),
        (f"{CRUDE}.adjusted-for-race", False),  # race has a level that is withheld
        (f"{CRUDE}.adjusted-for-kernel", False),  # of which no size is known
        (f"{CRUDE}.cause.1", False),
    ],
)
def test_public_edition_mixes_no_withheld_group_into_a_number(name: str, *, there: bool) -> None:
    shown = {str(row["id"]) for row in context("public").shown()}
    assert (name in shown) is there


def test_paired_cells_below_the_minimum_are_withheld_where_all_cells_are() -> None:
    measured = measurement()
    measured["results"] += further()
    terms = {"min_cell": 5, "applies_to": "all_cells"}
    cohort = material().cohort | {"terms": terms}
    made = build_context(material(measurement=measured, cohort=cohort), "submission")
    assert "sensitivity.main~predicate" in made.withheld


def test_mean_over_sites_is_no_comparison_of_groups() -> None:
    found = context("submission")
    assert "auroc.site.random-effects" not in {row[0] for row in found.described()}
    assert "'auroc.site.random-effects'" in text("submission", "subgroups")
