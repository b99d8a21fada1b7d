"""Canonical files by their digest: from this host's cache, or else from S3 and into the cache."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from proctor_workers.runner.cache import BeingFilledError, Cache, Filling, Sink, write_all
from proctor_workers.runner.transfer import Transfers, Wanted

# Whoever fetches the same file on this host is waited for so long, then it is fetched twice.
OTHERS_PATIENCE_S = 15.0
LOOK_EVERY_S = 0.02
# The epoch: a file's time must tell nothing.
NO_TIME = (0, 0)


@dataclass(slots=True)
class Moved:
    """Where a shard's bytes came from; internal evidence, no vendor sees it."""

    bytes_fetched: int = 0
    bytes_from_cache: int = 0
    bytes_prefetched: int = 0

    def as_dict(self) -> dict[str, int]:
        """As the shard's summary holds it."""
        return asdict(self)


class Contents:
    """What the cache holds and what S3 holds, as one; counts which it was."""

    def __init__(self, cache: Cache, transfers: Transfers, guard: Callable[[], None]) -> None:
        """Fetch through `transfers`; `guard` raises once the work must stop."""
        self.cache = cache
        self.moved = Moved()
        self._transfers = transfers
        self._guard = guard
        self._lock = threading.Lock()
        self._ahead: set[str] = set()

    def stage(self, wanted: Wanted, path: Path) -> None:
        """Write a fresh file that all may read and nobody write, with no time of its own.

        Raises what `Transfers.fetch` raises.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(path, flags, 0o444)
        try:
            self._bring(wanted, _StagedFile(handle))
            os.fchmod(handle, 0o444)
            os.utime(handle, ns=NO_TIME)
        finally:
            os.close(handle)

    def read(self, wanted: Wanted, *, upcoming: bool = False) -> bytes:
        """Return a small object whole, such as a block's list of cases."""
        found = _Memory()
        if self.cache.copy(wanted.sha256, found, self._transfers.buffer()):
            self._count(cached=0 if upcoming else len(found.bytes))
            return bytes(found.bytes)
        self._transfers.fetch(wanted, [found])
        content = bytes(found.bytes)
        self._keep(wanted.sha256, content)
        self._count(**{"prefetched" if upcoming else "fetched": len(content)})
        return content

    def prefetch(self, wanted: Wanted, *, spare_ns: int, upcoming: bool) -> bool:
        """Have the file in the cache; False if it has no room beside what was used since.

        Raises what `Transfers.fetch` raises.
        """
        if self.cache.holds(wanted.sha256):
            return True
        try:
            filling = self.cache.begin(wanted.sha256, wanted.size or 0, spare_ns=spare_ns)
        except BeingFilledError:
            return True
        if filling is None:
            return False
        with filling:
            self._transfers.fetch(wanted, [filling])
            self._ahead.add(wanted.sha256)
            self._count(**{"prefetched" if upcoming else "fetched": wanted.size or 0})
            return filling.keep()

    def abort(self) -> None:
        """End every transfer of this shard."""
        self._transfers.abort()

    def _bring(self, wanted: Wanted, sink: Sink) -> None:
        until = time.monotonic() + OTHERS_PATIENCE_S
        while not self.cache.copy(wanted.sha256, sink, self._transfers.buffer()):
            try:
                filling = self.cache.begin(wanted.sha256, wanted.size or 0)
            except BeingFilledError:
                if time.monotonic() < until:
                    self._guard()
                    time.sleep(LOOK_EVERY_S)
                    continue
                filling = None
            self._fetch(wanted, sink, filling)
            self._count(fetched=wanted.size or 0)
            return
        if wanted.sha256 not in self._ahead:  # or it is counted already
            self._count(cached=wanted.size or 0)

    def _fetch(self, wanted: Wanted, sink: Sink, filling: Filling | None) -> None:
        if filling is None:
            self._transfers.fetch(wanted, [sink])
            return
        with filling:
            self._transfers.fetch(wanted, [sink, filling])
            filling.keep()

    def _keep(self, sha256: str, content: bytes) -> None:
        with contextlib.suppress(BeingFilledError):
            filling = self.cache.begin(sha256, len(content))
            if filling is not None:
                with filling:
                    filling.write(memoryview(content))
                    filling.keep()

    def _count(self, *, fetched: int = 0, cached: int = 0, prefetched: int = 0) -> None:
        with self._lock:
            self.moved.bytes_fetched += fetched
            self.moved.bytes_from_cache += cached
            self.moved.bytes_prefetched += prefetched


class _StagedFile:
    """A file in the staging folder, empty again at every try."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def write(self, view: memoryview, /) -> None:
        write_all(self._handle, view)

    def restart(self) -> None:
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.ftruncate(self._handle, 0)


class _Memory:
    """Bytes held here."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def write(self, view: memoryview, /) -> None:
        self.bytes += view

    def restart(self) -> None:
        self.bytes.clear()
