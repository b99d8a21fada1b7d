"""PSEAL1: seals an image to the platform's key; any part can be made again after a restart.

Header: magic, recipient key id, ephemeral X25519 key, nonce prefix, wrapped data key. Then chunks
of 1 MiB under AES-256-GCM in the STREAM construction: the nonce is prefix, counter, last flag; the
header is bound to every chunk.
Needs the extra `cli` (cryptography).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proctor_sdk.errors import ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"PSEAL1\r\n"
CHUNK = 1 << 20
TAG = 16
KEY = 32
PREFIX = 7  # 7 + 4 of counter + 1 of last flag = the 12 bytes of a GCM nonce
KEY_ID = 8
HEADER_SIZE = len(MAGIC) + KEY_ID + KEY + PREFIX + KEY + TAG
LARGEST = CHUNK * (2**32 - 1)


class Readable(Protocol):
    """Anything bytes can be read from: a file, or a response of an object store."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""


class SealError(ProctorSdkError):
    """Sealed bytes are not what was sealed, or not for this key."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__("seal_invalid", message, cure=cure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The start of a sealed object: all that is needed beside the key."""

    recipient: bytes
    ephemeral: bytes
    nonce_prefix: bytes
    wrapped_key: bytes

    def to_bytes(self) -> bytes:
        """The bytes the sealed object begins with."""
        return self.bound() + self.wrapped_key

    def bound(self) -> bytes:
        """The part that the wrapped key is bound to."""
        return MAGIC + self.recipient + self.ephemeral + self.nonce_prefix

    @classmethod
    def from_bytes(cls, data: bytes) -> Header:
        """Read the bytes a sealed object begins with; raises `SealError`."""
        if not data.startswith(MAGIC):
            raise SealError("This is not a PSEAL1 object.")
        if len(data) != HEADER_SIZE:
            raise SealError("The sealed object ends within its header.")
        at = len(MAGIC)
        fields = []
        for size in (KEY_ID, KEY, PREFIX, KEY + TAG):
            fields.append(data[at : at + size])
            at += size
        recipient, ephemeral, nonce_prefix, wrapped_key = fields
        return cls(
            recipient=recipient,
            ephemeral=ephemeral,
            nonce_prefix=nonce_prefix,
            wrapped_key=wrapped_key,
        )


