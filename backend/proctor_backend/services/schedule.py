"""Chooses the shard that a woken runner gets, by what runners say of themselves.

The rules are `domain.scheduling`; here they get what the records know. What a runner says is a
hint: a wrong one costs time, never a shard.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proctor_backend.domain.errors import StateConflictError
from proctor_backend.domain.ids import parse_utc, utc_in, utc_now
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.scheduling import Holder, WaitingShard, choose, upcoming
from proctor_backend.domain.states import (
    CohortState,
    EntryState,
    EvaluationState,
    ReportState,
    ShardState,
)
from proctor_backend.records import Doc, Records

SEEN_S = 25.0  # two and a half times the pause between two words of a runner
FORGOTTEN_S = 3600.0
AGAIN_AFTER_S = 0.15
LOOKED_AT = 500  # the oldest waiting shards; the others' wake-ups come after theirs
IMAGE_DIGITS = 20
_SHARD_FIELDS = dict.fromkeys(("evaluation", "entry", "blocks", "not_before"), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerWord:
    """What a runner says of itself: bytes that its host holds by block, images that are loaded."""

    runner: str
    host: str
    held: Mapping[str, int] = field(default_factory=dict)
    images: tuple[str, ...] = ()


def note_runner(records: Records, word: RunnerWord, *, queue: str | None = None) -> None:
    """Note what a runner says and that it lives; forget those that are long silent."""
    said = {"host": word.host, "held": dict(word.held), "images": list(word.images)}
    change: Doc = {"$set": said | {"seen_at": utc_now()}}
    if queue:
        change["$addToSet"] = {"queues": queue}
    records.db.runners.update_one({"_id": word.runner}, change, upsert=True)
    records.db.runners.delete_many({"seen_at": {"$lt": utc_in(-FORGOTTEN_S)}})


def to_forget(records: Records, word: RunnerWord) -> list[str]:
    """Return the blocks that a host holds and that no cohort has any more.

    A patient that was withdrawn, or a whole cohort, must leave the runners' disks too.
    """
    known = {"blocks.sha256": {"$in": list(word.held)}, "state": {"$ne": CohortState.WITHDRAWN}}
    found = records.db.cohorts.find(known, {"blocks.sha256": 1})
    standing = {block["sha256"] for cohort in found for block in cohort["blocks"]}
    return sorted(set(word.held) - standing)


def pick_shard(records: Records, shard_id: str, word: RunnerWord) -> tuple[str, str | None]:
    """Return the shard that a wake-up brings this runner, and the one to fetch ahead.

    Raises:
        NotFoundError: there is no such shard.
        StateConflictError: nothing waits in its queue, or what waits is left to another for now;
            then the wake-up was filed again.
    """
    gpu = bool(records.get("shards", shard_id)["gpu"])
    queue = Message(Task.RUN_SHARD, shard_id, gpu=gpu).queue
    note_runner(records, word, queue=queue)
    waiting = _waiting(records, gpu=gpu)
    runner, idle = _runners(records, word, queue)
    now = parse_utc(utc_now()).timestamp()
    choice = choose([one.shard for one in waiting], runner, idle, now)
    if choice is None:
        raise StateConflictError("The shard is not to be had.", cure="Forget the message.")
    if not choice.granted:
        records.wake(Message(Task.RUN_SHARD, choice.shard, gpu=gpu), after_s=AGAIN_AFTER_S)
        raise StateConflictError("Another runner holds its data.", cure="Forget the message.")
    granted = next(one for one in waiting if one.shard.id == choice.shard)
    same = [one.shard for one in waiting if one.cohort == granted.cohort]
    return choice.shard, upcoming(same, granted.shard, _fetched_ahead(records))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A waiting shard, and whose files it needs."""

    shard: WaitingShard
    cohort: tuple[str, str]  # lineage and bucket: all versions of a cohort share their files


def _waiting(records: Records, *, gpu: bool) -> list[_Waiting]:
    """Return the shards of a queue that may be claimed and that somebody waits for."""
    entries = _by_id(records, "entries", {"state": {"$in": _GOING}})
    running = {"state": EvaluationState.RUNNING, "entry": {"$in": list(entries)}}
    evaluations = _by_id(records, "evaluations", running)
    now = utc_now()
    free = [
        {"state": ShardState.WAITING, "platform_failures": 0},
        {"state": ShardState.WAITING, "not_before": {"$lte": now}},
        {"state": ShardState.CLAIMED, "lease.expires_at": {"$lte": now}},
    ]
    query = {"evaluation": {"$in": list(evaluations)}, "gpu": gpu, "$or": free}
    found = records.db.shards.find(query, _SHARD_FIELDS).sort("not_before", 1).limit(LOOKED_AT)
    waiting = []
    for doc in found:
        evaluation, image = evaluations[doc["evaluation"]], entries[doc["entry"]]["image"]
        shard = WaitingShard(
            id=doc["_id"],
            since=parse_utc(doc["not_before"]).timestamp(),
            blocks={block["sha256"]: int(block["bytes"]) for block in doc["blocks"]},
            image=image["config_digest"].removeprefix("sha256:")[:IMAGE_DIGITS],
            image_bytes=int(image["sealed_size"]),
            evaluation=doc["evaluation"],
        )
        waiting.append(_Waiting(shard, (evaluation["cohort_lineage"], evaluation["bucket"])))
    return waiting


_GOING = (EntryState.SCREENED, EntryState.CONFORMANT)


def _by_id(records: Records, collection: str, query: Mapping[str, Any]) -> dict[str, Doc]:
    fields = dict.fromkeys(("image", "cohort_lineage", "bucket"), 1)
    return {doc["_id"]: doc for doc in records.db[collection].find(dict(query), fields)}


def _runners(records: Records, word: RunnerWord, queue: str) -> tuple[Holder, list[Holder]]:
    """Return the runner that asks, and the others of its queue that are alive and idle."""
    at_work = _at_work(records)
    seen = {"seen_at": {"$gte": utc_in(-SEEN_S)}, "queues": queue}
    idle = [
        _holder(doc["_id"], doc["host"], doc["held"], doc["images"], at_work)
        for doc in records.db.runners.find(seen)
        if doc["_id"] not in at_work and doc["_id"] != word.runner
    ]
    return _holder(word.runner, word.host, word.held, word.images, at_work), idle


def _at_work(records: Records) -> dict[str, str]:
    """Return the host of each runner that holds a lease."""
    held = {"lease.expires_at": {"$gt": utc_now()}}
    at_work: dict[str, str] = {}
    for collection, query in (
        ("shards", {"state": ShardState.CLAIMED}),
        ("reports", {"state": ReportState.DRAFTING}),
    ):
        for doc in records.db[collection].find(query | held, {"lease": 1}):
            at_work[doc["lease"]["runner"]] = doc["lease"]["host"]
    return at_work


def _holder(
    runner: str,
    host: str,
    held: Mapping[str, int],
    images: Iterable[str],
    at_work: Mapping[str, str],
) -> Holder:
    load = sum(at == host for name, at in at_work.items() if name != runner)
    return Holder(id=runner, held=held, images=frozenset(images), load=load)


def _fetched_ahead(records: Records) -> list[str]:
    """Return the shards that runners at work fetch ahead."""
    query = {"state": ShardState.CLAIMED, "lease.expires_at": {"$gt": utc_now()}}
    found = records.db.shards.find(query, {"upcoming": 1})
    return [doc["upcoming"] for doc in found if doc.get("upcoming")]
