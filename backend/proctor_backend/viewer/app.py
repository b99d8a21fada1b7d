"""The viewer's pages: spend a ticket, read the hidden object, answer pixels or a table of inputs.

Nothing is kept, cached or named: the answer carries no header of the file and no trace of an error.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from proctor_backend.domain.errors import DataError, NotFoundError, PlatformError, ProctorError
from proctor_backend.domain.keys import cases_key, file_key
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records
from proctor_backend.settings import Settings
from proctor_backend.viewer import render, tickets
from proctor_backend.viewer.tickets import View

HERE = Path(__file__).parent
log = logging.getLogger(__name__)
_PAGES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
)
_UNREADABLE = "This image cannot be shown.\nThe file is kept; tell the operator the case's id."
_DAMAGED = "This image is not the one that was recorded.\nTell the operator the case's id."
_MISSING = "This image is not in the store.\nTell the operator the case's id."
_AWAY = "The image store does not answer.\nOpen the case again in a minute."


def create_viewer(records: Records, store: ObjectStore, settings: Settings) -> FastAPI:
    """Return the viewer over a store whose credentials read the hidden bucket and no other way."""
    app = FastAPI(title="Proctor viewer", docs_url=None, redoc_url=None, openapi_url=None)
    dashboard = settings.public_url.rstrip("/")

    @app.middleware("http")
    async def _headers(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        response.headers.update(_headers_for(dashboard))
        return response

    @app.exception_handler(ProctorError)
    async def _refused(_request: Request, error: ProctorError) -> Response:
        page = _PAGES.get_template("refused.html").render(message=error.message, cure=error.cure)
        return Response(page, status_code=error.status, media_type="text/html")

    @app.get("/health")
    def health() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/fragment.css")
    def style() -> Response:
        return Response((HERE / "templates" / "fragment.css").read_text(), media_type="text/css")

    @app.get("/view/{ticket}")
    def view(ticket: str, request: Request) -> Response:
        _require_dashboard(request, dashboard)
        opened = tickets.consume(records, ticket)
        return _answer(store, opened)

    return app


def _headers_for(dashboard: str) -> dict[str, str]:
    ancestors = dashboard or "'none'"
    return {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        # The dashboard lies on another origin, which browsers call another site where hosts are
        # bare addresses; `_require_dashboard` holds everybody else off.
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'self'; frame-ancestors {ancestors}"
        ),
    }


def _require_dashboard(request: Request, dashboard: str) -> None:
    """Refuse a browser that comes from anywhere but the dashboard, before the ticket is spent."""
    if not {"sec-fetch-site", "referer"} & set(request.headers):
        return  # no browser: a token's holder with a ticket in hand
    came_from = urlsplit(request.headers.get("referer", ""))
    if f"{came_from.scheme}://{came_from.netloc}" != dashboard:
        raise NotFoundError(
            "This view opens only inside the dashboard.", cure="Open the case from its report."
        )


def _answer(store: ObjectStore, view: View) -> Response:
    try:
        line = _case_line(store, view)
        shown = _shown(line, view.file)
        contents = [
            store.get(view.bucket, file_key(view.lineage, line["block"], name), sha256=name)
            for name in shown.files
        ]
        return _shown_as(shown.role, contents, line)
    except DataError:
        log.exception("report %s: an image differs from its digest", view.report)
        return _png(render.placeholder(_DAMAGED))
    except NotFoundError:
        log.exception("report %s: an image is missing", view.report)
        return _png(render.placeholder(_MISSING))
    except PlatformError:
        log.exception("report %s: an image could not be read", view.report)
        return _png(render.placeholder(_AWAY))
    except render.UnreadableError:
        log.exception("report %s: an image could not be rendered", view.report)
        return _png(render.placeholder(_UNREADABLE))


def _case_line(store: ObjectStore, view: View) -> dict[str, Any]:
    """Return the case's line of its block's list, with the block's name."""
    blocks = [view.block] if view.block else _blocks(store, view)
    for block in blocks:
        listing = store.get(view.bucket, cases_key(view.cohort, block))
        for line in listing.splitlines():
            if view.case.encode() in line:
                found: dict[str, Any] = json.loads(line)
                if found["case"] == view.case:
                    return found | {"block": block}
    raise NotFoundError("The case is not in its cohort.")


def _blocks(store: ObjectStore, view: View) -> list[str]:
    keys = store.list(view.bucket, f"{view.cohort}/")
    return sorted({key.split("/")[1] for key in keys if key.endswith("/cases.jsonl")})


@dataclass(frozen=True, slots=True)
class _Shown:
    """What of a case is shown: files of one role by their digests; none, its inputs."""

    role: str
    files: tuple[str, ...]


def _shown(line: dict[str, Any], asked: str | None) -> _Shown:
    """Choose the middle image, else the first signal with its header, else the first table."""
    files = line.get("files", ())
    if asked is not None:
        return _Shown("image", (asked,))
    if images := [file for file in files if file["role"] == "image"]:
        return _Shown("image", (images[(len(images) - 1) // 2]["sha256"],))
    if signals := [file for file in files if file["role"] == "signal"]:
        stem = Path(signals[0]["name"]).stem
        record = {Path(f["name"]).suffix: f for f in signals if Path(f["name"]).stem == stem}
        return _Shown("signal", tuple(record[end]["sha256"] for end in (".hea", ".dat")))
    tables = [file["sha256"] for file in files if file["role"] == "table"]
    return _Shown("table", tuple(tables[:1]))


def _shown_as(role: str, contents: list[bytes], line: dict[str, Any]) -> Response:
    if role == "image":
        return _png(render.to_png(contents[0]))
    if role == "signal":
        return _png(render.signal_to_png(*contents))
    if not contents:
        return _table(line)
    page = _PAGES.get_template("rows.html").render(table=render.table_rows(contents[0]))
    return Response(page, media_type="text/html")


def _table(line: dict[str, Any]) -> Response:
    page = _PAGES.get_template("inputs.html").render(inputs=sorted(line.get("inputs", {}).items()))
    return Response(page, media_type="text/html")


def _png(content: bytes) -> Response:
    return Response(content, status_code=HTTPStatus.OK, media_type="image/png")
