"""From signed results to a released report: annex, unmasking, clearing, release, hand-out."""

import json
from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StateConflictError,
)
from proctor_backend.domain.ids import utc_now
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.people import Actor, Role
from proctor_backend.domain.review import (
    CLEAR_MEANING,
    EDITIONS,
    RELEASE_MEANING,
    UNMASK_MEANING,
)
from proctor_backend.domain.states import ReportState
from proctor_backend.records import Doc, Move, Records, Update
from proctor_backend.reporting.annex import check_texts
from proctor_backend.reporting.seal import FILE_NAMES, build_package
from proctor_backend.services.people import reauthenticate
from proctor_backend.services.review import approval_of, may_have
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_sdk.dsse import Envelope

BEFORE_UNMASKING = ("DRAFTING", "DRAFT", "REVIEWED")


def put_annex(records: Records, actor: Actor, report_id: str, texts: Mapping[str, str]) -> None:
    """Keep the vendor's own text, sealed from reviewers until the results are signed."""
    report = records.get("reports", report_id)
    if report["org"] != actor.org:
        raise NotFoundError(f"There is no report {report_id!r}.")
    actor.require(Role.VENDOR_REGULATORY, report["study"])
    if report["state"] not in BEFORE_UNMASKING:
        raise StateConflictError("The annex was joined already.", cure="Ask the study office.")
    content = check_texts(texts)
    records.commit(
        Update("reports", report_id, {"annex": content}, {"state": report["state"]}),
        event=Event(
            kind="report.annex_given",
            chain=report["entry"],
            actor=actor.person,
            public={"report": report_id, "annex_digest": digest(canonical_bytes(content))},
        ),
    )


def unmask(records: Records, actor: Actor, report_id: str, *, password: str) -> None:
    """Join the vendor's name and text to the signed results: REVIEWED → UNMASKED."""
    report = _for(records, actor, report_id, Role.RELEASER)
    reauthenticate(records, actor.person, password)
    person = records.get("persons", actor.person)
    approval = approval_of(report, person, Role.RELEASER, UNMASK_MEANING)
    records.commit(
        Move(
            "reports",
            report_id,
            ReportState.UNMASKED,
            {"approvals": [*report.get("approvals", []), approval]},
            {"rev": report["rev"]},
        ),
        event=_event("report.unmasked", report, actor),
    )


def clear_edition(
    records: Records, actor: Actor, report_id: str, edition: str, *, password: str
) -> None:
    """The data partner lets one edition leave."""
    report = _for(records, actor, report_id, Role.DATA_PARTNER)
    if edition not in EDITIONS:
        raise InvalidInputError(
            f"There is no edition {edition!r}.", cure=f"Editions: {', '.join(EDITIONS)}."
        )
    if report["state"] != ReportState.UNMASKED:
        raise StateConflictError(
            f"The report is {report['state']}; editions are cleared when it is UNMASKED.",
            cure="Wait for the reviewer's signature and for unmasking.",
        )
    reauthenticate(records, actor.person, password)
    person = records.get("persons", actor.person)
    approval = approval_of(report, person, Role.DATA_PARTNER, f"{CLEAR_MEANING} ({edition})")
    records.commit(
        Update(
            "reports",
            report_id,
            {
                f"cleared.{edition}": utc_now(),
                "approvals": [*report.get("approvals", []), approval],
            },
            {"rev": report["rev"]},
        ),
        event=_event("report.edition_cleared", report, actor, {"edition": edition}),
    )


def release(records: Records, actor: Actor, report_id: str, *, password: str) -> None:
    """Release a cleared report: it is rendered, signed, and handed out."""
    report = _for(records, actor, report_id, Role.RELEASER)
    waiting = [e for e in EDITIONS if e not in report.get("cleared", {})]
    if waiting:
        raise StateConflictError(
            f"Not cleared yet: {', '.join(waiting)}.",
            cure="The data partner clears each edition before it leaves.",
        )
    reauthenticate(records, actor.person, password)
    person = records.get("persons", actor.person)
    approval = approval_of(report, person, Role.RELEASER, RELEASE_MEANING)
    records.commit(
        Move(
            "reports",
            report_id,
            ReportState.CLEARED,
            {"approvals": [*report.get("approvals", []), approval]},
            {"rev": report["rev"]},
        ),
        event=_event("report.released_for_signing", report, actor),
        messages=[Message(Task.RENDER, report_id)],
    )


def package(records: Records, actor: Actor, report_id: str, edition: str) -> bytes:
    """Return an edition's signed package (zip) and note who took it.

    Raises:
        NotFoundError: it is not for this actor, or not released yet.
    """
    found = records.find("reports", {"_id": report_id}, limit=1)
    # One sentence, whether it is missing or not for this actor.
    if not found or edition not in EDITIONS or not may_have(records, actor, found[0], edition):
        raise NotFoundError(f"There is no edition {edition!r} of report {report_id!r}.")
    report = found[0]
    if report["state"] != ReportState.RELEASED:
        raise StateConflictError("The report is not released yet.", cure="Wait for its release.")
    content = _package(records, report, edition)
    records.commit(
        event=_event("report.edition_taken", report, actor, {"edition": edition}),
    )
    return content


def preview(records: Records, actor: Actor, report_id: str, edition: str) -> Doc:
    """Return the results that an edition would show, for the partner who is to clear it."""
    report = _for(records, actor, report_id, Role.DATA_PARTNER)
    if edition not in EDITIONS or not report.get("body_digest"):
        raise NotFoundError(f"There is no edition {edition!r} of report {report_id!r}.")
    content: Doc = json.loads(records.get_file(f"preview:{report['body_digest']}:{edition}"))
    return content


def _package(records: Records, report: Mapping[str, Any], edition: str) -> bytes:
    prefix = f"edition:{report['_id']}:{edition}:"
    files = {n.removeprefix(prefix): records.get_file(n) for n in records.files_named(prefix)}
    envelope = Envelope.from_bytes(records.get_file(f"envelope:{report['statement_digest']}"))
    renderings = {kind: files.pop(kind) for kind in FILE_NAMES}
    return build_package(edition, renderings, envelope, files)


def _for(records: Records, actor: Actor, report_id: str, role: Role) -> Doc:
    report = records.get("reports", report_id)
    if not actor.holds(role, report["study"]):
        raise NotFoundError(f"There is no report {report_id!r}.")
    signed = {(one["person"], one["role"]) for one in report.get("approvals", ())}
    if role is Role.RELEASER and (actor.person, Role.REVIEWER) in signed:  # whatever role since
        raise ForbiddenError(
            "Who signed the results does not release them.", cure="Let another person release."
        )
    if role is Role.DATA_PARTNER:
        cohort = records.get("cohorts", report["cohort"])
        if cohort["org"] != actor.org:
            raise NotFoundError(f"There is no report {report_id!r}.")
    return report


def _event(
    kind: str, report: Mapping[str, Any], actor: Actor, public: Mapping[str, Any] | None = None
) -> Event:
    return Event(
        kind=kind,
        chain=report["entry"],
        actor=actor.person,
        public={"report": report["_id"], "body_digest": report.get("body_digest")}
        | dict(public or {}),
    )
