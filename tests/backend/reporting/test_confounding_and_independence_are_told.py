from typing import Any

import pytest
from material import material, measurement, result

from proctor_backend.reporting import build_context, core_sections, cut_edition
from proctor_backend.reporting.body import assemble_body, new_salts

COMPARED = {
    "told": {"any_way": 64, "alike": 52, "identical": None},
    "least": 11,
    "near": "6 of 64 and 32 of 256 bits",
    "complete": True,
    "images": 80211,
    "named_patients": 9000,
    "patients_known": True,
    "compared_at": "2026-11-20T08:00:00Z",
}


def confounded() -> dict[str, Any]:
    measured = measurement()
    for number, (level, patients) in enumerate((("Maker A", 2716), ("Maker B", 5)), start=1):
        group = {"factor": "acq.manufacturer", "level": level}
        measured["results"].append(
            result(f"auroc.acq.manufacturer.{number}", "auroc", 0.8, patients, group=group)
        )
    return measured


def section(edition: str, name: str, **changes: Any) -> str:
    context = build_context(material(**changes), edition)
    found = {one.id: one for one in core_sections(context)}
    return str([block.as_dict() for block in found[name].blocks])


def test_a_confounder_is_named_with_the_results_in_its_levels() -> None:
    text = section("full", "subgroups", measurement=confounded())

    assert "goes with the reference standard" in text
    assert "manufacturer" in text
    assert "auroc.acq.manufacturer.1" in text
    assert "Maker B" in text


def test_an_edition_that_withholds_a_level_does_not_name_it() -> None:
    text = section("public", "subgroups", measurement=confounded())

    assert "manufacturer" in text
    assert "Maker" not in text
    assert "withhold levels of too few patients" in text


def test_a_withheld_level_is_not_named_among_the_proofs_either() -> None:
    made = material(measurement=confounded())
    salts = new_salts(made)
    public = cut_edition(assemble_body(made, salts=salts), None, salts, "public")

    assert "Maker" not in str(public)


def test_without_a_confounder_nothing_is_said_of_one() -> None:
    assert "goes with the reference standard" not in section("full", "subgroups")


@pytest.mark.parametrize("edition", ["full", "submission", "public"])
def test_a_comparison_of_training_data_is_told_with_its_method_and_date(edition: str) -> None:
    text = section(edition, "custody", independence=COMPARED)

    for told in ("64", "52", "Withheld", "2026-11-20", "80211", "fewer than 11", "at most 6 of 64"):
        assert told in text


def test_without_a_comparison_the_report_says_that_none_was_made() -> None:
    assert "No comparison of the vendor's training images" in section("full", "custody")


def test_identifiers_that_could_not_be_compared_are_named_as_such() -> None:
    text = section("full", "custody", independence=COMPARED | {"patients_known": False})

    assert "could not be compared" in text
