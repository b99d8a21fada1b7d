"""What a route works with: the services' tools, and the actor that the table lets in."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from proctor_backend.api.permissions import TABLE, Rule
from proctor_backend.api.throttle import Throttle
from proctor_backend.domain.errors import ForbiddenError, NotSignedInError
from proctor_backend.domain.people import Actor
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records
from proctor_backend.services import people
from proctor_backend.settings import Settings


@dataclass(frozen=True, slots=True)
class Tools:
    """The parts that the application was built from."""

    records: Records
    store: ObjectStore
    settings: Settings
    sign_ins: Throttle


def _tools(request: Request) -> Tools:
    return cast("Tools", request.app.state.tools)


def authorise(request: Request) -> None:
    """Let the request in if the table does; a route outside of the table lets nobody in.

    Raises:
        NotSignedInError: no valid token where one is needed.
        ForbiddenError: the person's roles or the token's scopes do not allow the route.
    """
    rule = TABLE[request.method, request.scope["route"].path]
    if rule.roles is None:
        return
    actor = people.actor_from_token(_tools(request).records, _bearer(request))
    _check(rule, actor)
    request.state.actor = actor


def _check(rule: Rule, actor: Actor) -> None:
    if not rule.own_account and not actor.roles() & (rule.roles or frozenset()):
        names = ", ".join(sorted(role.value for role in rule.roles or ()))
        raise ForbiddenError("Your roles do not allow this.", cure=f"It takes one of: {names}.")
    if rule.scope is not None:
        actor.require_scope(rule.scope)


def _bearer(request: Request) -> str:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret:
        raise NotSignedInError(
            "This needs a token.", cure="Send 'Authorization: Bearer TOKEN'; see `proctor login`."
        )
    return secret.strip()


def _actor(request: Request) -> Actor:
    return cast("Actor", request.state.actor)


ToolsDep = Annotated[Tools, Depends(_tools)]
ActorDep = Annotated[Actor, Depends(_actor)]
