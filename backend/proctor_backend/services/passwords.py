"""Proof of a password: the same answer and the same time for a wrong one and an unknown person."""

import datetime as dt
import hashlib
import hmac
import secrets
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import (
    InvalidInputError,
    NotFoundError,
    NotSignedInError,
    TooManyRequestsError,
)
from proctor_backend.domain.ids import format_utc, parse_utc
from proctor_backend.records import SCHEMA, Doc, Records

SHORTEST = 10
LONGEST = 256
# Failures that cost nothing; each one after that doubles the wait.
FREE_FAILURES = 5
FIRST_WAIT_S = 2
LONGEST_WAIT_S = 900
_NEVER = "0000-00-00T00:00:00.000Z"
_hasher = PasswordHasher()


class WrongPasswordError(NotSignedInError):
    """E-mail and password do not belong together; which of them is wrong is not said."""

    code = "wrong_password"


def hash_password(password: str) -> str:
    """Return the argon2id hash of an acceptable password.

    Raises:
        InvalidInputError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInputError(
            f"A password has {SHORTEST} to {LONGEST} characters.", cure="Choose another one."
        )
    return _hasher.hash(password)


def prove(records: Records, email: str, password: str, *, now: str) -> Doc:
    """Return the person whose password this is.

    Raises:
        TooManyRequestsError: too many failures; the next attempt counts after the wait.
        WrongPasswordError: anything else that stands against it.
    """
    name = email.strip().lower()
    key = hashlib.sha256(name.encode()).hexdigest()
    _charge(records, key, now)
    found = records.find("persons", {"email": name}, limit=1)
    decoy = _decoy()
    stored = found[0]["password"] if found else decoy
    right = _matches(stored, password)
    if not right or not found or found[0].get("disabled_at"):
        raise WrongPasswordError(
            "E-mail and password do not fit.",
            cure="Try again, or ask the study office for a new password.",
        )
    records.db["attempts"].delete_one({"_id": key})
    if _hasher.check_needs_rehash(stored):
        records.touch("persons", found[0]["_id"], {"password": _hasher.hash(password)}, expect={})
    return found[0]


def prove_person(records: Records, person_id: str, password: str, *, now: str) -> Doc:
    """Return the person with this id, whose password this is."""
    try:
        email: str = records.get("persons", person_id)["email"]
    except NotFoundError:
        email = ""
    return prove(records, email, password, now=now)


def new_secret() -> str:
    """Return a secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def secret_sha256(secret: str) -> str:
    """Return what is stored of a secret; its own entropy makes a slow hash needless."""
    return hashlib.sha256(secret.encode()).hexdigest()


def find_by_secret(records: Records, collection: str, secret: str) -> Doc | None:
    """Return the record whose secret this is, compared in constant time."""
    wanted = secret_sha256(secret)
    for doc in records.find(collection, {"secret_sha256": wanted}, limit=1):
        if hmac.compare_digest(doc["secret_sha256"], wanted):
            return doc
    return None


def _charge(records: Records, key: str, now: str) -> None:
    """Count the attempt before it is checked, so that parallel guesses gain nothing."""
    attempts = records.db["attempts"]
    try:
        counted: dict[str, Any] = attempts.find_one_and_update(
            {"_id": key, "until": {"$lte": now}},
            {"$inc": {"count": 1}, "$set": {"last_at": now}},
            upsert=False,
            return_document=ReturnDocument.AFTER,
        ) or _first_attempt(records, key, now)
    except DuplicateKeyError as error:
        raise TooManyRequestsError(
            "Too many wrong passwords; this account waits.",
            cure=f"Wait, at most {LONGEST_WAIT_S // 60} minutes, and try again.",
        ) from error
    beyond: int = counted["count"] - FREE_FAILURES
    if beyond >= 0:
        wait = min(FIRST_WAIT_S * 2**beyond, LONGEST_WAIT_S) if beyond < 16 else LONGEST_WAIT_S
        until = format_utc(parse_utc(now) + dt.timedelta(seconds=wait))
        attempts.update_one({"_id": key}, {"$set": {"until": until}})
    if beyond == 0:
        # Also said of an unknown person, so that the time taken tells nothing.
        locked = Event(kind="sign_in.locked", chain="platform", actor="platform")
        records.commit(event=locked)


def _first_attempt(records: Records, key: str, now: str) -> dict[str, Any]:
    first: Doc = {"_id": key, "count": 1, "until": _NEVER, "last_at": now}
    first |= {"schema": SCHEMA, "created_at": now, "org": None}
    records.db["attempts"].insert_one(first)
    return first


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _decoy() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))
