"""A study's life: drafted, locked by three signatures, amended or deviated from, shown by role."""

import secrets
from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StateConflictError,
)
from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.people import Actor, OrganisationKind, Role
from proctor_backend.domain.protocol import Protocol
from proctor_backend.domain.states import StudyState
from proctor_backend.domain.study import (
    Lock,
    Severity,
    Signature,
    check_signature,
    missing_roles,
    require_amendable,
    require_deviable,
    require_draft,
)
from proctor_backend.records import Doc, Insert, Move, Records, Update
from proctor_backend.services import passwords, people
from proctor_backend.services.protocols import parse_protocol
from proctor_backend.services.study_lock import current_lock, current_protocol, staged
from proctor_backend.services.study_view import project, visible
from proctor_sdk.canonical import canonical_bytes

_WRITERS = (Role.STATISTICIAN, Role.STUDY_OFFICE)
# A study is called so before anybody who must stay masked.
_CODE_WORDS = ("banks", "curie", "darwin", "euler", "faraday", "gauss", "hopper", "jenner", "koch")


def draft(
    records: Records,
    actor: Actor,
    *,
    protocol_text: str,
    cohort: str,
    conformance_cohort: str,
    vendor_org: str | None = None,
    partner_org: str | None = None,
) -> str:
    """Open a study on a hidden cohort and a public one; return its id.

    Raises:
        InvalidInputError: the protocol has problems, or a cohort is of the wrong kind.
        ForbiddenError: a masked person named the vendor.
    """
    actor.require_any(*_WRITERS)
    if vendor_org is not None and not actor.holds(Role.STUDY_OFFICE):
        raise ForbiddenError(
            "The statistician works without knowing the vendor.",
            cure="Leave vendor_org out; the study office sets it.",
        )
    protocol = parse_protocol(protocol_text)
    hidden = _cohort(records, cohort, "hidden", "cohort")
    _cohort(records, conformance_cohort, "public", "conformance_cohort")
    if partner_org not in {None, hidden["org"]}:
        raise InvalidInputError(
            "The hidden cohort belongs to another organisation.",
            cure="Leave partner_org out: who owns the cohort signs for it.",
        )
    _check_vendor(records, vendor_org)
    study: Doc = {
        "_id": new_id("stu"),
        "org": actor.org,
        "state": StudyState.DRAFT.value,
        "history": [],
        "code_name": _code_name(),
        "cohort": cohort,
        "conformance_cohort": conformance_cohort,
        "partner_org": hidden["org"],
        "plugin_digest": None,
        "lock": None,
        "signatures": [],
        "amendments": [],
    }
    study |= _vendor_fields(vendor_org) | _protocol_fields(protocol, version=1)
    text = _protocol_doc(study, protocol, protocol_text, actor, reason=None)
    records.commit(
        Insert("studies", study),
        Insert("protocols", text),
        event=_event("study.drafted", actor, study, {"protocol_digest": protocol.digest}),
    )
    return str(study["_id"])


def revise(
    records: Records,
    actor: Actor,
    study_id: str,
    *,
    protocol_text: str,
    cohort: str | None = None,
) -> Doc:
    """Replace a draft's protocol; signatures over the older text fall away.

    `cohort` names another version of the study's hidden cohort, to be used from now on.
    """
    study = visible(records, actor, study_id)
    actor.require_any(*_WRITERS, study=study_id)
    require_draft(study["state"])
    protocol = parse_protocol(protocol_text)
    present = current_protocol(records, study)
    version = study["protocol_version"]
    text = _protocol_doc(study, protocol, protocol_text, actor, reason=present["reason"])
    changed = {name: text[name] for name in ("protocol", "digest", "source", "canonical", "author")}
    fields = _protocol_fields(protocol, version=version) | {"signatures": []}
    fields |= _other_version(records, study, cohort)
    records.commit(
        Update("studies", study_id, fields, expect={"rev": study["rev"]}),
        Update("protocols", present["_id"], changed),
        event=_event("study.revised", actor, study, {"protocol_digest": protocol.digest}),
    )
    return show(records, actor, study_id)


def set_vendor(records: Records, actor: Actor, study_id: str, *, vendor_org: str) -> Doc:
    """Name the vendor of a draft: the study office's task, because the others are masked."""
    actor.require(Role.STUDY_OFFICE, study_id)
    study = visible(records, actor, study_id)
    require_draft(study["state"])
    _check_vendor(records, vendor_org)
    fields = _vendor_fields(vendor_org) | {"signatures": []}
    records.commit(
        Update("studies", study_id, fields, expect={"rev": study["rev"]}),
        event=_event("study.vendor_set", actor, study, {}, {"vendor_org": vendor_org}),
    )
    return show(records, actor, study_id)


