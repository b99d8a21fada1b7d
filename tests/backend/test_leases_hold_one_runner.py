import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.backend.exam import make_exam, seal_image, tasks_waiting

from proctor_backend.control.app import create_control
from proctor_backend.domain.audit import verify_chain
from proctor_backend.domain.errors import LeaseLostError, ProctorError, StateConflictError
from proctor_backend.domain.evaluation import PLATFORM_FAILURES_PER_SHARD, Failure
from proctor_backend.domain.ids import new_id, utc_in
from proctor_backend.services import lease as leases
from proctor_backend.services import record as recording
from proctor_backend.services.schedule import RunnerWord
from proctor_sdk.reasons import ReasonCode

PART = {"seq": 0, "sha256": "ab" * 32, "size": 10, "cases": 2}
SHARDS = 8


@pytest.fixture
def claim(servers, as_control, store_of, keys):
    """Claim a shard as a runner does; return the grant."""

    def claim_as(runner, shard):
        store, settings = store_of("control"), servers.settings("control")
        word = RunnerWord(runner=runner, host="h")
        return leases.claim_shard(as_control, store, settings, keys[0], shard, word)

    return claim_as


@pytest.fixture
def taken_over(records, claim, exam):
    """What a runner still holds in its hands after another one took its shard over."""
    grant = claim("first", exam.shards[0])
    stale = records.get("shards", exam.shards[0])
    expire(records, exam.shards[0])
    claim("second", exam.shards[0])
    return grant, stale


def expire(records, shard):
    past = {"lease.expires_at": utc_in(-1)}
    records.db.shards.update_one({"_id": shard}, {"$set": past})


def failure(kind):
    return Failure(kind=kind, code=ReasonCode.NONZERO_EXIT, detail="d")


def state(records):
    names = ("entries", "evaluations", "shards", "exposure_ledger", "audit_events", "outbox")
    return {name: list(records.db[name].find({}).sort("_id")) for name in names}


def test_of_two_runners_who_claim_at_once_one_wins(records, claim, exam):
    start = threading.Barrier(2)

    def race(runner):
        start.wait()
        try:
            return claim(runner, exam.shards[0])["lease"]["fence"]
        except StateConflictError:
            return None

    with ThreadPoolExecutor(2) as pool:
        fences = list(pool.map(race, ["first", "second"]))
    assert sorted(fences, key=str) == [1, None]
    assert records.get("shards", exam.shards[0])["fence"] == 1


def test_a_second_wake_up_for_a_claimed_shard_does_nothing(records, claim, exam):
    claim("first", exam.shards[0])
    before = state(records)
    with pytest.raises(StateConflictError):
        claim("second", exam.shards[0])
    assert state(records) == before


def test_every_takeover_raises_the_fence(records, claim, exam):
    fences = []
    for _ in range(3):
        fences.append(claim("r", exam.shards[0])["lease"]["fence"])
        expire(records, exam.shards[0])
    assert fences == [1, 2, 3]


def test_a_lease_that_ran_out_is_lost_even_if_nobody_else_took_it(records, claim, exam):
    grant = claim("first", exam.shards[0])
    expire(records, exam.shards[0])
    with pytest.raises(LeaseLostError):
        leases.holder(records, grant["lease"]["id"], grant["lease"]["token"])


def test_a_lease_ends_with_its_shard(records, claim, exam):
    grant = claim("first", exam.shards[0])
    recording.record_shard(records, records.get("shards", exam.shards[0]), {}, None)
    with pytest.raises(LeaseLostError):
        leases.holder(records, grant["lease"]["id"], grant["lease"]["token"])


def test_a_lease_opens_with_its_own_token_only(records, claim, exam):
    grant = claim("first", exam.shards[0])
    with pytest.raises(LeaseLostError):
        leases.holder(records, grant["lease"]["id"], "a guess")


STALE_WRITES = {
    "part": lambda records, shard: recording.record_part(records, shard, PART),
    "done": lambda records, shard: recording.record_shard(records, shard, {}, None),
    "vendor failure": lambda records, shard: recording.record_failure(
        records, shard, failure("vendor"), retry_after_s=1
    ),
    "platform failure": lambda records, shard: recording.record_failure(
        records, shard, failure("platform"), retry_after_s=1
    ),
    "last platform failure": lambda records, shard: recording.record_failure(
        records,
        shard | {"platform_failures": PLATFORM_FAILURES_PER_SHARD},
        failure("platform"),
        retry_after_s=1,
    ),
    "given back": recording.give_back,
}


