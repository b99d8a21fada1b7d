"""Reads a tar as a stream of entries and nothing more: no file is made, no link is followed.

Written out here because the standard library's reader loads extended headers of any size into
memory and silently resolves sparse files and global headers; a hostile archive must meet a named
refusal instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from proctor_workers.screening.errors import ImageInvalidError, ImageRejectedError
from proctor_workers.screening.limits import ScreeningLimits
from proctor_workers.screening.streams import CHUNK, Readable

BLOCK = 512


class EntryKind(StrEnum):
    """What a tar entry stands for."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"
    CHARACTER_DEVICE = "character device"
    BLOCK_DEVICE = "block device"
    FIFO = "named pipe"


_KINDS = {
    b"0": EntryKind.FILE,
    b"\0": EntryKind.FILE,
    b"7": EntryKind.FILE,
    b"1": EntryKind.HARDLINK,
    b"2": EntryKind.SYMLINK,
    b"3": EntryKind.CHARACTER_DEVICE,
    b"4": EntryKind.BLOCK_DEVICE,
    b"5": EntryKind.DIRECTORY,
    b"6": EntryKind.FIFO,
}


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One entry's header."""

    name: str
    kind: EntryKind
    size: int
    link: str
    device: tuple[int, int]


class TarReader:
    """Iterates over entries; `read` gives the data of the entry last yielded."""

    def __init__(self, source: Readable, limits: ScreeningLimits) -> None:
        self._source = source
        self._limits = limits
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[TarEntry]:
        """Yield every entry up to the end marker.

        Raises:
            ImageInvalidError: this is no tar, or it is cut off.
            ImageRejectedError: it holds a sparse file, or an extended header that is too large.
        """
        extended: dict[str, str] = {}
        while True:
            header = self._header()
            if header is None:
                return
            flag, size = header[156:157], _number(header[124:136])
            if flag in {b"x", b"g", b"L", b"K"}:
                record = self._record(size)
                if flag != b"g":
                    extended |= _extended(flag, record)
                elif _extended(b"x", record).keys() - {"comment"}:
                    raise _rejected("a global extended header")
                continue
            yield self._entry(header, flag, size, extended)
            extended = {}

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes of the current entry's data."""
        if not self._left:
            return b""
        data = self._source.read(min(size, self._left))
        if not data:
            raise _cut_off()
        self._left -= len(data)
        return data

    def _entry(self, header: bytes, flag: bytes, size: int, extended: dict[str, str]) -> TarEntry:
        if flag == b"S" or any(key.startswith("GNU.sparse") for key in extended):
            raise _rejected("a sparse file")
        if flag not in _KINDS:
            raise _rejected("an entry of an unknown kind")
        name = extended.get("path") or _name(header)
        kind = _KINDS[flag]
        if kind is EntryKind.FILE and flag != b"7" and name.endswith("/"):
            kind = EntryKind.DIRECTORY  # how tars before POSIX mark a folder
        size = _decimal(extended["size"]) if "size" in extended else size
        size = size if kind is EntryKind.FILE else 0
        self._left, self._padding = size, -size % BLOCK
        return TarEntry(
            name=name,
            kind=kind,
            size=size,
            link=extended.get("linkpath") or _text(header[157:257]),
            device=(_number(header[329:337]), _number(header[337:345])),
        )

    def _header(self) -> bytes | None:
        self._skip(self._left + self._padding)
        self._left = self._padding = 0
        header = self._exactly(BLOCK, at_start=True)
        if not header.strip(b"\0"):
            return None
        unsigned = sum(header) - sum(header[148:156]) + 8 * 0x20
        if header[148:156].strip(b" \0").lstrip(b"0") != b"%o" % unsigned:
            raise ImageInvalidError(
                "The image archive is not a tar, or it is damaged.",
                cure="Write it with `docker save` or `podman save`, and submit it unchanged.",
            )
        return header

    def _record(self, size: int) -> bytes:
        if size > self._limits.extended_header_bytes:
            raise _rejected("an extended header that is too large")
        record = self._exactly(size)
        self._skip(-size % BLOCK)
        return record

    def _exactly(self, size: int, *, at_start: bool = False) -> bytes:
        parts, missing = [], size
        while missing:
            data = self._source.read(missing)
            if not data:
                if at_start and missing == size:
                    return bytes(BLOCK)  # some writers leave the end marker out
                raise _cut_off()
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def _skip(self, size: int) -> None:
        while size:
            data = self._source.read(min(size, CHUNK))
            if not data:
                raise _cut_off()
            size -= len(data)


def _extended(flag: bytes, record: bytes) -> dict[str, str]:
    if flag == b"L":
        return {"path": _text(record)}
    if flag == b"K":
        return {"linkpath": _text(record)}
    fields: dict[str, str] = {}
    while record.strip(b"\0"):
        length_text, _, _ = record.partition(b" ")
        length = _decimal(length_text.decode("ascii", "replace"))
        field = record[len(length_text) + 1 : length - 1]
        if length < 5 or length > len(record) or b"=" not in field:
            raise ImageInvalidError(
                "An extended header in the image archive is malformed.",
                cure="Write the archive with `docker save` or `podman save`.",
            )
        key, _, value = field.partition(b"=")
        fields[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        record = record[length:]
    return fields


def _number(field: bytes) -> int:
    if field[:1] == b"\x80":  # GNU base-256, for sizes of 8 GiB and more
        return int.from_bytes(field[1:], "big")
    text = field.strip(b" \0")
    if not text:
        return 0
    if not all(0x30 <= byte <= 0x37 for byte in text):
        raise ImageInvalidError(
            "A number in the image archive's headers is malformed.",
            cure="Write the archive with `docker save` or `podman save`.",
        )
    return int(text, 8)


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ImageInvalidError(
            "A number in the image archive's extended headers is malformed.",
            cure="Write the archive with `docker save` or `podman save`.",
        )
    return int(text)


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _cut_off() -> ImageInvalidError:
    return ImageInvalidError(
        "The image archive ends early.",
        cure="Save the image again and submit the whole file.",
    )


def _rejected(what: str) -> ImageRejectedError:
    return ImageRejectedError(
        f"The image archive holds {what}.",
        cure="Write it with `docker save` or `podman save`, and submit it unchanged.",
    )
