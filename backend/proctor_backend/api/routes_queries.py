"""Routes of questions on the reference standard: asked by a reviewer, answered by the partner."""

from typing import Any

from fastapi import APIRouter

from proctor_backend.api.context import ActorDep, ToolsDep
from proctor_backend.api.models import QueryAnswerRequest, QueryRequest
from proctor_backend.api.permissions import API
from proctor_backend.services import queries

router = APIRouter(prefix=API, tags=["queries"])


@router.get("/reports/{report}/queries")
def list_queries(tools: ToolsDep, actor: ActorDep, report: str) -> dict[str, Any]:
    """List a report's questions on the reference standard, with their answers."""
    return {"queries": queries.of_report(tools.records, actor, report)}


@router.post("/reports/{report}/queries", status_code=201)
def ask(tools: ToolsDep, actor: ActorDep, report: str, body: QueryRequest) -> dict[str, Any]:
    """Question the reference value of a case."""
    asked = queries.ask(tools.records, actor, report, case=body.case, question=body.question)
    return {"id": asked}


@router.get("/queries")
def list_own_queries(tools: ToolsDep, actor: ActorDep) -> dict[str, Any]:
    """List the questions on the reference standard of the caller's cohorts."""
    return {"queries": queries.of_partner(tools.records, actor)}


@router.post("/queries/{query}/answer")
def answer(
    tools: ToolsDep, actor: ActorDep, query: str, body: QueryAnswerRequest
) -> dict[str, Any]:
    """Answer a question on a reference value; a change comes as a new version."""
    return queries.answer(tools.records, actor, query, verdict=body.answer.value, text=body.text)
