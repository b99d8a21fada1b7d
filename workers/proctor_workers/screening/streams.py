"""Readers that sit on a stream nobody trusts: they count, cap, hash and inflate, in flat memory."""

import hashlib
import zlib
from collections.abc import Iterator
from typing import Protocol

from proctor_workers.screening.errors import ImageInvalidError, ImageRejectedError

CHUNK = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Readable(Protocol):
    """What every reader here reads from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


class Budget:
    """Bytes or entries that may still be spent; spending more refuses the image."""

    def __init__(self, total: int, what: str) -> None:
        self._left = total
        self._total = total
        self._what = what

    def spend(self, amount: int) -> None:
        """Take `amount` away.

        Raises:
            ImageRejectedError: nothing is left.
        """
        self._left -= amount
        if self._left < 0:
            raise ImageRejectedError(
                f"The image has more than {self._total:,} {self._what}.",
                cure="Make the image smaller: leave out build tools, caches and data.",
            )

    @property
    def spent(self) -> int:
        """How much has been taken."""
        return self._total - self._left


class ChunkReader:
    """Reads an iterator of byte strings (an unsealed image) as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes from one chunk; none at the end."""
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._held = memoryview(chunk)
        taken, self._held = self._held[:size], self._held[size:]
        return bytes(taken)


class MeasuredReader:
    """Passes bytes through, hashing them and charging them to a budget."""

    def __init__(self, source: Readable, budget: Budget) -> None:
        self.budget = budget
        self._source = source
        self._sha256 = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes."""
        data = self._source.read(size)
        self.budget.spend(len(data))
        self._sha256.update(data)
        return data

    def drain(self) -> None:
        """Read to the end, so that the digest covers everything."""
        while self.read(CHUNK):
            pass

    @property
    def hexdigest(self) -> str:
        """SHA-256 of what was read so far."""
        return self._sha256.hexdigest()


class PeekableReader:
    """Lets the first bytes be looked at before they are read; hands out full reads."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._held = b""

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes (fewer at the end) without using them up."""
        while len(self._held) < size:
            data = self._source.read(size - len(self._held))
            if not data:
                break
            self._held += data
        return self._held[:size]

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes."""
        if self._held:
            taken, self._held = self._held[:size], self._held[size:]
            return taken
        return self._source.read(size)


class InflatingReader:
    """Inflates gzip (several members allowed), never holding more than a chunk."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._inflater = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._out = memoryview(b"")
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Return up to `size` inflated bytes; none at the end.

        Raises:
            ImageInvalidError: the gzip data is broken or ends early.
        """
        while not self._out and not self._ended:
            self._out = memoryview(self._inflate())
        taken, self._out = self._out[:size], self._out[size:]
        return bytes(taken)

    def _inflate(self) -> bytes:
        if not self._pending:
            self._pending = self._source.read(CHUNK)
        if not self._pending:
            return self._at_end_of_input()
        if self._inflater.eof:
            return self._next_member()
        try:
            data = self._inflater.decompress(self._pending, CHUNK)
        except zlib.error as exc:
            raise _broken_gzip() from exc
        self._pending = self._inflater.unconsumed_tail or self._inflater.unused_data
        return data

    def _at_end_of_input(self) -> bytes:
        if not self._inflater.eof:
            raise _broken_gzip()
        self._ended = True
        return b""

    def _next_member(self) -> bytes:
        self._pending = self._pending.lstrip(b"\0")  # gzip allows zero padding between members
        if self._pending:
            self._inflater = zlib.decompressobj(wbits=31)
        return b""


def _broken_gzip() -> ImageInvalidError:
    return ImageInvalidError(
        "Compressed data in the image archive is damaged or ends early.",
        cure="Save the image again and check the file before you submit it.",
    )


def inflated(source: Readable) -> Readable:
    """Return a reader of the plain bytes: inflated where the source is gzip.

    Raises:
        ImageInvalidError: the data is compressed with zstd, which is not read.
    """
    peekable = PeekableReader(source)
    head = peekable.peek(4)
    if head[:2] == GZIP_MAGIC:
        return InflatingReader(peekable)
    if head == ZSTD_MAGIC:
        raise ImageInvalidError(
            "The image holds zstd-compressed data.",
            cure="Save it with gzip or uncompressed layers (docker save, podman save).",
        )
    return peekable
