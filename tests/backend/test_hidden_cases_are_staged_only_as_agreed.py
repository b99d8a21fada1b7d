"""Between opening an entry and its first hidden case things change; the last look decides."""

import pytest
from tests.backend.exam import Exam, make_exam

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import StateConflictError, TermsRefusedError
from proctor_backend.domain.ids import new_id
from proctor_backend.records import Records
from proctor_backend.services.record import record_shard
from proctor_backend.services.terms import still_allowed


@pytest.fixture
def exam(records: Records) -> Exam:
    return make_exam(records, kind="conformance")


def end_public_run(records: Records, as_control: Records, exam: Exam, **summary: float) -> dict:
    """Have a runner hold the one public shard and report its end, with control's rights."""
    held = {"id": new_id("lse"), "runner": "r", "fence": 1}
    change = {"lease": held, "fence": 1, "state": "CLAIMED"}
    records.touch("shards", exam.shards[0], change, expect={})
    record_shard(as_control, records.get("shards", exam.shards[0]), summary, "")
    return records.get("entries", exam.entry)


def test_public_run_that_ends_well_begins_the_hidden_one(records, as_control, exam):
    entry = end_public_run(records, as_control, exam)
    assert entry["state"] == "CONFORMANT"
    assert records.get("evaluations", entry["evaluation"])["kind"] == "hidden"


def test_vendor_is_not_told_what_the_runners_host_held(records, as_control, exam):
    moved = {"bytes_fetched": 1, "bytes_from_cache": 2, "bytes_prefetched": 3}
    entry = end_public_run(records, as_control, exam, cases=5, waiting_seconds=0.5, **moved)
    assert entry["conformance"]["summary"] == {"cases": 5}
    assert records.get("shards", exam.shards[0])["summary"]["bytes_from_cache"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"terms.expires_at": "2020-01-01"},
        {"terms.max_evaluations": 0},
        {"terms.allowed_tasks": ["survival"]},
        {"reference_sha256": "00" * 32},
        {"root": "00" * 32},
    ],
)
def test_nothing_hidden_is_staged_once_terms_or_truth_have_changed(
    records, as_control, exam, change
):
    records.touch("cohorts", exam.cohort, change, expect={})
    entry = end_public_run(records, as_control, exam)
    assert (entry["state"], entry["reason_code"]) == ("FAILED", "CANCELLED")
    assert not records.find("evaluations", {"entry": exam.entry, "kind": "hidden"})
    assert not entry["looked"]


def test_of_an_amendment_and_a_first_staging_one_fails(records, exam):
    entry = records.get("entries", exam.entry)
    place = still_allowed(records, records.get("studies", entry["study"]), entry)
    records.db.cohorts.update_one({"_id": exam.cohort}, {"$inc": {"rev": 1}})  # as an amendment
    with pytest.raises(StateConflictError):
        records.commit(place, event=Event(kind="test.staged", chain=exam.entry, actor="test"))


def test_entry_that_was_never_uploaded_holds_no_place(records, exam):
    entry = records.get("entries", exam.entry)
    records.touch("cohorts", exam.cohort, {"terms.max_evaluations": 1}, expect={})
    other = entry | {"_id": new_id("ent"), "state": "OPEN"}
    records.db.entries.insert_one(other)
    study = records.get("studies", entry["study"])
    still_allowed(records, study, entry)
    records.db.entries.update_one({"_id": other["_id"]}, {"$set": {"state": "EVALUATED"}})
    with pytest.raises(TermsRefusedError):
        still_allowed(records, study, entry)
