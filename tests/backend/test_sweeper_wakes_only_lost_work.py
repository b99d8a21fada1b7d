import pytest
from tests.backend.exam import make_exam, tasks_waiting

from proctor_backend.control.sweeper import Sweeper
from proctor_backend.domain.ids import utc_in

LONG_AGO, SOON = -3600.0, 60.0


@pytest.fixture
def sweeper(servers, as_control):
    return Sweeper(as_control, servers.settings("control"))


def shape(records, collection, record, **fields):
    fields = {"updated_at": utc_in(LONG_AGO)} | fields
    records.db[collection].update_one({"_id": record}, {"$set": fields})


def lease(seconds):
    return {"id": "lse_a", "fence": 1, "runner": "r", "expires_at": utc_in(seconds)}


def shard_of(records, **fields):
    exam = make_exam(records)
    shape(records, "shards", exam.shards[0], **fields)
    return exam


def test_an_unclaimed_shard_is_sent_again_once(records, sweeper):
    exam = shard_of(records)
    sweeper.sweep_once()
    sweeper.sweep_once()
    assert tasks_waiting(records) == [("proctor.run_shard", exam.shards[0])]


def test_a_shard_that_was_just_sent_is_left_to_wait_its_turn(records, sweeper):
    make_exam(records)
    assert sweeper.sweep_once() == 0


def test_an_expired_lease_is_sent_again(records, sweeper):
    exam = shard_of(records, state="CLAIMED", lease=lease(-1))
    sweeper.sweep_once()
    assert tasks_waiting(records) == [("proctor.run_shard", exam.shards[0])]


def test_a_working_lease_is_left_alone(records, sweeper):
    shard_of(records, state="CLAIMED", lease=lease(SOON))
    assert sweeper.sweep_once() == 0


def test_a_shard_that_must_wait_before_its_next_try_is_left_alone(records, sweeper):
    shard_of(records, not_before=utc_in(SOON), platform_failures=1)
    assert sweeper.sweep_once() == 0


@pytest.mark.parametrize(
    ("collection", "state"), [("entries", "CANCELLED"), ("evaluations", "FAILED")]
)
@pytest.mark.parametrize("shard", ["WAITING", "CLAIMED"])
def test_a_shard_that_nobody_waits_for_is_not_sent_for_ever(
    records, sweeper, collection, state, shard
):
    exam = shard_of(records, state=shard, lease=lease(-1))
    shape(records, collection, exam.entry if collection == "entries" else exam.evaluation,
          state=state)  # fmt: skip
    assert sweeper.sweep_once() == 0


STEPS = [
    ("entries", {"state": "UPLOADED"}, "proctor.screen", "work"),
    ("cohorts", {"state": "UPLOADED"}, "proctor.ingest", "work"),
    ("evaluations", {"state": "EVALUATED", "kind": "hidden"}, "proctor.measure", "work"),
    ("reports", {"state": "DRAFTING"}, "proctor.draft", "work"),
    ("reports", {"state": "DRAFTING", "sections_state": "made"}, "proctor.draft", "work"),
    ("reports", {"state": "DRAFTING", "sections_state": "waiting"}, "proctor.run_sections",
     "lease"),
    ("reports", {"state": "CLEARED"}, "proctor.render", "work"),
    ("reports", {"state": "RENDERED"}, "proctor.sign", "work"),
]  # fmt: skip


@pytest.mark.parametrize(("collection", "fields", "task", "claim"), STEPS)
def test_a_step_whose_worker_was_lost_is_sent_again(
    records, sweeper, collection, fields, task, claim
):
    waiting(records, collection, fields, {claim: {"expires_at": utc_in(-1)}})
    sweeper.sweep_once()
    assert tasks_waiting(records) == [(task, "abc")]


@pytest.mark.parametrize(("collection", "fields", "task", "claim"), STEPS)
def test_a_step_that_somebody_works_on_is_left_alone(
    records, sweeper, collection, fields, task, claim
):
    waiting(records, collection, fields, {claim: {"expires_at": utc_in(SOON)}})
    assert sweeper.sweep_once() == 0


def waiting(records, collection, fields, claim):
    base = {"_id": "abc", "created_at": utc_in(LONG_AGO), "updated_at": utc_in(LONG_AGO)}
    records.db[collection].insert_one(base | {"rev": 1} | fields | claim)


def test_nothing_is_sent_for_a_conformance_run_that_ended(records, sweeper):
    waiting(records, "evaluations", {"state": "EVALUATED", "kind": "conformance"}, {})
    assert sweeper.sweep_once() == 0


def test_two_sweepers_wake_a_worker_once(servers, records, as_control, sweeper):
    shard_of(records)
    other = Sweeper(as_control, servers.settings("control"))
    assert sweeper.sweep_once() + other.sweep_once() == 1
