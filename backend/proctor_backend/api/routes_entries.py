"""Routes of entries: open, upload in parts, close, look, cancel."""

from typing import Any

from fastapi import APIRouter

from proctor_backend.api.context import ActorDep, ToolsDep
from proctor_backend.api.models import EntryCloseRequest, EntryRequest, PartsRequest
from proctor_backend.api.permissions import API
from proctor_backend.services import enter

router = APIRouter(prefix=f"{API}/entries", tags=["entries"])


@router.get("")
def list_entries(tools: ToolsDep, actor: ActorDep, study: str | None = None) -> dict[str, Any]:
    """List the entries the caller may know of."""
    return {"entries": enter.list_entries(tools.records, actor, study)}


@router.post("", status_code=201)
def open_entry(tools: ToolsDep, actor: ActorDep, body: EntryRequest) -> dict[str, Any]:
    """Enter a model version for a study."""
    return enter.open_entry(
        tools.records,
        tools.store,
        actor,
        study=body.study,
        manifest_text=body.manifest,
        image=body.image.model_dump(exclude_none=True),
    )


@router.get("/{entry}")
def show(tools: ToolsDep, actor: ActorDep, entry: str) -> dict[str, Any]:
    """Show an entry as the caller's role sees it."""
    return enter.entry_view(tools.records, actor, entry)


@router.get("/{entry}/parts")
def stored_parts(tools: ToolsDep, actor: ActorDep, entry: str) -> dict[str, Any]:
    """Show which parts have arrived."""
    return enter.stored_parts(tools.records, tools.store, actor, entry)


@router.post("/{entry}/parts")
def presign_parts(
    tools: ToolsDep, actor: ActorDep, entry: str, body: PartsRequest
) -> dict[str, Any]:
    """Give upload URLs for parts."""
    return {"urls": enter.presign_parts(tools.records, tools.store, actor, entry, body.numbers)}


@router.post("/{entry}/close")
def close(tools: ToolsDep, actor: ActorDep, entry: str, body: EntryCloseRequest) -> dict[str, Any]:
    """End the upload; the intake check follows."""
    enter.close_upload(
        tools.records,
        tools.store,
        actor,
        entry,
        parts=[part.model_dump() for part in body.parts],
        sealed_sha256=body.sealed_sha256,
    )
    return {"id": entry}


@router.post("/{entry}/cancel")
def cancel(tools: ToolsDep, actor: ActorDep, entry: str) -> dict[str, Any]:
    """Take an entry back."""
    enter.cancel(tools.records, actor, entry)
    return {"id": entry}


@router.get("/{entry}/conformance")
def conformance(tools: ToolsDep, actor: ActorDep, entry: str) -> dict[str, Any]:
    """Show the run on public cases, with its log."""
    return enter.conformance_view(tools.records, actor, entry)
