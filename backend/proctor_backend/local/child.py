"""One running program: its process group, its log, its phase."""

import enum
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from proctor_backend.domain.ids import utc_now
from proctor_backend.local.processes import START_MARK
from proctor_backend.local.service import Service

LOG_LIMIT = 10 * 1024 * 1024
TAIL_LINES = 20
INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "XDG_RUNTIME_DIR"),
    *("XDG_DATA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
)


class Phase(enum.StrEnum):
    """Where a child is between being wanted and being of use."""

    WAITING = enum.auto()
    STARTING = enum.auto()
    READY = enum.auto()
    CRASHED = enum.auto()
    HELD = enum.auto()


@dataclass(slots=True)
class Child:
    """A service and the process that is its present life."""

    service: Service
    log: Path
    tag: Mapping[str, str]
    phase: Phase = Phase.WAITING
    process: subprocess.Popen[bytes] | None = None
    since: float = field(default_factory=time.monotonic)
    started_at: str = ""
    lives: int = 0
    failures: int = 0
    retry_at: float = 0.0

    def enter(self, phase: Phase) -> None:
        """Go to a phase and note when."""
        self.phase, self.since = phase, time.monotonic()

    def age(self) -> float:
        """Return the seconds in this phase."""
        return time.monotonic() - self.since

    def spawn(self) -> None:
        """Start the program in a group of its own; it is told to end if the supervisor dies."""
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        env = inherited | {"PATH": _path()} | dict(self.service.env) | dict(self.tag)
        with self.log.open("ab") as log:
            log.write(START_MARK + utc_now().encode() + b"\n")
            log.flush()
            self.process = subprocess.Popen(
                (*_leash(), *self.service.command),
                cwd=self.service.cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.lives += 1
        self.started_at = utc_now()
        self.enter(Phase.STARTING)

    def exit_code(self) -> int | None:
        """Return the exit code of a process that has ended."""
        return self.process.poll() if self.process else None

    def ask_to_stop(self) -> None:
        """Send the signal this program understands."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.service.stop_signal)

    def finish(self, deadline: float) -> None:
        """Wait for the program until `deadline`, then end whatever is left of its group."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def last_words(self) -> str:
        """Return the end of the log of the present life."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 16_384))
            text = log.read().rpartition(START_MARK)[2].decode("utf-8", errors="replace")
        return "\n".join(text.splitlines()[1:][-TAIL_LINES:])


def _leash() -> tuple[str, ...]:
    """Have the kernel end the child with us, even if we are killed."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "SIGTERM", "--") if setpriv else ()


def _path() -> str:
    """Return PATH with the system folders, where runc and iptables live."""
    return ":".join(filter(None, (os.environ.get("PATH"), "/usr/local/sbin:/usr/sbin:/sbin")))
