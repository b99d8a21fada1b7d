"""Every way a request can fail, told in one form; what is ours stays in our log."""

import logging
import secrets
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException

from proctor_backend.domain.errors import ProctorError
from proctor_backend.records import unreachable
from proctor_sdk.errors import ProctorSdkError

LOG = logging.getLogger(__name__)
_CODES = {404: "not_found", 405: "method_not_allowed"}
_SERVER_FAULT = 500


def add_error_handlers(app: FastAPI) -> None:
    """Make the application answer every failure as {"error": {...}}."""
    app.add_exception_handler(ProctorError, _ours)
    app.add_exception_handler(ProctorSdkError, _sdk)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(PyMongoError, _database)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ProctorError):
        return await _unexpected(request, error)
    if error.status >= _SERVER_FAULT:
        LOG.error("%s %s: %s", request.method, _route(request), error, exc_info=error)
    return _answer(error.status, error.as_dict())


async def _sdk(_request: Request, error: Exception) -> JSONResponse:
    problems = [
        {name: getattr(one, name, None) for name in ("line", "field", "what", "cure")}
        for one in getattr(error, "problems", ())
    ]
    return _answer(
        422,
        {
            "code": getattr(error, "code", "invalid"),
            "message": getattr(error, "message", "This cannot be read."),
            "cure": getattr(error, "cure", ""),
            "problems": problems,
        },
    )


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    # The sender's own values are not sent back: one of them may be a password.
    found = error.errors() if isinstance(error, RequestValidationError) else []
    problems = [
        {
            "line": None,
            "field": ".".join(str(part) for part in one["loc"][1:]),
            "what": str(one["msg"]),
            "cure": "See /api/v1/openapi.json for what the field takes.",
        }
        for one in found
    ]
    return _answer(
        422,
        {
            "code": "invalid",
            "message": "The request is not as the route asks.",
            "cure": "Correct the fields named in the problems.",
            "problems": problems,
        },
    )


async def _http(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else _SERVER_FAULT
    return _answer(
        status,
        {
            "code": _CODES.get(status, "refused"),
            "message": "There is nothing of that kind here.",
            "cure": "See /api/v1/openapi.json for the routes.",
            "problems": [],
        },
    )


async def _database(request: Request, error: Exception) -> JSONResponse:
    LOG.error("%s %s: database: %s", request.method, _route(request), error)
    return _answer(unreachable().status, unreachable().as_dict())


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    reference = secrets.token_hex(8)
    LOG.error("%s %s failed [%s]", request.method, _route(request), reference, exc_info=error)
    return _answer(
        _SERVER_FAULT,
        {
            "code": "internal",
            "message": f"The platform made a mistake; its log knows it as {reference}.",
            "cure": "Try again; if it stays, tell the operator this number.",
            "problems": [],
        },
    )


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "path", "(no route)"))


def _answer(status: int, error: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"error": error}, status_code=status)
