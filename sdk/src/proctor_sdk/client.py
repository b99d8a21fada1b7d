"""The HTTP client of the public API: one request, and its errors in words a person can use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import httpx

from proctor_sdk.errors import Problem, ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.25
_SAFE_METHODS = frozenset({"GET", "PUT", "DELETE"})
_CURES = {
    401: "Run `proctor login`, or set PROCTOR_TOKEN.",
    403: "Ask the study office for the role that this needs.",
    404: "Check the id; what you may not see is told in the same way.",
    409: "Look at the state with `proctor status`.",
    413: "Send less at once.",
    429: "Wait a minute and try again.",
}


class ApiError(ProctorSdkError):
    """The platform answered no, or did not answer."""

    def __init__(self, code: str, message: str, *, status: int = 0, **rest: Any) -> None:
        super().__init__(code, message, **rest)
        self.status = status


class ApiClient:
    """Talks to one platform as one person. Use as a context manager."""

    def __init__(
        self, url: str, token: str | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers=headers,
            timeout=httpx.Timeout(60, connect=10),
            transport=transport,
        )

    def __enter__(self) -> Self:
        """Give the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **params: str | int) -> Any:
        """Read a JSON document."""
        return _document(self._ask("GET", path, params=params))

    def get_bytes(self, path: str) -> bytes:
        """Read a file."""
        return self._ask("GET", path).content

    def post(self, path: str, document: Any, *, idempotency_key: str | None = None) -> Any:
        """Send a JSON document; it is sent again after a lost connection only with a key."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        again = idempotency_key is not None
        return _document(self._ask("POST", path, json=document, headers=headers, again=again))

    def put(self, path: str, document: Any) -> Any:
        """Replace a JSON document."""
        return _document(self._ask("PUT", path, json=document))

    def put_bytes(self, path: str, content: bytes) -> Any:
        """Replace a file."""
        return _document(self._ask("PUT", path, content=content))

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        again: bool = False,
        **body: Any,
    ) -> httpx.Response:
        attempts = _ATTEMPTS if again or method in _SAFE_METHODS else 1
        for attempt in range(attempts):
            last = attempt == attempts - 1
            try:
                response = self._http.request(method, path, headers=headers, **body)
            except httpx.InvalidURL as error:
                raise ApiError("bad_url", f"{self.url} is not a URL.") from error
            except httpx.TransportError as error:
                if last:
                    raise self._unreachable(error) from error
            else:
                if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or last:
                    return _checked(response)
            time.sleep(_FIRST_PAUSE_S * 2**attempt)
        raise AssertionError  # the last attempt returned or raised

    def _unreachable(self, error: httpx.TransportError) -> ApiError:
        if isinstance(error, httpx.ConnectError):
            what = f"Nothing answers at {self.url}."
        elif isinstance(error, httpx.TimeoutException):
            what = f"{self.url} did not answer in time."
        elif isinstance(error, httpx.UnsupportedProtocol):
            what = f"{self.url} does not begin with http:// or https://."
        else:
            what = f"The connection to {self.url} broke."
        cure = "Check the URL (PROCTOR_URL, `proctor login`) and that the platform is up."
        return ApiError("unreachable", what, cure=cure)


def _document(response: httpx.Response) -> Any:
    try:
        return response.json() if response.content else None
    except ValueError as error:
        host = response.url.copy_with(path="/", query=None)
        raise ApiError(
            "not_proctor", f"What answers at {host} is not Proctor.", cure="Check the URL."
        ) from error


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    error = _error_of(response)
    status = response.status_code
    problems = tuple(_problem(p) for p in error.get("problems") or [] if isinstance(p, dict))
    raise ApiError(
        str(error.get("code") or f"http_{status}"),
        str(error.get("message") or _sentence(status)),
        status=status,
        cure=str(error.get("cure") or _cure(status)),
        problems=problems,
    )


def _error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of our contract, or nothing when a proxy answered in its place."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _problem(document: dict[str, Any]) -> Problem:
    line = document.get("line")
    return Problem(
        what=str(document.get("what", "")),
        cure=str(document.get("cure") or ""),
        field=str(document.get("field") or ""),
        line=line if isinstance(line, int) else None,
    )


def _sentence(status: int) -> str:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return f"The platform failed (HTTP {status})."
    return f"The platform refused (HTTP {status})."


def _cure(status: int) -> str:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return "Try again; if it stays, tell the operator the time and this command."
    return _CURES.get(status, "")
