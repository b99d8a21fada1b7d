"""Answers on their way out: a file here at once, a part in S3 every few seconds.

A killed runner loses nothing that was written here; a lost host loses what was not yet sent.
"""

import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from proctor_sdk.predictions import Prediction, Status
from proctor_workers.runner.lease import Lease

LOG = logging.getLogger(__name__)
SEND_EVERY_S = 5.0
LARGEST_PART = 4 << 20


class Spool:
    """The local file of a shard's answers and the thread that sends them."""

    def __init__(self, path: Path, lease: Lease, *, every_s: float = SEND_EVERY_S) -> None:
        """Append to `path`; send under the lease's fence."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lease = lease
        self._every = every_s
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._seq = 0
        self._over = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._send_on, name="spool", daemon=True)
        self.counts = {str(status): 0 for status in Status}

    def __enter__(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sending; `finish` has sent everything if the shard went well."""
        self._over.set()
        self._thread.join(timeout=self._every)
        os.close(self._handle)

    def put(self, prediction: Prediction, line: bytes) -> None:
        """Keep one answer: on this host now, in S3 soon."""
        self._lease.guard()
        if self._error is not None:
            raise self._error
        os.write(self._handle, line + b"\n")
        self.counts[prediction.status] += 1
        self._queue([line])

    def resend(self, lines: Iterable[bytes]) -> None:
        """Queue answers that an earlier process wrote here and did not send."""
        self._queue(list(lines))

    def finish(self) -> None:
        """Send what is left; raises what kept it from being sent."""
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        self._send()

    def forget(self) -> None:
        """Remove the local file: the record has everything."""
        self._path.unlink(missing_ok=True)

    def _queue(self, lines: list[bytes]) -> None:
        with self._lock:
            self._pending += lines
            self._pending_bytes += sum(map(len, lines))

    def _send_on(self) -> None:
        last = time.monotonic()
        while not self._over.wait(min(0.25, self._every)):
            due = time.monotonic() - last >= self._every or self._pending_bytes > LARGEST_PART
            if due:
                last = time.monotonic()
                try:
                    self._send()
                except Exception as error:  # noqa: BLE001 - handed to the thread that works
                    self._error = error
                    return

    def _send(self) -> None:
        with self._lock:
            lines, self._pending, self._pending_bytes = self._pending, [], 0
        if not lines:
            return
        content = b"".join(line + b"\n" for line in lines)
        self._seq += 1
        part = {
            "seq": self._seq,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "cases": len(lines),
        }
        self._lease.put_part(part, content)


def read_spool(path: Path) -> list[bytes]:
    """The whole lines of an earlier process; a last line without its end was not written."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes().split(b"\n")[:-1]
    return []
