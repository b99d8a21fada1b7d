"""Organisations, persons and the roles they hold; and who stands behind a secret."""

import datetime as dt
import hmac
import re
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import (
    InvalidInputError,
    NotSignedInError,
    StateConflictError,
)
from proctor_backend.domain.ids import format_utc, new_id, parse_utc, utc_now
from proctor_backend.domain.people import (
    ROLES_BY_KIND,
    Actor,
    Binding,
    OrganisationKind,
    Role,
    conflicting,
)
from proctor_backend.records import Delete, Doc, Insert, Records, Update
from proctor_backend.services import passwords

PLATFORM = "platform"
OFFICE = "office"  # who chose a password: the study office, or the person
# A session left alone ends; one in use ends at the close of a long day.
IDLE_S = 30 * 60
ABSOLUTE_S = 12 * 3600
# Last use is kept to this resolution, so that reading costs no write.
TOUCH_AFTER_S = 60
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


def first_admin(records: Records, *, email: str, password: str, name: str) -> str:
    """Create the platform's organisation and its first person; return the person's id.

    Raises:
        StateConflictError: there is a person already.
    """
    if records.find("persons", {}, limit=1):
        raise StateConflictError(
            "The platform has persons already.", cure="Let the study office add others."
        )
    org: Doc = {"_id": new_id("org"), "kind": OrganisationKind.PLATFORM.value, "name": "Platform"}
    person = _person(org["_id"], email, name, password)
    roles = (Role.STUDY_OFFICE, Role.OPERATOR)
    bindings = [_binding(person, role, None, by=person["_id"]) for role in roles]
    records.commit(
        Insert("organisations", org | {"org": org["_id"]}),
        Insert("persons", person),
        *[Insert("bindings", binding) for binding in bindings],
        event=Event(kind="platform.founded", chain=PLATFORM, actor=person["_id"]),
    )
    return str(person["_id"])


def create_organisation(records: Records, actor: Actor, *, name: str, kind: str) -> str:
    """Add an organisation and return its id."""
    actor.require(Role.STUDY_OFFICE)
    org: Doc = {"_id": new_id("org"), "kind": OrganisationKind(kind).value, "name": name.strip()}
    records.commit(
        Insert("organisations", org | {"org": org["_id"]}),
        event=_event("organisation.created", actor, {"organisation": org["_id"]}, {"name": name}),
    )
    return str(org["_id"])


def create_person(
    records: Records, actor: Actor, *, org: str, email: str, name: str, password: str
) -> str:
    """Add a person to an organisation and return the id.

    The study office knows this password, so that nothing can be signed with it: a person chooses
    an own one first.
    """
    actor.require(Role.STUDY_OFFICE)
    records.get("organisations", org)
    person = _person(org, email, name, password) | {"password_by": OFFICE}
    records.commit(
        Insert("persons", person),
        event=_event("person.created", actor, {"person": person["_id"]}, {"name": name}),
    )
    return str(person["_id"])


def bind(
    records: Records, actor: Actor, *, person: str, role: str, study: str | None = None
) -> str:
    """Give a person a role and return the binding's id.

    Raises:
        InvalidInputError: the organisation cannot have this role.
        StateConflictError: it does not go with a role the person holds already.
    """
    actor.require(Role.STUDY_OFFICE)
    holder = records.get("persons", person)
    wanted = Role(role)
    kind = OrganisationKind(records.get("organisations", holder["org"])["kind"])
    if wanted not in ROLES_BY_KIND[kind]:
        raise InvalidInputError(
            f"A person of a {kind.value} cannot be {wanted.value.replace('_', ' ')}.",
            cure="Choose a person of another organisation.",
        )
    if study is not None:
        records.get("studies", study)
    _check_conflicts(records, person, wanted, study)
    binding = _binding(holder, wanted, study, by=actor.person)
    records.commit(
        Insert("bindings", binding),
        event=_event(
            "role.given", actor, {"person": person, "role": wanted.value, "study": study}, {}
        ),
    )
    return str(binding["_id"])


