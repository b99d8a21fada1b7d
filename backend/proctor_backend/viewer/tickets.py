"""One-time tickets to see one case: issued to a reviewer, spent in the transaction that audits it.

Whether the reviewer may see the case is decided before `issue`; here only that a ticket is spent
once, in time, and never without an event on the audit chain.
"""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import NotFoundError, StateConflictError
from proctor_backend.domain.ids import format_utc, utc_now
from proctor_backend.records import Delete, Insert, Records, Update

LIFETIME_S = 60
_GONE = "This view was opened before, or its time is over."
_AGAIN = "Open the case again from the report; every view is recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a ticket opens, for whom, and the chain on which the view is recorded.

    The case lists are the cohort's, the files those of its lineage (domain/keys.py).
    `block` or `file` may be None: the viewer then looks the case up in the cohort's case lists.
    """

    report: str
    case: str
    cohort: str
    lineage: str
    bucket: str
    person: str
    chain: str
    block: str | None = None
    file: str | None = None


def issue(records: Records, view: View, *, now: dt.datetime | None = None) -> str:
    """Return a new ticket for `view`; only its hash is kept.

    What the same person left unused until its time was over is forgotten on the way.
    """
    ticket = secrets.token_urlsafe(32)
    expires = (now or dt.datetime.now(dt.UTC)) + dt.timedelta(seconds=LIFETIME_S)
    doc = {name: getattr(view, name) for name in View.__slots__}
    stale = {"person": view.person, "used": None, "expires": {"$lt": utc_now()}}
    records.commit(
        Insert("views", doc | {"_id": _hash(ticket), "expires": format_utc(expires), "used": None}),
        *(Delete("views", old["_id"]) for old in records.find("views", stale, limit=100)),
        event=_event("case.view_granted", view),
    )
    return ticket


def consume(records: Records, ticket: str) -> View:
    """Spend a ticket and record the view, both or neither.

    Raises:
        NotFoundError: unknown, spent or expired; the three are told apart to nobody.
    """
    ticket_id, now = _hash(ticket), utc_now()
    try:
        doc = records.get("views", ticket_id)
    except NotFoundError as error:
        raise NotFoundError(_GONE, cure=_AGAIN) from error
    view = View(**{name: doc[name] for name in View.__slots__})
    if str(doc["expires"]) < now:
        raise NotFoundError(_GONE, cure=_AGAIN)
    try:
        records.commit(
            Update("views", ticket_id, set={"used": now}, expect={"used": None}),
            event=_event("case.viewed", view),
        )
    except StateConflictError as error:
        raise NotFoundError(_GONE, cure=_AGAIN) from error
    return view


def _event(kind: str, view: View) -> Event:
    public: dict[str, Any] = {"report": view.report}
    return Event(
        kind=kind, chain=view.chain, actor=view.person, public=public, private={"case": view.case}
    )


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
