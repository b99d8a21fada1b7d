import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
from botocore.config import Config
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from proctor_backend.domain.errors import PlatformError
from proctor_backend.signing import FileSigner, KmsSigner
from proctor_sdk.dsse import SignatureError, pae, verify_envelope
from proctor_sdk.trust import read_trust, trust_document

STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": []}


class KmsDouble(BaseHTTPRequestHandler):
    """Speaks KMS's JSON protocol for two keys; there is no KMS on one machine."""

    keys: ClassVar[dict[str, Any]] = {
        "edwards": Ed25519PrivateKey.generate(),
        "p256": ec.generate_private_key(ec.SECP256R1()),
    }
    specs: ClassVar[dict[str, str]] = {"edwards": "ECC_NIST_EDWARDS25519", "p256": "ECC_NIST_P256"}

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        verb = self.headers["X-Amz-Target"].removeprefix("TrentService.")
        name = request["KeyId"]
        if name not in self.keys:
            self._answer(400, {"__type": "NotFoundException", "message": "no such key"})
        elif verb == "GetPublicKey":
            der = (
                self.keys[name]
                .public_key()
                .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            )
            answer = {"KeyId": name, "KeySpec": self.specs[name], "KeyUsage": "SIGN_VERIFY"}
            self._answer(200, answer | {"PublicKey": base64.b64encode(der).decode()})
        else:
            self._answer(200, {"Signature": base64.b64encode(self._sign(name, request)).decode()})

    def _sign(self, name: str, request: dict) -> bytes:
        message = base64.b64decode(request["Message"])
        if name == "edwards":
            assert (request["SigningAlgorithm"], request["MessageType"]) == (
                "ED25519_SHA_512",
                "RAW",
            )
            return self.keys[name].sign(message)
        assert (request["SigningAlgorithm"], request["MessageType"]) == ("ECDSA_SHA_256", "DIGEST")
        return self.keys[name].sign(message, ec.ECDSA(utils.Prehashed(hashes.SHA256())))

    def _answer(self, status: int, document: dict) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def kms() -> Iterator:
    server = HTTPServer(("127.0.0.1", 0), KmsDouble)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    client = boto3.client(
        "kms", endpoint_url=f"http://127.0.0.1:{server.server_port}", region_name="eu-central-1",
        aws_access_key_id="a", aws_secret_access_key="b",
        config=Config(retries={"max_attempts": 1, "mode": "standard"}),
    )  # fmt: skip
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_file_signer_signs_what_its_public_key_verifies(tmp_path: Path) -> None:
    raw = Ed25519PrivateKey.generate().private_bytes_raw()
    (tmp_path / "signing.key").write_text(base64.b64encode(raw).decode())
    signer = FileSigner(tmp_path)
    assert verify_envelope(signer.sign(STATEMENT), {signer.key_id: signer.public_key})


def test_a_missing_key_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as caught:
        FileSigner(tmp_path)
    assert "proctor-admin" in caught.value.cure


def test_kms_edwards_key_signs_what_the_verifier_accepts(kms: Any) -> None:
    signer = KmsSigner(kms, "edwards")
    assert verify_envelope(signer.sign(STATEMENT), {signer.key_id: signer.public_key})


def test_kms_nist_key_signs_the_digest_of_the_encoding(kms: Any) -> None:
    signer = KmsSigner(kms, "p256")
    envelope = signer.sign(STATEMENT)
    key = load_der_public_key(signer.public_key)
    message = pae(envelope.payload_type, envelope.payload)
    key.verify(envelope.signatures[0].sig, message, ec.ECDSA(hashes.SHA256()))


def test_a_kms_nist_key_verifies_through_the_trust_file(kms: Any, tmp_path: Path) -> None:
    signer = KmsSigner(kms, "p256")
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(trust_document([signer.public_key])))
    # Longer than KMS signs raw, as a report's statement is.
    envelope = signer.sign(STATEMENT | {"pad": "x" * 5000})
    assert verify_envelope(envelope, read_trust(trust))


def test_a_changed_statement_fails_under_a_nist_key(kms: Any) -> None:
    signer = KmsSigner(kms, "p256")
    changed = replace(signer.sign(STATEMENT), payload=b"{}")
    with pytest.raises(SignatureError):
        verify_envelope(changed, {signer.key_id: signer.public_key})


def test_a_statement_too_long_for_kms_is_refused_before_it_is_sent(kms: Any) -> None:
    with pytest.raises(PlatformError):
        KmsSigner(kms, "edwards").sign(STATEMENT | {"pad": "x" * 5000})


def test_an_unknown_kms_key_is_a_platform_error(kms: Any) -> None:
    with pytest.raises(PlatformError):
        KmsSigner(kms, "other")