def unbind(records: Records, actor: Actor, binding: str) -> None:
    """Take a role away; it ends with the person's next request."""
    actor.require(Role.STUDY_OFFICE)
    doc = records.get("bindings", binding)
    records.commit(
        Delete("bindings", binding),
        event=_event("role.taken", actor, {"person": doc["person"], "role": doc["role"]}, {}),
    )


def list_organisations(records: Records, actor: Actor) -> list[Doc]:
    """Return every organisation, for the study office."""
    actor.require(Role.STUDY_OFFICE)
    fields = ("kind", "name", "created_at")
    return [
        {"id": org["_id"]} | {name: org[name] for name in fields}
        for org in records.find("organisations", {})
    ]


def list_persons(records: Records, actor: Actor) -> list[Doc]:
    """Return every person with the roles held, for the study office."""
    actor.require(Role.STUDY_OFFICE)
    held: dict[str, list[Doc]] = {}
    for one in records.find("bindings", {}):
        shown = {"id": one["_id"], "role": one["role"], "study": one["study"]}
        held.setdefault(one["person"], []).append(shown)
    return [
        {
            "id": person["_id"],
            "org": person["org"],
            "name": person["name"],
            "email": person["email"],
            "bindings": held.get(person["_id"], []),
        }
        for person in records.find("persons", {})
    ]


def profile(records: Records, actor: Actor) -> Doc:
    """Return what a person may know of the own account."""
    person = records.get("persons", actor.person)
    org = records.get("organisations", actor.org)
    roles = sorted(actor.bindings, key=lambda one: (one.role, one.study or ""))
    return {
        "id": person["_id"],
        "name": person["name"],
        "email": person["email"],
        "org": {"id": org["_id"], "name": org["name"], "kind": org["kind"]},
        "bindings": [{"role": one.role.value, "study": one.study} for one in roles],
        "scopes": sorted(actor.scopes),
    }


def login(records: Records, email: str, password: str, now: str | None = None) -> str:
    """Open a session and return its secret, which is not kept.

    Raises:
        NotSignedInError: e-mail and password do not fit.
        TooManyRequestsError: too many attempts failed before.
    """
    now = now or utc_now()
    person = passwords.prove(records, email, password, now=now)
    secret = passwords.new_secret()
    session = {
        "_id": new_id("ses"),
        "org": person["org"],
        "person": person["_id"],
        "secret_sha256": passwords.secret_sha256(secret),
        "used_at": now,
        "expires_at": _after(now, ABSOLUTE_S),
    }
    records.commit(
        Insert("sessions", session),
        event=Event(kind="session.opened", chain=PLATFORM, actor=person["_id"]),
    )
    return secret


def logout(records: Records, secret: str) -> None:
    """End a session; one that is over already is no error."""
    session = passwords.find_by_secret(records, "sessions", secret)
    if session is not None:
        records.commit(
            Delete("sessions", session["_id"]),
            event=Event(kind="session.closed", chain=PLATFORM, actor=session["person"]),
        )


def csrf_token(secret: str) -> str:
    """Return the token that a session's own forms carry: bound to it, useless without it."""
    return hmac.new(secret.encode(), b"proctor csrf", "sha256").hexdigest()


def check_csrf(secret: str, token: str) -> None:
    """Pass if the form came from this session's own pages.

    Raises:
        NotSignedInError: it did not.
    """
    if not hmac.compare_digest(csrf_token(secret).encode(), token.encode("utf-8", "replace")):
        raise NotSignedInError(
            "This form did not come from your session.", cure="Load the page again."
        )


def reauthenticate(records: Records, person_id: str, password: str) -> None:
    """Pass if this is the person's own password, asked again before something is signed.

    Raises:
        NotSignedInError: it is not the password.
        StateConflictError: the study office gave it, and so could sign with it.
        TooManyRequestsError: too many attempts failed before.
    """
    person = passwords.prove_person(records, person_id, password, now=utc_now())
    if person.get("password_by") == OFFICE:
        raise StateConflictError(
            "The study office knows this password, so it cannot sign.",
            cure="Choose your own first: /password in the dashboard, or `proctor password`.",
        )


