"""One pass over an image archive: what blobs it holds, by name and digest; nothing is judged yet.

Layers come before or after the documents that name them, so every blob is measured as it passes:
JSON documents are kept, everything else is read as a layer.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from proctor_workers.screening.errors import ImageInvalidError, ImageRejectedError
from proctor_workers.screening.layers import Layer, LayerSurvey, check_name
from proctor_workers.screening.limits import ScreeningLimits
from proctor_workers.screening.streams import Budget, MeasuredReader, PeekableReader, Readable
from proctor_workers.screening.streams import inflated as plain_stream
from proctor_workers.screening.tar import EntryKind, TarEntry, TarReader

_DOCUMENT_STARTS = frozenset(b"{[")
_NEVER = frozenset(
    {EntryKind.HARDLINK, EntryKind.CHARACTER_DEVICE, EntryKind.BLOCK_DEVICE, EntryKind.FIFO}
)


@dataclass(frozen=True, slots=True)
class Blob:
    """One regular file of the archive: a document, a layer, or something that is neither."""

    digest: str
    size: int
    document: bytes | None = None
    layer: Layer | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything one archive holds."""

    blobs: Mapping[str, Blob]
    links: frozenset[str]
    sha256: str
    archive_bytes: int
    unpacked_bytes: int
    files: int

    def document(self, name: str) -> bytes | None:
        """Return a JSON document by its path, or None."""
        blob = self.blobs.get(name)
        return blob.document if blob else None


def take_inventory(stream: Readable, limits: ScreeningLimits) -> Inventory:
    """Read an archive (plain or gzip) to its end.

    Raises:
        ImageInvalidError: it is no tar, cut off, or names a path twice.
        ImageRejectedError: it holds what no image archive holds, or too much.
    """
    raw = MeasuredReader(stream, Budget(limits.archive_bytes, "bytes"))
    plain = MeasuredReader(plain_stream(raw), Budget(limits.unpacked_bytes, "unpacked bytes"))
    reader = TarReader(plain, limits)
    survey = LayerSurvey(limits)
    entries = Budget(limits.archive_entries, "entries in its archive")
    documents = Budget(limits.documents_bytes, "bytes of metadata")
    blobs: dict[str, Blob] = {}
    links: set[str] = set()
    for entry in reader:
        entries.spend(1)
        name = _checked_name(entry, limits)
        if entry.kind is EntryKind.DIRECTORY:
            continue
        if name in blobs or name in links:
            raise ImageInvalidError(
                "The image archive names one path twice.", cure="Save the image again."
            )
        if entry.kind is EntryKind.SYMLINK:
            links.add(name)
        else:
            blobs[name] = _blob(reader, entry.size, survey, limits, documents)
    plain.drain()
    raw.drain()
    return Inventory(
        blobs=blobs,
        links=frozenset(links),
        sha256=raw.hexdigest,
        archive_bytes=raw.budget.spent,
        unpacked_bytes=survey.unpacked_bytes,
        files=survey.entries,
    )


def _checked_name(entry: TarEntry, limits: ScreeningLimits) -> str:
    check_name(entry.name, limits)
    if entry.name.startswith("/"):
        raise ImageRejectedError(
            "The image archive holds an absolute path.", cure="Save the image again."
        )
    if entry.kind in _NEVER:
        raise ImageRejectedError(
            f"The image archive holds a {entry.kind}.",
            cure="Write it with `docker save` or `podman save`, and submit it unchanged.",
        )
    return "/".join(part for part in entry.name.split("/") if part not in {"", "."})


def _blob(
    reader: TarReader, size: int, survey: LayerSurvey, limits: ScreeningLimits, documents: Budget
) -> Blob:
    data = PeekableReader(reader)
    head = data.peek(1)
    if size <= limits.document_bytes and head and head[0] in _DOCUMENT_STARTS:
        documents.spend(size)
        text = _read_all(data)
        return Blob(f"sha256:{hashlib.sha256(text).hexdigest()}", size, document=text)
    measured = MeasuredReader(data, Budget(size, "bytes"))
    layer = None
    if size >= 512 or head[:1] == b"\x1f":  # smaller files are markers such as VERSION
        layer = survey.read(measured)
    measured.drain()
    return Blob(f"sha256:{measured.hexdigest}", size, layer=layer)


def _read_all(source: Readable) -> bytes:
    parts = []
    while part := source.read(1 << 20):
        parts.append(part)
    return b"".join(parts)
