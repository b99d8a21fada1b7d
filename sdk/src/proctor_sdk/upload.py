"""Sends a sealed image in parts, and goes on where it stopped after it was killed."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from proctor_sdk.canonical import canonical_bytes
from proctor_sdk.client import ApiError
from proctor_sdk.configuration import cache_dir, write_private
from proctor_sdk.encrypt import Header, Sealer, seal_size
from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.object_put import DeadUrlError, ObjectPut

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proctor_sdk.client import ApiClient

_MIB = 1 << 20
SMALLEST_PART = 16 * _MIB
MOST_PARTS = 9_000  # S3 takes 10,000
_URLS_AT_ONCE = 8
_MOST_RESTARTS = 3
_READ = 4 * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An image archive as it is now."""

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPart:
    """A part the object store has acknowledged."""

    etag: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload under way: with the archive, all that is needed to go on with it.

    It holds the data key, therefore its file is private and removed when the upload is done.
    """

    url: str
    entry: str
    study: str
    manifest_digest: str
    archive_sha256: str
    archive_size: int
    part_size: int
    data_key: str
    header: str
    sent: dict[int, SentPart] = field(default_factory=dict)

    @property
    def sealed_size(self) -> int:
        """Bytes that are sent in all."""
        return seal_size(self.archive_size)

    @property
    def parts(self) -> int:
        """How many parts that makes."""
        return -(-self.sealed_size // self.part_size)

    def sealer(self) -> Sealer:
        """The sealer that makes the very same bytes again."""
        header = Header.from_bytes(base64.b64decode(self.header))
        return Sealer(base64.b64decode(self.data_key), header)


def describe_archive(path: Path, advance: Callable[[int], None]) -> Archive:
    """Hash an archive; `advance` is told of the bytes read."""
    sha256, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_READ):
            sha256.update(block)
            size += len(block)
            advance(len(block))
    return Archive(path=path, size=size, sha256=sha256.hexdigest())


def part_size(sealed_size: int) -> int:
    """Parts of 16 MiB, larger where there would be too many."""
    wanted = -(-sealed_size // MOST_PARTS)
    return max(SMALLEST_PART, -(-wanted // _MIB) * _MIB)


def begin(
    *,
    url: str,
    entry: str,
    study: str,
    manifest_digest: str,
    archive: Archive,
    size_of_part: int,
    public_key: bytes,
) -> Upload:
    """Record a new upload under a fresh key."""
    sealer = Sealer.to(public_key)
    upload = Upload(
        url=url,
        entry=entry,
        study=study,
        manifest_digest=manifest_digest,
        archive_sha256=archive.sha256,
        archive_size=archive.size,
        part_size=size_of_part,
        data_key=base64.b64encode(sealer.data_key).decode("ascii"),
        header=base64.b64encode(sealer.header()).decode("ascii"),
    )
    _store(upload)
    return upload


def find_unfinished(
    *, url: str, study: str, manifest_digest: str, archive: Archive
) -> Upload | None:
    """The upload of the same manifest and archive that was interrupted, if any."""
    wanted = (url, study, manifest_digest, archive.sha256, archive.size)
    for path in sorted(_folder().glob("ent_*.json")):
        found = _load(path)
        if found and wanted == (
            found.url,
            found.study,
            found.manifest_digest,
            found.archive_sha256,
            found.archive_size,
        ):
            return found
    return None


def forget(upload: Upload) -> None:
    """Remove the record of an upload, its key with it."""
    _path(upload.entry).unlink(missing_ok=True)


def send(client: ApiClient, upload: Upload, archive: Path, reached: Callable[[int], None]) -> None:
    """Send what is missing and close the upload; raises `ApiError` when the platform refuses.

    `reached` is told how many sealed bytes are behind; it falls back when the store lost them.
    """
    with ObjectPut() as store, archive.open("rb") as source:
        for _ in range(_MOST_RESTARTS):
            try:
                upload, sealed_sha256 = _send_parts(client, store, upload, source, reached)
            except _LostUploadError:
                upload = replace(upload, sent={})
            else:
                break
        else:
            raise ApiError("upload_lost", "The object store keeps losing the upload.", cure=_AGAIN)
    parts = [{"number": number, **asdict(part)} for number, part in sorted(upload.sent.items())]
    client.post(f"/entries/{upload.entry}/close", {"parts": parts, "sealed_sha256": sealed_sha256})
    forget(upload)


_AGAIN = "Run the same command again; it goes on where it stopped."


class _LostUploadError(Exception):
    """The store has forgotten the upload; every part must be sent again."""


def _send_parts(
    client: ApiClient,
    store: ObjectPut,
    upload: Upload,
    source: BinaryIO,
    reached: Callable[[int], None],
) -> tuple[Upload, str]:
    """Go through all parts, sealing each, sending those that the store does not hold."""
    stored = _stored_parts(client, upload)
    urls = _Urls(client, upload)
    sealer, whole, sent = upload.sealer(), hashlib.sha256(), {}
    for number in range(1, upload.parts + 1):
        start = (number - 1) * upload.part_size
        content = sealer.sealed_range(source, upload.archive_size, start, start + upload.part_size)
        sha256 = hashlib.sha256(content).hexdigest()
        whole.update(content)
        known = upload.sent.get(number)
        if known and known.sha256 != sha256:
            raise ProctorSdkError(
                "archive_changed", "The image archive changed during the upload.", cure=_AGAIN
            )
        if not known or stored.get(number) != known.etag:
            known = SentPart(etag=_put(store, urls, number, content), sha256=sha256)
            upload = replace(upload, sent={**upload.sent, number: known})
            _store(upload)
        sent[number] = known
        reached(start + len(content))
    return replace(upload, sent=sent), whole.hexdigest()


class _Urls:
    """Presigned URLs, asked for a few at a time, since they expire."""

    def __init__(self, client: ApiClient, upload: Upload) -> None:
        self._client = client
        self._upload = upload
        self._urls: dict[int, str] = {}

    def get(self, number: int) -> str:
        if number not in self._urls:
            last = min(number + _URLS_AT_ONCE, self._upload.parts + 1)
            asked = {"numbers": list(range(number, last))}
            answer = self._client.post(f"/entries/{self._upload.entry}/parts", asked)
            self._urls = {int(key): str(url) for key, url in answer["urls"].items()}
        return self._urls[number]

    def renew(self) -> None:
        self._urls = {}


def _put(store: ObjectPut, urls: _Urls, number: int, content: bytes) -> str:
    try:
        return store.put(urls.get(number), content)
    except DeadUrlError:
        urls.renew()
    try:
        return store.put(urls.get(number), content)
    except DeadUrlError as error:
        raise _LostUploadError from error


def _stored_parts(client: ApiClient, upload: Upload) -> dict[int, str]:
    """What the store holds; the platform begins a new upload where the old one is gone."""
    answer = client.get(f"/entries/{upload.entry}/parts")
    return {int(number): str(etag) for number, etag in answer["parts"].items()}


def _folder() -> Path:
    return cache_dir() / "uploads"


def _path(entry: str) -> Path:
    return _folder() / f"{entry}.json"


def _store(upload: Upload) -> None:
    document: dict[str, Any] = asdict(upload)
    document["sent"] = {str(number): part for number, part in document["sent"].items()}
    write_private(_path(upload.entry), canonical_bytes(document))


def _load(path: Path) -> Upload | None:
    """Read a record; one that another version left, or that is cut short, counts for nothing."""
    try:
        document = json.loads(path.read_bytes())
        sent = {int(n): SentPart(**part) for n, part in document.pop("sent").items()}
        return Upload(**document, sent=sent)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
