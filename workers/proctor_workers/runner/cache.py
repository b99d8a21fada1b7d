"""Content-addressed cache on this host's disk: canonical files by digest, for all its runners.

A file stands under its digest only once it is whole, and whoever reads it hashes what he reads. So
nothing is synchronised to the disk: what a crash of the machine tears is found by its digest,
removed, and fetched again. Locks are the kernel's (`flock`): they end with their holder, killed or
not. No container ever gets a mount in here.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from proctor_backend.domain.errors import DataError, PlatformError

LOG = logging.getLogger(__name__)
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
CHUNK = 256 << 10
FREE_BYTES = 1 << 30  # left to the disk's other users: the spool of answers is one
# An eviction frees a sixteenth at once, so that not every new file looks through the folder.
EVICTED_SHARE = 16
PART_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
PART, NOTES, LEDGER = ".part", "blocks", "ledger"
MOST_NOTES = 2000
DIGEST = re.compile("[0-9a-f]{64}")


class Sink(Protocol):
    """Where bytes go; `restart` forgets those that turned out to be wrong."""

    def write(self, view: memoryview, /) -> None:
        """Take all of the bytes."""

    def restart(self) -> None:
        """Forget what was written."""


class BeingFilledError(Exception):
    """Another thread or process fetches this very file at the moment."""


class Cache:
    """Files by SHA-256 under one folder, together at most `limit` bytes; 0 keeps nothing."""

    def __init__(self, folder: Path, limit: int, *, free_bytes: int = FREE_BYTES) -> None:
        """Make the folder, closed to everybody else."""
        self._folder = folder
        self._limit = limit
        self._free = free_bytes
        self._told = False
        self._ledgers: list[int] = []
        weakref.finalize(self, _close_all, self._ledgers)
        try:
            for made in (folder, folder / NOTES):
                made.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
                made.chmod(PRIVATE_FOLDER)
        except OSError as error:
            raise PlatformError(
                "The cache's folder cannot be made.", cure="See PROCTOR_CACHE_DIR."
            ) from error

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._folder

    def holds(self, sha256: str) -> bool:
        """Whether there is such a file; whether its bytes are right, a reader finds out."""
        return os.path.exists(self._path(sha256))  # noqa: PTH110 - ten times as fast

    def copy(self, sha256: str, sink: Sink, buffer: memoryview) -> bool:
        """Hand a file's bytes to `sink`, hashed on the way; False if it is not here, or damaged."""
        path = self._path(sha256)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False  # not here, or not to be read: it is fetched
        with os.fdopen(handle, "rb", buffering=0) as file:
            if _hashed(file.readinto, sink, buffer) == sha256:
                with contextlib.suppress(OSError):
                    os.utime(handle)  # last used now
                return True
        LOG.warning("a damaged file was removed from the cache")
        Path(path).unlink(missing_ok=True)
        sink.restart()
        return False

    def begin(self, sha256: str, size: int, *, spare_ns: int | None = None) -> "Filling | None":
        """Make room for a file and begin it; None if it cannot be kept.

        Nothing that was used since `spare_ns` (nanoseconds since the epoch) makes room for it.

        Raises:
            BeingFilledError: somebody else is at it.
        """
        if not 0 < size <= self._limit:
            return None
        path = self._path(sha256)
        part = f"{path}.{size}{PART}"  # what it will take is counted from now on by its name
        try:
            handle = _locked_part(part)
        except OSError as error:
            self.give_way(error.strerror)
            return None
        if self.holds(sha256):  # it came between a reader's look and this
            _close_unkept(handle, part)
            raise BeingFilledError
        try:
            with self._ledger() as ledger:
                if self._make_room(ledger, sha256, size, spare_ns):
                    return Filling(self, path, part, handle, size)
            if spare_ns is None:
                self.give_way("there is no room")
        except OSError as error:
            self.give_way(error.strerror)
        _close_unkept(handle, part)
        return None

    def give_way(self, why: object) -> None:
        """Say once that the disk takes no more; the work goes on without it."""
        if not self._told:
            self._told = True
            LOG.warning("files are staged without the cache: %s", why)

    def sweep(self) -> None:
        """Remove what a killed process left half written, and count anew."""
        with contextlib.suppress(OSError), self._ledger() as ledger:
            ledger.write(sum(kept.size for kept in self._kept()))

    def note(self, block: str, files: Iterable[str], size: int, since_ns: int) -> None:
        """Note which files a block has, and that `size` bytes of them, used since then, are here.

        `block` is the digest of its list.
        """
        path = self._folder / NOTES / block
        with contextlib.suppress(OSError):
            fresh = path.with_suffix(f".{threading.get_native_id()}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with os.fdopen(os.open(fresh, flags, PRIVATE_FILE), "w") as note:
                note.writelines(f"{line}\n" for line in (size, *files))
            os.utime(fresh, ns=(since_ns, since_ns))
            fresh.rename(path)

    def noted(self) -> Mapping[str, int]:
        """Bytes held by block, those used last first; 0 where some were evicted since."""
        held: dict[str, int] = {}
        with contextlib.suppress(OSError), self._ledger() as ledger:
            evicted_ns = ledger.evicted_ns
        for note in sorted(_entries(self._folder / NOTES), reverse=True)[:MOST_NOTES]:
            with contextlib.suppress(OSError, ValueError):
                if DIGEST.fullmatch(note.path.name):
                    with note.path.open() as lines:
                        size = int(lines.readline())
                    held[note.path.name] = size if note.used_ns > evicted_ns else 0
        return held

    def forget(self, block: str) -> None:
        """Remove a block's list and those of its files that no other noted block has."""
        note = self._folder / NOTES / Path(self._path(block)).name
        gone = {block, *_noted_files(note)}
        for other in _entries(self._folder / NOTES):
            if other.path != note:
                gone -= set(_noted_files(other.path))
        for sha256 in gone:
            if DIGEST.fullmatch(sha256):
                Path(self._path(sha256)).unlink(missing_ok=True)
        note.unlink(missing_ok=True)
        self.sweep()

    def drop(self, part: str, size: int) -> None:
        """Remove a part and count its bytes off, before anybody else counts."""
        with contextlib.suppress(OSError), self._ledger() as ledger:
            os.unlink(part)  # noqa: PTH108 - strings, as elsewhere here
            ledger.write(max(0, (ledger.used or 0) - size))

    def _path(self, sha256: str) -> str:
        if not DIGEST.fullmatch(sha256):
            raise DataError("A file is named by something that is no digest.")
        return f"{self._folder}/{sha256[:2]}/{sha256}"

    @contextlib.contextmanager
    def _ledger(self) -> Iterator["_Ledger"]:
        try:
            handle = self._ledgers.pop()  # a lock belongs to an open file, not to a thread
        except IndexError:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            handle = os.open(self._folder / LEDGER, flags, PRIVATE_FILE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield _Ledger(handle)
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)
            self._ledgers.append(handle)

    def _make_room(self, ledger: "_Ledger", sha256: str, size: int, spare_ns: int | None) -> bool:
        used = ledger.used
        if used is None:
            used = sum(one.size for one in self._kept(but=sha256))
        allowed = self._allowed(used)
        if used + size > allowed:
            kept = sorted(self._kept(but=sha256))
            used = sum(one.size for one in kept)
            wanted = allowed - max(size, allowed // EVICTED_SHARE)
            used -= self._evict(ledger, kept, used - wanted, spare_ns)
            allowed = self._allowed(used)
        if used + size > allowed:
            ledger.write(used)
            return False
        ledger.write(used + size)
        return True

    def _allowed(self, used: int) -> int:
        """The bound, or less where the disk is nearly full."""
        disk = os.statvfs(self._folder)
        return min(self._limit, used + disk.f_bavail * disk.f_frsize - self._free)

    def _evict(
        self, ledger: "_Ledger", kept: Sequence["_Kept"], size: int, spare_ns: int | None
    ) -> int:
        """Remove so many bytes of what was used longest ago; returns how many it were."""
        gone = 0
        for one in kept:
            if gone >= size or (spare_ns is not None and one.used_ns >= spare_ns):
                break
            if not one.path.name.endswith(PART):
                one.path.unlink(missing_ok=True)
                gone += one.size
                ledger.evicted_ns = max(ledger.evicted_ns, one.used_ns)
        return gone

    def _kept(self, *, but: str = "") -> Iterable["_Kept"]:
        """Every file, also those being written; what a dead process left is removed."""
        found: dict[str, _Kept] = {}  # by digest: one that is renamed meanwhile has two names
        for folder in self._folder.iterdir():
            if len(folder.name) == 2:  # the first two digits of a digest
                for one in _entries(folder):
                    sha256, _, rest = one.path.name.partition(".")
                    if not rest:
                        found[sha256] = one
                    elif not _remove_if_left(one.path):
                        size = rest.partition(".")[0]
                        if size.isdigit():
                            found.setdefault(sha256, one._replace(size=int(size)))
        found.pop(but, None)
        return found.values()


class Filling:
    """A file that is being written; it is in the cache once `keep` was called."""

    def __init__(self, cache: Cache, path: str, part: str, handle: int, size: int) -> None:
        """Own the lock on the part and the room that was made for it."""
        self._cache = cache
        self._path = path
        self._part = part
        self._handle = handle
        self._size = size
        self._lost = self._kept = False

    def __enter__(self) -> Self:
        """Begin to write."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was not kept."""
        if not self._kept:
            self._cache.drop(self._part, self._size)
        os.close(self._handle)

    def write(self, view: memoryview, /) -> None:
        """Take the bytes; a disk that takes no more loses this copy and nothing else."""
        if self._lost:
            return
        try:
            write_all(self._handle, view)
        except OSError as error:
            self._cache.give_way(error.strerror)
            self._lost = True

    def restart(self) -> None:
        """Forget what was written."""
        os.lseek(self._handle, 0, os.SEEK_SET)

    def keep(self) -> bool:
        """Show the file under its digest; its bytes were checked by who wrote them."""
        if not self._lost:
            with contextlib.suppress(OSError):
                os.rename(self._part, self._path)  # noqa: PTH104 - strings, as elsewhere here
                self._kept = True
        return self._kept


class _Kept(NamedTuple):
    """A file in a folder, sorted by when it was last used."""

    used_ns: int
    size: int
    path: Path


class _Ledger:
    """The bytes that are kept or being written, as counted so far, None at first.

    `evicted_ns` is when the file that was evicted last had been used.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        words = os.pread(handle, 64, 0).split()
        whole = len(words) == 2 and all(word.isdigit() for word in words)
        self.used = int(words[0]) if whole else None
        self.evicted_ns = int(words[1]) if whole else 0

    def write(self, used: int) -> None:
        self.used = used
        os.pwrite(self._handle, f"{used:20d} {self.evicted_ns:20d}\n".encode(), 0)


def write_all(handle: int, view: memoryview) -> None:
    """Write every byte; a full disk takes a part of them before it says so."""
    while view:
        view = view[os.write(handle, view) :]


def now_ns() -> int:
    """The present moment on the clock that files are stamped with, which lags by a tick."""
    return time.time_ns() - 1_000_000_000


def _hashed(read: Callable[[memoryview], int | None], sink: Sink, buffer: memoryview) -> str:
    digest = hashlib.sha256()
    while count := _read(read, buffer):
        digest.update(buffer[:count])
        sink.write(buffer[:count])
    return digest.hexdigest()


def _noted_files(note: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return note.read_text().split()[1:]
    return []


def _read(read: Callable[[memoryview], int | None], buffer: memoryview) -> int:
    try:
        return read(buffer) or 0
    except OSError:  # a disk that cannot read it: the digest will say that something is missing
        return 0


def _close_unkept(handle: int, part: str) -> None:
    Path(part).unlink(missing_ok=True)  # under its lock, or it might be another's
    os.close(handle)


def _close_all(handles: list[int]) -> None:
    for handle in handles:
        os.close(handle)


def _locked_part(path: str) -> int:
    """Open the part and lock it; a part whose writer died is taken over, emptied.

    Who waited for the lock may hold what its writer has just renamed: then the name is another
    file's, or nobody's, and all begins anew.
    """
    while True:
        try:
            handle = os.open(path, PART_FLAGS, PRIVATE_FILE)
        except FileNotFoundError:
            Path(path).parent.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
            handle = os.open(path, PART_FLAGS, PRIVATE_FILE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise BeingFilledError from None
        if _is_named(handle, path):
            os.ftruncate(handle, 0)
            return handle
        os.close(handle)


def _remove_if_left(path: Path) -> bool:
    """Remove a part if nobody writes it; True if it is gone."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        if _is_named(handle, path):
            path.unlink()
        return True
    finally:
        os.close(handle)


def _is_named(handle: int, path: str | Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def _entries(folder: Path) -> Iterator[_Kept]:
    with os.scandir(folder) as found:
        for entry in found:
            with contextlib.suppress(FileNotFoundError):
                state = entry.stat(follow_symlinks=False)
                yield _Kept(state.st_mtime_ns, state.st_size, Path(entry.path))
