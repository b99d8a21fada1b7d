"""How records look on a page: times, digests, states, roles; results are written by reporting."""

from proctor_backend.domain.ids import parse_utc
from proctor_backend.reporting import words
from proctor_backend.reporting.numbers import NOTHING

STATE_TONES = {
    "RELEASED": "good", "released": "good", "READY": "good", "LOCKED": "good",
    "FAILED": "bad", "failed": "bad", "REJECTED": "bad", "WITHDRAWN": "bad",
    "ERASED": "good", "REFUSED": "bad", "ANSWERED": "good",
    "HELD": "warn", "DRAFT": "warn", "DRAFTING": "", "OPEN": "", "CLOSED": "",
    "CANCELLED": "", "cancelled": "",
}  # fmt: skip
STATE_WORDS = {
    "DRAFTING": "being drafted",
    "DRAFT": "draft",
    "REVIEWED": "results signed",
    "UNMASKED": "unmasked",
    "CLEARED": "being rendered",
    "RENDERED": "being signed",
    "RELEASED": "released",
    "IN_REVIEW": "in review",
    "SCREENED": "checking",
    "CONFORMANT": "in evaluation",
    "EVALUATED": "in evaluation",
    "MEASURED": "drafting",
    "DECIDED": "decided",
    "HELD": "held back",
    "ASKED": "being taken out",
    "REMOVED": "files being erased",
    "FILES_ERASED": "evidence being erased",
}
# A digest in full is for machines; this much is enough to compare by eye.
DIGEST_SHOWN = 12


def moment(text: str | None) -> str:
    """Return a recorded time to the minute."""
    return f"{parse_utc(text):%Y-%m-%d %H:%M}" if text else NOTHING


def digest(text: str | None) -> str:
    """Return a digest's beginning."""
    if not text:
        return NOTHING
    kind, _, value = text.rpartition(":")
    short = f"{value[:DIGEST_SHOWN]}…" if len(value) > DIGEST_SHOWN else value
    return f"{kind}:{short}" if kind else short


def role(name: str) -> str:
    """Return a role's title."""
    return words.ROLES.get(str(name), words.plain_words(str(name)))


def tone(state: str | None) -> str:
    """Return the tone that a state is shown in."""
    return STATE_TONES.get(str(state), "info")


def state(name: str | None) -> str:
    """Return a state in the reader's words."""
    return STATE_WORDS.get(str(name), str(name or NOTHING).lower())
