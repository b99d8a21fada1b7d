"""One container from start to removal; which arguments it gets is the policy's matter."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from proctor_sdk.sandbox.cgroup import JobGroup
    from proctor_sdk.sandbox.policy import SandboxPolicy

FORBIDDEN_CALL = 128 + signal.SIGSYS  # how seccomp ends a process
GPU_MEMORY_WORDS = ("CUDA out of memory", "CUDA_ERROR_OUT_OF_MEMORY", "RESOURCE_EXHAUSTED: Out of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a container ended."""

    code: int
    out_of_memory: bool = False
    out_of_processes: bool = False

    @property
    def forbidden(self) -> bool:
        """Whether it made a call that no model has a reason to make."""
        return self.code == FORBIDDEN_CALL


class Remote(Protocol):
    """What a container needs of its engine's CLI."""

    def run(self, *arguments: str, quiet: bool = False) -> str:
        """Run one command of the engine and return what it printed."""


class Container:
    """A started container, watched by its process: no engine call while it runs."""

    def __init__(
        self, engine: Remote, cid: str, pid: int, policy: SandboxPolicy, group: JobGroup
    ) -> None:
        self.cid = cid
        self.pid = pid
        self.policy = policy
        self._engine = engine
        self._group = group
        self._pidfd = os.pidfd_open(pid)

    def exited(self, wait_s: float = 0.0) -> bool:
        """Wait for the end, at most so long; the cheapest way to sleep between two looks."""
        readable, _, _ = select.select([self._pidfd], [], [], wait_s)
        return bool(readable)

    def kill(self) -> None:
        """End every process in it at once."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self.exited(10.0)

    def exit(self) -> Exit:
        """Why it ended; the container must have ended."""
        code, told = self._state()
        return Exit(
            code=code,
            # The engine's word counts too: without root there are no counters of ours.
            out_of_memory=told or self._group.out_of_memory(self.policy.memory_bytes),
            out_of_processes=self._group.out_of_processes(self.policy.pids),
        )

    def out_of_processes(self) -> bool:
        """Whether it reached the limit on processes, asked while it runs."""
        return self._group.out_of_processes(self.policy.pids)

    def has_device(self, path: str) -> bool:
        """Whether a device is there, seen through the container's own root."""
        return os.path.exists(f"/proc/{self.pid}/root{path}")  # noqa: PTH110 - never resolve it

    def log(self) -> str:
        """The last part of what it printed, if the policy keeps any."""
        if not self.policy.log_kb:
            return ""
        text = self._engine.run("logs", self.cid, quiet=True)
        return text[-self.policy.log_kb * 1024 :]

    def remove(self) -> None:
        """Kill it if it runs and forget it."""
        self.kill()
        self._engine.run("rm", "--force", "--time=0", self.cid, quiet=True)
        self._group.remove()
        os.close(self._pidfd)

    def _state(self) -> tuple[int, bool]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            state, code, memory = self._engine.run(
                "inspect",
                "--format={{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}",
                self.cid,
            ).split()
            if state in {"exited", "stopped"}:
                return int(code), memory == "true"
            time.sleep(0.01)
        return 128 + signal.SIGKILL, False
