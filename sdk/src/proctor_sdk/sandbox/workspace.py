"""The folders a run shares with its containers: growing input, sized memory for what is written."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proctor_sdk.canonical import canonical_bytes
from proctor_sdk.sandbox.policy import Mount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from proctor_sdk.cases import StagedCase
    from proctor_sdk.sandbox.policy import SandboxPolicy

END = b'{"end":true}\n'


@dataclass(frozen=True, slots=True)
class Life:
    """The folders of one container: what it sees, what it may write."""

    root: Path
    cases: int  # file descriptor of cases.jsonl

    @property
    def input(self) -> Path:
        """What the container sees at /input."""
        return self.root / "input"

    @property
    def output(self) -> Path:
        """What the container sees at /output."""
        return self.root / "output"

    @property
    def tmp(self) -> Path:
        """What the container sees at /tmp."""
        return self.root / "tmp"

    def mounts(self) -> list[Mount]:
        """The three mounts of contract proctor/v1."""
        return [
            Mount(source=self.input, target="/input"),
            Mount(source=self.output, target="/output", writable=True),
            # Executable: compilers of kernels and graphs load from /tmp what they made there.
            Mount(source=self.tmp, target="/tmp", writable=True, executable=True),  # noqa: S108
        ]

    def feed(self, case: StagedCase) -> None:
        """Show a case: first its files, by renaming, then its line."""
        if case.folder is not None:
            case.folder.rename(self.input / "files" / case.name)
        os.write(self.cases, case.line + b"\n")

    def retire(self, case: StagedCase) -> None:
        """Remove the files of a case that is answered."""
        if case.folder is not None:
            shutil.rmtree(self.input / "files" / case.name)

    def take_back(self, case: StagedCase) -> None:
        """Return the files of an unanswered case to where they were staged."""
        if case.folder is not None:
            (self.input / "files" / case.name).rename(case.folder)

    def end(self) -> None:
        """Say that no case follows."""
        os.write(self.cases, END)

    def output_full(self) -> bool:
        """Whether /output has no room left."""
        return _full(self.output)

    def tmp_full(self) -> bool:
        """Whether /tmp has no room left."""
        return _full(self.tmp)


class Workspace:
    """All folders of one run, in memory where this process may mount.

    Without root (`proctor check` on a laptop) they are plain folders, and `sized` is false.
    """

    def __init__(self, path: Path, policy: SandboxPolicy) -> None:
        self.path = path
        self.policy = policy
        self.sized = os.geteuid() == 0
        self._lives = 0
        path.mkdir(parents=True, mode=0o755)
        if self.sized:
            _mount(path, "mode=755")
        self.staging = path / "staging"
        self.staging.mkdir()

    def life(self, task: Mapping[str, Any]) -> Life:
        """Fresh folders for a fresh container."""
        self._lives += 1
        root = self.path / str(self._lives)
        for name in ("input/files", "output", "tmp"):
            (root / name).mkdir(parents=True, mode=0o755)
        self._writable(root / "output", self.policy.output_mb, "noexec")
        self._writable(root / "tmp", self.policy.tmp_mb, "exec")
        (root / "input" / "task.json").write_bytes(canonical_bytes(task))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return Life(root, os.open(root / "input" / "cases.jsonl", flags, 0o444))

    def close_life(self, life: Life) -> None:
        """Forget what a container wrote."""
        os.close(life.cases)
        if self.sized:
            for path in (life.output, life.tmp):
                _unmount(path)
        shutil.rmtree(life.root, ignore_errors=True)

    def close(self) -> None:
        """Unmount and remove everything."""
        remove_workspace(self.path)

    def _writable(self, path: Path, megabytes: int, execution: str) -> None:
        uid = self.policy.uid
        if self.sized:
            owner = f"uid={uid},gid={uid},mode=700"
            _mount(path, f"size={megabytes}m,nr_inodes=65536,nosuid,nodev,{execution},{owner}")
        else:
            # The engine maps the container's user to one this process cannot name.
            path.chmod(0o777)


def remove_workspace(path: Path) -> None:
    """Unmount whatever is mounted at or below `path`, then remove it; also after a killed owner."""
    for mounted in mounts_below(path):
        _unmount(mounted)
    shutil.rmtree(path, ignore_errors=True)


def mounts_below(path: Path) -> list[Path]:
    """Mount points at or below `path`, innermost first."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point = Path(line.split()[1].replace("\\040", " "))
        if point == path or path in point.parents:
            found.append(point)
    return found[::-1]


def mount_memory(path: Path) -> None:
    """Mount an own tmpfs for an engine's storage, so that a decrypted image never meets a disk."""
    _mount(path, "mode=711,size=80%")


def _mount(path: Path, options: str) -> None:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "proctor", str(path)],
        check=True,
        capture_output=True,
    )


def _unmount(path: Path) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)


def _full(path: Path) -> bool:
    state = os.statvfs(path)
    return state.f_bavail == 0 or (state.f_files > 0 and state.f_favail == 0)
