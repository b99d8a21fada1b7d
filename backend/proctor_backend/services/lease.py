"""Leases: what a runner may hold, for how long, and which objects it may read and write with it."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import LeaseLostError, NotFoundError, StateConflictError
from proctor_backend.domain.evaluation import limits_of, task_document
from proctor_backend.domain.ids import new_id, utc_in, utc_now
from proctor_backend.domain.keys import cases_key, file_key, image_key
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.states import EntryState, EvaluationState, ReportState, ShardState
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Doc, Move, Records, Update
from proctor_backend.services.schedule import RunnerWord, pick_shard
from proctor_backend.settings import Settings
from proctor_sdk.encrypt import read_header, unwrap

RENEW_EVERY_S = 10
RACES = 20  # claims of one wake-up that others may be quicker at
SECTIONS_TRIES = 3  # runners that may be lost over one client's sections


def claim_shard(
    records: Records,
    store: ObjectStore,
    settings: Settings,
    private_key: bytes,
    shard_id: str,
    word: RunnerWord,
) -> Doc:
    """Lease a shard to a runner that was woken for one; return the grant.

    It is the shard that `schedule.pick_shard` chooses, not always the one that is named.

    Raises:
        StateConflictError: nothing that waits is to be had.
    """
    for _ in range(RACES):
        chosen, ahead = pick_shard(records, shard_id, word)
        shard = records.get("shards", chosen)
        if _is_held(shard):
            continue  # between the choice and this look another runner was quicker
        evaluation = records.get("evaluations", shard["evaluation"])
        entry = records.get("entries", shard["entry"])
        # Made before the claim: a store that is away must not leave a lease that nobody holds.
        grant = _shard_grant(records, store, private_key, shard, evaluation, entry)
        lease, token = _new_lease(settings, shard["fence"] + 1, word.runner, word.host)
        fields = {"lease": lease, "fence": lease["fence"], "upcoming": ahead}
        claimed = Move("shards", chosen, ShardState.CLAIMED, fields, {"fence": shard["fence"]})
        event = Event(
            kind="shard.claimed",
            chain=entry["_id"],
            actor=f"runner:{word.runner}",
            public={"shard": chosen, "fence": lease["fence"]},
            private={"host": word.host},
        )
        try:
            records.commit(claimed, event=event)
        except StateConflictError:
            continue  # another runner was quicker: this wake-up is good for what still waits
        view = {"lease": _lease_view(settings, lease, token)}
        return grant | view | {"upcoming": _upcoming_grant(records, ahead)}
    records.wake(Message(Task.RUN_SHARD, shard_id, gpu=shard["gpu"]))
    raise StateConflictError("Too many runners claim at once.", cure="Forget the message.")


def _is_held(shard: Mapping[str, Any]) -> bool:
    return bool(shard["state"] == ShardState.CLAIMED and shard["lease"]["expires_at"] > utc_now())


def claim_sections(
    records: Records, settings: Settings, report_id: str, *, runner: str, host: str
) -> Doc:
    """Lease the making of a client's report sections to a runner; return the grant."""
    report = records.get("reports", report_id)
    held = report.get("lease")
    if report["state"] != ReportState.DRAFTING or report.get("sections_state") != "waiting":
        raise StateConflictError("No sections are waiting for this report.")
    if held and held["expires_at"] > utc_now():
        raise StateConflictError("Another runner makes these sections.")
    fence = report.get("fence", 0)
    if fence >= SECTIONS_TRIES:
        why = f"{SECTIONS_TRIES} runners were lost while they made the sections."
        _give_sections_up(records, report, why)
        raise StateConflictError(why)
    lease, token = _new_lease(settings, fence + 1, runner, host)
    records.commit(
        Update(
            "reports",
            report_id,
            {"lease": lease, "fence": lease["fence"]},
            {"fence": report.get("fence")},
        ),
        event=Event(
            kind="report.sections_claimed",
            chain=report["entry"],
            actor=f"runner:{runner}",
            public={"fence": lease["fence"]},
        ),
    )
    bundle = records.get_file(f"bundle:{report['plugin_digest']}")
    return {
        "lease": _lease_view(settings, lease, token),
        "job": "sections",
        "report": report_id,
        "bundle": {
            "content": base64.b64encode(bundle).decode("ascii"),
            "sha256": report["plugin_digest"].removeprefix("sha256:"),
        },
        "context": report["sections_context"],
    }


