"""What a runner reports, written down: parts, a shard's end, a failure, a client's sections."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import LeaseLostError, StateConflictError, TermsRefusedError
from proctor_backend.domain.evaluation import PLATFORM_FAILURES_PER_SHARD, Failure
from proctor_backend.domain.ids import utc_in, utc_now
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.states import EntryState, EvaluationState, ShardState
from proctor_backend.records import Change, Doc, Move, Records, Update
from proctor_backend.services.evaluate import begin, broken_lock, fail_entry, try_again
from proctor_backend.services.lease import part_key
from proctor_backend.services.terms import still_allowed
from proctor_sdk.reasons import ReasonCode

LOG_LIMIT = 64 * 1024
RACES = 20
OF_THE_HOST = frozenset(
    {"bytes_fetched", "bytes_from_cache", "bytes_prefetched", "waiting_seconds"}
)


def record_part(records: Records, shard: Mapping[str, Any], part: Mapping[str, Any]) -> None:
    """Note a part of the predictions that the runner has stored.

    Raises:
        LeaseLostError: another runner holds a newer fence.
    """
    evaluation = records.get("evaluations", shard["evaluation"])
    row = {
        "seq": int(part["seq"]),
        "fence": shard["lease"]["fence"],
        "key": part_key(evaluation, shard, part["seq"]),
        "sha256": part["sha256"],
        "size": int(part["size"]),
        "cases": int(part["cases"]),
    }
    same = {name: row[name] for name in ("seq", "fence")}
    new = {"parts": {"$not": {"$elemMatch": same}}}
    try:
        records.commit(
            Update("shards", shard["_id"], expect=_held(shard) | new, push={"parts": row}),
            event=_event("shard.part_stored", shard, {"seq": row["seq"], "sha256": row["sha256"]}),
        )
    except StateConflictError as error:
        if row in records.get("shards", shard["_id"])["parts"]:
            return  # the runner repeats a call whose answer it did not hear
        raise LeaseLostError("This lease is lost.", cure="Stop the container.") from error


def record_shard(
    records: Records, shard: Mapping[str, Any], summary: Mapping[str, Any], log: str | None
) -> None:
    """Note that every case of a shard is answered; the last shard ends the evaluation."""
    for _ in range(RACES):
        # Looked at in every round: what the last one lost to may have been an amendment.
        if (broken := _broken_lock(records, shard)) is not None:
            _end_early(records, shard, broken)
            return
        evaluation = records.get("evaluations", shard["evaluation"])
        last = evaluation["shards_done"] + 1 == evaluation["shards_total"]
        changes, messages = _ending(records, evaluation, summary, log) if last else ([], [])
        done = Move(
            "shards", shard["_id"], ShardState.DONE, {"summary": dict(summary)}, _held(shard)
        )
        count = Update(
            "evaluations",
            evaluation["_id"],
            expect={"shards_done": evaluation["shards_done"]},
            inc={"shards_done": 1},
        )
        public = {"shard": shard["_id"], "last": last}
        try:
            records.commit(
                done, count, *changes, event=_event("shard.done", shard, public), messages=messages
            )
        except StateConflictError:
            current = records.get("shards", shard["_id"])
            if current["fence"] != shard["lease"]["fence"] or current["state"] != "CLAIMED":
                raise LeaseLostError("This lease is lost.", cure="Stop the container.") from None
            continue
        return
    raise StateConflictError("Too many shards ended at once.", cure="The shard is sent again.")


def record_failure(
    records: Records, shard: Mapping[str, Any], failure: Failure, *, retry_after_s: float
) -> None:
    """The one exit for a failure; its kind says whose: vendor, data or platform.

    The platform's own failures are tried again under the same lock; the others end the entry.
    """
    entry = records.get("entries", shard["entry"])
    evaluation = records.get("evaluations", shard["evaluation"])
    if failure.kind == "platform":
        _retry_shard(records, entry, evaluation, shard, failure.detail, retry_after_s)
        return
    _end_early(records, shard, failure)


def _broken_lock(records: Records, shard: Mapping[str, Any]) -> Failure | None:
    """Say what forbids hidden cases to follow the public ones of this shard."""
    evaluation = records.get("evaluations", shard["evaluation"])
    if evaluation["kind"] == "hidden":
        return None
    entry = records.get("entries", shard["entry"])
    if (broken := broken_lock(records, entry)) is not None:
        return broken
    try:
        still_allowed(records, records.get("studies", entry["study"]), entry)
    except TermsRefusedError as error:
        return Failure(kind="platform", code=ReasonCode.CANCELLED, detail=error.message)
    return None


def _end_early(records: Records, shard: Mapping[str, Any], failure: Failure) -> None:
    entry = records.get("entries", shard["entry"])
    evaluation = records.get("evaluations", shard["evaluation"])
    fail_entry(
        records,
        entry,
        replace(failure, detail=failure.detail[:LOG_LIMIT], log=failure.log[-LOG_LIMIT:]),
        actor=f"runner:{shard['lease']['runner']}",
        changes=(
            Move("shards", shard["_id"], ShardState.FAILED, expect=_held(shard)),
            Move("evaluations", evaluation["_id"], EvaluationState.FAILED),
        ),
        hidden=evaluation["kind"] == "hidden",
    )


def give_back(records: Records, shard: Mapping[str, Any]) -> None:
    """Let another runner have a shard whose runner ends; nothing failed, nothing is counted."""
    records.commit(
        Move(
            "shards",
            shard["_id"],
            ShardState.WAITING,
            {"lease": None, "not_before": utc_now()},
            _held(shard),
        ),
        event=_event("shard.given_back", shard, {}),
        messages=[Message(Task.RUN_SHARD, shard["_id"], gpu=shard["gpu"])],
    )


def record_sections(
    records: Records,
    report: Mapping[str, Any],
    sections: Sequence[Mapping[str, Any]] | None,
    failure: str = "",
) -> None:
    """Note a client's sections, or why there are none, and let the draft go on."""
    fields: Doc = {"sections_state": "made" if sections is not None else "failed", "lease": None}
    fields |= {"sections": list(sections or ()), "sections_failure": failure}
    lease = report["lease"]
    records.commit(
        Update("reports", report["_id"], fields, {"lease.id": lease["id"]}),
        event=Event(
            kind="report.sections_made" if sections is not None else "report.sections_failed",
            chain=report["entry"],
            actor=f"runner:{lease['runner']}",
            public={"sections": len(sections or ())},
            private={"failure": failure},
        ),
        messages=[Message(Task.DRAFT, report["_id"])],
    )


