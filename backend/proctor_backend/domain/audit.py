"""The audit trail: one hash chain per entry, study and the platform.

An event's public fields are hashed into the chain as they stand. Its private body is hashed only
through a commitment under a key of its own, so that a body can be shown to one reader, or erased,
without touching the chain.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proctor_backend.domain.errors import TamperedError
from proctor_sdk.canonical import CanonicalError, canonical_bytes

GENESIS = "0" * 64
HASHED_FIELDS = ("chain", "seq", "prev", "kind", "at", "actor", "public", "commitment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, as its author states it."""

    kind: str
    chain: str
    actor: str
    public: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of a chain; `seq` counts from 1, 0 is the empty chain."""

    chain: str
    seq: int
    digest: str

    @classmethod
    def empty(cls, chain: str) -> "Head":
        """Return the head of a chain that holds nothing yet."""
        return cls(chain, 0, GENESIS)


def commitment(key: bytes, private: Mapping[str, Any]) -> str:
    """Commit to a private body: HMAC-SHA256 under the event's own random key."""
    return hmac.new(key, canonical_bytes(dict(private)), hashlib.sha256).hexdigest()


def link(event: Event, head: Head, at: str) -> dict[str, Any]:
    """Return the record of `event` as the next link after `head`."""
    key = secrets.token_bytes(32)
    record: dict[str, Any] = {
        "chain": event.chain,
        "seq": head.seq + 1,
        "prev": head.digest,
        "kind": event.kind,
        "at": at,
        "actor": event.actor,
        "public": dict(event.public),
        "commitment": commitment(key, event.private),
    }
    return record | {
        "digest": event_digest(record),
        "private": dict(event.private),
        "private_key": key.hex(),
    }


def event_digest(record: Mapping[str, Any]) -> str:
    """Return the digest of an event's hashed fields: the next event's `prev`."""
    return hashlib.sha256(
        canonical_bytes({name: record[name] for name in HASHED_FIELDS})
    ).hexdigest()


def public_view(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may leave: enough to check the chain, without the private body or its key."""
    return {name: record[name] for name in (*HASHED_FIELDS, "digest")}


def verify_chain(records: Iterable[Mapping[str, Any]], *, expected: Head | None = None) -> Head:
    """Check a whole chain, first event first, and return its head.

    Raises:
        TamperedError: names the first event that does not fit; also when the chain ends before
            `expected`, the head that a checkpoint or a signed report carries.
    """
    head: Head | None = None
    for record in records:
        head = _verified(record, head or Head.empty(record["chain"]))
        if expected is not None and head.seq == expected.seq and head.digest != expected.digest:
            raise TamperedError(
                f"chain {head.chain}, event {head.seq}: differs from the signed checkpoint"
            )
    if head is None:
        head = Head.empty(expected.chain if expected else "")
    if expected is not None and head.seq < expected.seq:
        raise TamperedError(
            f"chain {expected.chain}: ends at event {head.seq}, the checkpoint says {expected.seq}",
            cure="Events were removed from the end; restore the trail from a backup.",
        )
    return head


def _verified(record: Mapping[str, Any], head: Head) -> Head:
    where = f"chain {record['chain']}, event {record['seq']}"
    if record["chain"] != head.chain or record["seq"] != head.seq + 1:
        raise TamperedError(f"{where}: expected event {head.seq + 1} of chain {head.chain}")
    if record["prev"] != head.digest:
        raise TamperedError(f"{where}: does not follow the event before it")
    if _digest_or_none(record) != record["digest"]:
        raise TamperedError(f"{where}: its content was changed")
    if not _keeps_commitment(record):
        raise TamperedError(f"{where}: its private body was changed")
    return Head(head.chain, int(record["seq"]), str(record["digest"]))


def _digest_or_none(record: Mapping[str, Any]) -> str | None:
    """Return the digest, None where a field is gone or holds what was never hashed."""
    try:
        return event_digest(record)
    except (KeyError, CanonicalError):
        return None


def _keeps_commitment(record: Mapping[str, Any]) -> bool:
    """Say whether the private body is the committed one, or was erased together with its key."""
    key, private = record.get("private_key"), record.get("private")
    if key is None or private is None:
        return key is None and private is None
    try:
        found = commitment(bytes.fromhex(key), private)
    except (
        TypeError,
        ValueError,
        CanonicalError,
    ):  # no key, or nothing that could have been hashed
        return False
    return hmac.compare_digest(found, record["commitment"])
