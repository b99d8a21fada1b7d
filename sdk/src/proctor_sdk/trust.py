"""The trust file: the signing keys a verifier pins, however they came to the verifier."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from proctor_sdk.dsse import ED25519_LENGTH, key_id
from proctor_sdk.encrypt import encode_key
from proctor_sdk.errors import ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_CURE = "Ask the platform's operator for its trust file, over a channel you trust."


class TrustError(ProctorSdkError):
    """The trust file names no usable key."""

    def __init__(self, message: str) -> None:
        super().__init__("trust_invalid", message, cure=_CURE)


def trust_document(public_keys: Iterable[bytes]) -> dict[str, Any]:
    """The trust file of some public keys: Ed25519 raw, ECDSA in DER."""
    keys = [
        {"keyid": key_id(key), "algorithm": _algorithm(key), "public_key": encode_key(key)}
        for key in public_keys
    ]
    return {"schema": 1, "keys": keys}


def read_trust(path: Path) -> Mapping[str, bytes]:
    """Key ids to public keys; raises `TrustError`."""
    try:
        return dict(_key(entry) for entry in json.loads(path.read_text("utf-8"))["keys"])
    except OSError as error:
        raise TrustError(f"The trust file {path} cannot be read.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrustError(f"{path} is not a trust file.") from error


def _key(entry: Mapping[str, Any]) -> tuple[str, bytes]:
    key = base64.b64decode(entry["public_key"], validate=True)
    if entry["algorithm"] != _algorithm(key) or entry["keyid"] != key_id(key):
        raise ValueError("a key's id or algorithm is wrong")
    return entry["keyid"], key


def _algorithm(key: bytes) -> str:
    return "ed25519" if len(key) == ED25519_LENGTH else "ecdsa"