def change_password(records: Records, actor: Actor, *, old: str, new: str) -> None:
    """Replace the own password and end all sessions and tokens of the person."""
    passwords.prove_person(records, actor.person, old, now=utc_now())
    if old == new:
        raise InvalidInputError("That is the old password.", cure="Choose another one.")
    hashed = passwords.hash_password(new)
    sessions = records.find("sessions", {"person": actor.person})
    tokens = records.find("tokens", {"person": actor.person, "revoked_at": None})
    records.commit(
        Update("persons", actor.person, {"password": hashed, "password_by": actor.person}),
        *[Delete("sessions", session["_id"]) for session in sessions],
        *[Update("tokens", token["_id"], {"revoked_at": utc_now()}) for token in tokens],
        event=Event(kind="password.changed", chain=PLATFORM, actor=actor.person),
    )


def actor_from_session(records: Records, secret: str, now: str | None = None) -> Actor:
    """Return who is behind a session.

    Raises:
        NotSignedInError: there is no such session, or it is over.
    """
    now = now or utc_now()
    session = passwords.find_by_secret(records, "sessions", secret)
    if session is None or now >= session["expires_at"] or now >= _after(session["used_at"], IDLE_S):
        raise NotSignedInError("Your session is over.", cure="Sign in again.")
    _note_use(records, "sessions", session, now)
    return _actor(records, session["person"], via="session")


def actor_from_token(records: Records, secret: str, now: str | None = None) -> Actor:
    """Return who is behind a token, narrowed to the token's scopes.

    Raises:
        NotSignedInError: it is unknown, revoked or expired; which of these is not said.
    """
    now = now or utc_now()
    token = passwords.find_by_secret(records, "tokens", secret)
    if token is None or token.get("revoked_at") or now >= token["expires_at"]:
        raise NotSignedInError(
            "This token is not valid, or no longer.", cure="Make a new one: `proctor login`."
        )
    _note_use(records, "tokens", token, now)
    return _actor(records, token["person"], via="token", scopes=token["scopes"])


def _actor(records: Records, person_id: str, *, via: str, scopes: Any = None) -> Actor:
    person = records.get("persons", person_id)
    if person.get("disabled_at"):
        raise NotSignedInError("This account is closed.", cure="Ask the study office.")
    bindings = frozenset(
        Binding(Role(one["role"]), one["study"])
        for one in records.find("bindings", {"person": person_id})
    )
    more = {} if scopes is None else {"scopes": frozenset(scopes)}
    return Actor(person=person_id, org=person["org"], bindings=bindings, via=via, **more)


def _note_use(records: Records, collection: str, doc: Doc, now: str) -> None:
    last = doc.get("used_at")
    if last is None or now >= _after(last, TOUCH_AFTER_S):
        records.touch(collection, doc["_id"], {"used_at": now}, expect={})


def _check_conflicts(records: Records, person: str, wanted: Role, study: str | None) -> None:
    overlapping = frozenset(
        Role(one["role"])
        for one in records.find("bindings", {"person": person})
        if study is None or one["study"] in {None, study}
    )
    clash = conflicting(overlapping, wanted)
    if clash is not None:
        raise StateConflictError(
            f"One person cannot be {wanted.value.replace('_', ' ')} and "
            f"{clash.value.replace('_', ' ')}.",
            cure="Give the role to another person.",
        )


def _person(org: str, email: str, name: str, password: str) -> Doc:
    address = email.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise InvalidInputError("This is not an e-mail address.", cure="Write name@host.")
    return {
        "_id": new_id("per"),
        "org": org,
        "email": address,
        "name": name.strip(),
        "password": passwords.hash_password(password),
        "disabled_at": None,
    }


def _binding(person: Doc, role: Role, study: str | None, *, by: str) -> Doc:
    return {
        "_id": new_id("bnd"),
        "org": person["org"],
        "person": person["_id"],
        "role": role.value,
        "study": study,
        "given_by": by,
    }


def _event(kind: str, actor: Actor, public: Doc, private: Doc) -> Event:
    return Event(kind=kind, chain=PLATFORM, actor=actor.person, public=public, private=private)


def _after(moment: str, seconds: float) -> str:
    return format_utc(parse_utc(moment) + dt.timedelta(seconds=seconds))
