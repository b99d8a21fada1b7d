"""Routes of reports: read, judge, sign, unmask, clear, release, fetch; and of the audit trail."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from proctor_backend.api.context import ActorDep, ToolsDep
from proctor_backend.api.models import (
    ApprovalRequest,
    CategoryRequest,
    Line,
    PasswordRequest,
    ViewRequest,
)
from proctor_backend.api.permissions import API
from proctor_backend.services import release, review, trail

router = APIRouter(prefix=f"{API}/reports", tags=["reports"])
audit_router = APIRouter(prefix=API, tags=["audit"])
Outcome = Literal[
    "false_positive",
    "false_negative",
    "event_at_low_risk",
    "large_error",
    "survival_at_high_risk",
    "least_agreement",
    "wrong_category",
    "missed_lesion",
    "false_mark",
    "as_reference",
]


@router.get("")
def list_reports(tools: ToolsDep, actor: ActorDep) -> dict[str, Any]:
    """List the reports the caller may know of."""
    return {"reports": review.list_reports(tools.records, actor)}


@router.get("/{report}")
def show(tools: ToolsDep, actor: ActorDep, report: str) -> dict[str, Any]:
    """Show a report's state as the caller's role sees it."""
    return review.report_view(tools.records, actor, report)


@router.get("/{report}/body")
def body(tools: ToolsDep, actor: ActorDep, report: str) -> dict[str, Any]:
    """Show the blinded body that is to be signed."""
    return review.body(tools.records, actor, report)


@router.get("/{report}/cases")
def cases(tools: ToolsDep, actor: ActorDep, report: str, outcome: Outcome) -> dict[str, Any]:
    """List the cases that were judged wrongly."""
    return {"cases": review.cases(tools.records, actor, report, outcome)}


@router.post("/{report}/cases/{case}/category", status_code=204)
def categorise(
    tools: ToolsDep, actor: ActorDep, report: str, case: str, body: CategoryRequest
) -> None:
    """Give an error its category."""
    review.categorise(tools.records, actor, report, case, category=body.category, note=body.note)


@router.post("/{report}/view")
def open_view(tools: ToolsDep, actor: ActorDep, report: str, body: ViewRequest) -> dict[str, Any]:
    """Give a one-time address at which the viewer shows a case."""
    ticket = review.open_view(tools.records, actor, report, body.case)
    return {"url": f"{tools.settings.viewer_url.rstrip('/')}/view/{ticket}"}


@router.post("/{report}/sign")
def sign(tools: ToolsDep, actor: ActorDep, report: str, body: ApprovalRequest) -> dict[str, Any]:
    """Sign the results."""
    review.sign_results(
        tools.records,
        actor,
        report,
        password=body.password.get_secret_value(),
        meaning=body.meaning,
    )
    return review.report_view(tools.records, actor, report)


@router.put("/{report}/annex", status_code=204)
def put_annex(
    tools: ToolsDep,
    actor: ActorDep,
    report: str,
    body: dict[Line, Annotated[str, Field(max_length=20_000)]],
) -> None:
    """Give the vendor's own text, which stays sealed until the results are signed."""
    release.put_annex(tools.records, actor, report, body)


@router.post("/{report}/unmask")
def unmask(tools: ToolsDep, actor: ActorDep, report: str, body: PasswordRequest) -> dict[str, Any]:
    """Join the vendor's name and text to the signed results."""
    release.unmask(tools.records, actor, report, password=body.password.get_secret_value())
    return review.report_view(tools.records, actor, report)


@router.get("/{report}/editions/{edition}/preview")
def preview(tools: ToolsDep, actor: ActorDep, report: str, edition: str) -> dict[str, Any]:
    """Show what an edition would disclose."""
    return release.preview(tools.records, actor, report, edition)


@router.post("/{report}/editions/{edition}/clear")
def clear(
    tools: ToolsDep, actor: ActorDep, report: str, edition: str, body: PasswordRequest
) -> dict[str, Any]:
    """Let an edition leave."""
    release.clear_edition(
        tools.records, actor, report, edition, password=body.password.get_secret_value()
    )
    return review.report_view(tools.records, actor, report)


@router.post("/{report}/release")
def release_report(
    tools: ToolsDep, actor: ActorDep, report: str, body: PasswordRequest
) -> dict[str, Any]:
    """Release a cleared report."""
    release.release(tools.records, actor, report, password=body.password.get_secret_value())
    return review.report_view(tools.records, actor, report)


@router.get("/{report}/editions/{edition}", response_class=Response)
def package(tools: ToolsDep, actor: ActorDep, report: str, edition: str) -> Response:
    """Fetch an edition's signed package."""
    content = release.package(tools.records, actor, report, edition)
    return Response(
        content,
        media_type="application/zip",
        headers={"content-disposition": 'attachment; filename="report.zip"'},
    )


@audit_router.get("/audit/{chain}")
def audit(
    tools: ToolsDep, actor: ActorDep, chain: str, after: Annotated[int, Query(ge=0)] = 0
) -> dict[str, Any]:
    """Read an audit chain's public fields, at most 1,000 events after a number."""
    return trail.events(tools.records, actor, chain, after=after)
