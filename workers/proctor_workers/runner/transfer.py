"""Reads objects from S3 by presigned addresses: kept connections, one for each thread.

What went wrong decides what follows. Away (no answer, 5xx, 429, a connection cut half way, too
slow): again with growing pauses, then a platform failure. Refused (403): once more with a new
address, then a platform failure. Missing: a platform failure. Whole and yet not as recorded
(another length or digest): again, then a data failure. An address is a secret and stands in no
message.
"""

import contextlib
import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from proctor_backend.domain.errors import DataError, PlatformError
from proctor_workers.runner.cache import CHUNK, Sink

PATIENCE_S = 120.0
STALL_S = 20.0
CONNECT_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
SLOWEST = 50_000  # bytes a second, below which a transfer counts as stalled
WRONG_TRIES = 3
LARGEST = 1 << 40
REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
PORTS = {"http": 80, "https": 443}


class Address(Protocol):
    """Tells where an object is to be had, a fresh place if the last was refused."""

    def __call__(self, *, fresh: bool) -> str:
        """Return a presigned URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An object as it was recorded, in bytes, None where the record does not know its size."""

    sha256: str
    size: int | None
    address: Address


class AbortedError(Exception):
    """The work that wanted these bytes is over."""


class _AwayError(Exception):
    """The store did not answer as it should; it may do so later."""


class _StaleError(_AwayError):
    """A kept connection had been closed by the other side: nothing is wrong."""


class _RefusedError(Exception):
    """The store does not take this address."""


class _WrongError(Exception):
    """The store gave whole bytes that are not those recorded."""


class Transfers:
    """Fetches for the time of one lease; `abort` ends what is under way."""

    def __init__(
        self,
        guard: Callable[[], None],
        *,
        patience_s: float = PATIENCE_S,
        stall_s: float = STALL_S,
    ) -> None:
        """Ask `guard`, which raises once the work must stop, before every try and chunk."""
        self._guard = guard
        self._patience = patience_s
        self._stall = stall_s
        self._own = threading.local()
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        self._over = threading.Event()

    def fetch(self, wanted: Wanted, sinks: Sequence[Sink]) -> None:
        """Write an object's bytes to every sink, checked.

        Raises:
            DataError: the store holds something else than what was recorded.
            PlatformError: the store stayed away, refuses, or has no such object.
            AbortedError: `abort` was called.
        """
        deadline, pause = time.monotonic() + self._patience, FIRST_PAUSE_S
        wrong, refused, address = 0, False, wanted.address(fresh=False)
        while True:
            self._check()
            try:
                self._try(address, wanted, sinks)
            except _StaleError:
                continue
            except _RefusedError as error:
                if refused:
                    raise _refused() from error
                refused, address = True, wanted.address(fresh=True)
                continue
            except _WrongError as error:
                wrong += 1
                if wrong == WRONG_TRIES:
                    raise DataError("A file is not as it was recorded.") from error
            except (_AwayError, OSError, http.client.HTTPException) as error:
                self._check()
                if time.monotonic() > deadline:
                    raise PlatformError(
                        f"The object store stayed away: {_told(error)}.",
                        cure="Look whether S3 runs.",
                    ) from error
            else:
                return
            self._over.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def abort(self) -> None:
        """End every fetch under way and refuse new ones."""
        self._over.set()
        with self._lock:
            for connection in self._open:
                connection.cut()

    def close(self) -> None:
        """End, and close every connection; no thread may be fetching any more."""
        self.abort()
        with self._lock:
            for connection in self._open:
                connection.http.close()
            self._open.clear()

    def _check(self) -> None:
        if self._over.is_set():
            raise AbortedError
        self._guard()

    def _try(self, address: str, wanted: Wanted, sinks: Sequence[Sink]) -> None:
        for sink in sinks:
            sink.restart()
        parts = urlsplit(address)
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            response = connection.ask(f"{parts.path}?{parts.query}")
            _sort_out(response, wanted.size)
            self._receive(response, wanted, sinks)
        except BaseException:
            self._forget(connection)  # what else comes on it belongs to nobody
            raise
        response.close()

    def _receive(
        self, response: http.client.HTTPResponse, wanted: Wanted, sinks: Sequence[Sink]
    ) -> None:
        digest, left = hashlib.sha256(), response.length or 0
        end = time.monotonic() + self._stall + left / SLOWEST
        buffer = self.buffer()
        while left:
            count = response.fp.readinto1(buffer[:left])
            if not count:
                raise _AwayError("the connection was cut half way")
            self._check()
            if time.monotonic() > end:
                raise _AwayError("it is too slow")
            view = buffer[:count]
            digest.update(view)
            for sink in sinks:
                _write(sink, view)
            left -= count
        if digest.hexdigest() != wanted.sha256:
            raise _WrongError

    def buffer(self) -> memoryview:
        """This thread's own."""
        found: memoryview | None = getattr(self._own, "buffer", None)
        if found is None:
            found = self._own.buffer = memoryview(bytearray(CHUNK))
        return found

    def _connection(self, scheme: str, host: str, port: int | None) -> "_Connection":
        kept: dict[tuple[str, str, int], _Connection] = self._own.__dict__.setdefault("kept", {})
        place = (scheme, host, port or PORTS[scheme])
        found = kept.get(place)
        if found is None or found.dropped:
            found = kept[place] = _Connection(place, self._stall)
            with self._lock:
                self._open.add(found)
        return found

    def _forget(self, connection: "_Connection") -> None:
        connection.dropped = True
        connection.http.close()
        with self._lock:
            self._open.discard(connection)


class _Connection:
    """A connection that is used again and again; never through a proxy of the environment."""

    def __init__(self, place: tuple[str, str, int], stall_s: float) -> None:
        scheme, host, port = place
        self.used = self.dropped = False
        self._stall = stall_s
        self.http: http.client.HTTPConnection
        if scheme == "https":
            context = ssl.create_default_context()
            self.http = http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=context)
        else:
            self.http = http.client.HTTPConnection(host, port, timeout=CONNECT_S)

    def ask(self, target: str) -> http.client.HTTPResponse:
        """Send a GET; returns the answer's head."""
        try:
            if not self.used:
                self.http.connect()
            self.http.sock.settimeout(self._stall)
            self.http.request("GET", target, headers={"Accept-Encoding": "identity"})
            answer = self.http.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            if self.used:
                raise _StaleError from error
            raise
        self.used = True
        return answer

    def cut(self) -> None:
        """Wake whoever reads from it; from another thread."""
        with contextlib.suppress(OSError, AttributeError):
            self.http.sock.shutdown(socket.SHUT_RDWR)


def _sort_out(response: http.client.HTTPResponse, size: int | None) -> None:
    status = response.status
    if status in REFUSED:
        raise _RefusedError
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _AwayError(f"it answered {status}")
    if status != HTTPStatus.OK:
        raise PlatformError(f"A file could not be read: {status}.", cure="Look into the bucket.")
    if response.length is None or response.length > LARGEST or size not in {None, response.length}:
        raise _WrongError


def _write(sink: Sink, view: memoryview) -> None:
    try:
        sink.write(view)
    except OSError as error:
        raise PlatformError("This host has no room for a staged file.") from error


def _refused() -> PlatformError:
    return PlatformError(
        "The object store refused an address that control had just made.",
        cure="Compare the clocks of control and S3, and control's credentials.",
    )


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, _AwayError) else type(error).__name__
