"""A container that misbehaves on public cases: its vendor reads the full code, detail and log."""

import pytest
from tests.flow.lab import Lab, rows
from tests.flow.record import ASKING, find, looks, shown_to_vendor

pytestmark = pytest.mark.podman
MISDEEDS = {
    "each-crash": ("START_FAILED", "status 7"),
    "once-garbage": ("OUTPUT_INVALID", "JSON"),
    "each-starve": ("OUT_OF_MEMORY", "96 MB"),
}


@pytest.fixture(scope="module")
def failed(lab: Lab, unruly_archive):
    public = lab.cohort(rows(6, do=ASKING), public=True)
    study = lab.study(lab.cohort(rows(12)), public)
    entries = {misdeed: lab.submit(study, unruly_archive, misdeed) for misdeed in MISDEEDS}
    for entry in entries.values():
        lab.settle(entry)
    return entries


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_full_code_is_shown(lab, failed, misdeed):
    assert shown_to_vendor(lab, failed[misdeed])["reason_code"] == MISDEEDS[misdeed][0]


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_status_with_logs_prints_the_detail(lab, failed, misdeed):
    done = lab["vendor_developer"].cli("status", failed[misdeed], "--logs")
    assert MISDEEDS[misdeed][1] in done.stderr


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_status_with_logs_prints_what_the_container_said(lab, failed, misdeed):
    assert "ready" in lab["vendor_developer"].cli("status", failed[misdeed], "--logs").stdout


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_public_failure_is_no_look(lab, failed, misdeed):
    assert looks(lab, failed[misdeed]) == []


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_no_hidden_run_follows(lab, failed, misdeed):
    assert find(lab, "evaluations", entry=failed[misdeed], kind="hidden") == []
