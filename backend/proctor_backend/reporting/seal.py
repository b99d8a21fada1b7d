"""Builds what is signed, and the package in which it travels; signing itself is signing.py's."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from proctor_sdk.canonical import canonical_bytes, sha256_hex
from proctor_sdk.dsse import Envelope

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://proctor.example/attestation/result/v1"
FILE_NAMES = {
    "json": "edition.json",
    "html": "report.html",
    "pdf": "report.pdf",
    "docx": "report.docx",
}
STATEMENT_NAME = "statement.dsse.json"
EPOCH = (1980, 1, 1, 0, 0, 0)


def build_statement(
    *,
    body: Mapping[str, Any],
    annex: Mapping[str, Any] | None,
    renderings: Mapping[str, Mapping[str, bytes]],
    approvals: Sequence[Mapping[str, Any]],
    audit_heads: Mapping[str, Mapping[str, Any]],
    image_digest: str,
    manifest_digest: str,
    extras: Mapping[str, bytes] | None = None,
) -> dict[str, Any]:
    """Return the one in-toto statement of a report, over every edition and rendering.

    `renderings` is edition → format → bytes. Subjects are named `<edition>/<file>`; the body, the
    annex and the evidence by themselves, and `extras` by their path in the package.
    """
    files = {"body.json": canonical_bytes(body), **(extras or {})}
    if annex is not None:
        files["annex.json"] = canonical_bytes(annex)
    for edition, formats in renderings.items():
        for kind, data in formats.items():
            files[f"{edition}/{FILE_NAMES[kind]}"] = data
    return {
        "_type": STATEMENT_TYPE,
        "predicateType": PREDICATE_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": sha256_hex(files[name])}} for name in sorted(files)
        ],
        "predicate": {
            "report": body["report"],
            "study": body["study"]["id"],
            "demonstration": body["demonstration"],
            "protocol_digest": body["protocol_digest"],
            "cohort_root": body["cohort"]["root"],
            "image_digest": image_digest,
            "manifest_digest": manifest_digest,
            "evidence_digest": body["evidence"].get("digest"),
            "results_root": body["results_root"],
            "approvals": [dict(row) for row in approvals],
            "audit_heads": {chain: dict(head) for chain, head in audit_heads.items()},
        },
    }


def build_package(
    edition: str,
    renderings: Mapping[str, bytes],
    envelope: Envelope,
    extras: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return an edition's zip: renderings, the signed statement, and what else goes with it.

    The same parts give the same bytes. `edition` names the folder that the subjects are under; the
    files lie at the top of the zip.
    """
    files = {FILE_NAMES[kind]: data for kind, data in renderings.items()}
    files |= {STATEMENT_NAME: envelope.to_bytes(), **(extras or {})}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = f"Proctor report, {edition} edition".encode()
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return buffer.getvalue()
