"""One request to the dashboard: who makes it, with which session, and the page it is answered by.

Sessions and the forms' tokens are the people service's; here they meet cookies and templates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape

from proctor_backend.api.throttle import SIGN_INS_PER_MINUTE, Throttle
from proctor_backend.dashboard import formats, notices
from proctor_backend.domain.errors import NotSignedInError
from proctor_backend.domain.people import VENDOR_ROLES, Actor, Role
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Doc, Records
from proctor_backend.reporting import numbers
from proctor_backend.services import people
from proctor_backend.settings import Settings
from proctor_sdk.report import Show

HERE = Path(__file__).parent
SEE_OTHER = 303


@dataclass(frozen=True, slots=True)
class Desk:
    """What every page works with."""

    records: Records
    store: ObjectStore
    settings: Settings
    templates: Environment
    sign_ins: Throttle

    @property
    def secure(self) -> bool:
        """Tell whether the dashboard is served over HTTPS."""
        return self.settings.public_url.startswith("https://")

    @property
    def cookie(self) -> str:
        """Return the session cookie's name; browsers hold `__Host-` ones to this very host."""
        return "__Host-proctor" if self.secure else "proctor"


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person's request."""

    request: Request
    desk: Desk
    actor: Actor
    secret: str
    profile: Doc

    @property
    def records(self) -> Records:
        """Return the system of record."""
        return self.desk.records

    def page(self, template: str, here: str = "", **context: Any) -> HTMLResponse:
        """Return a page with the person's own navigation."""
        known = {
            "viewer": _who(self),
            "csrf": people.csrf_token(self.secret),
            "here": here,
            "actor": self.actor,
            "done": notices.text(self.request.query_params.get("done")),
        }
        return render(self.desk, template, known | context)

    def back(self, path: str, done: str = "") -> RedirectResponse:
        """Return to a page after a form was taken, with a notice of what was done."""
        return RedirectResponse(f"{path}?done={done}" if done else path, SEE_OTHER)


def open_desk(records: Records, store: ObjectStore, settings: Settings) -> Desk:
    """Return the desk with its templates; what they print is escaped unless they are written so."""
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        moment=formats.moment,
        digest=formats.digest,
        role=formats.role,
        tone=formats.tone,
        state=formats.state,
        shown=_shown,
        count=numbers.count,
    )
    return Desk(records, store, settings, templates, Throttle(SIGN_INS_PER_MINUTE, 60))


def render(
    desk: Desk, template: str, context: Mapping[str, Any], status: int = 200
) -> HTMLResponse:
    """Return a page outside or inside a session."""
    known = {"demonstration": desk.settings.demonstration, "viewer": None, "done": ""}
    return HTMLResponse(desk.templates.get_template(template).render(known | dict(context)), status)


def desk_of(request: Request) -> Desk:
    """Return the desk of the application that got this request."""
    desk: Desk = request.app.state.desk
    return desk


def visit(request: Request, desk: Annotated[Desk, Depends(desk_of)]) -> Visit:
    """Return the visit of the session that the cookie names.

    Raises:
        NotSignedInError: there is no such session.
    """
    secret = request.cookies.get(desk.cookie, "")
    if not secret:
        raise NotSignedInError("You are not signed in.", cure="Sign in.")
    actor = people.actor_from_session(desk.records, secret)
    return Visit(request, desk, actor, secret, people.profile(desk.records, actor))


async def form_fields(request: Request) -> dict[str, str]:
    """Return the form's text fields."""
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


Form = Annotated[dict[str, str], Depends(form_fields)]


def posted(present: Annotated[Visit, Depends(visit)], form: Form) -> Visit:
    """Return the visit of a form that came from this session's own pages.

    Raises:
        NotSignedInError: it carries no token of this session.
    """
    people.check_csrf(present.secret, form.get("csrf", ""))
    return present


Reading = Annotated[Visit, Depends(visit)]
Posting = Annotated[Visit, Depends(posted)]


def signed_out(response: Response, desk: Desk) -> Response:
    """Take the session cookie away."""
    response.delete_cookie(desk.cookie, path="/", secure=desk.secure, httponly=True)
    return response


def _who(present: Visit) -> Doc:
    roles = sorted({formats.role(role) for role in present.actor.roles()})
    navigation = [
        {"key": key, "href": href, "label": label}
        for key, href, label in _navigation(present.actor)
    ]
    organisation = present.profile["org"]["name"]
    return {
        "name": present.profile["name"],
        "roles": " · ".join([organisation, *roles]),
        "navigation": navigation,
    }


def _navigation(actor: Actor) -> Iterator[tuple[str, str, str]]:
    held = actor.roles()
    yield "home", "/", "Home"
    yield "studies", "/studies", "Studies"
    if held & {Role.DATA_PARTNER, Role.STUDY_OFFICE}:
        yield "cohorts", "/cohorts", "Cohorts"
    if Role.DATA_PARTNER in held:
        yield "queries", "/queries", "Questions"
    yield "entries", "/entries", "Entries"
    if held - {Role.VENDOR_DEVELOPER, Role.OPERATOR} or held & VENDOR_ROLES:
        yield "reports", "/reports", "Reports"
    if held & {Role.OPERATOR, Role.REVIEWER}:
        yield "audit", "/audit", "Audit"


def _shown(result: Mapping[str, Any], part: str) -> str:
    return numbers.write(result, Show(part))