class Sealer:
    """Makes any chunk of one sealed object, in any order, as often as asked.

    Data key and header together are the whole state: kept, they resume; whoever resumes must hold
    the very same plain bytes, or one nonce covers two texts.
    """

    def __init__(self, data_key: bytes, header: Header) -> None:
        self.data_key = data_key
        self._header = header.to_bytes()
        self._prefix = header.nonce_prefix
        self._cipher = AESGCM(data_key)

    @classmethod
    def to(cls, public_key: bytes, data_key: bytes | None = None) -> Sealer:
        """Begin a new sealed object for the holder of `public_key` (raw X25519)."""
        data_key = data_key or os.urandom(KEY)
        return cls(data_key, _wrap(data_key, public_key))

    def header(self) -> bytes:
        """The first `HEADER_SIZE` bytes."""
        return self._header

    def chunk(self, index: int, plain: bytes, last: bool) -> bytes:  # noqa: FBT001 - STREAM's own flag
        """Chunk `index`; every one but the last holds exactly `CHUNK` plain bytes."""
        if len(plain) > CHUNK or (len(plain) < CHUNK and not last):
            raise SealError("Only the last chunk may differ from 1 MiB.")
        return self._cipher.encrypt(_nonce(self._prefix, index, last=last), plain, self._header)

    def sealed_range(self, source: BinaryIO, size: int, start: int, stop: int) -> bytes:
        """Bytes `start` to `stop` of the sealed form of a seekable source of `size` bytes."""
        stop = min(stop, seal_size(size))
        pieces = [self._header[start:stop]]
        at, end = max(start - HEADER_SIZE, 0), stop - HEADER_SIZE
        for index in range(at // (CHUNK + TAG), -(-end // (CHUNK + TAG)) if end > at else 0):
            source.seek(index * CHUNK)
            plain = source.read(CHUNK)
            if len(plain) != min(CHUNK, size - index * CHUNK):
                raise SealError("The file became shorter while it was read.")
            sealed = self.chunk(index, plain, last=(index + 1) * CHUNK >= size)
            begin = index * (CHUNK + TAG)
            pieces.append(sealed[max(at - begin, 0) : end - begin])
        return b"".join(pieces)


def seal_size(plain_size: int) -> int:
    """How many bytes `plain_size` bytes become."""
    if plain_size > LARGEST:
        raise SealError("The file is larger than PSEAL1 can hold.")
    return HEADER_SIZE + plain_size + TAG * max(1, -(-plain_size // CHUNK))


def seal(source: BinaryIO, size: int, public_key: bytes) -> Iterator[bytes]:
    """Seal a whole source at once, chunk by chunk."""
    sealer = Sealer.to(public_key)
    total = seal_size(size)
    yield sealer.header()
    for start in range(HEADER_SIZE, total, CHUNK + TAG):
        yield sealer.sealed_range(source, size, start, start + CHUNK + TAG)


def read_header(stream: Readable) -> Header:
    """Read the header and leave the stream at the first chunk; raises `SealError`."""
    return Header.from_bytes(_read_exactly(stream, HEADER_SIZE))


def unwrap(header: Header, private_key: bytes) -> bytes:
    """The data key, for the holder of the private key (raw X25519); raises `SealError`."""
    private = X25519PrivateKey.from_private_bytes(private_key)
    public = private.public_key().public_bytes_raw()
    if _recipient(public) != header.recipient:
        raise SealError("The object is sealed to another key.")
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(header.ephemeral))
        cipher = AESGCM(_wrapping_key(shared, header.ephemeral, public))
        return cipher.decrypt(bytes(12), header.wrapped_key, header.bound())
    except (InvalidTag, ValueError) as error:
        raise SealError("The header of the sealed object was altered.") from error


def unseal(stream: Readable, data_key: bytes, header: Header | None = None) -> Iterator[bytes]:
    """The plain bytes, chunk by chunk, each authentic before it is given; raises `SealError`.

    Pass `header` when `read_header` has taken it from the stream already. What was yielded before
    an error is authentic but incomplete: act on it only after the last chunk.
    """
    header = header or read_header(stream)
    cipher, bound, index = AESGCM(data_key), header.to_bytes(), 0
    sealed = _read_exactly(stream, CHUNK + TAG)
    last = False
    while not last:
        following = _read_exactly(stream, CHUNK + TAG)
        last = not following
        try:
            yield cipher.decrypt(_nonce(header.nonce_prefix, index, last=last), sealed, bound)
        except (InvalidTag, ValueError) as error:
            raise SealError(
                f"Chunk {index} is not authentic: altered, cut short, out of order or another key.",
                "Upload the image again.",
            ) from error
        sealed, index = following, index + 1


def generate_keypair() -> tuple[bytes, bytes]:
    """A fresh X25519 pair, raw: (private, public)."""
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def encode_key(key: bytes) -> str:
    """A raw key as it stands in a key file."""
    return base64.b64encode(key).decode("ascii")


def decode_key(text: str) -> bytes:
    """The raw key of a key file; raises `SealError`."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY:
        raise SealError("A key is 32 bytes in base64; this is not one.")
    return key


def _wrap(data_key: bytes, public_key: bytes) -> Header:
    ephemeral, public = generate_keypair()
    shared = X25519PrivateKey.from_private_bytes(ephemeral).exchange(
        X25519PublicKey.from_public_bytes(public_key)
    )
    bare = Header(
        recipient=_recipient(public_key),
        ephemeral=public,
        nonce_prefix=os.urandom(PREFIX),
        wrapped_key=b"",
    )
    # The wrapping key serves once, so that its nonce may be zero.
    cipher = AESGCM(_wrapping_key(shared, public, public_key))
    return Header(
        recipient=bare.recipient,
        ephemeral=bare.ephemeral,
        nonce_prefix=bare.nonce_prefix,
        wrapped_key=cipher.encrypt(bytes(12), data_key, bare.bound()),
    )


def _wrapping_key(shared: bytes, ephemeral: bytes, recipient: bytes) -> bytes:
    kdf = HKDF(SHA256(), KEY, ephemeral + recipient, b"proctor PSEAL1 data key")
    return kdf.derive(shared)


def _recipient(public_key: bytes) -> bytes:
    return hashlib.sha256(public_key).digest()[:KEY_ID]


def _nonce(prefix: bytes, index: int, *, last: bool) -> bytes:
    return prefix + index.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


def _read_exactly(stream: Readable, size: int) -> bytes:
    """Up to `size` bytes, fewer only at the end: network streams give what they have."""
    pieces, missing = [], size
    while missing and (piece := stream.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
