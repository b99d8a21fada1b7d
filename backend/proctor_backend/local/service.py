"""What one child of the supervisor is: how it starts, when it is ready, how it ends."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


def _nothing() -> None:
    """Do nothing: most services need no preparation once they answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program to keep running."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    after: frozenset[str] = frozenset()
    ready: Callable[[], bool]
    prepare: Callable[[], None] = _nothing
    ready_timeout_s: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    port: int | None = None
