"""The runner's only way to the record: control over HTTP, patient with a service that is away."""

import hashlib
import logging
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from proctor_backend.domain.errors import LeaseLostError, PlatformError, StateConflictError
from proctor_sdk.sandbox.podman import this_owner

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, and presigned ones are secrets
PATIENCE_S = 120.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class ControlClient:
    """Claims leases and speaks for one; also fetches and stores what presigned URLs name."""

    def __init__(self, url: str, runner_token: str) -> None:
        """Keep one connection pool for the service and one for objects."""
        self._url = url.rstrip("/")
        self._token = runner_token
        self._names = {"runner": _this_runner(), "host": socket.gethostname()}
        # Never through a proxy of the environment: presigned URLs are secrets.
        self.http = httpx.Client(timeout=TIMEOUT, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def claim(self, **job: Any) -> dict[str, Any] | None:
        """Claim `shard=` or `report=`; None when it is not to be had: forget the message.

        The shard that is granted may be another than the one named, see `holdings`.
        """
        try:
            answer = self.post("/leases", self._token, job | self._names)
        except StateConflictError:
            return None
        grant: dict[str, Any] = answer.json()
        return grant

    def tell(self, **held: Any) -> list[str]:
        """Say that this runner lives and what it holds; returns the blocks that it must forget.

        Raises:
            PlatformError: the service is away, or refuses.
        """
        answer = self.post("/runners", self._token, held | self._names, patience_s=0.0)
        forget: list[str] = answer.json()["forget"]
        return forget

    def post(
        self,
        path: str,
        token: str,
        body: Mapping[str, Any],
        *,
        stop: Callable[[], None] = lambda: None,
        patience_s: float = PATIENCE_S,
    ) -> httpx.Response:
        """Post, again and again while the service is away.

        Raises:
            LeaseLostError: 410, another runner holds the work.
            StateConflictError: 409 or 404, the work is not to be had.
            PlatformError: the service stayed away, or refuses.
        """
        headers = {"Authorization": f"Bearer {token}"}
        response = self._patiently(
            lambda: self.http.post(f"{self._url}{path}", json=body, headers=headers),
            stop,
            patience_s,
        )
        if response.status_code == httpx.codes.GONE:
            raise LeaseLostError("This lease is lost.", cure="Stop the container.")
        if response.status_code in {httpx.codes.CONFLICT, httpx.codes.NOT_FOUND}:
            raise StateConflictError("The work is not to be had.", cure="Forget the message.")
        if response.is_error:
            raise PlatformError(
                f"Control answered {response.status_code} to {path.rpartition('/')[2]}.",
                cure="Look at the log of control.",
            )
        return response

    def fetch(self, url: str, *, stop: Callable[[], None] = lambda: None) -> bytes:
        """Read a small object whole."""
        response = self._patiently(lambda: self.http.get(url), stop, PATIENCE_S)
        if response.is_error:
            raise PlatformError(f"An object could not be read: {response.status_code}.")
        return response.content

    def store(self, url: str, content: bytes, *, stop: Callable[[], None]) -> None:
        """Write an object whole."""
        response = self._patiently(lambda: self.http.put(url, content=content), stop, PATIENCE_S)
        if response.is_error:
            raise PlatformError(f"A part could not be stored: {response.status_code}.")

    def _patiently(
        self, send: Callable[[], httpx.Response], stop: Callable[[], None], patience_s: float
    ) -> httpx.Response:
        deadline, pause = time.monotonic() + patience_s, FIRST_PAUSE_S
        while True:
            stop()
            try:
                response = send()
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise PlatformError(
                        "A service stayed away.", cure="Look whether control and S3 run."
                    ) from error
            else:
                if not response.is_server_error or time.monotonic() > deadline:
                    return response
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)


def _this_runner() -> str:
    """A name of this process that tells nothing of the host."""
    whole = f"{socket.gethostname()} {this_owner()}"
    return f"r{hashlib.sha256(whole.encode()).hexdigest()[:12]}"
