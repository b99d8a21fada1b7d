"""What a running stack says of itself, and how a second command finds it."""

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psutil

from proctor_backend.domain.ids import utc_now
from proctor_backend.local.child import Child
from proctor_backend.local.layout import Home, read_json, write_json


@dataclass(slots=True)
class Lock:
    """Held by the one supervisor of a home; the kernel releases it with the process."""

    home: Home
    descriptor: int | None = None

    def take(self) -> bool:
        """Return whether nobody else holds it."""
        descriptor = os.open(self.home.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self.descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next one in."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def describe(children: Iterable[Child], *, started_at: str, ready: bool) -> dict[str, Any]:
    """Return the state file's content."""
    own = psutil.Process()
    return {
        "supervisor": {"pid": own.pid, "create_time": own.create_time()},
        "started_at": started_at,
        "written_at": utc_now(),
        "ready": ready,
        "children": [
            {
                "name": child.service.name,
                "phase": str(child.phase),
                "pid": child.process.pid if child.process else None,
                "port": child.service.port,
                "started_at": child.started_at,
                "restarts": max(0, child.lives - 1),
                "log": str(child.log),
            }
            for child in children
        ],
    }


def keep(home: Home, state: dict[str, Any]) -> None:
    """Write the state file."""
    write_json(home.state, state)


def running(home: Home) -> dict[str, Any] | None:
    """Return the state of a stack whose supervisor lives, or None."""
    state = read_json(home.state)
    if not state:
        return None
    try:
        process = psutil.Process(state["supervisor"]["pid"])
        alive = abs(process.create_time() - state["supervisor"]["create_time"]) < 1.0
    except psutil.NoSuchProcess:
        return None
    return state if alive else None
