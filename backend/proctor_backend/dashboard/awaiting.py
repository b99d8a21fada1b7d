"""What awaits a person: read from the states of studies and reports, kept nowhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from proctor_backend.domain.people import Actor, Role
from proctor_backend.domain.review import EDITIONS
from proctor_backend.domain.states import CohortState, QueryState
from proctor_backend.records import Doc, Records
from proctor_backend.services import cohorts, queries, review, studies


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do and where."""

    title: str
    detail: str
    href: str


def awaiting(records: Records, actor: Actor) -> list[Task]:
    """Return what this person is asked to do now."""
    return [
        *_lock_signatures(records, actor),
        *_cohort_problems(records, actor),
        *_reports(records, actor),
    ]


def _lock_signatures(records: Records, actor: Actor) -> Iterator[Task]:
    for short in studies.list_studies(records, actor):
        if short["state"] != "DRAFT":
            continue
        study = studies.show(records, actor, short["id"])
        mine = [r for r in study["missing_signatures"] if actor.holds(r, study["id"])]
        if mine and not study["waits_for"]:
            yield Task("Sign the protocol", study["title"], f"/studies/{study['id']}#sign")


def _cohort_problems(records: Records, actor: Actor) -> Iterator[Task]:
    if not actor.holds_any(Role.DATA_PARTNER):
        return
    for cohort in cohorts.list_cohorts(records, actor):
        where = f"/cohorts/{cohort['id']}"
        if cohort["state"] == CohortState.REJECTED:
            yield Task("Mend a cohort that was rejected", cohort["name"], where)
        if cohort["state"] == CohortState.HELD and "findings" in cohort:
            yield Task("See what holds a cohort back", cohort["name"], where)
    asked = [one for one in queries.of_partner(records, actor) if one["state"] == QueryState.OPEN]
    if asked:
        detail = f"{len(asked)} on single reference values"
        yield Task("Answer questions on a reference standard", detail, "/queries")


def _reports(records: Records, actor: Actor) -> Iterator[Task]:
    for report in review.list_reports(records, actor):
        title = _stopped(report, actor) or _report_task(report, actor)
        if title:
            yield Task(title, f"Report {report['code_name']}", f"/reports/{report['id']}")


def _stopped(report: Doc, actor: Actor) -> str:
    minders = (Role.STUDY_OFFICE, Role.OPERATOR)
    if report.get("halted") and actor.holds_any(*minders, study=report["study"]):
        return "Have a report mended that stopped on its way"
    return ""


def _report_task(report: Doc, actor: Actor) -> str:
    study, state = report["study"], report["state"]
    cleared = report.get("cleared") or {}
    if state == "DRAFT" and actor.holds(Role.REVIEWER, study):
        return "Review a draft and sign its results"
    if state == "REVIEWED" and actor.holds(Role.RELEASER, study):
        return "Unmask signed results"
    if state == "UNMASKED" and len(cleared) < len(EDITIONS):
        return "Clear the editions" if actor.holds(Role.DATA_PARTNER, study) else ""
    if state == "UNMASKED" and actor.holds(Role.RELEASER, study):
        return "Release a cleared report"
    if state == "IN_REVIEW" and not report["annex_given"]:
        return "Give your text for a report" if actor.holds(Role.VENDOR_REGULATORY, study) else ""
    return ""
