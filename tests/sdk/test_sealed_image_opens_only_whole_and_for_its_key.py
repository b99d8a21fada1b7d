import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_sdk.encrypt import (
    CHUNK,
    HEADER_SIZE,
    TAG,
    Header,
    Sealer,
    SealError,
    decode_key,
    encode_key,
    generate_keypair,
    read_header,
    seal,
    seal_size,
    unseal,
    unwrap,
)

PRIVATE, PUBLIC = generate_keypair()
PLAIN = os.urandom(2 * CHUNK + 12_345)
SEALED = b"".join(seal(io.BytesIO(PLAIN), len(PLAIN), PUBLIC))


class Dribble(io.BytesIO):
    """A stream that gives less than asked, as networks do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 70_001))


def opened(sealed: bytes, private: bytes = PRIVATE) -> bytes:
    stream = io.BytesIO(sealed)
    header = read_header(stream)
    return b"".join(unseal(stream, unwrap(header, private), header))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_what_was_sealed_comes_back(size: int) -> None:
    plain = os.urandom(size)
    sealed = b"".join(seal(io.BytesIO(plain), size, PUBLIC))
    assert len(sealed) == seal_size(size)
    assert opened(sealed) == plain


def test_a_stream_that_gives_little_at_a_time_opens_too() -> None:
    key = unwrap(read_header(io.BytesIO(SEALED)), PRIVATE)
    assert b"".join(unseal(Dribble(SEALED), key)) == PLAIN


def test_neither_the_plain_bytes_nor_the_key_stand_in_the_sealed_object() -> None:
    sealer = Sealer.to(PUBLIC)
    sealed = sealer.header() + sealer.chunk(0, b"secret weights", last=True)
    assert b"secret weights" not in sealed
    assert sealer.data_key not in sealed


@settings(deadline=None, max_examples=40)
@given(st.integers(0, len(SEALED)), st.integers(0, len(SEALED)))
def test_a_restarted_sealer_makes_the_same_bytes_of_any_range(start: int, stop: int) -> None:
    key = unwrap(Header.from_bytes(SEALED[:HEADER_SIZE]), PRIVATE)
    again = Sealer(key, Header.from_bytes(SEALED[:HEADER_SIZE]))
    assert again.sealed_range(io.BytesIO(PLAIN), len(PLAIN), start, stop) == SEALED[start:stop]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(SEALED) - 1), st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_noticed(place: int, bit: int) -> None:
    altered = bytearray(SEALED)
    altered[place] ^= 1 << bit
    with pytest.raises(SealError):
        opened(bytes(altered))


@pytest.mark.parametrize("place", range(HEADER_SIZE))
def test_a_flipped_bit_in_the_header_is_noticed(place: int) -> None:
    altered = bytearray(SEALED)
    altered[place] ^= 1
    with pytest.raises(SealError):
        opened(bytes(altered))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, len(SEALED) - 1))
def test_a_truncated_object_is_noticed(length: int) -> None:
    with pytest.raises(SealError):
        opened(SEALED[:length])


def test_an_object_cut_between_two_chunks_is_noticed() -> None:
    with pytest.raises(SealError):
        opened(SEALED[: HEADER_SIZE + CHUNK + TAG])


def test_swapped_chunks_are_noticed() -> None:
    first, second = HEADER_SIZE + CHUNK + TAG, HEADER_SIZE + 2 * (CHUNK + TAG)
    swapped = SEALED[:HEADER_SIZE] + SEALED[first:second] + SEALED[HEADER_SIZE:first]
    with pytest.raises(SealError, match="Chunk 0"):
        opened(swapped + SEALED[second:])


def test_bytes_after_the_end_are_noticed() -> None:
    with pytest.raises(SealError):
        opened(SEALED + b"\0")


def test_another_key_is_named_as_the_reason() -> None:
    with pytest.raises(SealError, match="another key"):
        opened(SEALED, generate_keypair()[0])


def test_a_file_that_is_not_sealed_is_named_as_such() -> None:
    with pytest.raises(SealError, match="not a PSEAL1"):
        opened(b"PK\x03\x04" + bytes(200))


def test_a_source_that_became_shorter_is_noticed() -> None:
    with pytest.raises(SealError, match="shorter"):
        b"".join(seal(io.BytesIO(b"abc"), 4, PUBLIC))


def test_only_the_last_chunk_may_be_short() -> None:
    with pytest.raises(SealError):
        Sealer.to(PUBLIC).chunk(0, b"short", last=False)


def test_key_files_round_trip_and_others_are_refused() -> None:
    assert decode_key(f"{encode_key(PUBLIC)}\n") == PUBLIC
    for text in ("", "AAAA", "not base64!", encode_key(bytes(33))):
        with pytest.raises(SealError):
            decode_key(text)
