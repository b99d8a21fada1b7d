"""Entries: the list, one entry with its live state, and what its vendor may know of a failure."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from proctor_backend.dashboard.visit import Posting, Reading
from proctor_backend.domain.people import VENDOR_ROLES
from proctor_backend.services import enter, studies

router = APIRouter(prefix="/entries")
STAFF_STEPS = (
    ("OPEN", "Upload"),
    ("UPLOADED", "Intake check"),
    ("SCREENED", "Public cases"),
    ("CONFORMANT", "Hidden run"),
    ("EVALUATED", "Measurement"),
    ("MEASURED", "Drafting"),
    ("DECIDED", "Decided"),
    ("RELEASED", "Released"),
)
VENDOR_STEPS = (
    ("received", "Received"),
    ("checking", "Checking"),
    ("in evaluation", "In evaluation"),
    ("decided", "Decided"),
    ("released", "Released"),
)
ENDED = frozenset({"FAILED", "failed", "CANCELLED", "cancelled"})
FINAL = ENDED | {"RELEASED", "released"}


@router.get("")
def entries_page(visit: Reading) -> Response:
    """Show the entries this person may know of."""
    found = enter.list_entries(visit.records, visit.actor)
    titles = {s["id"]: s["title"] for s in studies.list_studies(visit.records, visit.actor)}
    return visit.page("entries.html", "entries", entries=found, titles=titles)


@router.get("/{entry_id}")
def entry_page(visit: Reading, entry_id: str) -> Response:
    """Show one entry as this person's role sees it."""
    entry = enter.entry_view(visit.records, visit.actor, entry_id)
    vendor = _is_vendor(visit, entry["study"], entry)
    steps = VENDOR_STEPS if vendor else STAFF_STEPS
    return visit.page(
        "entry.html",
        "entries",
        entry=entry,
        vendor=vendor,
        steps=_progress(entry["state"], steps),
        final=entry["state"] in FINAL,
        conformance=enter.conformance_view(visit.records, visit.actor, entry_id)
        if vendor
        else None,
    )


@router.get("/{entry_id}/state")
def entry_state(visit: Reading, entry_id: str) -> Response:
    """Answer the state alone, for pages that follow it."""
    entry = enter.entry_view(visit.records, visit.actor, entry_id)
    return JSONResponse({"state": entry["state"]})


@router.post("/{entry_id}/cancel")
def cancel(visit: Posting, entry_id: str) -> Response:
    """End the entry at the vendor's wish."""
    enter.cancel(visit.records, visit.actor, entry_id)
    return visit.back(f"/entries/{entry_id}", "cancelled")


def _is_vendor(visit: Reading, study: str, entry: dict[str, object]) -> bool:
    """Tell whether this is the vendor's view, which names the model and hides the code name."""
    return "model" in entry and visit.actor.holds_any(*VENDOR_ROLES, study=study)


def _progress(present: str, steps: tuple[tuple[str, str], ...]) -> list[tuple[str, str, str]]:
    """Return (label, class, words for a screen reader) of every step."""
    names = [name for name, _ in steps]
    if present in ENDED:
        return [(label, "", "") for _, label in steps]
    at = names.index(present) if present in names else -1
    found = []
    for place, (name, label) in enumerate(steps):
        if place < at or (place == at and name in FINAL):
            found.append((label, "done", "done"))
        elif place == at:
            found.append((label, "now", "now"))
        else:
            found.append((label, "", "to come"))
    return found
