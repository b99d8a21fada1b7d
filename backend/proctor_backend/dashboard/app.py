"""Puts the dashboard together: pages, static files, headers; errors are pages that say a cure."""

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException

from proctor_backend.api.middleware import BodyCap
from proctor_backend.dashboard import (
    audit_pages,
    cohort_pages,
    entry_pages,
    report_pages,
    review_pages,
    session_pages,
    study_pages,
)
from proctor_backend.dashboard.visit import HERE, SEE_OTHER, Desk, open_desk, render
from proctor_backend.domain.errors import (
    InvalidInputError,
    NotFoundError,
    NotSignedInError,
    PlatformError,
    ProctorError,
)
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records
from proctor_backend.services.passwords import WrongPasswordError
from proctor_backend.settings import Settings

log = logging.getLogger(__name__)
PAGES = (
    session_pages, study_pages, cohort_pages, entry_pages, report_pages, review_pages, audit_pages,
)  # fmt: skip
# The largest form is the vendor's annex, fourteen texts of 20,000 characters.
FORM_LIMIT = 1_000_000


def create_dashboard(records: Records, store: ObjectStore, settings: Settings) -> FastAPI:
    """Return the dashboard; it is mounted at the root of the public process."""
    app = FastAPI(title="Proctor dashboard", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = open_desk(records, store, settings)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    for pages in PAGES:
        app.include_router(pages.router)
    _answer_errors(app)
    _set_headers(app, settings)
    app.add_middleware(BodyCap, prefix="/")  # also of a body that states no length
    return app


def _set_headers(app: FastAPI, settings: Settings) -> None:
    headers = {
        "Content-Security-Policy": _policy(settings),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # the viewer sees which origin embeds it, and nothing of the page
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    if settings.public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"

    @app.middleware("http")
    async def _dress(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if int(request.headers.get("content-length", "0") or "0") > FORM_LIMIT:
            return Response("This form is too large.", 413, media_type="text/plain")
        response = await call_next(request)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        static = request.scope["path"].startswith("/static/")
        response.headers.setdefault("Cache-Control", "max-age=3600" if static else "no-store")
        return response


def _policy(settings: Settings) -> str:
    viewer = urlsplit(settings.viewer_url)
    origin = f" {viewer.scheme}://{viewer.netloc}" if viewer.netloc else ""
    return "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            f"img-src 'self'{origin}",
            f"frame-src 'self'{origin}",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _answer_errors(app: FastAPI) -> None:
    desk: Desk = app.state.desk

    @app.exception_handler(ProctorError)
    async def _ours(request: Request, error: ProctorError) -> Response:
        if _asks_for_json(request):
            return JSONResponse({"error": error.as_dict()}, error.status)
        session_over = isinstance(error, NotSignedInError) and request.method == "GET"
        if session_over and not isinstance(error, WrongPasswordError):
            address = quote(request.url.path, safe="/")
            return RedirectResponse(f"/sign-in?to={address}", SEE_OTHER)
        return _page(desk, request, error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == NotFoundError.status:
            return _page(desk, request, NotFoundError("There is no such page.", cure="Go home."))
        refused = InvalidInputError("This page does not take that request.", cure="Go back.")
        return _page(desk, request, refused)

    @app.exception_handler(RequestValidationError)
    async def _form(request: Request, _error: RequestValidationError) -> Response:
        refused = InvalidInputError("The form is not complete.", cure="Go back and fill it in.")
        return _page(desk, request, refused)

    @app.exception_handler(PyMongoError)
    async def _away(request: Request, error: PyMongoError) -> Response:
        log.error("the database did not answer", exc_info=error)
        away = PlatformError(
            "The database does not answer; nothing was changed.", cure="Try again in a minute."
        )
        return _page(desk, request, away)

    @app.exception_handler(Exception)
    async def _unknown(request: Request, error: Exception) -> Response:
        log.error("a page failed", exc_info=error)
        broken = PlatformError(
            "This page could not be made. The operator finds the reason in the log.",
            cure="Try again; if it stays so, tell the operator the time and the address.",
        )
        return _page(desk, request, broken)


def _asks_for_json(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("application/json")


def _page(desk: Desk, request: Request, error: ProctorError) -> Response:
    path = request.url.path
    back = path.rsplit("/", 1)[0] if request.method == "POST" else "/"
    context = {"error": error, "back": back or "/", "status": error.status}
    return render(desk, "error.html", context, error.status)