@pytest.mark.parametrize("write", STALE_WRITES)
def test_a_stale_fence_writes_nothing(records, as_control, taken_over, write):
    """The guard in the transaction itself, past the check of the token."""
    before = state(records)
    with pytest.raises(ProctorError):
        STALE_WRITES[write](as_control, taken_over[1])
    assert state(records) == before


def test_a_stale_fence_does_not_renew(servers, records, as_control, taken_over):
    before = state(records)
    with pytest.raises(LeaseLostError):
        leases.renew(as_control, servers.settings("control"), "shards", taken_over[1])
    assert state(records) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("renew", None),
        ("files", {"block": "b0", "sha256": ["cd" * 32]}),
        ("parts", PART),
        ("parts/0/commit", PART),
        ("done", {"summary": {}}),
        ("failed", {"kind": "vendor", "reason_code": "NONZERO_EXIT"}),
        ("give-back", None),
        ("sections", {"sections": []}),
    ],
)
def test_control_answers_a_stale_lease_with_410(
    servers, records, as_control, store_of, taken_over, path, body
):
    parts = (as_control, store_of("control"), servers.settings("control"), b"", None, None)
    app = create_control(*parts)  # not started: relay and sweeper stay away
    lease, before = taken_over[0]["lease"], state(records)
    bearer = {"authorization": f"Bearer {lease['token']}"}
    answer = asyncio.run(post(app, f"/leases/{lease['id']}/{path}", json=body, headers=bearer))
    assert answer.status_code == 410
    assert answer.json()["error"]["code"] == "lease_lost"
    assert state(records) == before


async def post(app, path, **more):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://control.test") as client:
        return await client.post(path, **more)


def test_a_part_that_is_told_twice_is_kept_once(records, as_control, claim, exam):
    claim("first", exam.shards[0])
    shard = records.get("shards", exam.shards[0])
    for _ in range(2):
        recording.record_part(as_control, shard, PART)
    assert len(records.get("shards", exam.shards[0])["parts"]) == 1


def test_a_successor_gets_the_parts_of_the_one_before(records, as_control, claim, exam):
    claim("first", exam.shards[0])
    recording.record_part(as_control, records.get("shards", exam.shards[0]), PART)
    expire(records, exam.shards[0])
    answered = claim("second", exam.shards[0])["answered"]
    assert [(part["seq"], part["fence"], part["cases"]) for part in answered] == [(0, 1, 2)]


@pytest.mark.parametrize("repeat", range(3))
def test_shards_that_end_at_once_end_the_evaluation_once(
    records, as_control, store_of, keys, claim, repeat
):
    exam = make_exam(records, shards=SHARDS)
    seal_image(store_of("api"), exam, keys[1])
    for number, shard in enumerate(exam.shards):
        claim(f"runner-{number}", shard)
    held = [records.get("shards", shard) for shard in exam.shards]
    start = threading.Barrier(SHARDS)

    def end(shard):
        start.wait()
        recording.record_shard(as_control, shard, {"cases": 1}, None)

    with ThreadPoolExecutor(SHARDS) as pool:
        list(pool.map(end, held))
    evaluation = records.get("evaluations", exam.evaluation)
    assert (evaluation["state"], evaluation["shards_done"]) == ("EVALUATED", SHARDS)
    assert records.get("entries", exam.entry)["state"] == "EVALUATED"
    measured = [task for task in tasks_waiting(records) if task[0] == "proctor.measure"]
    assert measured == [("proctor.measure", exam.evaluation)]
    events = list(records.iterate("audit_events", {"chain": exam.entry}, "seq"))
    verify_chain(events)
    assert sum(event["public"].get("last", False) for event in events) == 1


def test_sections_that_cost_three_runners_are_given_up(records, as_control, servers, exam):
    report = {"_id": new_id("rep"), "entry": exam.entry, "state": "DRAFTING"}
    waiting = {"sections_state": "waiting", "fence": 3, "lease": None, "org": new_id("org")}
    records.db.reports.insert_one(report | waiting)
    names = {"runner": "r", "host": "h"}
    with pytest.raises(StateConflictError, match="3 runners"):
        leases.claim_sections(as_control, servers.settings("control"), report["_id"], **names)
    left = records.get("reports", report["_id"])
    assert (left["sections_state"], left["sections"]) == ("failed", [])
    assert "3 runners" in left["sections_failure"]
    assert ("proctor.draft", report["_id"]) in tasks_waiting(records)
