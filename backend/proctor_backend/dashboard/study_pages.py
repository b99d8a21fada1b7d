"""Studies: the list, one study with its protocol, and the signature under its lock."""

from fastapi import APIRouter
from fastapi.responses import Response

from proctor_backend.dashboard.visit import Form, Posting, Reading
from proctor_backend.domain.errors import ForbiddenError, NotFoundError
from proctor_backend.records import Doc
from proctor_backend.services import cohorts, enter, studies

router = APIRouter(prefix="/studies")
MEANINGS = {
    "statistician": "I wrote this protocol and it is complete.",
    "vendor_regulatory": "We agree to be measured by this protocol.",
    "data_partner": "We lend the cohort to this study under our terms.",
}


@router.get("")
def studies_page(visit: Reading) -> Response:
    """Show the studies this person may know of."""
    found = studies.list_studies(visit.records, visit.actor)
    return visit.page("studies.html", "studies", studies=found)


@router.get("/{study_id}")
def study_page(visit: Reading, study_id: str) -> Response:
    """Show a study: what was agreed, by whom, on which cohort, and what was entered."""
    study = studies.show(visit.records, visit.actor, study_id)
    mine = [role for role in study["missing_signatures"] if visit.actor.holds(role, study_id)]
    return visit.page(
        "study.html",
        "studies",
        study=study,
        protocol=study["protocol"]["document"],
        signable=mine if study["state"] == "DRAFT" and not study["waits_for"] else [],
        meanings=MEANINGS,
        cohort=_cohort(visit, study.get("cohort")),
        entries=enter.list_entries(visit.records, visit.actor, study_id),
    )


@router.post("/{study_id}/sign")
def sign(visit: Posting, study_id: str, form: Form) -> Response:
    """Sign the lock with the password entered again."""
    study = studies.sign(
        visit.records,
        visit.actor,
        study_id,
        role=form.get("role", ""),
        password=form.get("password", ""),
        meaning=form.get("meaning", ""),
        lock_digest=form.get("lock_digest", ""),
    )
    return visit.back(f"/studies/{study_id}", "locked" if study["state"] == "LOCKED" else "signed")


def _cohort(visit: Reading, cohort_id: str | None) -> Doc | None:
    """Return the study's cohort if this person may see it."""
    if cohort_id is None:
        return None
    try:
        return cohorts.show(visit.records, visit.actor, cohort_id)
    except (NotFoundError, ForbiddenError):
        return None
