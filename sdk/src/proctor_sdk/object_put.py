"""Puts bytes behind presigned URLs; which bytes, and what to do about dead URLs, callers know."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import TYPE_CHECKING, Self

import httpx

from proctor_sdk.client import ApiError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_ATTEMPTS = 5
_FIRST_PAUSE_S = 0.25


class DeadUrlError(ApiError):
    """The URL has expired (403) or its upload is gone (404): ask for a new one."""


class ObjectPut:
    """A connection to the object store that carries no token of ours. Use as a context manager."""

    def __init__(self) -> None:
        self._http = httpx.Client(timeout=httpx.Timeout(300, connect=10))

    def __enter__(self) -> Self:
        """Give the connection."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self._http.close()

    def put(self, url: str, content: bytes | Path) -> str:
        """Store bytes or a file and give the ETag; a digest goes along for the store to check."""
        headers = {"Content-MD5": base64.b64encode(_md5(content)).decode("ascii")}
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                response = self._put_once(url, content, headers)
            except httpx.TransportError as error:
                if last:
                    raise _unreachable() from error
            else:
                if response.is_success:
                    return str(response.headers.get("ETag", ""))
                if last or not _worth_repeating(response):
                    raise _refused(response)
            time.sleep(_FIRST_PAUSE_S * 2**attempt)
        raise AssertionError  # the last attempt returned or raised

    def _put_once(self, url: str, content: bytes | Path, headers: dict[str, str]) -> httpx.Response:
        if isinstance(content, bytes):
            return self._http.put(url, content=content, headers=headers)
        with content.open("rb") as file:
            return self._http.put(url, content=file, headers=headers)


def _md5(content: bytes | Path) -> bytes:
    """S3 takes no other digest in a header; it guards against accidents, not against people."""
    if isinstance(content, bytes):
        return hashlib.md5(content, usedforsecurity=False).digest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


def _worth_repeating(response: httpx.Response) -> bool:
    return response.is_server_error or _is_damaged(response)


def _is_damaged(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.BAD_REQUEST and b"BadDigest" in response.content


def _refused(response: httpx.Response) -> ApiError:
    status = response.status_code
    if status in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
        return DeadUrlError("url_dead", "The upload's URL is no longer valid.", status=status)
    if _is_damaged(response):
        return ApiError(
            "upload_damaged",
            "The bytes arrive at the object store with another digest than they were sent with.",
            status=status,
            cure="Something on the way alters them: try another network, or tell the operator.",
        )
    return ApiError(
        "upload_refused",
        f"The object store refused the upload (HTTP {status}).",
        status=status,
        cure="Run the same command again; it goes on where it stopped.",
    )


def _unreachable() -> ApiError:
    return ApiError(
        "store_unreachable",
        "The object store does not answer.",
        cure="Run the same command again; it goes on where it stopped.",
    )