def _ending(
    records: Records, evaluation: Mapping[str, Any], summary: Mapping[str, Any], log: str | None
) -> tuple[list[Change], list[Message]]:
    """Return what follows from an evaluation's last shard."""
    entry = records.get("entries", evaluation["entry"])
    ended = Move("evaluations", evaluation["_id"], EvaluationState.EVALUATED)
    if evaluation["kind"] == "hidden":
        moved = Move("entries", entry["_id"], EntryState.EVALUATED)
        return [ended, moved], [Message(Task.MEASURE, evaluation["_id"])]
    study = records.get("studies", entry["study"])
    place = still_allowed(records, study, entry)
    changes, messages, begun = begin(records, entry, study["cohort"], "hidden")
    conformance = {
        "evaluation": evaluation["_id"],
        "state": "passed",
        # The vendor reads this one: nothing of what else this host has lately run.
        "summary": {name: summary[name] for name in summary if name not in OF_THE_HOST},
        "log": (log or "")[-LOG_LIMIT:],
    }
    fields = {"conformance": conformance, "evaluation": begun}
    return [
        ended,
        Move("entries", entry["_id"], EntryState.CONFORMANT, fields),
        place,
        *changes,
    ], messages


def _retry_shard(
    records: Records,
    entry: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    shard: Mapping[str, Any],
    detail: str,
    retry_after_s: float,
) -> None:
    failures = shard["platform_failures"] + 1
    if failures > PLATFORM_FAILURES_PER_SHARD:
        lost = Move("shards", shard["_id"], ShardState.FAILED, expect=_held(shard))
        who = f"runner:{shard['lease']['runner']}"
        try_again(records, entry, evaluation, actor=who, changes=(lost,))
        return
    fields = {
        "lease": None,
        "platform_failures": failures,
        "not_before": utc_in(retry_after_s * failures),
    }
    records.commit(
        Move("shards", shard["_id"], ShardState.WAITING, fields, _held(shard)),
        event=_event(
            "shard.platform_failed", shard, {"failures": failures}, {"detail": detail[:LOG_LIMIT]}
        ),
    )


def _held(shard: Mapping[str, Any]) -> Doc:
    return {
        "state": str(ShardState.CLAIMED),
        "fence": shard["lease"]["fence"],
        "lease.id": shard["lease"]["id"],
    }


def _event(
    kind: str,
    shard: Mapping[str, Any],
    public: Mapping[str, Any],
    private: Mapping[str, Any] | None = None,
) -> Event:
    return Event(
        kind=kind,
        chain=shard["entry"],
        actor=f"runner:{shard['lease']['runner']}",
        public=dict(public) | {"shard": shard["_id"]},
        private=dict(private or {}),
    )
