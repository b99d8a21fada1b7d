"""DSSE envelopes with Ed25519: how bytes are signed and when a signature counts, whatever they say.

Needs the extra `cli` (cryptography).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import load_der_public_key

from proctor_sdk.canonical import canonical_bytes, digest, strict_loads
from proctor_sdk.errors import ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ED25519_LENGTH = 32
IN_TOTO = "application/vnd.in-toto+json"


class SignatureError(ProctorSdkError):
    """No pinned key vouches for these bytes."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__("signature_invalid", message, cure=cure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature and the id of the key that claims to have made it."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload as it was signed, byte for byte, with its signatures."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def as_dict(self) -> dict[str, Any]:
        """The DSSE JSON form."""
        return {
            "payloadType": self.payload_type,
            "payload": _b64(self.payload),
            "signatures": [{"keyid": s.keyid, "sig": _b64(s.sig)} for s in self.signatures],
        }

    def to_bytes(self) -> bytes:
        """The DSSE JSON form, canonical."""
        return canonical_bytes(self.as_dict())

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Read the JSON form; raises `SignatureError` when it is not one."""
        return cls.from_dict(strict_loads(data))

    @classmethod
    def from_dict(cls, document: Any) -> Envelope:
        """Read the JSON form, parsed; raises `SignatureError` when it is not one."""
        try:
            return cls(
                payload_type=str(document["payloadType"]),
                payload=_unb64(document["payload"]),
                signatures=tuple(
                    Signature(keyid=str(s["keyid"]), sig=_unb64(s["sig"]))
                    for s in document["signatures"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SignatureError("This is not a DSSE envelope.") from error


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding, DSSE v1: what is really signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(public_key: bytes) -> str:
    """The id of a raw public key: its digest, so that an id cannot be claimed by another key."""
    return digest(public_key)


def generate_signing_keypair() -> tuple[bytes, bytes]:
    """A fresh Ed25519 pair, raw: (private, public)."""
    private = Ed25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def ed25519_signer(private_key: bytes) -> tuple[str, Callable[[bytes], bytes]]:
    """A key id and a function that signs, for `sign_envelope`."""
    private = Ed25519PrivateKey.from_private_bytes(private_key)
    return key_id(private.public_key().public_bytes_raw()), private.sign


def sign_envelope(
    payload: bytes, *, payload_type: str = IN_TOTO, keyid: str, sign: Callable[[bytes], bytes]
) -> Envelope:
    """Sign the payload; `sign` may be a key in memory or a call to a KMS."""
    signature = Signature(keyid=keyid, sig=sign(pae(payload_type, payload)))
    return Envelope(payload_type=payload_type, payload=payload, signatures=(signature,))


def verify_envelope(
    envelope: Envelope, trusted: Mapping[str, bytes], *, payload_type: str = IN_TOTO
) -> bytes:
    """Give the payload back if a trusted key signed it, else raise `SignatureError`.

    `trusted` maps key ids to public keys (Ed25519 raw, ECDSA in DER); no key that the envelope
    names counts by itself.
    """
    if envelope.payload_type != payload_type:
        raise SignatureError(f"The envelope holds no {payload_type}.")
    known = [s for s in envelope.signatures if s.keyid in trusted]
    if not known:
        raise SignatureError(
            "No signature is by a key you trust.",
            "Ask the platform's operator for its trust file over a channel you trust.",
        )
    message = pae(envelope.payload_type, envelope.payload)
    for signature in known:
        try:
            _verify(trusted[signature.keyid], signature.sig, message)
        except (InvalidSignature, ValueError) as error:
            raise SignatureError(
                "The signature by your trusted key does not fit: the statement was altered."
            ) from error
    return envelope.payload


def _verify(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Check one signature; a key of 32 bytes is Ed25519, a longer one ECDSA in DER."""
    if len(public_key) == ED25519_LENGTH:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        return
    key = load_der_public_key(public_key)
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError(  # noqa: TRY004 - the bytes are wrong, not their type
            "a trusted key is neither Ed25519 nor on an elliptic curve"
        )
    hashed = SHA384() if key.curve.key_size == SHA384.digest_size * 8 else SHA256()
    key.verify(signature, message, ECDSA(hashed))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
