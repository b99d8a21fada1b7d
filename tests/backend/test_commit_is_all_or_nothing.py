import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from proctor_backend.domain.audit import Event, verify_chain
from proctor_backend.domain.errors import InvalidInputError, NotFoundError, StateConflictError
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.states import EntryState
from proctor_backend.records import Insert, Move, Update

WRITERS, EACH = 8, 5


def event(chain="platform"):
    return Event(kind="test.done", chain=chain, actor="test")


def entry(state="OPEN"):
    return {"_id": new_id("ent"), "org": "o", "state": state, "history": []}


def trail(records, chain):
    return list(records.iterate("audit_events", {"chain": chain}, "seq"))


def everything(records):
    names = ("entries", "models", "audit_events", "audit_chains", "outbox")
    return {name: list(records.db[name].find({}).sort("_id")) for name in names}


def test_state_event_and_messages_are_written_together(records):
    doc = entry()
    records.commit(Insert("entries", doc), event=event(doc["_id"]))
    records.commit(
        Move("entries", doc["_id"], EntryState.UPLOADED),
        event=event(doc["_id"]),
        messages=[Message(Task.SCREEN, doc["_id"])],
    )
    assert records.get("entries", doc["_id"])["state"] == "UPLOADED"
    assert verify_chain(trail(records, doc["_id"])).seq == 2
    assert sorted(row["kind"] for row in records.find("outbox", {})) == ["event", "event", "task"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Move("entries", "ent_missing", EntryState.UPLOADED), NotFoundError),
        (Update("entries", "ent_missing", {"x": 1}), NotFoundError),
        (Update("entries", "ent_known", {"x": 1}, {"rev": 99}), StateConflictError),
        (Move("entries", "ent_known", EntryState.RELEASED), StateConflictError),
        (Move("entries", "ent_known", EntryState.UPLOADED, expect={"rev": 99}), StateConflictError),
        (Insert("entries", {"_id": "ent_known", "state": "OPEN"}), InvalidInputError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
def test_one_refused_change_leaves_nothing_of_the_others(records, wrong, error):
    records.commit(Insert("entries", entry() | {"_id": "ent_known"}), event=event())
    before = everything(records)
    with pytest.raises(error):
        records.commit(
            Insert("models", {"_id": new_id("mdl"), "org": "o"}),
            wrong,
            event=event(),
            messages=[Message(Task.SCREEN, "ent_known")],
        )
    assert everything(records) == before


def test_an_event_that_cannot_be_hashed_stops_the_change(records):
    doc = entry()
    with pytest.raises(Exception, match="not a JSON value"):
        records.commit(
            Insert("entries", doc),
            event=Event(kind="test.done", chain="platform", actor="t", public={"x": object()}),
        )
    assert records.find("entries", {}) == []


def test_a_state_conflict_says_which_state_stands_against_it(records):
    doc = entry("FAILED")
    records.commit(Insert("entries", doc), event=event())
    with pytest.raises(StateConflictError, match="The entry is FAILED; it cannot become SCREENED"):
        records.commit(Move("entries", doc["_id"], EntryState.SCREENED), event=event())


def test_eight_writers_on_one_chain_all_succeed_and_the_chain_verifies(records):
    start = threading.Barrier(WRITERS)

    def write(_):
        start.wait()
        for _ in range(EACH):
            model = {"_id": new_id("mdl"), "org": "o"}
            records.commit(Insert("models", model), event=event("ent_contended"))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    head = verify_chain(trail(records, "ent_contended"))
    assert head.seq == WRITERS * EACH == len(records.find("models", {}))
    stored = records.get("audit_chains", "ent_contended")
    assert (stored["seq"], stored["digest"]) == (head.seq, head.digest)


def test_of_many_who_take_the_same_step_one_succeeds(records):
    doc = entry()
    records.commit(Insert("entries", doc), event=event())
    start = threading.Barrier(WRITERS)

    def take(_):
        start.wait()
        try:
            records.commit(Move("entries", doc["_id"], EntryState.UPLOADED), event=event())
        except StateConflictError:
            return 0
        return 1

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sum(pool.map(take, range(WRITERS))) == 1
    assert [step["state"] for step in records.get("entries", doc["_id"])["history"]] == ["UPLOADED"]
