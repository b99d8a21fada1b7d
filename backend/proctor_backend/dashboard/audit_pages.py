"""The audit trail's public fields, chain by chain."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from proctor_backend.dashboard.visit import Reading
from proctor_backend.domain.people import Role
from proctor_backend.services import enter, studies, trail

router = APIRouter(prefix="/audit")
PAGE = 200


@router.get("")
def audit_page(visit: Reading) -> Response:
    """Show the chains this person may read."""
    return visit.page("audit.html", "audit", chains=_chains(visit), trail=None)


@router.get("/{chain}")
def chain_page(visit: Reading, chain: str, after: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Show a chain's events."""
    found = trail.events(visit.records, visit.actor, chain, after=after, limit=PAGE)
    names = dict(_chains(visit))
    return visit.page(
        "audit.html", "audit", chains=[], trail=found, name=names.get(chain, chain), page=PAGE
    )


def _chains(visit: Reading) -> list[tuple[str, str]]:
    actor = visit.actor
    operator = actor.holds(Role.OPERATOR)
    found = [("platform", "The platform")] if operator else []
    readable = {
        study["id"]: study["title"]
        for study in studies.list_studies(visit.records, actor)
        if operator or actor.holds(Role.REVIEWER, study["id"])
    }
    found += [(study, f"Study: {title}") for study, title in readable.items()]
    for entry in enter.list_entries(visit.records, actor):
        if operator or entry["study"] in readable:
            found.append((entry["id"], f"Entry: {entry.get('code_name') or entry['id']}"))
    return found
