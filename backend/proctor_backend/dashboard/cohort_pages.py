"""Cohorts: state, identity, counts, terms, and what ingest found wrong."""

from fastapi import APIRouter
from fastapi.responses import Response

from proctor_backend.dashboard.visit import Reading
from proctor_backend.services import cohorts

router = APIRouter(prefix="/cohorts")


@router.get("")
def cohorts_page(visit: Reading) -> Response:
    """Show the cohorts this person may know of."""
    found = cohorts.list_cohorts(visit.records, visit.actor)
    return visit.page("cohorts.html", "cohorts", cohorts=found)


@router.get("/{cohort_id}")
def cohort_page(visit: Reading, cohort_id: str) -> Response:
    """Show one cohort."""
    cohort = cohorts.show(visit.records, visit.actor, cohort_id)
    return visit.page("cohort.html", "cohorts", cohort=cohort)
