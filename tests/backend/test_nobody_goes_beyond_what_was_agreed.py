"""What lock, cap and signature settled holds against haste, second roles and altered records."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.backend.exam import DIGEST, MANIFEST, make_exam

from proctor_backend.control.relay import Relay
from proctor_backend.control.sweeper import Sweeper
from proctor_backend.dashboard.app import create_dashboard
from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import DataError, ForbiddenError, TermsRefusedError
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.people import Actor, Binding, Role
from proctor_backend.records import Insert
from proctor_backend.services import enter, evaluate, release, review
from proctor_backend.services.give_up import give_up
from proctor_backend.services.terms import allowed
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_workers.steps.measure import measure_evaluation
from proctor_workers.tools import Tools

TASK = "binary_classification"
TERMS = {"allowed_tasks": [TASK], "max_evaluations": 2, "expires_at": "2099-01-01"}
TERMS |= {"agreement": "a", "contact": "c"}
EVENT = Event(kind="test.made", chain="platform", actor="test")


def actor(records, exam, role):
    org = records.get("entries", exam.entry)["org"]
    return Actor(person="per_a", org=org, bindings=frozenset({Binding(role)}))


def change(records, collection, record, **fields):
    records.db[collection].update_one({"_id": record}, {"$set": fields})


def report_of(records, exam, **fields):
    entry = records.get("entries", exam.entry)
    report = {"_id": new_id("rep"), "org": entry["org"], "study": entry["study"]}
    report |= {"entry": exam.entry, "cohort": exam.cohort, "body_digest": DIGEST}
    records.commit(Insert("reports", report | fields), event=EVENT)
    return report["_id"]


def test_cancelling_a_hidden_run_is_a_look_and_uses_up_a_place(records):
    exam = make_exam(records)
    change(records, "cohorts", exam.cohort, terms=TERMS | {"max_evaluations": 1})
    enter.cancel(records, actor(records, exam, Role.VENDOR_DEVELOPER), exam.entry)
    (charged,) = records.find("exposure_ledger", {})
    assert (charged["kind"], charged["bits"], charged["cohort"]) == ("cancelled", 1.0, exam.cohort)
    study = records.get("studies", records.get("entries", exam.entry)["study"])
    with pytest.raises(TermsRefusedError):
        allowed(records, study, TASK)


def test_cancelling_on_public_cases_costs_nothing(records):
    exam = make_exam(records, kind="conformance")
    enter.cancel(records, actor(records, exam, Role.VENDOR_DEVELOPER), exam.entry)
    assert records.get("entries", exam.entry)["state"] == "CANCELLED"
    assert records.find("exposure_ledger", {}) == []


def test_a_wish_to_cancel_that_comes_too_late_changes_nothing(records):
    exam = make_exam(records)
    change(records, "entries", exam.entry, state="EVALUATED")
    before = records.get("entries", exam.entry)
    enter.cancel(records, actor(records, exam, Role.VENDOR_DEVELOPER), exam.entry)
    assert records.get("entries", exam.entry) == before
    assert records.find("exposure_ledger", {}) == []


def test_of_entries_opened_at_once_only_the_last_place_is_given(records):
    exam = make_exam(records)  # holds the first of two places
    change(records, "cohorts", exam.cohort, terms=TERMS)
    entry = records.get("entries", exam.entry)
    study, together = records.get("studies", entry["study"]), threading.Barrier(4)
    opener = actor(records, exam, Role.VENDOR_DEVELOPER)

    def attempt(_):
        doc = entry | {"_id": new_id("ent"), "model": new_id("mdl"), "model_name": "m"}
        together.wait()
        try:
            enter._record_opened(records, opener, study, doc, TASK)
        except TermsRefusedError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]


def test_an_attempt_on_a_cohort_withdrawn_meanwhile_ends_the_entry(records, as_control):
    exam = make_exam(records)
    change(records, "cohorts", exam.cohort, state="WITHDRAWN")
    entry = records.get("entries", exam.entry)
    evaluation = records.get("evaluations", exam.evaluation)
    evaluate.try_again(as_control, entry, evaluation, actor="runner:r")
    ended = records.get("entries", exam.entry)
    assert (ended["state"], ended["reason_code"]) == ("FAILED", "PLATFORM_ERROR")


@pytest.mark.parametrize("step", [release.unmask, release.release])
def test_who_signed_the_results_does_not_release_them_in_another_role(records, step):
    exam = make_exam(records)
    signed = [{"person": "per_a", "role": "reviewer"}]
    report = report_of(records, exam, state="REVIEWED", approvals=signed)
    with pytest.raises(ForbiddenError):
        step(records, actor(records, exam, Role.RELEASER), report, password="any")


@pytest.mark.parametrize("part", ["protocol", "manifest", "root"])
def test_nothing_is_measured_by_what_was_not_locked(servers, records, part):
    exam = make_exam(records)
    study = records.get("entries", exam.entry)["study"]
    lock = records.get("evaluations", exam.evaluation)["lock"]
    (found,) = records.find("protocols", {"study": study})
    lock |= {"protocol_digest": digest(canonical_bytes(found["protocol"]))}
    lock |= {"manifest_digest": digest(canonical_bytes(MANIFEST))}
    change(records, "evaluations", exam.evaluation, lock=lock, state="EVALUATED")
    if part == "protocol":
        change(records, "protocols", found["_id"], **{"protocol.alpha": 0.5})
    elif part == "manifest":
        point = MANIFEST["operating_points"][0] | {"threshold": 0.1}
        change(records, "entries", exam.entry, **{"manifest.operating_points": [point]})
    else:
        change(records, "cohorts", exam.cohort, root="00" * 32)
    tools = Tools(servers.settings("measure"))
    with pytest.raises(DataError, match=part):
        measure_evaluation(tools, records.get("evaluations", exam.evaluation))
    tools.records.db.client.close()


def test_a_report_that_fails_again_is_halted_once(records, records_of):
    exam = make_exam(records)
    report = report_of(records, exam, state="DRAFTING")
    for _ in range(2):
        give_up(records_of("measure"), "reports", records.get("reports", report), "broken")
    assert len(records.find("audit_events", {"kind": "report.halted"})) == 1


class Quiet:
    """A publisher that is never asked to publish."""

    def close(self):
        """Nothing to close."""


class Odd:
    """Fails in a way that nobody foresaw, then asks to stop."""

    def __init__(self, stop):
        self._stop, self.asked = stop, 0

    def __getattr__(self, _):
        self.asked += 1
        if self.asked > 1:
            self._stop.set()
        raise KeyError("an odd record")


@pytest.mark.parametrize("loop", ["sweeper", "relay"])
def test_an_unforeseen_failure_ends_neither_sweeper_nor_relay(servers, loop, monkeypatch):
    monkeypatch.setattr("proctor_backend.control.relay.AWAY_S", 0.01)
    stop = threading.Event()
    odd = Odd(stop)
    settings = servers.settings("control")
    running = Sweeper(odd, settings) if loop == "sweeper" else Relay(odd, Quiet(), Quiet())
    running.run(stop)
    assert odd.asked > 1


def test_a_form_that_states_no_length_is_cut_off_all_the_same(servers, records):
    app = create_dashboard(records, None, servers.settings("api"))
    sent = 0

    async def endless():
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b"a" * 65536

    async def ask():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            kind = {"content-type": "application/x-www-form-urlencoded"}
            return await client.post("/sign-in", content=endless(), headers=kind)

    assert asyncio.run(ask()).status_code == 413
    assert sent < 20


def test_a_vendor_reads_conclusions_on_groups_in_its_editions_only(records):
    """There the terms withhold small groups; beside the editions nothing may tell of them."""
    exam = make_exam(records)
    found = [{"id": i, "role": r, "conclusion": "c"} for i, r in (("a", "primary"), ("b", "bias"))]
    names = {"code_name": "c", "vendor_name": "v", "model_name": "m", "version": "1"}
    report = report_of(records, exam, state="RELEASED", shown_at="", conclusions=found, **names)
    view = review.report_view(records, actor(records, exam, Role.VENDOR_REGULATORY), report)
    assert [one["id"] for one in view["conclusions"]] == ["a"]
    view = review.report_view(records, actor(records, exam, Role.REVIEWER), report)
    assert [one["id"] for one in view["conclusions"]] == ["a", "b"]


def newer_version(records, exam):
    """A further version of the exam's cohort, and a study on it."""
    cohort = records.get("cohorts", exam.cohort)
    version = cohort | {"_id": new_id("coh"), "version": 2, "previous": exam.cohort}
    study = records.get("studies", records.get("entries", exam.entry)["study"])
    second = study | {"_id": new_id("stu"), "cohort": version["_id"]}
    records.commit(Insert("cohorts", version), Insert("studies", second), event=EVENT)
    return version["_id"], second


def test_a_new_version_of_a_cohort_gives_no_new_places(records):
    exam = make_exam(records)  # holds the only place
    change(records, "cohorts", exam.cohort, terms=TERMS | {"max_evaluations": 1})
    _, study = newer_version(records, exam)
    with pytest.raises(TermsRefusedError):
        allowed(records, study, TASK)


def test_entries_under_terms_of_their_own_take_no_place_of_the_others(records):
    exam = make_exam(records)
    study = records.get("entries", exam.entry)["study"]
    own = TERMS | {"scope": {"study": study}, "max_evaluations": 1}
    terms = TERMS | {"max_evaluations": 1}
    change(records, "cohorts", exam.cohort, terms=terms, scoped_terms=[own])
    with pytest.raises(TermsRefusedError):
        allowed(records, records.get("studies", study), TASK)
    _, other = newer_version(records, exam)
    assert allowed(records, other, TASK)
