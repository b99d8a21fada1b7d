"""A vendor's training images are compared with a study's hidden cohort: asked for, sent, shown.

The file of fingerprints is sealed to the ingest worker's key: neither this API nor anybody beside
that worker opens it. What the vendor hears is that the comparison was made.
"""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.entry import slot_end
from proctor_backend.domain.errors import InvalidInputError, NotFoundError, StateConflictError
from proctor_backend.domain.ids import new_id, parse_utc, utc_now
from proctor_backend.domain.keys import fingerprints_key
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.people import VENDOR_ROLES, Actor
from proctor_backend.domain.states import ComparisonState
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Doc, Insert, Move, Records
from proctor_backend.services.enter import own_study
from proctor_backend.services.study_lock import current_protocol
from proctor_backend.services.study_view import is_vendor, visible
from proctor_sdk.encrypt import encode_key

BUCKET = "quarantine"
LARGEST = 4 * 2**30
MOST = 5  # comparisons that a study takes: each tells a little, in the report
_TO_ALL = ("state", "created_at", "problem")
_TO_OTHERS = ("compared_at", "told", "least", "near", "images", "named_patients", "patients_known")


def open_comparison(
    records: Records, store: ObjectStore, actor: Actor, study_id: str, *, ingest_key: bytes
) -> Doc:
    """Return {id, url, public_key}: where the sealed file goes, and the key it is sealed to.

    Raises:
        NotFoundError: the study is none of the actor's as vendor.
        StateConflictError: the study is not locked, or was compared often enough.
    """
    actor.require_any(*VENDOR_ROLES, study=study_id)
    study = own_study(records, actor, study_id)
    sent = {"study": study_id, "state": {"$ne": ComparisonState.OPEN.value}}
    if len(records.find("comparisons", sent)) >= MOST:
        raise StateConflictError(
            f"The study was compared {MOST} times.", cure="Ask the study office for a new study."
        )
    comparison: Doc = {
        "_id": new_id("cmp"),
        "org": actor.org,
        "study": study_id,
        "cohort": study["cohort"],
        "person": actor.person,
        "state": ComparisonState.OPEN.value,
        "history": [{"state": ComparisonState.OPEN.value, "at": utc_now()}],
    }
    records.commit(
        Insert("comparisons", comparison), event=_event("comparison.opened", comparison, actor)
    )
    return {
        "id": comparison["_id"],
        "url": store.presign_put(BUCKET, fingerprints_key(comparison["_id"])),
        "public_key": encode_key(ingest_key),
    }


def close_comparison(
    records: Records,
    store: ObjectStore,
    actor: Actor,
    study_id: str,
    comparison_id: str,
    *,
    sealed_sha256: str,
    size: int,
) -> None:
    """Hand the sealed file to the worker that compares.

    Raises:
        InvalidInputError: the file did not arrive whole, or is too large.
    """
    actor.require_any(*VENDOR_ROLES, study=study_id)
    own_study(records, actor, study_id)
    comparison = records.get("comparisons", comparison_id)
    if comparison["study"] != study_id or comparison["org"] != actor.org:
        raise NotFoundError(f"There is no comparison {comparison_id!r}.")
    if size > LARGEST or store.size(BUCKET, fingerprints_key(comparison_id)) != size:
        raise InvalidInputError(
            "The file of fingerprints did not arrive whole, or is larger than 4 GiB.",
            cure="Run the same command again.",
        )
    records.commit(
        Move(
            "comparisons",
            comparison_id,
            ComparisonState.UPLOADED,
            {"sealed_sha256": sealed_sha256, "size": size},
        ),
        event=_event("comparison.uploaded", comparison, actor, {"sealed_sha256": sealed_sha256}),
        messages=[Message(Task.COMPARE, comparison_id)],
    )


def list_comparisons(records: Records, actor: Actor, study_id: str) -> list[Doc]:
    """Return a study's comparisons: to its vendor how far each has come, to others what was found.

    What was found is told under the cohort's terms; nobody is told more.
    """
    study = visible(records, actor, study_id)
    found = records.find("comparisons", {"study": study_id})
    shown: tuple[str, ...] = (*_TO_ALL, *_TO_OTHERS)
    if is_vendor(actor, study):
        slot_s = float(current_protocol(records, study)["protocol"]["status_slot_s"])
        found, shown = [_as_of_its_slot(one, slot_s) for one in found], _TO_ALL
    return [
        {"id": one["_id"]} | {name: one[name] for name in shown if one.get(name) is not None}
        for one in found
    ]


def _as_of_its_slot(comparison: Doc, slot_s: float) -> Doc:
    """Return a comparison as its vendor may know it: how long it took tells how much there is."""
    ended = comparison["state"] in {ComparisonState.COMPARED, ComparisonState.REFUSED}
    end = slot_end(comparison["history"][-1]["at"], slot_s)
    if not ended or end <= parse_utc(utc_now()).timestamp():
        return comparison
    return {**comparison, "state": ComparisonState.UPLOADED.value, "problem": None}


def _event(
    kind: str, comparison: Mapping[str, Any], actor: Actor, more: Mapping[str, Any] | None = None
) -> Event:
    return Event(
        kind=kind,
        chain=comparison["study"],
        actor=actor.person,
        public={"comparison": comparison["_id"], **(more or {})},
    )