def sign(
    records: Records,
    actor: Actor,
    study_id: str,
    *,
    role: str,
    password: str,
    meaning: str,
    lock_digest: str | None = None,
) -> Doc:
    """Sign the lock in a role; the third signature locks the study.

    `lock_digest` is the digest the signer has read; a stale one is refused.

    Raises:
        StateConflictError: the text changed, is locked, or is signed in this role already.
        NotSignedInError: the password is wrong.
    """
    study = visible(records, actor, study_id)
    _require_party(actor, study, role)
    require_draft(study["state"])
    people.reauthenticate(records, actor.person, password)
    lock = _lock_for(records, study, actor)
    party = check_signature(
        study["signatures"],
        role=role,
        person=actor.person,
        claimed=lock.digest if lock_digest is None else lock_digest,
        lock=lock,
    )
    signature = Signature(
        role=party,
        person=actor.person,
        person_name=records.get("persons", actor.person)["name"],
        org=actor.org,
        meaning=meaning,
        at=utc_now(),
        lock_digest=lock.digest,
    )
    _record_signature(records, actor, study, lock, signature)
    return show(records, actor, study_id)


def _record_signature(
    records: Records, actor: Actor, study: Doc, lock: Lock, signature: Signature
) -> None:
    signatures = [*study["signatures"], signature.as_dict()]
    expect = {"rev": study["rev"]}
    public = {"role": signature.role.value, "lock_digest": lock.digest}
    if missing_roles(signatures, lock.digest):
        records.commit(
            Update("studies", study["_id"], {"signatures": signatures}, expect=expect),
            event=_event("study.signed", actor, study, public),
        )
        return
    fields = {"signatures": signatures, "lock": lock.as_dict(), "lock_digest": lock.digest}
    records.commit(
        Move("studies", study["_id"], StudyState.LOCKED, fields, expect=expect),
        event=_event("study.locked", actor, study, public | {"lock": lock.as_dict()}),
    )


def amend(
    records: Records,
    actor: Actor,
    study_id: str,
    *,
    protocol_text: str,
    reason: str,
    cohort: str | None = None,
) -> Doc:
    """Give a locked study a new protocol version, which three parties sign again.

    `cohort` names another version of the study's hidden cohort, to be used from now on.

    Raises:
        StateConflictError: hidden cases have been staged, or the study is no longer locked.
    """
    study = visible(records, actor, study_id)
    actor.require(Role.STATISTICIAN, study_id)
    present = records.get("cohorts", study["cohort"])
    require_amendable(study["state"], staged=staged(records, study_id))
    protocol = parse_protocol(protocol_text)
    version = study["protocol_version"] + 1
    amendment = {
        "version": version,
        "reason": reason,
        "at": utc_now(),
        "from_digest": study["protocol_digest"],
        "to_digest": protocol.digest,
    }
    fields = _protocol_fields(protocol, version=version) | {
        "amendments": [*study["amendments"], amendment],
        "signatures": [],
        "lock": None,
        "lock_digest": None,
    }
    fields |= _other_version(records, study, cohort)
    text = _protocol_doc(study | fields, protocol, protocol_text, actor, reason=reason)
    records.commit(
        Move("studies", study_id, StudyState.DRAFT, fields, expect={"rev": study["rev"]}),
        # Staging changes the cohort's record too: of an amendment and a first staging, one fails.
        Update("cohorts", present["_id"], expect={"rev": present["rev"]}),
        Insert("protocols", text),
        event=_event("study.amended", actor, study, amendment),
    )
    return show(records, actor, study_id)


def deviate(records: Records, actor: Actor, study_id: str, *, severity: str, text: str) -> str:
    """Record what was done otherwise after staging began; return the deviation's id."""
    study = visible(records, actor, study_id)
    actor.require_any(*_WRITERS, study=study_id)
    require_deviable(study["state"], staged=staged(records, study_id))
    deviation: Doc = {
        "_id": new_id("dev"),
        "org": study["org"],
        "study": study_id,
        "severity": Severity(severity).value,
        "text": text,
        "author": actor.person,
        "protocol_digest": study["protocol_digest"],
    }
    public = {"deviation": deviation["_id"], "severity": deviation["severity"], "text": text}
    records.commit(
        Insert("deviations", deviation),
        event=_event("study.deviated", actor, study, public),
    )
    return str(deviation["_id"])


def close(records: Records, actor: Actor, study_id: str) -> Doc:
    """End a study: it takes no further entries."""
    actor.require(Role.STUDY_OFFICE, study_id)
    study = visible(records, actor, study_id)
    records.commit(
        Move("studies", study_id, StudyState.CLOSED, expect={"rev": study["rev"]}),
        event=_event("study.closed", actor, study, {}),
    )
    return show(records, actor, study_id)