def _give_sections_up(records: Records, report: Mapping[str, Any], why: str) -> None:
    """Let the draft go on without the client's sections; the report says why."""
    fields: Doc = {"sections_state": "failed", "lease": None, "sections": []}
    fields["sections_failure"] = why
    records.commit(
        Update("reports", report["_id"], fields, {"sections_state": "waiting"}),
        event=Event(
            kind="report.sections_failed",
            chain=report["entry"],
            actor="control",
            public={"sections": 0},
            private={"failure": why},
        ),
        messages=[Message(Task.DRAFT, report["_id"])],
    )


def holder(records: Records, lease_id: str, token: str) -> tuple[str, Doc]:
    """Return (collection, record) of the lease that this token proves.

    Raises:
        LeaseLostError: it has expired, was taken over, or never existed.
    """
    for collection in ("shards", "reports"):
        found = records.find(collection, {"lease.id": lease_id}, limit=1)
        if found:
            proof = hashlib.sha256(token.encode()).hexdigest()
            lease = found[0]["lease"]
            if hmac.compare_digest(proof, lease["token_sha256"]):
                over = collection == "shards" and found[0]["state"] != ShardState.CLAIMED
                if over or lease["expires_at"] <= utc_now():
                    break
                return collection, found[0]
    raise LeaseLostError("This lease is lost.", cure="Stop the container and forget the work.")


def renew(records: Records, settings: Settings, collection: str, record: Mapping[str, Any]) -> Doc:
    """Prolong a lease; say whether the entry was cancelled in the meantime."""
    until = utc_in(settings.lease_ttl_s)
    expect = {"lease.id": record["lease"]["id"], "lease.fence": record["lease"]["fence"]}
    if not records.touch(collection, record["_id"], {"lease.expires_at": until}, expect=expect):
        raise LeaseLostError("This lease is lost.", cure="Stop the container.")
    return {"expires_at": until, "cancelled": not _is_wanted(records, collection, record)}


def _is_wanted(records: Records, collection: str, record: Mapping[str, Any]) -> bool:
    """Tell whether the work still counts: no cancelled entry, no attempt that ended elsewhere."""
    if collection == "shards":
        evaluation = records.get("evaluations", record["evaluation"])
        return bool(evaluation["state"] == EvaluationState.RUNNING)
    entry = records.get("entries", record["entry"])
    return bool(entry["state"] != EntryState.CANCELLED)


def presign_files(
    records: Records, store: ObjectStore, shard: Mapping[str, Any], block: str, names: Sequence[str]
) -> dict[str, str]:
    """Return sha256 → URL for files of one of the lease's blocks, or for the block's list itself.

    The blocks are the shard's and those of the shard that its runner fetches ahead.
    """
    lists = _lists(records, shard, block)
    if not lists:
        raise NotFoundError("There is no such block in this lease.")
    evaluation = records.get("evaluations", shard["evaluation"])
    lineage, bucket = evaluation["cohort_lineage"], evaluation["bucket"]
    wanted = [name for name in names if _is_sha256(name)]
    return {
        name: store.presign_get(bucket, lists.get(name) or file_key(lineage, block, name))
        for name in wanted
    }


def _lists(records: Records, shard: Mapping[str, Any], block: str) -> dict[str, str]:
    """Return where the lists of a block lie, by digest: versions of a cohort have their own."""
    shards = [shard]
    if shard.get("upcoming"):
        shards.append(records.get("shards", shard["upcoming"]))
    return {
        one["sha256"]: cases_key(records.get("evaluations", its["evaluation"])["cohort"], block)
        for its in shards
        for one in its["blocks"]
        if one["block"] == block
    }


