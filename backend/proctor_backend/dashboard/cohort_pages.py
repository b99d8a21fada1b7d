"""Cohorts: state, identity, quality, versions, terms, withdrawals, and questions to their owner."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from proctor_backend.dashboard.visit import Form, Posting, Reading
from proctor_backend.domain.cohort import blocking
from proctor_backend.domain.errors import NotFoundError
from proctor_backend.domain.people import Role
from proctor_backend.keyfiles import read_key
from proctor_backend.records import Doc
from proctor_backend.services import cohort_findings, cohorts, queries, versions, withdrawals

router = APIRouter()
SEVERITIES = (("error", "Errors"), ("warning", "Warnings"), ("note", "Notes"))
ANSWERS = (("stands", "The value stands"), ("will_change", "A new version will change it"))
CHANGES = {
    "added": "Cases added",
    "removed": "Cases removed",
    "files": "Cases with other files",
    "reference": "Cases with another reference standard",
    "attributes": "Cases with other attributes",
    "inputs": "Cases with other inputs",
}


@router.get("/cohorts")
def cohorts_page(visit: Reading) -> Response:
    """Show the cohorts this person may know of."""
    found = cohorts.list_cohorts(visit.records, visit.actor)
    return visit.page("cohorts.html", "cohorts", cohorts=found)


@router.get("/cohorts/{cohort_id}")
def cohort_page(visit: Reading, cohort_id: str) -> Response:
    """Show one cohort; to its owner with all that was found in it."""
    cohort = cohorts.show(visit.records, visit.actor, cohort_id)
    held = blocking(cohort.get("findings") or (), cohort.get("overrides") or ())
    return visit.page(
        "cohort.html",
        "cohorts",
        cohort=cohort,
        owner="findings" in cohort,
        held=held,
        # What ingest read of a cohort is the owner's to see; another asks for nothing.
        quality=_owners(lambda: _quality(visit, cohort_id)),
        severities=SEVERITIES,
        lineage=[
            one
            for one in cohorts.list_cohorts(visit.records, visit.actor)
            if one["lineage"] == cohort["lineage"]
        ],
        withdrawals=_owners(
            lambda: withdrawals.list_withdrawals(visit.records, visit.actor, cohort_id)
        ),
    )


@router.get("/cohorts/{cohort_id}/quality")
def quality_page(visit: Reading, cohort_id: str) -> Response:
    """Show the whole quality report, a page of its own."""
    content = cohort_findings.quality(visit.records, visit.actor, cohort_id, "html")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    headers = {"Content-Security-Policy": policy}
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/cohorts/{cohort_id}/compare/{other}")
def compare_page(visit: Reading, cohort_id: str, other: str) -> Response:
    """Show what changed between two versions."""
    found = versions.compare(visit.records, visit.actor, cohort_id, other)
    return visit.page("compare.html", "cohorts", found=found, changes=CHANGES)


@router.post("/cohorts/{cohort_id}/overrides")
def override(visit: Posting, cohort_id: str, form: Form) -> Response:
    """Accept a finding, with a reason that the report prints."""
    cohort = cohort_findings.override(
        visit.records,
        visit.actor,
        cohort_id,
        finding=form.get("finding", ""),
        reason=form.get("reason", ""),
        password=form.get("password", ""),
    )
    done = "cohort-ready" if cohort["state"] == "READY" else "overridden"
    return visit.back(f"/cohorts/{cohort_id}", done)


@router.post("/cohorts/{cohort_id}/patients/withdraw")
def withdraw_patient(visit: Posting, cohort_id: str, form: Form) -> Response:
    """Have a patient taken out and erased."""
    withdrawals.withdraw_patient(
        visit.records,
        visit.actor,
        cohort_id,
        patient=form.get("patient", ""),
        reason=form.get("reason", ""),
        password=form.get("password", ""),
        ingest_key=read_key(visit.desk.settings, "ingest.pub"),
    )
    return visit.back(f"/cohorts/{cohort_id}", "patient-withdrawal")


@router.get("/queries")
def queries_page(visit: Reading) -> Response:
    """Show the partner the questions on its reference standards."""
    visit.actor.require(Role.DATA_PARTNER)
    found = queries.of_partner(visit.records, visit.actor)
    return visit.page("queries.html", "queries", queries=found, answers=ANSWERS)


@router.post("/queries/{query_id}/answer")
def answer(visit: Posting, query_id: str, form: Form) -> Response:
    """Keep the partner's answer."""
    verdict, text = form.get("answer", ""), form.get("text", "")
    queries.answer(visit.records, visit.actor, query_id, verdict=verdict, text=text)
    return visit.back("/queries", "answered")


def _quality(visit: Reading, cohort_id: str) -> Doc:
    content = cohort_findings.quality(visit.records, visit.actor, cohort_id, "json")
    found: Doc = json.loads(content)
    return found


def _owners(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except NotFoundError:
        return None
