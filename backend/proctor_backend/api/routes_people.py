"""Routes of accounts, tokens, organisations, persons and roles."""

from typing import Any

from fastapi import APIRouter, Request

from proctor_backend.api.context import ActorDep, ToolsDep
from proctor_backend.api.models import (
    BindingRequest,
    OrganisationRequest,
    PasswordChange,
    PersonRequest,
    TokenRequest,
)
from proctor_backend.api.permissions import API
from proctor_backend.services import people, tokens

router = APIRouter(prefix=API, tags=["people"])


@router.post("/tokens", status_code=201)
def make_token(request: Request, tools: ToolsDep, body: TokenRequest) -> dict[str, Any]:
    """Make a token with a password; it is shown in this answer only."""
    tools.sign_ins.pass_through(request.client.host if request.client else "")
    return tokens.make_token(
        tools.records,
        email=body.email,
        password=body.password.get_secret_value(),
        name=body.name,
        scopes=None if body.scopes is None else [scope.value for scope in body.scopes],
        days=body.days,
    )


@router.get("/tokens")
def list_tokens(tools: ToolsDep, actor: ActorDep) -> dict[str, Any]:
    """List the own tokens."""
    return {"tokens": tokens.list_tokens(tools.records, actor)}


@router.delete("/tokens/{token}", status_code=204)
def revoke_token(tools: ToolsDep, actor: ActorDep, token: str) -> None:
    """Revoke one of the own tokens."""
    tokens.revoke_token(tools.records, actor, token)


@router.get("/me")
def me(tools: ToolsDep, actor: ActorDep) -> dict[str, Any]:
    """Show the own account and roles."""
    return people.profile(tools.records, actor)


@router.put("/me/password", status_code=204)
def change_password(tools: ToolsDep, actor: ActorDep, body: PasswordChange) -> None:
    """Change the own password; all sessions end."""
    people.change_password(
        tools.records,
        actor,
        old=body.old.get_secret_value(),
        new=body.new.get_secret_value(),
    )


@router.get("/organisations")
def list_organisations(tools: ToolsDep, actor: ActorDep) -> dict[str, Any]:
    """List organisations."""
    return {"organisations": people.list_organisations(tools.records, actor)}


@router.post("/organisations", status_code=201)
def create_organisation(
    tools: ToolsDep, actor: ActorDep, body: OrganisationRequest
) -> dict[str, Any]:
    """Add an organisation."""
    created = people.create_organisation(tools.records, actor, name=body.name, kind=body.kind.value)
    return {"id": created}


@router.get("/persons")
def list_persons(tools: ToolsDep, actor: ActorDep) -> dict[str, Any]:
    """List persons and their roles."""
    return {"persons": people.list_persons(tools.records, actor)}


@router.post("/persons", status_code=201)
def create_person(tools: ToolsDep, actor: ActorDep, body: PersonRequest) -> dict[str, Any]:
    """Add a person to an organisation."""
    created = people.create_person(
        tools.records,
        actor,
        org=body.org,
        email=body.email,
        name=body.name,
        password=body.password.get_secret_value(),
    )
    return {"id": created}


@router.post("/persons/{person}/bindings", status_code=201)
def bind(tools: ToolsDep, actor: ActorDep, person: str, body: BindingRequest) -> dict[str, Any]:
    """Give a person a role."""
    bound = people.bind(tools.records, actor, person=person, role=body.role.value, study=body.study)
    return {"id": bound}


@router.delete("/bindings/{binding}", status_code=204)
def unbind(tools: ToolsDep, actor: ActorDep, binding: str) -> None:
    """Take a role away."""
    people.unbind(tools.records, actor, binding)
