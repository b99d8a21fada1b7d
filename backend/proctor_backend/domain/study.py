"""What a study's lock covers, who must sign it, and what may still change at which moment."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from proctor_backend.domain.errors import InvalidInputError, StateConflictError
from proctor_backend.domain.people import Role
from proctor_backend.domain.states import StudyState
from proctor_sdk.canonical import canonical_bytes, digest

# Nobody stages a case before these three have signed the same bytes.
SIGNING_ROLES = (Role.STATISTICIAN, Role.VENDOR_REGULATORY, Role.DATA_PARTNER)


class Severity(StrEnum):
    """How much a deviation bears on the results."""

    MINOR = "minor"
    MAJOR = "major"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Everything that three parties agree on before the exam; its digest is what they sign.

    The vendor stands in it as a salted commitment, because the statistician signs it masked.
    """

    study: str
    protocol_digest: str
    cohort_root: str
    reference_sha256: str  # the stored reference standard, which the root covers case by case
    conformance_root: str
    vendor_commitment: str
    plugin_digest: str | None

    @property
    def digest(self) -> str:
        """Digest of the canonical lock."""
        return digest(canonical_bytes(asdict(self)))

    def as_dict(self) -> dict[str, Any]:
        """Return the form that signers read."""
        return asdict(self)


def vendor_commitment(salt: str, vendor_org: str) -> str:
    """Bind the lock to a vendor without naming it before those who must not know."""
    return digest(canonical_bytes({"salt": salt, "vendor_org": vendor_org}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One party's agreement to one lock digest."""

    role: Role
    person: str
    person_name: str
    org: str
    meaning: str
    at: str
    lock_digest: str

    def as_dict(self) -> dict[str, Any]:
        """Return the record's form."""
        return {**asdict(self), "role": self.role.value}


def missing_roles(signatures: Iterable[Mapping[str, Any]], lock_digest: str) -> tuple[Role, ...]:
    """Return the roles that have not signed this very digest."""
    signed = {one["role"] for one in signatures if one["lock_digest"] == lock_digest}
    return tuple(role for role in SIGNING_ROLES if role.value not in signed)


def check_signature(
    signatures: Iterable[Mapping[str, Any]], *, role: str, person: str, claimed: str, lock: Lock
) -> Role:
    """Return the role in which this person may sign the present lock.

    Raises:
        InvalidInputError: the role is none of the three.
        StateConflictError: the text has changed since it was read, or it is signed already.
    """
    if role not in {one.value for one in SIGNING_ROLES}:
        raise InvalidInputError(
            f"A study is not signed in the role '{role}'.",
            cure="Sign as " + ", ".join(one.value for one in SIGNING_ROLES) + ".",
        )
    if claimed != lock.digest:
        raise StateConflictError(
            "The study has changed since you read it; the digest you signed is an older one.",
            cure="Read the study again and sign the digest it shows now.",
        )
    present = [one for one in signatures if one["lock_digest"] == lock.digest]
    if any(one["role"] == role for one in present):
        raise StateConflictError(
            f"The {role.replace('_', ' ')} has signed this text already.", cure="Nothing to do."
        )
    if any(one["person"] == person for one in present):
        raise StateConflictError(
            "One person cannot sign for two parties.", cure="Let the other party's person sign."
        )
    return Role(role)


def require_draft(state: str) -> None:
    """Pass while the text may be edited.

    Raises:
        StateConflictError: it is locked or closed.
    """
    if state != StudyState.DRAFT:
        raise StateConflictError(
            "The protocol is locked and cannot be edited.",
            cure="Before the first case is staged, amend it; after that, record a deviation.",
        )


def require_amendable(state: str, *, staged: bool) -> None:
    """Pass while an amendment is allowed: locked, and no hidden case staged yet.

    Raises:
        StateConflictError: it is a draft, closed, or the exam has begun.
    """
    if state == StudyState.DRAFT:
        raise StateConflictError(
            "A draft needs no amendment.", cure="Edit the protocol of the draft."
        )
    if state == StudyState.CLOSED:
        raise StateConflictError("The study is closed.", cure="Open a new study.")
    if staged:
        raise StateConflictError(
            "Hidden cases have been staged under this protocol, so it can no longer change.",
            cure="Record what was done otherwise as a deviation, minor or major.",
        )


def require_deviable(state: str, *, staged: bool) -> None:
    """Pass once the exam has begun, when only deviations can be recorded.

    Raises:
        StateConflictError: the protocol can still be changed properly.
    """
    if state == StudyState.DRAFT or not staged:
        raise StateConflictError(
            "No hidden case has been staged yet, so there is nothing to deviate from.",
            cure="Edit the draft, or amend the locked protocol.",
        )
