"""Routes of cohorts: open, upload, close, terms, withdrawal, show."""

from typing import Any

from fastapi import APIRouter

from proctor_backend.api.context import ActorDep, ToolsDep
from proctor_backend.api.models import (
    CohortCloseRequest,
    CohortRequest,
    TermsRequest,
    UploadsRequest,
    WithdrawalRequest,
)
from proctor_backend.api.permissions import API
from proctor_backend.services import cohorts

router = APIRouter(prefix=f"{API}/cohorts", tags=["cohorts"])


@router.get("")
def list_cohorts(tools: ToolsDep, actor: ActorDep) -> dict[str, Any]:
    """List the cohorts the caller may know of."""
    return {"cohorts": cohorts.list_cohorts(tools.records, actor)}


@router.post("", status_code=201)
def create(tools: ToolsDep, actor: ActorDep, body: CohortRequest) -> dict[str, Any]:
    """Open a cohort for upload."""
    created = cohorts.create(
        tools.records,
        actor,
        name=body.name,
        visibility=body.visibility.value,
        description=body.description,
    )
    return {"id": created}


@router.get("/{cohort}")
def show(tools: ToolsDep, actor: ActorDep, cohort: str) -> dict[str, Any]:
    """Show a cohort as the caller's role sees it."""
    return cohorts.show(tools.records, actor, cohort)


@router.post("/{cohort}/uploads")
def presign_uploads(
    tools: ToolsDep, actor: ActorDep, cohort: str, body: UploadsRequest
) -> dict[str, Any]:
    """Give upload URLs for the files that have not arrived."""
    missing = cohorts.presign_uploads(
        tools.records,
        tools.store,
        actor,
        cohort,
        files=[file.model_dump() for file in body.files],
    )
    return {"missing": missing}


@router.post("/{cohort}/close")
def close(
    tools: ToolsDep, actor: ActorDep, cohort: str, body: CohortCloseRequest
) -> dict[str, Any]:
    """End the upload; ingest follows."""
    cohorts.close(
        tools.records,
        tools.store,
        actor,
        cohort,
        table=body.table.model_dump() if body.table else None,
        files=[file.model_dump() for file in body.files],
        index_sha256=body.index_sha256,
    )
    return cohorts.show(tools.records, actor, cohort)


@router.put("/{cohort}/terms")
def put_terms(tools: ToolsDep, actor: ActorDep, cohort: str, body: TermsRequest) -> dict[str, Any]:
    """Set and accept the terms."""
    return cohorts.put_terms(tools.records, actor, cohort, terms=body.model_dump(mode="json"))


@router.post("/{cohort}/withdraw")
def withdraw(
    tools: ToolsDep, actor: ActorDep, cohort: str, body: WithdrawalRequest
) -> dict[str, Any]:
    """Take the cohort back."""
    return cohorts.withdraw(
        tools.records,
        actor,
        cohort,
        reason=body.reason,
        password=body.password.get_secret_value(),
    )
