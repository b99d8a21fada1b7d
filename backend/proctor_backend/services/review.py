"""A masked reviewer reads a draft, looks at the errors, and signs the body's digest."""

import json
from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import InvalidInputError, NotFoundError, StateConflictError
from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.people import VENDOR_ROLES, Actor, Role
from proctor_backend.domain.review import EDITIONS, RESULTS_MEANING, ErrorCategory
from proctor_backend.domain.states import ReportState
from proctor_backend.records import Doc, Insert, Move, Records, Update
from proctor_backend.services.people import reauthenticate
from proctor_backend.viewer.tickets import View, issue
from proctor_sdk.evidence_files import NOT_RECOMPUTABLE

READERS = (Role.REVIEWER, Role.RELEASER, Role.DATA_PARTNER, Role.STATISTICIAN, Role.STUDY_OFFICE)
BODY_READERS = (Role.REVIEWER, Role.RELEASER, Role.DATA_PARTNER)
# A vendor's regulatory person sees a report once it is signed and released, not before.
RELEASED = frozenset({ReportState.RELEASED})
# A sample of those that are no errors: questions on the reference must not be on errors alone.
CONCORDANT = "as_reference"
OUTCOMES = (
    "false_positive",
    "false_negative",
    "event_at_low_risk",
    "large_error",
    "survival_at_high_risk",
    "least_agreement",
    "wrong_category",
    "missed_lesion",
    "false_mark",
    CONCORDANT,
)
NOTE_LIMIT = 2000


def list_reports(records: Records, actor: Actor) -> list[Doc]:
    """Return the reports this actor may know of, newest first."""
    views = []
    for report in records.find("reports", {}, sort=[("created_at", -1)]):
        try:
            views.append(_view(records, actor, report))
        except NotFoundError:
            continue
    return views


def report_view(records: Records, actor: Actor, report_id: str) -> Doc:
    """Return one report's state as the actor's role sees it."""
    return _view(records, actor, records.get("reports", report_id))


def body(records: Records, actor: Actor, report_id: str) -> Doc:
    """Return the blinded body that reviewers approve, and its digest."""
    report = _readable(records, actor, report_id)
    if not report.get("body_digest"):
        raise StateConflictError("The draft is still being made.", cure="Reload in a moment.")
    body_digest = report["body_digest"]
    content = records.get_file(f"body:{body_digest}", digest=body_digest)
    return {"digest": body_digest, "body": json.loads(content)}


def cases(records: Records, actor: Actor, report_id: str, outcome: str) -> list[Doc]:
    """Return the cases of an outcome, with the category that each error was given so far."""
    if outcome not in OUTCOMES:
        raise InvalidInputError(
            f"There is no outcome {outcome!r}.", cure=f"Ask for {' or '.join(OUTCOMES)}."
        )
    report = reviewable(records, actor, report_id)
    given = {r["case"]: r for r in records.find("reviews", {"report": report_id})}
    return [
        {
            "case": error["case"],
            "outcome": error["outcome"],
            "score": error["score"],
            "reference": error["reference"],
            "category": given.get(error["case"], {}).get("category"),
            "note": given.get(error["case"], {}).get("note", ""),
        }
        for error in _to_be_seen(records, report)
        if error["outcome"] == outcome
    ]


def categorise(
    records: Records, actor: Actor, report_id: str, case: str, *, category: str, note: str = ""
) -> None:
    """Give a wrongly judged case an error category; changes until the results are signed."""
    report = reviewable(records, actor, report_id)
    actor.require(Role.REVIEWER, report["study"])
    if report["state"] != ReportState.DRAFT:
        raise StateConflictError("The results are signed; categories stand.")
    if case not in {error["case"] for error in error_cases(records, report)}:
        raise NotFoundError(f"There is no such error case in report {report_id!r}.")
    try:
        chosen = ErrorCategory(category)
    except ValueError as error:
        names = ", ".join(ErrorCategory)
        raise InvalidInputError(f"There is no category {category!r}.", cure=names) from error
    fields = {"category": str(chosen), "note": note[:NOTE_LIMIT], "person": actor.person}
    known = records.find("reviews", {"report": report_id, "case": case})
    base = {"_id": new_id("evt"), "org": report["org"], "report": report_id, "case": case}
    change = (
        Update("reviews", known[0]["_id"], fields) if known else Insert("reviews", base | fields)
    )
    records.commit(
        change,
        event=Event(
            kind="case.categorised",
            chain=report["entry"],
            actor=actor.person,
            public={"report": report_id},
            private={"case": case, "category": str(chosen), "note": note[:NOTE_LIMIT]},
        ),
    )


def open_view(records: Records, actor: Actor, report_id: str, case: str) -> str:
    """Return a one-time ticket to see a case in the viewer: a wrong one, or one of the sample."""
    report = reviewable(records, actor, report_id)
    actor.require(Role.REVIEWER, report["study"])
    if case not in {one["case"] for one in _to_be_seen(records, report)}:
        raise NotFoundError(f"There is no such case in report {report_id!r}.")
    evaluation = records.get("evaluations", report["evaluation"])
    view = View(
        report=report_id,
        case=case,
        cohort=evaluation["cohort"],
        lineage=evaluation["cohort_lineage"],
        bucket=evaluation["bucket"],
        person=actor.person,
        chain=report["entry"],
    )
    return issue(records, view)


def sign_results(
    records: Records, actor: Actor, report_id: str, *, password: str, meaning: str
) -> None:
    """Sign the body's digest, with the password entered again: DRAFT → REVIEWED."""
    report = _readable(records, actor, report_id)
    actor.require(Role.REVIEWER, report["study"])
    reauthenticate(records, actor.person, password)
    person = records.get("persons", actor.person)
    approval = approval_of(report, person, Role.REVIEWER, meaning or RESULTS_MEANING)
    records.commit(
        Move("reports", report_id, ReportState.REVIEWED, {"approvals": [approval]}),
        event=Event(
            kind="report.reviewed",
            chain=report["entry"],
            actor=actor.person,
            public={"report": report_id, "body_digest": report["body_digest"]},
            private={"meaning": approval["meaning"]},
        ),
    )


