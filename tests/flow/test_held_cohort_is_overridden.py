"""A cohort that is held back, overridden by name, and a report that prints the reason."""

import json

import pytest
from tests.flow.lab import PASSWORD, Lab, rows, wait

pytestmark = pytest.mark.podman
REASON = "The wards' own mailboxes name no patient."
TERMS = {
    "allowed_tasks": ["binary_classification"],
    "max_evaluations": 3,
    "expires_at": "2099-01-01",
    "agreement": "Agreement 12 of the laboratory.",
    "contact": "partner@example.org",
    "precision": 2,
}


@pytest.fixture(scope="module")
def held(lab: Lab) -> dict:
    cases = [one | {"attr.ward": f"ward{one['patient']}@example.org"} for one in rows(60, seed=9)]
    words = ("cohort", "add", str(lab.table(cases)), "--name", "held")
    cohort = lab["data_partner"].cli(*words).stdout.split()[-1]
    ended = {"READY", "HELD", "REJECTED"}
    return wait(lambda: lab["data_partner"].get(f"/cohorts/{cohort}"), ended)


@pytest.fixture(scope="module")
def overridden(lab: Lab, held: dict) -> dict:
    assert held["state"] == "HELD", held
    for finding in held["findings"]:
        if finding["severity"] == "error":
            words = ("cohort", "override", held["id"], finding["key"], "--reason", REASON)
            lab["data_partner"].cli(*words, "--password-stdin", input=f"{PASSWORD}\n")
    return lab["data_partner"].get(f"/cohorts/{held['id']}")


def test_a_finding_of_severity_error_holds_a_cohort_back(lab, held):
    assert held["state"] == "HELD"
    done = lab["data_partner"].cli("cohort", "quality", held["id"])
    assert json.loads(done.stdout)["publishable"] is False


def test_the_last_override_makes_it_ready(overridden):
    assert overridden["state"] == "READY"
    assert {one["reason"] for one in overridden["overrides"]} == {REASON}


@pytest.fixture(scope="module")
def bodies(lab: Lab, overridden: dict, public_cohort: str, unruly_archive) -> dict:
    lab["data_partner"].do("PUT", f"/cohorts/{overridden['id']}/terms", TERMS)
    study = lab.study(overridden["id"], public_cohort)
    view = lab.settle(lab.submit(study, unruly_archive))
    assert view["state"] == "DECIDED", view
    found = lab["reviewer"].get(f"/reports/{view['report']}/body")["body"]["editions"]
    path = f"/reports/{view['report']}/editions/submission/preview"
    return found | {"preview": lab["data_partner"].get(path)}


@pytest.mark.parametrize("edition", ["full", "submission", "public"])
def test_every_edition_prints_the_reason_and_the_terms(bodies, edition):
    text = json.dumps(bodies[edition]["sections"])
    assert REASON in text
    assert "Dr data_partner" in text
    assert "Terms of the data partner" in text
    # An agreement may name the vendor: it joins when the report is rendered.
    assert "Agreement 12 of the laboratory." not in text


def test_what_leaves_has_the_digits_that_the_terms_allow(bodies):
    shown = [one["result"] for one in bodies["preview"]["results"]]
    estimates = [one["estimate"] for one in shown if one["estimate"] is not None]
    assert len(estimates) > 10
    assert all(float(f"{value:.2g}") == value for value in estimates)
