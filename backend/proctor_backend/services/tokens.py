"""API tokens: made with a password, shown once, kept as a hash, scoped, expiring, revocable."""

import datetime as dt

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import InvalidInputError, NotFoundError
from proctor_backend.domain.ids import format_utc, new_id, parse_utc, utc_now
from proctor_backend.domain.people import ALL_SCOPES, Actor, Scope
from proctor_backend.records import Doc, Insert, Records, Update
from proctor_backend.services import passwords
from proctor_backend.services.people import PLATFORM

LONGEST_DAYS = 365
# The prefix lets a secret scanner recognise a token that was committed by mistake.
PREFIX = "proctor_"


def make_token(
    records: Records,
    *,
    email: str,
    password: str,
    name: str,
    scopes: list[str] | None = None,
    days: int = 90,
    now: str | None = None,
) -> Doc:
    """Return {id, token, scopes, expires_at}; the token itself is never shown again.

    Raises:
        NotSignedInError: e-mail and password do not fit.
        InvalidInputError: an unknown scope, or a life of none or more than a year.
    """
    now = now or utc_now()
    person = passwords.prove(records, email, password, now=now)
    wanted = sorted({Scope(scope).value for scope in scopes or ALL_SCOPES})
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInputError(
            f"A token lives 1 to {LONGEST_DAYS} days.", cure="Choose a number in between."
        )
    secret = PREFIX + passwords.new_secret()
    token: Doc = {
        "_id": new_id("tok"),
        "org": person["org"],
        "person": person["_id"],
        "name": name,
        "scopes": wanted,
        "secret_sha256": passwords.secret_sha256(secret),
        "expires_at": format_utc(parse_utc(now) + dt.timedelta(days=days)),
        "revoked_at": None,
        "used_at": None,
    }
    records.commit(
        Insert("tokens", token),
        event=Event(
            kind="token.made",
            chain=PLATFORM,
            actor=person["_id"],
            public={"token": token["_id"], "scopes": wanted},
        ),
    )
    return {
        "id": token["_id"],
        "token": secret,
        "scopes": wanted,
        "expires_at": token["expires_at"],
    }


def list_tokens(records: Records, actor: Actor) -> list[Doc]:
    """Return the own tokens, without their secrets."""
    fields = ("name", "scopes", "created_at", "expires_at", "revoked_at", "used_at")
    return [
        {"id": token["_id"]} | {name: token.get(name) for name in fields}
        for token in records.find("tokens", {"person": actor.person})
    ]


def revoke_token(records: Records, actor: Actor, token: str) -> None:
    """End one of the own tokens at once.

    Raises:
        NotFoundError: it is not one's own.
    """
    if records.get("tokens", token)["person"] != actor.person:
        raise NotFoundError(f"There is no token {token!r}.")
    records.commit(
        Update("tokens", token, {"revoked_at": utc_now()}),
        event=Event(
            kind="token.revoked", chain=PLATFORM, actor=actor.person, public={"token": token}
        ),
    )
