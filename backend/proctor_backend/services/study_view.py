"""Which studies an actor may know of, and what of one each role is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.errors import NotFoundError
from proctor_backend.domain.people import VENDOR_ROLES, Actor, Role
from proctor_backend.domain.study import SIGNING_ROLES, Lock, missing_roles
from proctor_backend.records import Doc, Records

STAFF = (Role.STUDY_OFFICE, Role.STATISTICIAN, Role.REVIEWER, Role.RELEASER)


def visible(records: Records, actor: Actor, study_id: str) -> Doc:
    """Return the study's record if this actor may know that it exists.

    Raises:
        NotFoundError: there is none, or it is none of the actor's business.
    """
    study = records.get("studies", study_id)
    if not (
        actor.holds_any(*STAFF, study=study_id)
        or is_vendor(actor, study)
        or is_partner(actor, study)
    ):
        raise NotFoundError(f"There is no study {study_id!r}.")
    return study


def is_vendor(actor: Actor, study: Mapping[str, Any]) -> bool:
    """Say whether the actor acts for the study's vendor."""
    mine = actor.org == study["vendor_org"]
    return mine and actor.holds_any(*VENDOR_ROLES, study=study["_id"])


def is_partner(actor: Actor, study: Mapping[str, Any]) -> bool:
    """Say whether the actor acts for the study's data partner."""
    mine = actor.org == study["partner_org"]
    return mine and actor.holds(Role.DATA_PARTNER, study["_id"])


def project(
    records: Records,
    actor: Actor,
    study: Mapping[str, Any],
    protocol: Mapping[str, Any],
    lock: Lock | None,
    deviations: Sequence[Mapping[str, Any]],
) -> Doc:
    """Return what this actor's role sees of a study it may know of."""
    knows_vendor = (
        actor.holds(Role.STUDY_OFFICE, study["_id"])
        or is_partner(actor, study)
        or is_vendor(actor, study)
    )
    lock_digest = study.get("lock_digest") or (lock.digest if lock else None)
    view: Doc = {
        "id": study["_id"],
        "state": study["state"],
        "code_name": study["code_name"],
        "title": study["title"],
        "created_at": study["created_at"],
        "protocol": {
            "document": protocol["protocol"],
            "source": protocol["source"],
        },
        "protocol_version": protocol["version"],
        "protocol_digest": protocol["digest"],
        "plugin": study["plugin_digest"],
        "lock": study.get("lock") or (lock.as_dict() if lock else None),
        "lock_digest": lock_digest,
        "signatures": [_signature(one, actor, knows_all=_knows_all(actor, study)) for one in
                       study["signatures"]],
        "missing_signatures": [
            role.value
            for role in (
                missing_roles(study["signatures"], lock_digest) if lock_digest else SIGNING_ROLES
            )
        ],
        "amendments": study["amendments"],
        "deviations": [
            {name: one[name] for name in ("severity", "text", "created_at")} for one in deviations
        ],
        "conformance_cohort": study["conformance_cohort"],
    }  # fmt: skip
    # Of the hidden cohort a vendor learns that there is one, and its root in the lock.
    if not is_vendor(actor, study):
        view["cohort"] = study["cohort"]
    if knows_vendor:
        view["vendor_org"] = study["vendor_org"]
        view["vendor_salt"] = study["vendor_salt"]
        view["vendor"] = _name(records, study["vendor_org"])
    if _knows_all(actor, study):
        view["partner"] = _name(records, study["partner_org"])
    return view


def _knows_all(actor: Actor, study: Mapping[str, Any]) -> bool:
    return actor.holds(Role.STUDY_OFFICE, study["_id"]) or is_partner(actor, study)


def _signature(signature: Mapping[str, Any], actor: Actor, *, knows_all: bool) -> Doc:
    fields = ["role", "at", "lock_digest"]
    if knows_all or signature["person"] == actor.person:
        fields += ["person_name", "meaning"]
    return {name: signature[name] for name in fields}


def _name(records: Records, org: str | None) -> str | None:
    return str(records.get("organisations", org)["name"]) if org else None
