"""Sign in, sign out, and what awaits a person."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from proctor_backend.dashboard.awaiting import awaiting
from proctor_backend.dashboard.visit import (
    SEE_OTHER,
    Desk,
    Form,
    Posting,
    Reading,
    desk_of,
    render,
    signed_out,
)
from proctor_backend.domain.errors import InvalidInputError, NotSignedInError, TooManyRequestsError
from proctor_backend.services import people

router = APIRouter()
_NOTICES = {
    "signed-out": "You are signed out.",
    "password": "Your password is changed. Sign in with the new one.",
}


@router.get("/sign-in")
def sign_in_page(
    desk: Annotated[Desk, Depends(desk_of)], to: str = "/", done: str = ""
) -> Response:
    """Show the form."""
    return render(desk, "sign_in.html", {"to": _own_path(to), "done": _NOTICES.get(done, "")})


@router.post("/sign-in")
def sign_in(request: Request, desk: Annotated[Desk, Depends(desk_of)], form: Form) -> Response:
    """Open a session; a form sent from another site is not taken."""
    to = _own_path(form.get("to", "/"))
    try:
        _require_own_form(request)
        desk.sign_ins.pass_through(request.client.host if request.client else "")
        secret = people.login(desk.records, form.get("email", ""), form.get("password", ""))
    except (NotSignedInError, TooManyRequestsError) as error:
        context = {"to": to, "error": error, "email": form.get("email", "")}
        return render(desk, "sign_in.html", context, error.status)
    response = RedirectResponse(to, SEE_OTHER)
    response.set_cookie(
        desk.cookie, secret, path="/", httponly=True, samesite="strict", secure=desk.secure
    )
    return response


@router.get("/password")
def password_page(visit: Reading) -> Response:
    """Show the form for an own password."""
    return visit.page("password.html", "password")


@router.post("/password")
def change_password(visit: Posting, form: Form) -> Response:
    """Replace the own password; every session ends, this one too."""
    new = form.get("new", "")
    if new != form.get("again", ""):
        raise InvalidInputError("The two new passwords differ.", cure="Type it twice alike.")
    people.change_password(visit.records, visit.actor, old=form.get("old", ""), new=new)
    return signed_out(RedirectResponse("/sign-in?done=password", SEE_OTHER), visit.desk)


@router.post("/sign-out")
def sign_out(visit: Posting) -> Response:
    """Close the session."""
    people.logout(visit.records, visit.secret)
    return signed_out(RedirectResponse("/sign-in?done=signed-out", SEE_OTHER), visit.desk)


@router.get("/")
def home(visit: Reading) -> Response:
    """Show what awaits this person."""
    return visit.page("home.html", "home", tasks=awaiting(visit.records, visit.actor))


def _require_own_form(request: Request) -> None:
    """Refuse a form sent from another site; there is no session yet whose token it could carry."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise NotSignedInError("This form came from another site.", cure="Sign in here.")


def _own_path(address: str) -> str:
    """Return an address on this site, home for any other."""
    return address if address.startswith("/") and address[1:2] not in {"/", "\\"} else "/"
