"""From a screened image to a running exam, and the one exit for every failure."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import StateConflictError
from proctor_backend.domain.evaluation import ATTEMPTS, Failure, new_evaluation
from proctor_backend.domain.exposure import REASON_CODE_BITS, LookKind, look
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.states import CohortState, EntryState, EvaluationState, StudyState
from proctor_backend.records import Change, Insert, Move, Records, Update
from proctor_backend.services.study_lock import current_lock
from proctor_sdk.reasons import ReasonCode, hidden_reason


def record_screened(records: Records, entry_id: str, findings: Mapping[str, Any]) -> None:
    """Note that an image passed the intake check, and begin its run on public cases."""
    entry = records.get("entries", entry_id)
    if (broken := broken_lock(records, entry)) is not None:
        fail_entry(records, entry, broken, actor="worker:screen")
        return
    study = records.get("studies", entry["study"])
    changes, messages, evaluation = begin(
        records, entry, study["conformance_cohort"], "conformance"
    )
    records.commit(
        Move(
            "entries",
            entry_id,
            EntryState.SCREENED,
            {"screening": dict(findings), "conformance": {"evaluation": evaluation}},
        ),
        *changes,
        event=Event(
            kind="entry.screened",
            chain=entry_id,
            actor="worker:screen",
            public={"config_digest": entry["image"]["config_digest"]},
            private={"screening": dict(findings)},
        ),
        messages=messages,
    )


def broken_lock(records: Records, entry: Mapping[str, Any]) -> Failure | None:
    """Return what ends an entry whose study or data no longer stand as when it was opened."""
    study = records.get("studies", entry["study"])
    locked = study["state"] == StudyState.LOCKED
    if not locked or study["protocol_digest"] != entry["protocol_digest"]:
        detail = "The study was amended or closed after the entry was opened."
        return Failure(kind="platform", code=ReasonCode.CANCELLED, detail=detail)
    for name in ("conformance_cohort", "cohort"):
        if records.get("cohorts", study[name])["state"] != CohortState.READY:
            detail = "A cohort of the study was withdrawn after the entry was opened."
            return Failure(kind="platform", code=ReasonCode.CANCELLED, detail=detail)
    if current_lock(records, study).digest != study["lock_digest"]:
        detail = "The records are not what the study's parties signed."
        return Failure(kind="platform", code=ReasonCode.CANCELLED, detail=detail)
    return None


def begin(
    records: Records, entry: Mapping[str, Any], cohort_id: str, kind: str, *, attempt: int = 1
) -> tuple[list[Change], list[Message], str]:
    """Return the changes and messages that begin an evaluation, and its id."""
    cohort = records.get("cohorts", cohort_id)
    if cohort["state"] != "READY":
        raise StateConflictError("The cohort is not ready.", cure="Wait until it is ingested.")
    protocol = _protocol(records, entry)
    evaluation, shards = new_evaluation(
        entry=entry, cohort=cohort, protocol=protocol, kind=kind, attempt_number=attempt
    )
    changes: list[Change] = [Insert("evaluations", evaluation)]
    changes += [Insert("shards", shard) for shard in shards]
    messages = [Message(Task.RUN_SHARD, shard["_id"], gpu=shard["gpu"]) for shard in shards]
    return changes, messages, str(evaluation["_id"])


def fail_entry(
    records: Records,
    entry: Mapping[str, Any],
    failure: Failure,
    *,
    actor: str,
    changes: tuple[Change, ...] = (),
    hidden: bool = False,
) -> None:
    """End an entry for a vendor's, a data or an exhausted platform failure.

    On hidden data the vendor gets one of four codes, and unless the platform is to blame that
    answer is a look.
    """
    shown = hidden_reason(failure.code) if hidden else failure.code
    looked = hidden and failure.kind != "platform"
    fields: dict[str, Any] = {
        "reason_code": str(shown),
        "looked": looked,
        "failure": {"kind": failure.kind, "code": str(failure.code), "hidden": hidden},
    }
    if not hidden:
        fields["conformance.state"] = "failed"
        fields["conformance.reason_code"] = str(failure.code)
        fields["conformance.detail"] = failure.detail
        fields["conformance.log"] = failure.log
    extra: list[Change] = []
    if looked:
        cohort = records.get("cohorts", records.get("studies", entry["study"])["cohort"])
        what = f"failed with {shown}"
        extra.append(
            Insert(
                "exposure_ledger",
                look(
                    kind=LookKind.REASON_CODE,
                    entry=entry,
                    cohort=cohort,
                    bits=REASON_CODE_BITS,
                    what=what,
                ),
            )
        )
    records.commit(
        Move("entries", entry["_id"], EntryState.FAILED, fields),
        *changes,
        *extra,
        event=Event(
            kind="entry.failed",
            chain=entry["_id"],
            actor=actor,
            public={"kind": failure.kind, "reason_code": str(shown)},
            private={"code": str(failure.code), "detail": failure.detail},
        ),
    )


def try_again(
    records: Records,
    entry: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    *,
    actor: str,
    changes: tuple[Change, ...] = (),
) -> None:
    """Give up an attempt that the platform failed and begin the next, under the same lock.

    `changes` prove that who reports the failure still holds the shard.
    """
    lost = (Move("evaluations", evaluation["_id"], EvaluationState.FAILED), *changes)
    number = evaluation["attempt_number"] + 1
    gone = records.get("cohorts", evaluation["cohort"])["state"] != CohortState.READY
    if gone or number > ATTEMPTS:
        why = "the cohort was withdrawn" if gone else f"{ATTEMPTS} attempts failed"
        fail_entry(
            records,
            entry,
            Failure(
                kind="platform",
                code=ReasonCode.PLATFORM_ERROR,
                detail=f"Failed for the platform's reasons: {why}.",
            ),
            actor=actor,
            changes=lost,
            hidden=evaluation["kind"] == "hidden",
        )
        return
    begun, messages, evaluation_id = begin(
        records, entry, evaluation["cohort"], evaluation["kind"], attempt=number
    )
    field = "evaluation" if evaluation["kind"] == "hidden" else "conformance.evaluation"
    records.commit(
        *lost,
        Update("entries", entry["_id"], {field: evaluation_id}),
        *begun,
        event=Event(
            kind="evaluation.attempted_again",
            chain=entry["_id"],
            actor=actor,
            public={"attempt": number, "kind": evaluation["kind"]},
        ),
        messages=messages,
    )


def _protocol(records: Records, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    version = {"study": entry["study"], "version": entry["protocol_version"]}
    found: Mapping[str, Any] = records.find("protocols", version)[0]["protocol"]
    return found
