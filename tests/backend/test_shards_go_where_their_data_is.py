"""Claims with what runners hold: over the real record, with the control service's credentials."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.backend.exam import make_exam, seal_image, tasks_waiting

from proctor_backend.control.relay import Relay
from proctor_backend.domain.errors import NotFoundError, StateConflictError
from proctor_backend.domain.ids import utc_in, utc_now
from proctor_backend.services import lease as leases
from proctor_backend.services import record as recording
from proctor_backend.services.schedule import RunnerWord, note_runner, to_forget

GIGABYTE = 10**9


@pytest.fixture
def claim(servers, as_control, store_of, keys):
    def claim_as(shard, runner="r", host="h", **held):
        store, settings = store_of("control"), servers.settings("control")
        word = RunnerWord(runner=runner, host=host, held=held.get("held", {}))
        return leases.claim_shard(as_control, store, settings, keys[0], shard, word)

    return claim_as


@pytest.fixture
def made(records, store_of, keys):
    """A hidden evaluation of three shards, each of a gigabyte under a digest of its own."""
    exam = make_exam(records, shards=3)
    seal_image(store_of("api"), exam, keys[1])
    for number, shard in enumerate(exam.shards):
        weigh(records, shard, number)
    return exam


def weigh(records, shard, number):
    fields = {"blocks.0.sha256": digest(number), "blocks.0.bytes": GIGABYTE}
    records.db.shards.update_one({"_id": shard}, {"$set": fields})


def digest(number):
    return f"{number:064x}"


def second_exam(records, store_of, keys, first):
    """Another entry on the same cohort."""
    exam = make_exam(records, shards=3)
    seal_image(store_of("api"), exam, keys[1])
    lineage = records.get("evaluations", first.evaluation)["cohort_lineage"]
    records.db.evaluations.update_one(
        {"_id": exam.evaluation}, {"$set": {"cohort_lineage": lineage}}
    )
    for number, shard in enumerate(exam.shards):
        weigh(records, shard, number)
    return exam


def older(records, seconds, *shards):
    """Let shards have waited so long."""
    change = {"$set": {"not_before": utc_in(-seconds)}}
    records.db.shards.update_many({"_id": {"$in": list(shards)}}, change)


def idle_runner(records, name, **held):
    note_runner(records, RunnerWord(runner=name, host=name, held=held), queue="run.cpu")


def test_runner_gets_the_shard_it_holds_whatever_the_wake_up_names(made, claim):
    grant = claim(made.shards[0], held={digest(2): GIGABYTE})
    assert grant["shard"] == made.shards[2]


def test_wake_up_of_a_shard_that_is_gone_serves_one_that_waits(made, claim):
    for runner in ("a", "b"):
        claim(made.shards[0], runner, held={digest(0): GIGABYTE})
    got = claim(made.shards[0], "c")
    assert got["shard"] in made.shards


def test_as_many_wake_ups_as_shards_have_all_of_them_run(made, claim):
    got = [claim(made.shards[0], f"r{n}")["shard"] for n in range(3)]
    assert sorted(got) == sorted(made.shards)
    with pytest.raises(StateConflictError):
        claim(made.shards[0], "r3")


@pytest.mark.parametrize("repeat", range(2))
def test_runners_that_are_woken_at_once_get_a_shard_each(made, claim, repeat):
    start = threading.Barrier(3)

    def race(number):
        start.wait()
        return claim(made.shards[0], f"r{number}")["shard"]

    with ThreadPoolExecutor(3) as pool:
        got = list(pool.map(race, range(3)))
    assert sorted(got) == sorted(made.shards)


def test_fresh_shard_is_left_to_an_idle_runner_that_holds_it_and_woken_again(records, made, claim):
    for number in range(3):
        idle_runner(records, f"other{number}", **{digest(number): GIGABYTE})
    with pytest.raises(StateConflictError, match="holds its data"):
        claim(made.shards[0])
    assert [task for task, _ in tasks_waiting(records)] == ["proctor.run_shard"]
    assert claim(made.shards[0], "other1", held={digest(1): GIGABYTE})["shard"] == made.shards[1]


def test_wake_up_that_was_put_off_leaves_a_moment_later(records, servers, as_control, made, claim):
    for number in range(3):
        idle_runner(records, f"other{number}", **{digest(number): GIGABYTE})
    with pytest.raises(StateConflictError):
        claim(made.shards[0])
    sent = []

    class Publisher:
        def send(self, *message):
            sent.append(message)

    relay = Relay(as_control, Publisher(), Publisher())
    assert relay.relay_once() == len(sent) == 0
    records.db.outbox.update_many({}, {"$set": {"due_at": utc_now()}})
    assert relay.relay_once() == len(sent) == 1


@pytest.mark.parametrize("spoil", ["silent", "elsewhere", "waited"])
def test_shard_is_not_kept_for_a_runner_that_will_not_come(records, made, claim, spoil):
    for number in range(3):
        idle_runner(records, f"other{number}", **{digest(number): GIGABYTE})
    if spoil == "silent":
        records.db.runners.update_many({}, {"$set": {"seen_at": utc_in(-60)}})
    elif spoil == "elsewhere":
        records.db.runners.update_many({}, {"$set": {"queues": ["run.gpu"]}})
    else:
        older(records, 30, *made.shards)
    assert claim(made.shards[0])["shard"] in made.shards


def test_shard_is_not_kept_for_a_runner_that_is_busy(made, claim):
    everything = {digest(number): GIGABYTE for number in range(3)}
    claim(made.shards[0], "other", held=everything)
    assert claim(made.shards[0], "me")["shard"] in made.shards


def test_shard_of_a_cancelled_entry_is_nobodys(records, made, claim):
    records.db.entries.update_one({"_id": made.entry}, {"$set": {"state": "CANCELLED"}})
    with pytest.raises(StateConflictError):
        claim(made.shards[0])


def test_shard_that_pauses_after_a_failure_is_not_due(records, made, claim):
    paused = {"platform_failures": 1, "not_before": utc_in(60)}
    records.db.shards.update_one({"_id": made.shards[0]}, {"$set": paused})
    got = {claim(made.shards[0], f"r{n}")["shard"] for n in range(2)}
    assert got == set(made.shards[1:])
    with pytest.raises(StateConflictError):
        claim(made.shards[0], "r3")


def test_claim_names_a_shard_to_fetch_ahead_and_two_runners_never_the_same(records, made, claim):
    first, second = claim(made.shards[0], "a"), claim(made.shards[1], "b")
    ahead = [records.get("shards", grant["shard"])["upcoming"] for grant in (first, second)]
    assert ahead[0] in set(made.shards) - {first["shard"]}
    assert ahead[0] != ahead[1]


def test_another_entry_on_the_same_cohort_is_fetched_ahead_too(
    records, store_of, keys, made, claim
):
    other = second_exam(records, store_of, keys, made)
    older(records, 1000, *made.shards)
    grants = [claim(made.shards[0], f"r{n}") for n in range(3)]
    last = records.get("shards", grants[2]["shard"])
    assert last["upcoming"] in other.shards
    assert set(grants[2]["upcoming"]) == {"blocks"}  # nothing of whose they are


def test_another_cohort_is_not_fetched_ahead(records, store_of, keys, made, claim):
    elsewhere = make_exam(records, shards=2)
    older(records, 1000, *made.shards)
    grants = [claim(made.shards[0], f"r{n}") for n in range(3)]
    ahead = {records.get("shards", grant["shard"])["upcoming"] for grant in grants}
    assert not ahead & set(elsewhere.shards)


def test_lease_reads_the_blocks_it_fetches_ahead_and_no_others(
    records, as_control, store_of, made, claim
):
    grant = claim(made.shards[0])
    shard = records.get("shards", grant["shard"])
    ahead = records.get("shards", shard["upcoming"])["blocks"][0]
    stranger = next(s for s in made.shards if s not in {shard["_id"], shard["upcoming"]})
    store = store_of("control")

    def ask(block, name):
        return leases.presign_files(as_control, store, shard, block, [name])

    for block in (shard["blocks"][0], ahead):
        lists = ask(block["block"], block["sha256"])[block["sha256"]]
        assert f"/{block['block']}/cases.jsonl?" in lists
        file = ask(block["block"], "ab" * 32)["ab" * 32]
        assert f"/{block['block']}/ab/{'ab' * 32}?" in file
    with pytest.raises(NotFoundError):
        ask(records.get("shards", stranger)["blocks"][0]["block"], "ab" * 32)


def test_runner_that_was_silent_for_long_is_forgotten(records, as_control):
    note_runner(as_control, RunnerWord(runner="old", host="h"))
    records.db.runners.update_many({}, {"$set": {"seen_at": utc_in(-7200)}})
    note_runner(as_control, RunnerWord(runner="new", host="h", held={digest(1): 5}))
    assert [(doc["_id"], doc["held"]) for doc in records.db.runners.find()] == [
        ("new", {digest(1): 5})
    ]


@pytest.mark.parametrize("state", ["READY", "HELD", "WITHDRAWN"])
def test_blocks_of_no_standing_cohort_must_be_forgotten(records, as_control, state):
    exam = make_exam(records)
    change = {"$set": {"blocks.0.sha256": digest(7), "state": state}}
    records.db.cohorts.update_one({"_id": exam.cohort}, change)
    word = RunnerWord(runner="r", host="h", held={digest(7): 5, digest(8): 5})
    gone = [digest(7), digest(8)] if state == "WITHDRAWN" else [digest(8)]
    assert to_forget(as_control, word) == gone


def test_shard_that_was_given_back_goes_to_who_holds_it(records, made, claim):
    claim(made.shards[0], "a", held={digest(0): GIGABYTE})
    recording.give_back(records, records.get("shards", made.shards[0]))
    assert claim(made.shards[1], "b", held={digest(0): GIGABYTE})["shard"] == made.shards[0]
