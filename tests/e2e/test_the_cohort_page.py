"""A cohort's page: what holds it back, its quality, its versions, and questions to its owner."""

import json
from collections.abc import Callable

import e2e_world as worlds
import pytest
from e2e_site import Site, get, session_of
from playwright.sync_api import Page

from proctor_backend.services import queries, versions

pytestmark = pytest.mark.browser
Enter = Callable[..., Page]
LEAK = "leak.artefact:canonical_bytes"
FINDINGS = [
    {
        "key": LEAK,
        "code": "leak.artefact",
        "severity": "error",
        "count": 1,
        "message": "The size of the canonical file goes with the reference standard.",
        "cure": "Export all cases with the same compression.",
        "places": [{"column": "canonical_bytes"}],
    },
    {
        "key": "attribute.incomplete:race",
        "code": "attribute.incomplete",
        "severity": "warning",
        "count": 41,
        "message": "The attribute is empty.",
        "cure": "",
        "places": [{"case": "case 12"}],
    },
]
QUALITY = {
    "verdict": "Held back by 1 finding",
    "publishable": False,
    "tables": [
        {
            "name": "balance.sex",
            "title": "Class balance by sex",
            "columns": ["sex", "cases", "positive"],
            "rows": [["F", 201, 0.48], ["M", 199, None]],
        }
    ],
}


@pytest.fixture
def held(site: Site) -> str:
    """The world's cohort, held back, at its address."""
    records, cohort = site.world.records, site.world.cohort
    fields = {"state": "HELD", "findings": FINDINGS, "overrides": []}
    records.db["cohorts"].update_one({"_id": cohort}, {"$set": fields})
    records.replace_file(f"quality:{cohort}:json", json.dumps(QUALITY).encode())
    records.replace_file(f"quality:{cohort}:html", b"<!doctype html><h1>Quality report</h1>")
    return f"{site.dashboard}/cohorts/{cohort}"


def test_the_partner_overrides_what_holds_the_cohort_back(enter: Enter, held: str) -> None:
    page = enter("partner")
    page.goto(held)
    assert "held back" in page.locator(".head .pill").inner_text()
    page.fill("#reason-1", "All cases come from one scanner.")
    page.fill("#password-1", worlds.PASSWORD)
    page.click("text=Override this finding")
    assert "it is ready" in page.locator("[role=status]").inner_text()
    quality = page.locator("section[aria-labelledby=quality]").inner_text()
    assert "All cases come from one scanner." in quality
    assert "Paul Partner" in quality


def test_the_quality_of_a_cohort_stands_on_its_page(enter: Enter, held: str) -> None:
    page = enter("partner")
    page.goto(held)
    quality = page.locator("section[aria-labelledby=quality]")
    assert "Held back by 1 finding" in quality.inner_text()
    quality.locator("summary", has_text="Class balance by sex").click()
    assert "201" in quality.locator("table").inner_text()
    page.click("text=Read the whole quality report")
    assert page.locator("h1").inner_text() == "Quality report"


@pytest.mark.parametrize("part", ["office", "statistician", "reviewer"])
def test_nobody_else_sees_what_was_found(site: Site, held: str, part: str) -> None:
    cookie, _ = session_of(site, part)
    shown = get(held, cookies=cookie)
    assert shown.status_code == 200
    for secret in (LEAK, "Held back by 1 finding", "Override", "case 12"):
        assert secret not in shown.text
    assert get(f"{held}/quality", cookies=cookie).status_code == 404


def test_a_held_cohort_is_what_awaits_the_partner(enter: Enter, held: str, site: Site) -> None:
    page = enter("partner")
    page.goto(site.dashboard)
    assert "See what holds a cohort back" in page.locator("main").inner_text()


def test_versions_of_a_cohort_are_listed_and_compared(enter: Enter, site: Site) -> None:
    world = site.world
    made = versions.open_version(world.records, world.actor("partner"), world.cohort)
    ready = {"state": "READY", "root": "cd" * 32, "cases": worlds.PATIENTS + 1}
    world.records.db["cohorts"].update_one({"_id": made}, {"$set": ready})
    counts = dict.fromkeys(("removed", "files", "attributes", "inputs"), 0)
    found = {
        "counts": counts | {"added": 1, "reference": 2},
        "columns": {"reference_value": 2},
        "cases": {name: [] for name in counts}
        | {"added": ["cas_one"], "reference": ["cas_two", "cas_three"]},
    }
    name = versions.comparison_file(made, world.cohort)
    world.records.replace_file(name, json.dumps(found).encode())
    page = enter("partner")
    page.goto(f"{site.dashboard}/cohorts/{made}")
    page.click("text=Compare with this one")
    assert "From version 1 to version 2" in page.locator("h1").inner_text()
    assert "reference_value" in page.locator("main").inner_text()


def test_a_question_reaches_the_partner_and_its_answer_the_reviewer(
    enter: Enter, site: Site
) -> None:
    world, case = site.world, worlds.wrong_cases(site.world)[0]
    address = f"{site.report}/cases/{case['case']}?outcome={case['outcome']}"
    reviewer = enter("reviewer")
    reviewer.goto(address)
    reviewer.fill("#question", "The rim looks like a skin fold.")
    reviewer.click("text=Send the question")
    partner = enter("partner")
    partner.goto(site.dashboard)
    partner.click("text=Answer questions on a reference standard")
    assert "The rim looks like a skin fold." in partner.locator("main").inner_text()
    partner.select_option("select[name=answer]", "stands")
    partner.fill("textarea[name=text]", "Confirmed on CT.")
    partner.click("main button:has-text('Answer')")
    reviewer.goto(address)
    assert "Confirmed on CT." in reviewer.locator("section[aria-labelledby=query]").inner_text()
    assert queries.summary(world.records, world.report)["stands"] == 1


@pytest.mark.parametrize("part", ["developer", "regulatory"])
def test_a_vendor_has_no_page_of_questions(site: Site, part: str) -> None:
    cookie, _ = session_of(site, part)
    assert get(f"{site.dashboard}/queries", cookies=cookie).status_code == 403


def test_withdrawing_a_patient_seals_who_it_is(enter: Enter, site: Site) -> None:
    world = site.world
    page = enter("partner")
    page.goto(f"{site.dashboard}/cohorts/{world.cohort}")
    page.click("summary:has-text('Withdraw a patient')")
    page.fill("#patient", "MRN-4711")
    page.fill("#withdrawal-reason", "Consent was taken back.")
    page.fill("#withdrawal-password", worlds.PASSWORD)
    page.click("text=Withdraw this patient")
    assert "being withdrawn" in page.locator("[role=status]").inner_text()
    assert "being taken out" in page.locator("section[aria-labelledby=patients]").inner_text()
    for name in world.records.db.list_collection_names():
        assert "MRN-4711" not in str(list(world.records.db[name].find()))
