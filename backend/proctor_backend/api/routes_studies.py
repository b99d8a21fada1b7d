"""Routes of studies: draft, revise, sign, amend, deviate, show."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from proctor_backend.api.context import ActorDep, ToolsDep
from proctor_backend.api.models import (
    AmendmentRequest,
    ComparisonCloseRequest,
    DeviationRequest,
    RevisionRequest,
    SignatureRequest,
    StudyRequest,
    VendorRequest,
)
from proctor_backend.api.permissions import API
from proctor_backend.keyfiles import read_key
from proctor_backend.services import independence, planning, plugins, studies

router = APIRouter(prefix=f"{API}/studies", tags=["studies"])


@router.get("")
def list_studies(tools: ToolsDep, actor: ActorDep) -> dict[str, Any]:
    """List the studies the caller may know of."""
    return {"studies": studies.list_studies(tools.records, actor)}


@router.post("", status_code=201)
def draft(tools: ToolsDep, actor: ActorDep, body: StudyRequest) -> dict[str, Any]:
    """Open a study as a draft."""
    created = studies.draft(
        tools.records,
        actor,
        protocol_text=body.protocol,
        cohort=body.cohort,
        conformance_cohort=body.conformance_cohort,
        vendor_org=body.vendor_org,
        partner_org=body.partner_org,
    )
    return {"id": created}


@router.get("/{study}")
def show(tools: ToolsDep, actor: ActorDep, study: str) -> dict[str, Any]:
    """Show a study as the caller's role sees it."""
    return studies.show(tools.records, actor, study)


@router.get("/{study}/plan")
def plan(tools: ToolsDep, actor: ActorDep, study: str) -> dict[str, Any]:
    """Say what the study's cohort promises for its protocol; coarse for most roles."""
    return planning.plan_of_study(tools.records, actor, study)


@router.put("/{study}/protocol")
def revise(tools: ToolsDep, actor: ActorDep, study: str, body: RevisionRequest) -> dict[str, Any]:
    """Replace a draft's protocol, or go over to another version of its cohort."""
    return studies.revise(
        tools.records, actor, study, protocol_text=body.protocol, cohort=body.cohort
    )


@router.put("/{study}/vendor")
def set_vendor(tools: ToolsDep, actor: ActorDep, study: str, body: VendorRequest) -> dict[str, Any]:
    """Name a draft's vendor."""
    return studies.set_vendor(tools.records, actor, study, vendor_org=body.vendor_org)


@router.put("/{study}/plugin")
async def attach_plugin(
    request: Request, tools: ToolsDep, actor: ActorDep, study: str
) -> dict[str, Any]:
    """Pin a report plugin: the body is the bundle's bytes."""
    content = await request.body()
    return await run_in_threadpool(
        plugins.attach_plugin, tools.records, actor, study, content=content
    )


@router.post("/{study}/signatures", status_code=201)
def sign(tools: ToolsDep, actor: ActorDep, study: str, body: SignatureRequest) -> dict[str, Any]:
    """Sign the lock; the third signature locks the study."""
    return studies.sign(
        tools.records,
        actor,
        study,
        role=body.role.value,
        password=body.password.get_secret_value(),
        meaning=body.meaning,
        lock_digest=body.lock_digest,
    )


@router.post("/{study}/amendments", status_code=201)
def amend(tools: ToolsDep, actor: ActorDep, study: str, body: AmendmentRequest) -> dict[str, Any]:
    """Amend a locked protocol, before the first staging only."""
    return studies.amend(
        tools.records,
        actor,
        study,
        protocol_text=body.protocol,
        reason=body.reason,
        cohort=body.cohort,
    )


@router.post("/{study}/deviations", status_code=201)
def deviate(tools: ToolsDep, actor: ActorDep, study: str, body: DeviationRequest) -> dict[str, Any]:
    """Record a deviation, after the first staging only."""
    recorded = studies.deviate(
        tools.records, actor, study, severity=body.severity.value, text=body.text
    )
    return {"id": recorded}


@router.post("/{study}/close")
def close(tools: ToolsDep, actor: ActorDep, study: str) -> dict[str, Any]:
    """End a study."""
    return studies.close(tools.records, actor, study)


@router.get("/{study}/fingerprints")
def list_comparisons(tools: ToolsDep, actor: ActorDep, study: str) -> dict[str, Any]:
    """List the comparisons of training images with the study's cohort."""
    return {"comparisons": independence.list_comparisons(tools.records, actor, study)}


@router.post("/{study}/fingerprints", status_code=201)
def open_comparison(tools: ToolsDep, actor: ActorDep, study: str) -> dict[str, Any]:
    """Give the address and the key for a sealed file of fingerprints."""
    return independence.open_comparison(
        tools.records,
        tools.store,
        actor,
        study,
        ingest_key=read_key(tools.settings, "ingest.pub"),
    )


@router.post("/{study}/fingerprints/{comparison}/close", status_code=202)
def close_comparison(
    tools: ToolsDep, actor: ActorDep, study: str, comparison: str, body: ComparisonCloseRequest
) -> dict[str, Any]:
    """Have the sent file compared; it is deleted after that."""
    independence.close_comparison(
        tools.records,
        tools.store,
        actor,
        study,
        comparison,
        sealed_sha256=body.sealed_sha256,
        size=body.size,
    )
    return {"id": comparison}
