"""Reads a hostile /output: only the expected file, never through a link, never beyond the cap."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.outputs import LONGEST_LINE
from proctor_sdk.reasons import ReasonCode

if TYPE_CHECKING:
    from pathlib import Path

PREDICTIONS = "predictions.jsonl"
_READ = 1 << 20


class OutputError(ProctorSdkError):
    """Something in /output is not what the contract allows; `code` is the reason code."""


def read_output(folder: Path, name: str, *, cap: int) -> bytes:
    """One whole file of a container that has ended; raises `OutputError`."""
    handle = _open_regular(folder, name)
    if handle is None:
        raise OutputError(ReasonCode.OUTPUT_MISSING, f"{name} was not written.")
    with os.fdopen(handle, "rb") as stream:
        content = stream.read(cap + 1)
    if len(content) > cap:
        raise OutputError(ReasonCode.OUTPUT_TOO_LARGE, f"{name} is larger than {cap} bytes.")
    return content


class PredictionReader:
    """Whole lines of a file that grows in a folder its writer controls."""

    def __init__(
        self,
        folder: Path,
        *,
        cap: int,
        longest: int = LONGEST_LINE,
        name: str = PREDICTIONS,
    ) -> None:
        self._longest = longest
        self._folder = folder
        self._name = name
        self._cap = cap
        self._handle = -1
        self._offset = 0
        self._rest = b""

    def lines(self) -> list[bytes]:
        """The lines that are complete since the last call; raises `OutputError`."""
        if self._handle < 0 and not self._open():
            return []
        while data := os.pread(self._handle, _READ, self._offset):
            self._offset += len(data)
            if self._offset > self._cap:
                raise OutputError(
                    ReasonCode.OUTPUT_TOO_LARGE, "More was written than the limit allows."
                )
            *whole, self._rest = (self._rest + data).split(b"\n")
            if len(self._rest) > self._longest:
                raise OutputError(ReasonCode.OUTPUT_TOO_LARGE, "A line is longer than the limit.")
            if whole:
                return whole
        return []

    def check(self) -> None:
        """Look at the whole folder: raises `OutputError` for anything but the one regular file."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name != self._name:
                    raise OutputError(
                        ReasonCode.POLICY_VIOLATION,
                        f"/output holds something other than {self._name}.",
                    )
                if self._handle >= 0 and entry.inode() != os.fstat(self._handle).st_ino:
                    raise OutputError(
                        ReasonCode.OUTPUT_INVALID,
                        f"{self._name} was replaced while it was read.",
                        cure="Open it once and append.",
                    )
        if self._handle >= 0 and os.fstat(self._handle).st_size < self._offset:
            raise OutputError(
                ReasonCode.OUTPUT_INVALID,
                f"{self._name} became shorter while it was read.",
                cure="Open it once and append.",
            )

    def unfinished(self) -> bool:
        """Whether the last bytes are a line without its end."""
        return bool(self._rest)

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> bool:
        handle = _open_regular(self._folder, self._name)
        if handle is None:
            return False
        self._handle = handle
        return True


def _open_regular(folder: Path, name: str) -> int | None:
    """Open a plain file that nothing else links to; None if it is not there."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(folder / name, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _not_regular(name) from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(handle)
        raise _not_regular(name)
    return handle


def _not_regular(name: str) -> OutputError:
    return OutputError(ReasonCode.POLICY_VIOLATION, f"{name} is not a plain file of its own.")
