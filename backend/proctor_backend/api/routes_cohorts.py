"""Routes of cohorts: open, upload, close, terms, withdrawal, show."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from proctor_backend.api.context import ActorDep, ToolsDep
from proctor_backend.api.models import (
    CohortCloseRequest,
    CohortRequest,
    Id,
    OverrideRequest,
    PatientWithdrawalRequest,
    QualityForm,
    TermsRequest,
    UploadsRequest,
    VersionRequest,
    WithdrawalRequest,
)
from proctor_backend.api.permissions import API
from proctor_backend.keyfiles import read_key
from proctor_backend.services import cohort_findings, cohorts, terms, versions, withdrawals

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
        without=body.without,
    )
    return cohorts.show(tools.records, actor, cohort)


@router.post("/{cohort}/versions", status_code=201)
def open_version(
    tools: ToolsDep, actor: ActorDep, cohort: str, body: VersionRequest
) -> dict[str, Any]:
    """Open the next version of a READY cohort for upload."""
    opened = versions.open_version(tools.records, actor, cohort, description=body.description)
    return {"id": opened}


@router.get("/{cohort}/compare")
def compare(
    tools: ToolsDep, actor: ActorDep, cohort: str, other: Annotated[Id, Query(alias="with")]
) -> dict[str, Any]:
    """Say what changed between two versions of a cohort."""
    return versions.compare(tools.records, actor, cohort, other)


@router.get("/{cohort}/withdrawals")
def list_withdrawals(tools: ToolsDep, actor: ActorDep, cohort: str) -> dict[str, Any]:
    """List the withdrawals of patients, and how far each has come."""
    return {"withdrawals": withdrawals.list_withdrawals(tools.records, actor, cohort)}


@router.post("/{cohort}/patients/withdraw", status_code=202)
def withdraw_patient(
    tools: ToolsDep, actor: ActorDep, cohort: str, body: PatientWithdrawalRequest
) -> dict[str, Any]:
    """Have a patient taken out of the cohort and erased from files and evidence."""
    asked = withdrawals.withdraw_patient(
        tools.records,
        actor,
        cohort,
        patient=body.patient,
        reason=body.reason,
        password=body.password.get_secret_value(),
        ingest_key=read_key(tools.settings, "ingest.pub"),
    )
    return {"id": asked}


@router.get("/{cohort}/quality")
def quality(
    tools: ToolsDep, actor: ActorDep, cohort: str, form: QualityForm = QualityForm.JSON
) -> Response:
    """Give the owner the quality report, as JSON or as a page."""
    content = cohort_findings.quality(tools.records, actor, cohort, form.value)
    kind = "application/json" if form is QualityForm.JSON else "text/html; charset=utf-8"
    # The page is the owner's own file: it styles itself, loads nothing and runs nothing.
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Response(content, media_type=kind, headers=headers)


@router.post("/{cohort}/overrides")
def override(
    tools: ToolsDep, actor: ActorDep, cohort: str, body: OverrideRequest
) -> dict[str, Any]:
    """Accept a finding that holds the cohort back, with a reason that the report prints."""
    return cohort_findings.override(
        tools.records,
        actor,
        cohort,
        finding=body.finding,
        reason=body.reason,
        password=body.password.get_secret_value(),
    )


@router.put("/{cohort}/terms")
def put_terms(tools: ToolsDep, actor: ActorDep, cohort: str, body: TermsRequest) -> dict[str, Any]:
    """Set and accept the terms."""
    scope = body.scope.model_dump(exclude_none=True) if body.scope else None
    document = body.model_dump(mode="json", exclude={"scope"})
    return terms.put(tools.records, actor, cohort, terms=document, scope=scope)


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
