"""A patient leaves a cohort: asked for by the owner, done by the workers, one state after another.

The patient's identifier is sealed to the ingest worker's key until that has made a pseudonym of
it, and then forgotten; what stays is a tombstone of a count and a date.
"""

import base64
import io

from proctor_backend.domain.audit import Event
from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.people import Actor
from proctor_backend.domain.states import WithdrawalState
from proctor_backend.records import Doc, Insert, Records
from proctor_backend.services import people
from proctor_backend.services.cohort_view import own
from proctor_backend.services.versions import (
    of_lineage,
    require_newest,
    require_no_withdrawal,
    unchanged,
)
from proctor_sdk.encrypt import seal

_SHOWN = ("state", "reason", "cohort", "made", "cases", "problem", "halted", "created_at")


def withdraw_patient(
    records: Records,
    actor: Actor,
    cohort_id: str,
    *,
    patient: str,
    reason: str,
    password: str,
    ingest_key: bytes,
) -> str:
    """Ask for a patient to be taken out, by original id or pseudonym; return the withdrawal's id.

    `ingest_key` is the ingest worker's public key.

    Raises:
        StateConflictError: the cohort is not the newest READY version, or one is being made.
        NotSignedInError: the password is wrong.
    """
    cohort = own(records, actor, cohort_id)
    people.reauthenticate(records, actor.person, password)
    require_newest(cohort, of_lineage(records, cohort["lineage"]))
    require_no_withdrawal(records, cohort["lineage"])
    withdrawal: Doc = {
        "_id": new_id("wdr"),
        "org": cohort["org"],
        "lineage": cohort["lineage"],
        "cohort": cohort_id,
        "reason": reason,
        "person": actor.person,
        "sealed": _sealed(patient, ingest_key),
        "state": WithdrawalState.ASKED.value,
        "history": [{"state": WithdrawalState.ASKED.value, "at": utc_now()}],
    }
    records.commit(
        Insert("withdrawals", withdrawal),
        *unchanged([cohort]),
        event=Event(
            kind="patient.withdrawal_asked",
            chain="platform",
            actor=actor.person,
            public={"cohort": cohort_id, "withdrawal": withdrawal["_id"]},
            private={"reason": reason},
        ),
        messages=[Message(Task.REMOVE_PATIENT, withdrawal["_id"])],
    )
    return str(withdrawal["_id"])


def list_withdrawals(records: Records, actor: Actor, cohort_id: str) -> list[Doc]:
    """Return the withdrawals of patients from a cohort, in any version, to its owner."""
    cohort = own(records, actor, cohort_id)
    found = records.find("withdrawals", {"lineage": cohort["lineage"]})
    return [
        {"id": one["_id"]} | {name: one[name] for name in _SHOWN if one.get(name) is not None}
        for one in found
    ]


def _sealed(text: str, key: bytes) -> str:
    plain = text.strip().encode()
    return base64.b64encode(b"".join(seal(io.BytesIO(plain), len(plain), key))).decode("ascii")