def show(records: Records, actor: Actor, study_id: str) -> Doc:
    """Return a study as this actor's role sees it."""
    study = visible(records, actor, study_id)
    try:
        lock: Lock | None = _lock_for(records, study, actor)
        waits = ""
    except StateConflictError as error:
        lock, waits = None, error.message
    deviations = records.find("deviations", {"study": study_id})
    view = project(records, actor, study, current_protocol(records, study), lock, deviations)
    return view | {"waits_for": waits}


def _lock_for(records: Records, study: Mapping[str, Any], actor: Actor) -> Lock:
    """Return what is to be signed; a vendor is not told what of the data stands against it."""
    try:
        return current_lock(records, study)
    except StateConflictError as error:
        if actor.holds_any(Role.VENDOR_REGULATORY, Role.VENDOR_DEVELOPER):
            raise StateConflictError(
                "A part of the study is not ready yet.", cure="The study office knows which."
            ) from error
        raise


def list_studies(records: Records, actor: Actor) -> list[Doc]:
    """Return the studies that this actor may see, newest first, in short."""
    found = []
    for study in records.find("studies", {}, sort=[("created_at", -1)]):
        try:
            visible(records, actor, study["_id"])
        except NotFoundError:
            continue
        fields = ("state", "code_name", "title", "protocol_version", "protocol_digest")
        found.append(
            {"id": study["_id"], "created_at": study["created_at"]}
            | {name: study[name] for name in fields}
        )
    return found


def _require_party(actor: Actor, study: Doc, role: str) -> None:
    actor.require(_role(role), study["_id"])
    owner = {
        Role.VENDOR_REGULATORY: study["vendor_org"],
        Role.DATA_PARTNER: study["partner_org"],
    }.get(Role(role))
    if owner is not None and owner != actor.org:
        raise ForbiddenError(
            "You sign for another organisation than the study's.", cure="Let that party sign."
        )


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError as error:
        raise InvalidInputError(
            "There is no such role.", cure="Sign as statistician, vendor_regulatory, data_partner."
        ) from error


def _cohort(records: Records, cohort_id: str, visibility: str, field: str) -> Doc:
    cohort = records.get("cohorts", cohort_id)
    if cohort["visibility"] != visibility:
        raise InvalidInputError(
            f"{field} names a {cohort['visibility']} cohort.", cure=f"Name a {visibility} cohort."
        )
    return cohort


def _other_version(records: Records, study: Mapping[str, Any], cohort_id: str | None) -> Doc:
    """Return the change by which a study goes over to another version of its cohort."""
    if cohort_id in {None, study["cohort"]}:
        return {}
    present = records.get("cohorts", study["cohort"])
    found = records.find("cohorts", {"_id": cohort_id, "lineage": present["lineage"]}, limit=1)
    if not found:
        raise InvalidInputError(
            "A study stays on its cohort; this is no version of it.",
            cure="Name another version of the same cohort, or draft another study.",
        )
    return {"cohort": cohort_id}


def _check_vendor(records: Records, vendor_org: str | None) -> None:
    if vendor_org is None:
        return
    if records.get("organisations", vendor_org)["kind"] != OrganisationKind.VENDOR:
        raise InvalidInputError(
            "This organisation is no vendor.", cure="Name an organisation of kind vendor."
        )


def _code_name() -> str:
    return f"{secrets.choice(_CODE_WORDS)}-{secrets.randbelow(9000) + 1000}"


def _vendor_fields(vendor_org: str | None) -> Doc:
    # The salt keeps masked readers from testing a guess against the commitment they sign.
    return {"vendor_org": vendor_org, "vendor_salt": passwords.new_secret()}


def _protocol_fields(protocol: Protocol, *, version: int) -> Doc:
    return {
        "title": protocol.title,
        "protocol_version": version,
        "protocol_digest": protocol.digest,
    }


def _protocol_doc(
    study: Doc, protocol: Protocol, source: str, actor: Actor, *, reason: str | None
) -> Doc:
    return {
        "_id": new_id("pro"),
        "org": study["org"],
        "study": study["_id"],
        "version": study["protocol_version"],
        "digest": protocol.digest,
        "protocol": dict(protocol.document),
        "canonical": canonical_bytes(protocol.document),
        "source": source,
        "author": actor.person,
        "reason": reason,
    }


def _event(
    kind: str, actor: Actor, study: Mapping[str, Any], public: Doc, private: Doc | None = None
) -> Event:
    return Event(
        kind=kind,
        chain=study["_id"],
        actor=actor.person,
        public=public,
        private=private or {},
    )
