"""What every contract takes and gives: cases in, predictions out, one kind of failure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from proctor_sdk.errors import ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proctor_sdk.cases import StagedCase
    from proctor_sdk.predictions import Prediction
    from proctor_sdk.reasons import ReasonCode

    Sink = Callable[[Prediction, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """Time, window and size of one run; memory and processes are the sandbox policy's."""

    window: int = 1
    isolation: Literal["run", "case"] = "run"
    seconds_per_case: float = 30.0
    seconds_total: float = 7200.0
    start_seconds: float = 120.0
    exit_seconds: float = 30.0
    output_bytes: int = 64 << 20


@dataclass(slots=True)
class RunSummary:
    """What a run did: the only mutable record here, filled while it goes."""

    answered: int = 0
    failed_by_platform: int = 0
    containers: int = 0
    restarts: int = 0
    start_seconds: float = 0.0
    model_seconds: float = 0.0
    # How long a running container had nothing to do because its next case was not there yet.
    waiting_seconds: float = 0.0
    gpu_seen: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """The summary as the evidence holds it."""
        return asdict(self)


class RunFailedError(ProctorSdkError):
    """The container ended the run; `code` is the full reason code, `log` what it printed last."""

    def __init__(self, code: ReasonCode, detail: str, *, log: str = "") -> None:
        super().__init__(code, code.sentence, cure=code.cure)
        self.reason = code
        self.detail = detail
        self.log = log


class Contract(Protocol):
    """One way to talk to a container."""

    summary: RunSummary

    def run(self, cases: Iterator[StagedCase | None]) -> RunSummary:
        """Have every case answered; raises `RunFailedError`.

        `cases` gives None, at once, as long as its next case is not there yet.
        """
