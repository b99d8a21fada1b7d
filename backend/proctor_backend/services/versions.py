"""Versions of a cohort: a change is a new version under a root of its own; the old one stays.

All versions share a lineage, the id of the first: pseudonyms and files are kept by it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import NotFoundError, StateConflictError
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.people import Actor
from proctor_backend.domain.states import CohortState, WithdrawalState
from proctor_backend.records import Change, Doc, Insert, Records, Update
from proctor_backend.services.cohort_view import own

# A version in one of these states stands in the way of the next: one is made at a time.
UNFINISHED = (CohortState.OPEN, CohortState.UPLOADED, CohortState.HELD)
_DONE = (WithdrawalState.ERASED, WithdrawalState.REFUSED)
# What the next version takes over as it is, until its owner changes it.
_INHERITED = (
    "org", "name", "visibility", "description", "lineage", "terms", "scoped_terms",
)  # fmt: skip


def of_lineage(records: Records, lineage: str) -> list[Doc]:
    """Return the versions of a cohort, the first one first."""
    return records.find("cohorts", {"lineage": lineage}, sort=[("version", 1)])


def new_version(previous: Mapping[str, Any], number: int) -> Doc:
    """Return the record of an empty version that follows another."""
    taken = {name: previous[name] for name in _INHERITED if name in previous}
    return taken | {
        "_id": new_id("coh"),
        "state": CohortState.OPEN.value,
        "history": [],
        "version": number,
        "previous": previous["_id"],
        "tombstones": previous.get("tombstones", []),
        "index": None,
        "root": None,
        "problems": [],
        "findings": [],
        "overrides": [],
    }


def open_version(
    records: Records,
    actor: Actor,
    cohort_id: str,
    *,
    description: Mapping[str, Any] | None = None,
) -> str:
    """Open the next version for upload and return its id.

    Raises:
        StateConflictError: the cohort is not the newest READY version, or one is being made.
    """
    previous = own(records, actor, cohort_id)
    versions = of_lineage(records, previous["lineage"])
    require_newest(previous, versions)
    require_no_withdrawal(records, previous["lineage"])
    cohort = new_version(previous, versions[-1]["version"] + 1)
    if description is not None:
        cohort["description"] = dict(description)
    records.commit(
        Insert("cohorts", cohort),
        # Of two that open a version at once, one fails.
        *unchanged([previous]),
        event=Event(
            kind="cohort.version_opened",
            chain="platform",
            actor=actor.person,
            public={
                "cohort": cohort["_id"],
                "previous": cohort_id,
                "version": cohort["version"],
            },
        ),
    )
    return str(cohort["_id"])


def require_newest(cohort: Mapping[str, Any], versions: Sequence[Mapping[str, Any]]) -> None:
    """Pass if a new version may follow this one.

    Raises:
        StateConflictError: it is not READY, not the newest, or another is being made.
    """
    ready = [one["_id"] for one in versions if one["state"] == CohortState.READY]
    if not ready or cohort["_id"] != ready[-1]:
        raise StateConflictError(
            "A new version follows the newest READY one, and this is another.",
            cure="Name the newest READY version.",
        )
    if any(one["state"] in UNFINISHED for one in versions):
        raise StateConflictError(
            "Another version of this cohort is being made.",
            cure="Finish that one, or withdraw it.",
        )


def require_no_withdrawal(records: Records, lineage: str) -> None:
    """Pass if no patient is being withdrawn from the cohort.

    Raises:
        StateConflictError: one is.
    """
    going = {"lineage": lineage, "state": {"$nin": [str(state) for state in _DONE]}}
    if records.find("withdrawals", going, limit=1):
        raise StateConflictError(
            "A patient is being withdrawn from this cohort.", cure="Wait until that is done."
        )


def unchanged(cohorts: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Return changes that fail if somebody changed one of these records since."""
    return [Update("cohorts", one["_id"], expect={"rev": one["rev"]}) for one in cohorts]


def comparison_file(newer: str, older: str) -> str:
    """Return the name under which the comparison of two versions is kept."""
    return f"compare:{newer}:{older}"


def compare(records: Records, actor: Actor, cohort_id: str, other_id: str) -> Doc:
    """Return what changed from the older of two versions to the newer one, to their owner.

    Counts, the columns that changed, and the pseudonyms of the cases; never a value.

    Raises:
        NotFoundError: they are no ingested versions of one cohort of the actor's.
    """
    pair = [own(records, actor, one) for one in (cohort_id, other_id)]
    older, newer = sorted(pair, key=lambda one: int(one["version"]))
    name = comparison_file(newer["_id"], older["_id"])
    if older["lineage"] != newer["lineage"] or not records.has_file(name):
        raise NotFoundError(
            "There is no comparison of these two.",
            cure="Name two ingested versions of one cohort; `proctor cohort show` lists them.",
        )
    found: Doc = json.loads(records.get_file(name))
    return {
        "older": {name: older[name] for name in ("version", "root")} | {"id": older["_id"]},
        "newer": {name: newer[name] for name in ("version", "root")} | {"id": newer["_id"]},
    } | found