def _upcoming_grant(records: Records, shard_id: str | None) -> Doc | None:
    """Return the blocks that a runner fetches ahead; nothing of whose they are."""
    if shard_id is None:
        return None
    return {"blocks": _blocks(records.get("shards", shard_id))}


def _blocks(shard: Mapping[str, Any]) -> list[Doc]:
    names = ("block", "cases", "sha256")
    return [{name: block[name] for name in names} for block in shard["blocks"]]


def presign_part(
    records: Records, store: ObjectStore, shard: Mapping[str, Any], part: Mapping[str, Any]
) -> str:
    """Return the URL to which a part of the predictions is written; its key carries the fence."""
    key = part_key(records.get("evaluations", shard["evaluation"]), shard, part["seq"])
    return store.presign_put("predictions", key)


def part_key(evaluation: Mapping[str, Any], shard: Mapping[str, Any], seq: int) -> str:
    """Return where a part lies."""
    fence = shard["lease"]["fence"]
    base = f"{evaluation['_id']}/{evaluation['attempt']}/{shard['_id']}"
    return f"{base}/{fence:06d}/{int(seq):06d}.jsonl"


def _new_lease(settings: Settings, fence: int, runner: str, host: str) -> tuple[Doc, str]:
    token = secrets.token_urlsafe(32)
    lease = {
        "id": new_id("lse"),
        "fence": fence,
        "runner": runner,
        "host": host,
        "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        "claimed_at": utc_now(),
        "expires_at": utc_in(settings.lease_ttl_s),
    }
    return lease, token


def _lease_view(settings: Settings, lease: Mapping[str, Any], token: str) -> Doc:
    return {
        "id": lease["id"],
        "token": token,
        "fence": lease["fence"],
        "expires_at": lease["expires_at"],
        "renew_every_s": min(RENEW_EVERY_S, settings.lease_ttl_s / 3),
        "ttl_s": settings.lease_ttl_s,
    }


def _shard_grant(
    records: Records,
    store: ObjectStore,
    private_key: bytes,
    shard: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    entry: Mapping[str, Any],
) -> Doc:
    version = {"study": entry["study"], "version": entry["protocol_version"]}
    protocol = records.find("protocols", version)[0]["protocol"]
    granted = set(protocol.get("input_profile", {}).get("attributes", ()))
    asked = set(entry["manifest"].get("inputs", {}).get("attributes", ()))
    return {
        "job": "shard",
        "shard": shard["_id"],
        "evaluation": evaluation["_id"],
        "attempt": evaluation["attempt"],
        "kind": evaluation["kind"],
        "image": _image_grant(store, entry, private_key),
        "manifest": entry["manifest"],
        "limits": limits_of(entry["manifest"], protocol),
        "task": task_document(entry["manifest"]),
        "inputs": sorted(granted & asked),
        "attempt_key": evaluation["attempt_key"],
        "window": evaluation["window"],
        "isolation": evaluation["isolation"],
        "runtime": evaluation["runtime"],
        "gpu": evaluation["gpu"],
        "blocks": _blocks(shard),
        "answered": [
            {
                "seq": part["seq"],
                "fence": part["fence"],
                "sha256": part["sha256"],
                "cases": part["cases"],
                "url": store.presign_get("predictions", part["key"]),
            }
            for part in shard["parts"]
        ],
        "restarts": shard["restarts"],
    }


def _image_grant(store: ObjectStore, entry: Mapping[str, Any], private_key: bytes) -> Doc:
    key = image_key(entry["_id"])
    with store.open("quarantine", key) as body:
        data_key = unwrap(read_header(body), private_key)
    return {
        "url": store.presign_get("quarantine", key),
        "sealed_sha256": entry["image"]["sealed_sha256"],
        "sealed_size": entry["image"]["sealed_size"],
        "config_digest": entry["image"]["config_digest"],
        "data_key": base64.b64encode(data_key).decode("ascii"),
    }


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
