"""One held lease: renewed beside the work, and the one place that knows when the work must stop."""

import contextlib
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

from proctor_backend.domain.errors import LeaseLostError, PlatformError, StateConflictError
from proctor_sdk.reasons import ReasonCode
from proctor_workers.runner.control import ControlClient

LOG = logging.getLogger(__name__)
GIVE_BACK_PATIENCE_S = 2.0
# Set when this process is asked to end: whoever holds a lease stops and gives it back.
STOPPING = threading.Event()


class CancelledError(Exception):
    """The vendor took the entry back; nothing more is to be recorded."""


class StoppedError(Exception):
    """This process is to end; the shard is given back as it stands."""


class Lease:
    """A lease while it is held; `guard` raises once it is lost or the entry was cancelled."""

    def __init__(self, control: ControlClient, grant: Mapping[str, Any]) -> None:
        """Hold the lease of a grant."""
        held = grant["lease"]
        self.id: str = held["id"]
        self.fence: int = held["fence"]
        self._control = control
        self._token: str = held["token"]
        self._every = float(held.get("renew_every_s", 10))
        self._over = threading.Event()
        self._lost = threading.Event()
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"renew {self.id}", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop renewing."""
        self._over.set()
        self._thread.join(timeout=self._every)

    def guard(self) -> None:
        """Raise `LeaseLostError`, `CancelledError` or `StoppedError` if the work must stop."""
        if STOPPING.is_set():
            raise StoppedError
        if self._lost.is_set():
            raise LeaseLostError("This lease is lost.", cure="Stop the container.")
        if self._cancelled.is_set():
            raise CancelledError

    def files(self, block: str, digests: Sequence[str]) -> dict[str, str]:
        """URLs for files of one block."""
        answer = self._post("files", {"block": block, "sha256": list(digests)})
        urls: dict[str, str] = answer.json()["urls"]
        return urls

    def put_part(self, part: Mapping[str, Any], content: bytes) -> None:
        """Store a part of the predictions and have it noted."""
        url = self._post("parts", part).json()["url"]
        self._control.store(url, content, stop=self.guard)
        self._post(f"parts/{part['seq']}/commit", part)

    def done(self, summary: Mapping[str, Any], log: str | None) -> None:
        """Report that every case is answered."""
        self._post("done", {"summary": dict(summary), "log": log})

    def failed(self, kind: str, reason: ReasonCode, detail: str, log: str | None = None) -> None:
        """Report a failure and whose it is."""
        body = {"kind": kind, "reason_code": str(reason), "detail": detail, "log": log}
        self._post("failed", body)

    def give_back(self) -> None:
        """Let another runner have the shard at once; what is stored of it stays."""
        path = f"/leases/{self.id}/give-back"
        self._control.post(path, self._token, {}, patience_s=GIVE_BACK_PATIENCE_S)

    def sections(self, sections: Sequence[Mapping[str, Any]] | None, failure: str = "") -> None:
        """Report a client's sections, or why there are none."""
        made = None if sections is None else list(sections)
        self._post("sections", {"sections": made, "failure": failure})

    def _post(self, verb: str, body: Mapping[str, Any]) -> Any:
        return self._control.post(f"/leases/{self.id}/{verb}", self._token, body, stop=self.guard)

    def _renew(self) -> None:
        """Renew until it is over; a service that is away is asked again, only 410 is final."""
        while not self._over.wait(self._every):
            try:
                answer = self._control.post(
                    f"/leases/{self.id}/renew", self._token, {}, patience_s=self._every
                )
            except (LeaseLostError, StateConflictError):
                LOG.warning("lease %s is lost: the work stops", self.id)
                self._lost.set()
                return
            except PlatformError:
                LOG.warning("lease %s could not be renewed; trying on", self.id)
                continue
            with contextlib.suppress(ValueError):
                if answer.json().get("cancelled"):
                    self._cancelled.set()
                    return
