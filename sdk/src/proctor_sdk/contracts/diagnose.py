"""Says why a container died or hung, in a reason code; what follows is the contract's matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proctor_sdk.reasons import ReasonCode
from proctor_sdk.sandbox.container import GPU_MEMORY_WORDS

if TYPE_CHECKING:
    from proctor_sdk.sandbox.container import Exit
    from proctor_sdk.sandbox.engine import AnyContainer
    from proctor_sdk.sandbox.policy import SandboxPolicy
    from proctor_sdk.sandbox.workspace import Life

# No other case can change these: the run ends.
FATAL = frozenset({ReasonCode.POLICY_VIOLATION, ReasonCode.OUTPUT_TOO_LARGE})


class Crash(Exception):  # noqa: N818 - an event of every run, not an error of ours
    """A container ended or hung with work left."""

    def __init__(self, reason: ReasonCode, detail: str, log: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.log = log

    def at_start(self) -> ReasonCode:
        """The reason when no container ever answered."""
        if self.reason in {ReasonCode.NONZERO_EXIT, ReasonCode.TIME_LIMIT}:
            return ReasonCode.START_FAILED
        return self.reason


def of_exit(container: AnyContainer, life: Life, policy: SandboxPolicy) -> Crash:
    """Why an ended container ended."""
    log = container.log()
    reason, detail = _cause(container.exit(), life, policy, log)
    return Crash(reason, detail, log)


def of_hang(container: AnyContainer, life: Life) -> Crash:
    """Why a running container gives no answer; it is still running."""
    if container.out_of_processes():
        reason, detail = ReasonCode.POLICY_VIOLATION, "The limit on processes was reached."
    elif life.output_full():
        reason, detail = ReasonCode.OUTPUT_TOO_LARGE, "/output is full."
    else:
        reason, detail = ReasonCode.TIME_LIMIT, "A case got no answer within its time."
    return Crash(reason, detail, container.log())


def _cause(  # noqa: PLR0911 - a table read from top to bottom
    ended: Exit, life: Life, policy: SandboxPolicy, log: str
) -> tuple[ReasonCode, str]:
    if ended.forbidden:
        return ReasonCode.POLICY_VIOLATION, "A forbidden system call was made."
    if ended.out_of_processes:
        return ReasonCode.POLICY_VIOLATION, f"More than {policy.pids} processes were started."
    if life.output_full():
        return ReasonCode.OUTPUT_TOO_LARGE, "/output is full."
    if life.tmp_full():
        return ReasonCode.RESOURCE_LIMIT, f"The {policy.tmp_mb} MB of /tmp are full."
    if ended.out_of_memory:
        return ReasonCode.OUT_OF_MEMORY, f"More than {policy.memory_mb} MB were used."
    if policy.devices and any(word in log for word in GPU_MEMORY_WORDS):
        return ReasonCode.GPU_OUT_OF_MEMORY, "The accelerator's memory was used up."
    if ended.code == 0:
        return ReasonCode.OUTPUT_MISSING, "The container ended before every case was answered."
    return ReasonCode.NONZERO_EXIT, f"The container ended with status {ended.code}."
