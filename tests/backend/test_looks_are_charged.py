import pytest
from tests.backend.exam import make_exam

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import StateConflictError
from proctor_backend.domain.evaluation import Failure
from proctor_backend.domain.exposure import REASON_CODE_BITS
from proctor_backend.domain.ids import new_id
from proctor_backend.records import Insert
from proctor_backend.services.evaluate import fail_entry
from proctor_backend.services.give_up import give_up
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_sdk.reasons import ReasonCode
from proctor_workers.steps.sign import sign_report
from proctor_workers.tools import Tools

SPECIFIC = [
    ReasonCode.START_FAILED,
    ReasonCode.NONZERO_EXIT,
    ReasonCode.OUT_OF_MEMORY,
    ReasonCode.TIME_LIMIT,
    ReasonCode.OUTPUT_MISSING,
    ReasonCode.OUTPUT_INVALID,
]
FOUR = {"RUN_FAILED", "RESOURCE_LIMIT", "OUTPUT_INVALID", "PLATFORM_ERROR"}
STATEMENT = canonical_bytes({"a": 1})
DETAIL = "crashed at case cas_hidden, the 17th of 240"


def fail(records, exam, kind, *, hidden, code=ReasonCode.NONZERO_EXIT):
    failure = Failure(kind=kind, code=code, detail=DETAIL)
    entry = records.get("entries", exam.entry)
    fail_entry(records, entry, failure, actor="runner:r", hidden=hidden)


def ledger(records):
    return records.find("exposure_ledger", {})


@pytest.mark.parametrize("code", SPECIFIC)
def test_a_vendors_failure_on_hidden_data_charges_its_bits_to_the_lineage(
    records, as_control, code
):
    exam = make_exam(records)
    fail(as_control, exam, "vendor", hidden=True, code=code)
    (charged,) = ledger(records)
    entry = records.get("entries", exam.entry)
    assert charged["bits"] == REASON_CODE_BITS
    assert charged["kind"] == "reason_code"
    assert charged["lineage"] == entry["lineage"]
    assert (charged["cohort"], charged["cohort_root"]) == (exam.cohort, "ef" * 32)
    assert entry["reason_code"] in FOUR
    assert charged["what"] == f"failed with {entry['reason_code']}"


def test_failing_twice_is_charged_once(records, as_control):
    exam = make_exam(records)
    fail(as_control, exam, "vendor", hidden=True)
    with pytest.raises(StateConflictError):
        fail(as_control, exam, "vendor", hidden=True)
    assert len(ledger(records)) == 1


def test_a_failure_on_public_cases_charges_nothing(records, as_control):
    fail(as_control, make_exam(records, kind="conformance"), "vendor", hidden=False)
    assert ledger(records) == []


def test_the_platforms_own_failure_charges_nothing(records, as_control):
    fail(as_control, make_exam(records), "platform", hidden=True)
    assert ledger(records) == []


def test_a_step_given_up_by_the_platform_charges_nothing(records, records_of):
    exam = make_exam(records)
    changed = {"state": "EVALUATED"}
    records.db.evaluations.update_one({"_id": exam.evaluation}, {"$set": changed})
    evaluation = records.get("evaluations", exam.evaluation)
    give_up(records_of("measure"), "evaluations", evaluation, DETAIL)
    assert records.get("entries", exam.entry)["reason_code"] == "PLATFORM_ERROR"
    assert ledger(records) == []


def test_no_word_of_the_detail_leaves_with_a_hidden_failure(records, as_control):
    exam = make_exam(records)
    fail(as_control, exam, "vendor", hidden=True)
    entry = records.get("entries", exam.entry)
    told = [row["body"] for row in records.find("outbox", {"kind": "event"})]
    assert "cas_hidden" not in str([entry, told, ledger(records)])


@pytest.fixture
def rendered(records):
    """A report whose editions are rendered and wait for the signature."""
    exam = make_exam(records)
    records.db.entries.update_one({"_id": exam.entry}, {"$set": {"state": "DECIDED"}})
    report = {
        "_id": new_id("rep"),
        "org": "o",
        "entry": exam.entry,
        "cohort": exam.cohort,
        "state": "RENDERED",
        "statement_digest": digest(STATEMENT),
    }
    cells = [{"result": "auroc", "edition": "public", "disclosed": "shown", "precision": 10}]
    records.put_file(f"statement:{report['statement_digest']}", STATEMENT)
    records.put_file(f"cells:{report['statement_digest']}", canonical_bytes(cells))
    made = Event(kind="report.made", chain=exam.entry, actor="test")
    records.commit(Insert("reports", report), event=made)
    return records.get("reports", report["_id"]), cells


def test_a_release_writes_its_looks_and_cells_once(servers, records, rendered):
    report, cells = rendered
    tools = Tools(servers.settings("signer"))
    sign_report(tools, report)
    with pytest.raises(StateConflictError):  # the wake-up came twice
        sign_report(tools, report)
    tools.records.db.client.close()
    (written,) = records.find("released_cells", {})
    assert written["cells"] == cells
    assert (written["report"], written["cohort"]) == (report["_id"], report["cohort"])
    looks = ledger(records)
    assert sorted(look["what"] for look in looks) == ["public edition", "submission edition"]
    assert {look["kind"] for look in looks} == {"edition"}


def test_measurement_that_stops_for_no_known_reason_is_charged(records, records_of):
    """A model whose answers break the measurement at will must not do so for nothing."""
    exam = make_exam(records)
    changed = {"state": "EVALUATED"}
    records.db.evaluations.update_one({"_id": exam.evaluation}, {"$set": changed})
    evaluation = records.get("evaluations", exam.evaluation)
    give_up(records_of("measure"), "evaluations", evaluation, "ValueError", explained=False)
    entry = records.get("entries", exam.entry)
    assert (entry["reason_code"], entry["looked"]) == ("PLATFORM_ERROR", True)
    assert sum(row["bits"] for row in ledger(records)) == REASON_CODE_BITS
