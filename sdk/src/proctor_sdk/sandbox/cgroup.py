"""Counters of a container's control group, kept in a parent of ours that outlives it.

The engine removes the container's own group within milliseconds of its end, and on hybrid hosts
reports no out-of-memory: the parent still has the high-water marks. Reads v1, hybrid and v2.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# The kernel charges in batches of 64 pages of 4 KiB: a refused one leaves the use so far below.
CHARGE_BATCH = 64 * 4096 * 2

REMOVALS = 40


@dataclass(frozen=True, slots=True)
class JobGroup:
    """`/proctor/<name>` in every hierarchy, made for one container."""

    name: str

    @property
    def parent(self) -> str:
        """The value of `--cgroup-parent`."""
        return f"/proctor/{self.name}"

    def make(self) -> None:
        """Create the groups whose counters are read later."""
        if not _unified():
            for controller in ("memory", "pids"):
                (ROOT / controller / self.parent.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def out_of_memory(self, limit: int) -> bool:
        """Whether the kernel killed for memory, or the use reached the limit."""
        if _unified():
            return _field(self._file("memory", "memory.events"), "oom_kill") > 0
        used = _number(self._file("memory", "memory.max_usage_in_bytes"))
        return used >= limit - CHARGE_BATCH

    def out_of_processes(self, limit: int) -> bool:
        """Whether the number of processes reached the limit."""
        return _number(self._file("pids", "pids.peak")) >= limit

    def remove(self) -> None:
        """Remove the groups; the engine's monitor leaves its own a moment after the container."""
        for _ in range(REMOVALS):
            if not _remove(self.name):
                return
            time.sleep(0.005)

    def _file(self, controller: str, name: str) -> Path:
        base = ROOT if _unified() else ROOT / controller
        return base / self.parent.lstrip("/") / name


def remove_empty_groups() -> None:
    """Remove what killed owners left behind; a group in use refuses to go."""
    _remove("*")


def _remove(pattern: str) -> bool:
    """Remove groups by name in every hierarchy; true if one is still in use."""
    left = False
    for group in [*ROOT.glob(f"*/proctor/{pattern}/"), *ROOT.glob(f"proctor/{pattern}/")]:
        for path in (*group.glob("*/"), group):
            try:
                path.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                left = True
    return left


def _unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _field(path: Path, name: str) -> int:
    try:
        fields = dict(line.split() for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(fields.get(name, 0))
