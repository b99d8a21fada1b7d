"""What a shard needs from storage: earlier answers, files a few cases ahead, the image."""

import base64
import hashlib
import os
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from proctor_backend.domain.errors import PlatformError
from proctor_sdk.canonical import strict_loads
from proctor_sdk.cases import StagedCase, staged
from proctor_sdk.encrypt import unseal
from proctor_workers.runner.addresses import Addresses
from proctor_workers.runner.case_lists import NamedCase
from proctor_workers.runner.contents import NO_TIME, Contents
from proctor_workers.runner.control import ControlClient
from proctor_workers.runner.lease import Lease
from proctor_workers.runner.prefetch import Calm

CASES_AHEAD = 32
BYTES_AHEAD = 256 << 20
THREADS = min(16, 4 + (os.cpu_count() or 1))  # most of a fetch is the kernel's work
CHUNK = 1 << 20


def answered_lines(
    control: ControlClient, lease: Lease, grant: Mapping[str, Any]
) -> Iterator[bytes]:
    """The answers that earlier leases stored."""
    for part in grant["answered"]:
        content = control.fetch(part["url"], stop=lease.guard)
        if hashlib.sha256(content).hexdigest() != part["sha256"]:
            raise PlatformError("A part of the predictions is not as it was stored.")
        yield from content.splitlines()


def case_of(line: bytes) -> str:
    """The case that a checked line answers."""
    return str(strict_loads(line)["case"])


@dataclass(slots=True)
class _Ahead:
    """A case whose files are on their way."""

    case: NamedCase
    folder: Path | None
    files: list[Future[None]] = field(default_factory=list)

    def is_here(self) -> bool:
        return all(file.done() for file in self.files)


class Stager:
    """Turns stored cases into staged ones, files first, only so far ahead."""

    def __init__(
        self, contents: Contents, addresses: Addresses, calm: Calm, lease: Lease, staging: Path
    ) -> None:
        """Stage into `staging`, which lies in memory; while something is missing it is not calm."""
        self._contents = contents
        self._addresses = addresses
        self._calm = calm
        self._lease = lease
        self._staging = staging

    def staged(self, cases: Sequence[NamedCase]) -> Generator[StagedCase | None]:
        """Yield each case once its files are here, None as often as it is asked before that.

        Raises what `Transfers.fetch` and the lease's guard raise.
        """
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="fetch")
        ahead: deque[_Ahead] = deque()
        held, following = 0, 0
        try:
            while ahead or following < len(cases):
                while following < len(cases) and (
                    not ahead or (len(ahead) < CASES_AHEAD and held < BYTES_AHEAD)
                ):
                    ahead.append(self._begin(pool, cases[following]))
                    held += _size(cases[following])
                    following += 1
                if ahead[0].is_here():
                    first = ahead.popleft()
                    held -= _size(first.case)
                    yield _ended(first)
                else:
                    self._lease.guard()
                    yield None
        except BaseException:
            self._contents.abort()  # nobody waits for a store that is slow
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, case: NamedCase) -> _Ahead:
        if not case.stored.files:
            return _Ahead(case, None)
        folder = self._staging / case.name
        folder.mkdir(mode=0o755)
        begun = _Ahead(case, folder)
        for file in case.stored.files:
            wanted = self._addresses.wanted(case.block, file.sha256, file.size)
            self._calm.begin()
            future = pool.submit(self._contents.stage, wanted, folder / file.name)
            future.add_done_callback(lambda _: self._calm.end())
            begun.files.append(future)
        return begun


def _ended(ahead: _Ahead) -> StagedCase:
    for file in ahead.files:
        file.result()
    if ahead.folder is not None:
        os.utime(ahead.folder, ns=NO_TIME)
    return staged(ahead.case.stored, ahead.case.name, ahead.folder)


class SealedImage:
    """The entry's image as a stream of plain bytes; the sealed bytes are checked on the way."""

    def __init__(self, control: ControlClient, lease: Lease, image: Mapping[str, Any]) -> None:
        """Remember where it lies; nothing is fetched yet."""
        self._control = control
        self._lease = lease
        self._image = image

    def chunks(self) -> Iterator[bytes]:
        """Decrypt while it arrives; nothing of it is written here."""
        try:
            with self._control.http.stream("GET", self._image["url"]) as response:
                if response.is_error:
                    raise PlatformError(f"The image could not be read: {response.status_code}.")
                source = _Stream(response.iter_raw(CHUNK), self._lease)
                yield from unseal(source, base64.b64decode(self._image["data_key"]))
        except httpx.TransportError as error:
            raise PlatformError("The image's storage went away.") from error
        if source.sha256() != self._image["sealed_sha256"].removeprefix("sha256:"):
            raise PlatformError("The sealed image is not the one that was uploaded.")


class _Stream:
    """Read-by-size over chunks of any size, hashed."""

    def __init__(self, chunks: Iterator[bytes], lease: Lease) -> None:
        self._chunks = chunks
        self._lease = lease
        self._rest = b""
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        if not self._rest:
            self._lease.guard()
            self._rest = next(self._chunks, b"")
            self._hash.update(self._rest)
        given, self._rest = self._rest[:size], self._rest[size:]
        return given

    def sha256(self) -> str:
        """Digest of all that was read."""
        return self._hash.hexdigest()


def _size(case: NamedCase) -> int:
    return sum(file.size for file in case.stored.files)
