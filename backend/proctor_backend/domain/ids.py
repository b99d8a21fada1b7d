"""Public identifiers and times: random, so that nobody learns a count or a moment from them."""

import base64
import datetime as dt
import secrets

PREFIXES = frozenset(
    {
        *("org", "per", "bnd", "ses", "tok"),
        *("stu", "pro", "dev", "coh", "cas", "pat"),
        *("mdl", "ent", "eva", "att", "shd", "lse"),
        *("rep", "evt", "viw", "exp", "cel", "wdr", "qry", "cmp"),
    }
)


def new_id(prefix: str) -> str:
    """Return `prefix_` and 128 random bits in lower-case base32 (never a counter or a time)."""
    if prefix not in PREFIXES:
        raise ValueError(f"unknown id prefix {prefix!r}; add it to PREFIXES")
    bits = base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()
    return f"{prefix}_{bits}"


def format_utc(moment: dt.datetime) -> str:
    """Write a moment as the record keeps it: UTC, milliseconds, a trailing Z."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_utc(text: str) -> dt.datetime:
    """Read a moment written by `format_utc`."""
    return dt.datetime.fromisoformat(text)


def utc_at(seconds: float) -> str:
    """Return a moment given in seconds since the epoch as the record keeps it."""
    return format_utc(dt.datetime.fromtimestamp(seconds, dt.UTC))


def utc_now() -> str:
    """Return the present moment as the record keeps it."""
    return format_utc(dt.datetime.now(dt.UTC))


def utc_in(seconds: float) -> str:
    """Return the moment `seconds` from now as the record keeps it."""
    return format_utc(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds))
