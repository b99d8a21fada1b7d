import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_sdk.dsse import (
    Envelope,
    SignatureError,
    ed25519_signer,
    generate_signing_keypair,
    key_id,
    pae,
    sign_envelope,
    verify_envelope,
)

PRIVATE, PUBLIC = generate_signing_keypair()
KEYID, SIGN = ed25519_signer(PRIVATE)
TRUSTED = {KEYID: PUBLIC}
ENVELOPE = sign_envelope(b'{"a":1}', keyid=KEYID, sign=SIGN)


def test_the_encoding_is_that_of_the_dsse_specification() -> None:
    # The protocol page's own example.
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_a_signed_payload_comes_back() -> None:
    assert verify_envelope(ENVELOPE, TRUSTED) == b'{"a":1}'


@given(st.binary(max_size=100))
def test_an_envelope_is_read_back_as_it_was_written(payload: bytes) -> None:
    envelope = sign_envelope(payload, keyid=KEYID, sign=SIGN)
    assert Envelope.from_bytes(envelope.to_bytes()) == envelope


def test_an_altered_payload_is_refused() -> None:
    altered = dataclasses.replace(ENVELOPE, payload=b'{"a":2}')
    with pytest.raises(SignatureError, match="altered"):
        verify_envelope(altered, TRUSTED)


def test_a_key_that_is_not_pinned_counts_for_nothing() -> None:
    keyid, sign = ed25519_signer(generate_signing_keypair()[0])
    with pytest.raises(SignatureError, match="trust"):
        verify_envelope(sign_envelope(b"{}", keyid=keyid, sign=sign), TRUSTED)


def test_another_key_under_a_pinned_id_is_refused() -> None:
    _, sign = ed25519_signer(generate_signing_keypair()[0])
    with pytest.raises(SignatureError):
        verify_envelope(sign_envelope(b"{}", keyid=KEYID, sign=sign), TRUSTED)


def test_another_payload_type_is_refused() -> None:
    other = sign_envelope(b"{}", payload_type="text/plain", keyid=KEYID, sign=SIGN)
    with pytest.raises(SignatureError):
        verify_envelope(other, TRUSTED)


@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b'{"payloadType":"a","payload":"!","signatures":[]}']
)
def test_what_is_no_envelope_is_named_as_such(data: bytes) -> None:
    with pytest.raises(SignatureError, match="not a DSSE"):
        Envelope.from_bytes(data)


def test_the_id_of_a_key_is_its_digest() -> None:
    assert key_id(PUBLIC).startswith("sha256:")
    assert key_id(PUBLIC) == KEYID
