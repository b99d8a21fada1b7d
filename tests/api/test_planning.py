"""Plans over the API: exact to statistician and partner, widths to 0.05 for others."""

import pytest

from proctor_backend.records import Records

from .conftest import Cast, Drafted

COUNTS = {"cases": 2000, "patients": 2000, "positives": 500, "levels": {"sex": {"F": 900}}}


@pytest.fixture
def counted(drafted: Drafted, records: Records) -> Drafted:
    counts = {"reference_value": {"0": 1500, "1": 500}, "attribute:sex": {"F": 900, "M": 1100}}
    records.db["cohorts"].update_one(
        {"_id": drafted.hidden}, {"$set": {"cases": 2000, "patients": 2000, "counts": counts}}
    )
    return drafted


def by_endpoint(answer: dict) -> dict[str, dict]:
    return {f"{one['endpoint']} {one['group'] or ''}".strip(): one for one in answer["outlooks"]}


@pytest.mark.parametrize("part", ["statistician", "partner"])
def test_statistician_and_partner_see_the_exact_plan_of_a_study(
    cast: Cast, counted: Drafted, part: str
) -> None:
    answer = cast.must(part, "GET", f"/studies/{counted.id}/plan")
    assert answer["exact"]
    found = by_endpoint(answer)
    assert found["sensitivity"]["n"] == 500 or found["sensitivity"]["reason"]
    assert found["auroc"]["power"] is not None
    assert "auroc sex F" in found


@pytest.mark.parametrize("part", ["regulatory", "reviewer", "releaser", "office"])
def test_others_see_widths_to_a_twentieth_and_nothing_else(
    cast: Cast, counted: Drafted, part: str
) -> None:
    answer = cast.must(part, "GET", f"/studies/{counted.id}/plan")
    assert not answer["exact"]
    for one in answer["outlooks"]:
        assert set(one) == {"endpoint", "metric", "group", "width"}
        if one["width"] is not None:
            assert round(one["width"] / 0.05, 9).is_integer()


def test_others_hear_nothing_of_a_small_level(
    cast: Cast, counted: Drafted, records: Records
) -> None:
    few = {"counts.attribute:sex": {"F": 1990, "X": 10}}
    records.db["cohorts"].update_one({"_id": counted.hidden}, {"$set": few})
    groups = by_endpoint(cast.must("reviewer", "GET", f"/studies/{counted.id}/plan"))
    assert "auroc sex F" in groups
    assert "auroc sex X" not in groups
    exact = by_endpoint(cast.must("partner", "GET", f"/studies/{counted.id}/plan"))
    assert "auroc sex X" in exact


def test_vendor_sees_the_plan_on_planned_sizes_whatever_the_cohort_holds(
    cast: Cast, counted: Drafted, records: Records
) -> None:
    before = cast.must("regulatory", "GET", f"/studies/{counted.id}/plan")
    fewer = {"cases": 300, "patients": 300, "counts": {"reference_value": {"0": 250, "1": 50}}}
    records.db["cohorts"].update_one({"_id": counted.hidden}, {"$set": fewer})
    assert cast.must("regulatory", "GET", f"/studies/{counted.id}/plan") == before
    assert any(one["width"] is not None for one in before["outlooks"])


def test_a_stranger_learns_nothing_of_a_study(cast: Cast, counted: Drafted) -> None:
    assert cast.ask("rival", "GET", f"/studies/{counted.id}/plan").status_code == 404


@pytest.mark.parametrize("part", ["regulatory", "reviewer", "office"])
def test_others_cannot_vary_the_protocol_on_a_hidden_cohort(
    cast: Cast, counted: Drafted, table_protocol: str, part: str
) -> None:
    body = {"protocol": table_protocol, "cohort": counted.hidden}
    answer = cast.ask(part, "POST", "/protocols/plan", json=body)
    assert answer.status_code in {403, 404}


def test_statistician_plans_a_text_on_a_cohort(
    cast: Cast, counted: Drafted, table_protocol: str
) -> None:
    body = {"protocol": table_protocol, "cohort": counted.hidden}
    found = by_endpoint(cast.must("statistician", "POST", "/protocols/plan", json=body))
    assert found["auroc"]["width"] < 0.1


def test_anybody_plans_on_counts_of_their_own(cast: Cast, table_protocol: str) -> None:
    body = {"protocol": table_protocol, "counts": COUNTS}
    assert cast.must("developer", "POST", "/protocols/plan", json=body)["exact"]


def test_a_plan_needs_a_cohort_or_counts(cast: Cast, table_protocol: str) -> None:
    both = {"protocol": table_protocol, "counts": COUNTS, "cohort": "coh_" + "a" * 26}
    for body in ({"protocol": table_protocol}, both):
        assert cast.ask("statistician", "POST", "/protocols/plan", json=body).status_code == 422


def test_a_protocol_with_a_problem_is_answered_with_its_line(cast: Cast) -> None:
    body = {"protocol": "schema_version: 1", "counts": COUNTS}
    answer = cast.ask("statistician", "POST", "/protocols/plan", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["problems"]