def approval_of(
    report: Mapping[str, Any], person: Mapping[str, Any], role: Role, meaning: str
) -> Doc:
    """Return a signature's manifestation: who, when, in what role, meaning what, on what."""
    return {
        "person": person["_id"],
        "person_name": person["name"],
        "role": str(role),
        "meaning": meaning[:500],
        "at": utc_now(),
        "body_digest": report.get("body_digest"),
    }


def _view(records: Records, actor: Actor, report: Mapping[str, Any]) -> Doc:
    study = report["study"]
    mine = actor.org == report["org"] and actor.holds(Role.VENDOR_REGULATORY, study)
    vendor = mine and _is_shown(report)
    if not vendor and not _may_read(records, actor, report, READERS):
        raise NotFoundError(f"There is no report {report['_id']!r}.")
    released = report["state"] in RELEASED
    view: Doc = {
        "id": report["_id"],
        "study": study,
        "entry": report["entry"],
        "code_name": report["code_name"],
        "state": report["state"] if not vendor or released else "IN_REVIEW",
        "created_at": report["created_at"] if not vendor else report.get("shown_at"),
        "annex_given": bool(report.get("annex")),
        "editions": _editions(records, actor, report),
    }
    if vendor and not released:
        return view
    view |= {
        "body_digest": report.get("body_digest"),
        "approvals": report.get("approvals", []),
        "cleared": report.get("cleared", {}),
        "conclusions": _conclusions(report, vendor=vendor),
        "not_recomputable": NOT_RECOMPUTABLE if report.get("withdrawn") else "",
    }
    if not vendor:
        view["halted"] = report.get("halted")
    unmasked = report["state"] not in {"DRAFTING", "DRAFT", "REVIEWED"}
    if unmasked or vendor or actor.holds_any(Role.STUDY_OFFICE, Role.DATA_PARTNER, study=study):
        view["vendor"] = report["vendor_name"]
        view["model"] = f"{report['model_name']} {report['version']}"
    return view


def _conclusions(report: Mapping[str, Any], *, vendor: bool) -> list[Doc]:
    """Return the conclusions; those on groups reach a vendor in its editions, where cells count."""
    found: list[Doc] = report.get("conclusions", [])
    return [one for one in found if not vendor or one["role"] != "bias"]


def _is_shown(report: Mapping[str, Any]) -> bool:
    """Tell whether the vendor may know of a report: from the end of the slot of its draft.

    The annex is asked for while the results are open, so the vendor must know before the release.
    """
    shown_at: str = report.get("shown_at", "")
    return report["state"] != ReportState.DRAFTING and shown_at <= utc_now()


def _editions(records: Records, actor: Actor, report: Mapping[str, Any]) -> list[str]:
    if report["state"] not in RELEASED:
        return []
    return [e for e in EDITIONS if may_have(records, actor, report, e)]


def may_have(records: Records, actor: Actor, report: Mapping[str, Any], edition: str) -> bool:
    """Tell whether an edition may be handed to this actor."""
    study = report["study"]
    if _may_read(records, actor, report, (Role.REVIEWER, Role.RELEASER, Role.DATA_PARTNER)):
        return True
    mine = actor.org == report["org"]
    if mine and edition == "submission":
        return actor.holds(Role.VENDOR_REGULATORY, study)
    readers = (*VENDOR_ROLES,) if mine else READERS
    return edition == "public" and actor.holds_any(*readers, study=study)


def _may_read(
    records: Records, actor: Actor, report: Mapping[str, Any], roles: tuple[Role, ...]
) -> bool:
    study = report["study"]
    for role in roles:
        if actor.holds(role, study):
            if role is not Role.DATA_PARTNER:
                return True
            cohort = records.get("cohorts", report["cohort"])
            if cohort["org"] == actor.org:
                return True
    return False


def _readable(records: Records, actor: Actor, report_id: str) -> Doc:
    report = records.get("reports", report_id)
    if not _may_read(records, actor, report, BODY_READERS):
        raise NotFoundError(f"There is no report {report_id!r}.")
    return report


def reviewable(records: Records, actor: Actor, report_id: str) -> Doc:
    """Return a report's record to its reviewers and to the data partner.

    Raises:
        NotFoundError: there is none, or it is none of the actor's.
    """
    report = records.get("reports", report_id)
    if not _may_read(records, actor, report, (Role.REVIEWER, Role.DATA_PARTNER)):
        raise NotFoundError(f"There is no report {report_id!r}.")
    return report


def _to_be_seen(records: Records, report: Mapping[str, Any]) -> list[Doc]:
    return [*error_cases(records, report), *concordant_cases(records, report)]


def error_cases(records: Records, report: Mapping[str, Any]) -> list[Doc]:
    """Return the cases that were judged wrongly, as measured."""
    digest = report["results_digest"]
    measurement = json.loads(records.get_file(f"results:{digest}", digest=digest))
    errors: list[Doc] = measurement["errors"]
    return errors


def concordant_file(evaluation: str) -> str:
    """Return the name under which a sample of an evaluation's other cases is kept."""
    return f"concordant:{evaluation}"


def concordant_cases(records: Records, report: Mapping[str, Any]) -> list[Doc]:
    """Return a random sample of the cases that were judged as the reference says."""
    name = concordant_file(report["evaluation"])
    found: list[Doc] = json.loads(records.get_file(name)) if records.has_file(name) else []
    return found
