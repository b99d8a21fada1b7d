"""Who holds the platform's signing key: a file, or a key management service that never shows it."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from proctor_backend.domain.errors import PlatformError
from proctor_sdk.canonical import canonical_bytes
from proctor_sdk.dsse import Envelope, ed25519_signer, key_id, sign_envelope

SIGNING_KEY = "signing.key"
ED25519_SPEC = "ECC_NIST_EDWARDS25519"
ECDSA_SPECS = {"ECC_NIST_P256": "ECDSA_SHA_256", "ECC_NIST_P384": "ECDSA_SHA_384"}
# KMS takes raw messages up to this size; a statement's pre-authentication encoding is longer.
KMS_RAW_LIMIT = 4096
_HASHES: Mapping[str, Callable[[bytes], Any]] = {
    "ECDSA_SHA_256": hashlib.sha256,
    "ECDSA_SHA_384": hashlib.sha384,
}


class Signer(Protocol):
    """Signs statements; `public_key` is what a trust file pins under `key_id`."""

    @property
    def key_id(self) -> str:
        """The digest of the public key."""

    @property
    def public_key(self) -> bytes:
        """The public key: raw for Ed25519, DER for ECDSA."""

    def sign(self, statement: Mapping[str, Any]) -> Envelope:
        """Return the statement in its canonical form, signed."""


class FileSigner:
    """An Ed25519 key in a file, raw and in base64, readable by the signer process only."""

    def __init__(self, keys_dir: Path) -> None:
        """Read the key.

        Raises:
            PlatformError: the folder holds none.
        """
        path = keys_dir / SIGNING_KEY
        try:
            private = base64.b64decode(path.read_text("ascii"), validate=True)
            self._key_id, self._sign = ed25519_signer(private)
        except (OSError, ValueError) as error:
            raise PlatformError(
                f"The folder of keys holds no usable {SIGNING_KEY}.",
                cure="Let the operator run `proctor-admin keys`.",
            ) from error
        self._public = _public_of(private)

    @property
    def key_id(self) -> str:
        """The digest of the public key."""
        return self._key_id

    @property
    def public_key(self) -> bytes:
        """The raw public key."""
        return self._public

    def sign(self, statement: Mapping[str, Any]) -> Envelope:
        """Return the statement in its canonical form, signed."""
        return sign_envelope(canonical_bytes(statement), keyid=self._key_id, sign=self._sign)


class KmsSigner:
    """A key that AWS KMS holds: Ed25519, or ECDSA where the region has no Edwards curve.

    ECDSA messages are hashed here, so that only a digest travels. Ed25519 in KMS signs raw messages
    of at most 4096 bytes, which a statement's digest list can exceed: such a statement is refused
    before anything is sent, with the cure to use an ECDSA key.
    """

    def __init__(self, client: Any, kms_key: str) -> None:
        """Ask KMS for the public key.

        Raises:
            PlatformError: KMS cannot be reached, or the key cannot sign.
        """
        self._client, self._kms_key = client, kms_key
        answer = self._ask("get_public_key", KeyId=kms_key)
        spec = str(answer["KeySpec"])
        if answer.get("KeyUsage") != "SIGN_VERIFY" or spec not in {ED25519_SPEC, *ECDSA_SPECS}:
            raise PlatformError(
                "The key in KMS cannot sign reports.",
                cure=f"Create a SIGN_VERIFY key of {ED25519_SPEC} or {', '.join(ECDSA_SPECS)}.",
            )
        self._algorithm = ECDSA_SPECS.get(spec, "ED25519_SHA_512")
        self._public = _bare(bytes(answer["PublicKey"]))

    @property
    def key_id(self) -> str:
        """The digest of the public key."""
        return key_id(self._public)

    @property
    def public_key(self) -> bytes:
        """The public key: raw for Ed25519, DER for ECDSA."""
        return self._public

    def sign(self, statement: Mapping[str, Any]) -> Envelope:
        """Return the statement in its canonical form, signed by KMS."""
        return sign_envelope(canonical_bytes(statement), keyid=self.key_id, sign=self._sign)

    def _sign(self, message: bytes) -> bytes:
        request: dict[str, Any] = {"KeyId": self._kms_key, "SigningAlgorithm": self._algorithm}
        if self._algorithm in _HASHES:
            hashed = _HASHES[self._algorithm](message).digest()
            request |= {"Message": hashed, "MessageType": "DIGEST"}
        elif len(message) <= KMS_RAW_LIMIT:
            request |= {"Message": message, "MessageType": "RAW"}
        else:
            raise PlatformError(
                "The statement is longer than KMS signs with an Ed25519 key.",
                cure=f"Use a key of {', '.join(ECDSA_SPECS)}.",
            )
        return bytes(self._ask("sign", **request)["Signature"])

    def _ask(self, verb: str, **request: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = getattr(self._client, verb)(**request)
        except (ClientError, BotoCoreError) as error:
            raise PlatformError(
                f"KMS refused to {verb.replace('_', ' ')}.",
                cure="Look at the key's policy and at the signer's credentials.",
            ) from error
        return answer


def open_signer(keys_dir: Path, *, kms_key: str = "") -> Signer:
    """Return the signer that the settings name: KMS if a key is named there, else the key file."""
    if kms_key:
        return KmsSigner(boto3.client("kms"), kms_key)
    return FileSigner(keys_dir)


def _public_of(private: bytes) -> bytes:
    from_private = Ed25519PrivateKey.from_private_bytes(private)
    return from_private.public_key().public_bytes_raw()


def _bare(der: bytes) -> bytes:
    """Return an Ed25519 key raw, as trust files pin it; an ECDSA key stays as it is."""
    key = load_der_public_key(der)
    if isinstance(key, Ed25519PublicKey):
        return key.public_bytes_raw()
    if isinstance(key, EllipticCurvePublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raise PlatformError("The key in KMS is of a kind that no verifier knows.")
