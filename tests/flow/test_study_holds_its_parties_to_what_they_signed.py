"""Terms, amendments and cancellation around a running entry."""

import time

import pytest
from tests.flow.lab import Lab, protocol_text, rows
from tests.flow.record import find, running_hidden, shown_to_vendor, until

pytestmark = pytest.mark.podman
CASES = 600


@pytest.fixture(scope="module")
def study(lab: Lab, public_cohort):
    """A study whose model takes its time, and whose partner allows one evaluation."""
    cohort = lab.cohort(rows(CASES, do=dict.fromkeys(range(CASES), "nap")))
    study = lab.study(cohort, public_cohort)
    terms = {
        "allowed_tasks": ["binary_classification"], "max_evaluations": 1,
        "expires_at": "2099-01-01", "agreement": "Once.", "contact": "partner@example.org",
    }  # fmt: skip
    lab["data_partner"].do("PUT", f"/cohorts/{cohort}/terms", terms)
    return study


@pytest.fixture(scope="module")
def running(lab, study, unruly_archive):
    """An entry whose hidden cases have been staged."""
    entry = lab.submit(study, unruly_archive)
    running_hidden(lab, entry)
    return entry


def test_second_entry_beyond_the_terms_is_refused(lab, study, running):
    manifest = next(iter(sorted(lab.folder.glob("proctor-*.toml"))[-1:]))
    words = ("submit", "--manifest", str(manifest), "--study", study)
    done = lab["vendor_developer"].cli(*words, check=False)
    assert done.returncode != 0
    assert "terms allow no further evaluation" in done.stderr


def test_amendment_after_staging_is_refused_in_favour_of_a_deviation(lab, study, running):
    body = {"protocol": protocol_text(title="An amended title"), "reason": "A better title."}
    answer = lab["statistician"].ask("POST", f"/studies/{study}/amendments", json=body)
    assert answer.status_code == 409
    assert "deviation" in answer.json()["error"]["cure"]


def test_deviation_after_staging_is_recorded(lab, study, running):
    body = {"severity": "minor", "text": "The reviewer was replaced."}
    lab["statistician"].post(f"/studies/{study}/deviations", body)
    assert lab["statistician"].get(f"/studies/{study}")["deviations"][0]["text"] == body["text"]


@pytest.fixture(scope="module")
def cancelled(lab, running):
    begun = time.monotonic()
    lab["vendor_developer"].post(f"/entries/{running}/cancel")
    work = lab.stack.home.component("runner") / "work" / "jobs"
    until(lambda: not list(work.glob("*.owner")), "the container is stopped", timeout_s=30)
    return running, time.monotonic() - begun


def test_cancelled_entry_stops_its_container_soon(cancelled):
    assert cancelled[1] < 15


def test_cancelled_entry_is_shown_as_such(lab, cancelled):
    assert shown_to_vendor(lab, cancelled[0])["state"] == "cancelled"


def test_nobody_waits_for_a_cancelled_run(lab, cancelled):
    states = {one["state"] for one in find(lab, "evaluations", entry=cancelled[0])}
    assert "RUNNING" not in states


def test_entry_of_a_study_that_was_amended_meanwhile_ends(lab, public_cohort, unruly_archive):
    study = lab.study(lab.cohort(rows(12)), public_cohort)
    lab.stack.hold("screen")
    try:
        entry = lab.submit(study, unruly_archive)
        body = {"protocol": protocol_text(title="An amended title"), "reason": "A better title."}
        lab["statistician"].post(f"/studies/{study}/amendments", body)
    finally:  # whoever comes after needs it
        lab.stack.release("screen")
    lab.settle(entry)
    assert shown_to_vendor(lab, entry)["reason_code"] == "CANCELLED"
