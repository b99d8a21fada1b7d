"""A reviewer questions reference values; the partner answers; nothing else is changed by it."""

import json

import pytest
from tests.backend.exam import make_exam

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import ForbiddenError, NotFoundError, StateConflictError
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.people import Actor, Binding, Role
from proctor_backend.records import Insert
from proctor_backend.services import queries
from proctor_backend.services.review import concordant_file
from proctor_backend.services.versions import comparison_file
from proctor_sdk.canonical import canonical_bytes, sha256_hex

EVENT = Event(kind="test.made", chain="platform", actor="test")
WRONG, RIGHT, UNSEEN = "cas_wrong", "cas_right", "cas_unseen"


@pytest.fixture
def report(records):
    """A draft with one case judged wrongly and one of the sample."""
    exam = make_exam(records)
    results = canonical_bytes({"errors": [{"case": WRONG, "outcome": "false_positive"}]})
    records.put_file(f"results:{sha256_hex(results)}", results)
    sample = [{"case": RIGHT, "outcome": "as_reference"}]
    records.put_file(concordant_file(exam.evaluation), json.dumps(sample).encode())
    entry = records.get("entries", exam.entry)
    made = {
        "_id": new_id("rep"), "org": entry["org"], "study": entry["study"], "entry": exam.entry,
        "evaluation": exam.evaluation, "cohort": exam.cohort, "state": "DRAFT",
        "results_digest": sha256_hex(results),
    }  # fmt: skip
    records.commit(Insert("reports", made), event=EVENT)
    return made


@pytest.fixture
def reviewer():
    return Actor(person="per_r", org="org_p", bindings=frozenset({Binding(Role.REVIEWER)}))


@pytest.fixture
def partner(records, report):
    org = records.get("cohorts", report["cohort"])["org"]
    return Actor(person="per_d", org=org, bindings=frozenset({Binding(Role.DATA_PARTNER)}))


def ask(records, reviewer, report, case=WRONG):
    return queries.ask(records, reviewer, report["_id"], case=case, question="A skin fold?")


def test_the_partner_answers_what_a_reviewer_asks(records, report, reviewer, partner):
    asked = ask(records, reviewer, report)
    assert queries.of_partner(records, partner)[0]["question"] == "A skin fold?"
    said = queries.answer(records, partner, asked, verdict="stands", text="CT confirms it.")
    assert (said["state"], said["answer"]) == ("ANSWERED", "stands")
    assert queries.of_report(records, reviewer, report["_id"])[0]["text"] == "CT confirms it."


def test_an_answer_changes_no_reference_value(records, report, reviewer, partner):
    before = records.get("cohorts", report["cohort"])
    asked = ask(records, reviewer, report)
    queries.answer(records, partner, asked, verdict="will_change", text="")
    assert records.get("cohorts", report["cohort"]) == before


def test_questions_on_concordant_cases_are_counted_apart(records, report, reviewer):
    ask(records, reviewer, report, WRONG)
    ask(records, reviewer, report, RIGHT)
    counted = queries.summary(records, report["_id"])
    assert (counted["asked"], counted["concordant"], counted["open"]) == (2, 1, 2)


def test_a_case_that_nobody_may_look_at_is_not_questioned(records, report, reviewer):
    with pytest.raises(NotFoundError):
        ask(records, reviewer, report, UNSEEN)


def test_a_case_is_questioned_once(records, report, reviewer):
    ask(records, reviewer, report)
    with pytest.raises(StateConflictError):
        ask(records, reviewer, report)


def test_signed_results_are_questioned_no_more(records, report, reviewer):
    records.db["reports"].update_one({"_id": report["_id"]}, {"$set": {"state": "REVIEWED"}})
    with pytest.raises(StateConflictError):
        ask(records, reviewer, report)


def test_only_a_reviewer_asks_and_only_the_owner_answers(records, report, reviewer, partner):
    with pytest.raises(ForbiddenError):
        ask(records, partner, report)
    asked = ask(records, reviewer, report)
    other = Actor(person="per_x", org="org_x", bindings=frozenset({Binding(Role.DATA_PARTNER)}))
    with pytest.raises(NotFoundError):
        queries.answer(records, other, asked, verdict="stands", text="")
    assert queries.of_partner(records, other) == []


def test_a_question_is_answered_once(records, report, reviewer, partner):
    asked = ask(records, reviewer, report)
    queries.answer(records, partner, asked, verdict="stands", text="")
    with pytest.raises(StateConflictError):
        queries.answer(records, partner, asked, verdict="will_change", text="")


def test_what_is_asked_is_on_no_chain_that_the_vendor_is_given(records, report, reviewer):
    ask(records, reviewer, report)
    events = [one for one in records.find("audit_events", {}) if one["kind"].startswith("ref")]
    assert [one["chain"] for one in events] == [report["entry"]]
    assert WRONG not in str(events[0]["public"])


def test_a_change_of_questioned_errors_alone_is_told(records, report, reviewer):
    ask(records, reviewer, report, WRONG)
    lineage = report["cohort"]
    newer = {"_id": new_id("coh"), "lineage": lineage, "previous": lineage}
    changed = {"counts": {"reference": 1}, "cases": {"reference": [WRONG]}}
    records.put_file(comparison_file(newer["_id"], lineage), json.dumps(changed).encode())
    told = queries.reference_changes(records, newer)
    assert told == {"changed": 1, "questioned_as_errors": 1}
    assert queries.reference_changes(records, records.get("cohorts", lineage)) is None
