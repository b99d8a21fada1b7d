"""A container that misbehaves on hidden cases: its vendor learns a code, operators all of it."""

import json

import pytest
from tests.flow.lab import Lab, rows
from tests.flow.record import ASKING, events, find, hidden_shard, looks, shown_to_vendor

pytestmark = pytest.mark.podman
CASES = 12
# What the model does on hidden cases, and then: the vendor's code, the operator's code.
MISDEEDS = {
    "each-crash": ("RUN_FAILED", "NONZERO_EXIT"),
    "each-hang": ("RESOURCE_LIMIT", "TIME_LIMIT"),
    "each-quit": ("OUTPUT_INVALID", "OUTPUT_MISSING"),
    "each-starve": ("RESOURCE_LIMIT", "OUT_OF_MEMORY"),
    "once-garbage": ("OUTPUT_INVALID", "OUTPUT_INVALID"),
    "once-nan": ("OUTPUT_INVALID", "OUTPUT_INVALID"),
    "once-fill_output": ("OUTPUT_INVALID", "OUTPUT_TOO_LARGE"),
}
VENDOR_FIELDS = {
    "id", "study", "model", "version", "state", "status_slot_s", "reason_code", "report",
    "reason", "cure",
}  # fmt: skip


@pytest.fixture(scope="module")
def study(lab: Lab, public_cohort):
    return lab.study(lab.cohort(rows(CASES, do=ASKING)), public_cohort)


@pytest.fixture(scope="module")
def poisoned(lab: Lab, study, unruly_archive):
    """The entry of a model that dies at one case."""
    return lab.submit(study, unruly_archive, "once-crash")


@pytest.fixture(scope="module")
def failed(lab: Lab, study, unruly_archive, poisoned):
    """An entry for every misdeed; all of them wait in one queue."""
    limits = {"seconds_per_case": 1, "start_seconds": 1}
    entries = {
        misdeed: lab.submit(study, unruly_archive, misdeed, **limits) for misdeed in MISDEEDS
    }
    for entry in entries.values():
        lab.settle(entry)
    return entries


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_vendor_sees_the_code(lab, failed, misdeed):
    view = shown_to_vendor(lab, failed[misdeed])
    assert (view["state"], view["reason_code"]) == ("failed", MISDEEDS[misdeed][0])


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_vendor_sees_nothing_else(lab, failed, misdeed):
    assert set(shown_to_vendor(lab, failed[misdeed])) == VENDOR_FIELDS


def test_vendor_reads_the_same_whatever_lies_behind_a_code(lab, failed):
    alike = [name for name, codes in MISDEEDS.items() if codes[0] == "OUTPUT_INVALID"]
    views = [shown_to_vendor(lab, failed[name]) for name in alike]
    own = ("id", "version")
    assert len({json.dumps({k: v for k, v in view.items() if k not in own}) for view in views}) == 1


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_log_of_the_hidden_run_is_not_to_be_had(lab, failed, misdeed):
    found = lab["vendor_developer"].get(f"/entries/{failed[misdeed]}/conformance")
    assert (found["state"], found["reason_code"], found["detail"]) == ("passed", None, None)


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_operators_find_the_full_code_in_the_record(lab, failed, misdeed):
    event = events(lab, failed[misdeed], "entry.failed")[0]
    assert event["private"]["code"] == MISDEEDS[misdeed][1]


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_failure_is_one_look(lab, failed, misdeed):
    assert [look["kind"] for look in looks(lab, failed[misdeed])] == ["reason_code"]


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_shard_and_evaluation_are_over(lab, failed, misdeed):
    shard = hidden_shard(lab, failed[misdeed])
    evaluation = find(lab, "evaluations", _id=shard["evaluation"])[0]
    assert (shard["state"], evaluation["state"]) == ("FAILED", "FAILED")


def test_entry_with_one_poison_case_is_measured(lab, poisoned):
    assert lab.settle(poisoned)["state"] == "DECIDED"


def test_only_the_poison_case_is_failed(lab, poisoned):
    lab.settle(poisoned)
    counts = hidden_shard(lab, poisoned)["summary"]["counts"]
    assert counts == {"ok": CASES - 1, "indeterminate": 0, "failed": 1}


def test_draft_tells_of_the_restarts_that_the_poison_case_cost(lab, poisoned):
    report = lab.settle(poisoned)["report"]
    body = lab["reviewer"].get(f"/reports/{report}/body")["body"]
    assert body["evaluation"]["restarts"] == 2
