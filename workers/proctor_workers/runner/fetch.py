"""What a shard needs from storage: blocks and answers by digest, files a few cases ahead."""

import base64
import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from proctor_backend.domain.errors import DataError, PlatformError
from proctor_sdk.canonical import strict_loads
from proctor_sdk.cases import StagedCase, StoredCase, case_name, parse_case, staged
from proctor_sdk.encrypt import unseal
from proctor_workers.runner.control import ControlClient
from proctor_workers.runner.lease import Lease

CASES_AHEAD = 16
BYTES_AHEAD = 256 << 20
URLS_AT_ONCE = 64
CHUNK = 1 << 20
# The epoch: a file's time must tell nothing.
NO_TIME = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCase:
    """A stored case under its name of this attempt."""

    name: str
    block: str
    stored: StoredCase


def named_cases(control: ControlClient, lease: Lease, grant: Mapping[str, Any]) -> list[NamedCase]:
    """Every case of the shard in the order of its names, with the inputs that the terms grant."""
    key = base64.b64decode(grant["attempt_key"])
    granted = set(grant["inputs"]) if "inputs" in grant else None
    found = []
    for block in grant["blocks"]:
        content = control.fetch(block["url"], stop=lease.guard)
        if hashlib.sha256(content).hexdigest() != block["sha256"]:
            raise DataError("A block of cases is not as it was recorded.")
        lines = content.splitlines()
        if len(lines) != block["cases"]:
            raise DataError("A block holds another number of cases than recorded.")
        for line in lines:
            case = _granted(parse_case(line), granted)
            found.append(
                NamedCase(name=case_name(key, case.case), block=block["block"], stored=case)
            )
    return sorted(found, key=lambda case: case.name)


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


class Stager:
    """Turns stored cases into staged ones, files first, only so far ahead."""

    def __init__(self, control: ControlClient, lease: Lease, staging: Path) -> None:
        """Stage into `staging`, which lies in memory."""
        self._control = control
        self._lease = lease
        self._staging = staging
        self._urls: dict[tuple[str, str], str] = {}

    def staged(self, cases: Sequence[NamedCase]) -> Iterator[StagedCase]:
        """Yield each case when its files are here."""
        with ThreadPoolExecutor(4, thread_name_prefix="fetch") as pool:
            ahead: deque[tuple[NamedCase, Future[Path | None] | None, int]] = deque()
            held, following = 0, 0
            try:
                while ahead or following < len(cases):
                    while following < len(cases) and (
                        not ahead or (len(ahead) < CASES_AHEAD and held < BYTES_AHEAD)
                    ):
                        case, size = cases[following], _size(cases[following])
                        ahead.append((case, self._begin(pool, cases, following), size))
                        held, following = held + size, following + 1
                    case, future, size = ahead.popleft()
                    held -= size
                    yield staged(case.stored, case.name, future.result() if future else None)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _begin(
        self, pool: ThreadPoolExecutor, cases: Sequence[NamedCase], index: int
    ) -> Future[Path | None] | None:
        case = cases[index]
        if not case.stored.files:
            return None
        wanted = [(case.block, file.sha256) for file in case.stored.files]
        if any(key not in self._urls for key in wanted):
            self._ask(cases[index : index + URLS_AT_ONCE])
        urls = [self._urls.get(key, "") for key in wanted]
        return pool.submit(self._fetch, case, urls)

    def _ask(self, cases: Sequence[NamedCase]) -> None:
        """Ask for the URLs of the next cases, block by block; older ones are spent."""
        self._urls.clear()
        blocks: dict[str, set[str]] = {}
        for case in cases:
            blocks.setdefault(case.block, set()).update(f.sha256 for f in case.stored.files)
        for block, digests in blocks.items():
            for url_of, url in self._lease.files(block, sorted(digests)).items():
                self._urls[block, url_of] = url

    def _fetch(self, case: NamedCase, urls: Sequence[str]) -> Path:
        folder = self._staging / case.name
        folder.mkdir(mode=0o755)
        for file, url in zip(case.stored.files, urls, strict=True):
            path = folder / file.name
            if self._control.download(url, path, stop=self._lease.guard) != file.sha256:
                raise DataError("A file of a case is not as it was recorded.")
            path.chmod(0o444)
            os.utime(path, ns=NO_TIME)
        os.utime(folder, ns=NO_TIME)
        return folder


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


def _granted(case: StoredCase, granted: set[str] | None) -> StoredCase:
    if granted is None:
        return case
    shown = {name: value for name, value in case.inputs.items() if name in granted}
    return replace(case, inputs=shown)


def _size(case: NamedCase) -> int:
    return sum(file.size for file in case.stored.files)
