import base64
from pathlib import Path
from types import SimpleNamespace

import pytest

from proctor_backend.domain.audit import Event, Head, link, public_view
from proctor_backend.domain.errors import TamperedError
from proctor_backend.reporting import build_package, build_statement, cut_edition
from proctor_backend.reporting.body import leaf
from proctor_backend.signing import FileSigner
from proctor_sdk import merkle
from proctor_sdk.canonical import canonical_bytes
from proctor_sdk.dsse import generate_signing_keypair
from proctor_sdk.verify import VerificationError, verify_package


@pytest.fixture
def signer(tmp_path: Path) -> FileSigner:
    private, _ = generate_signing_keypair()
    (tmp_path / "signing.key").write_text(base64.b64encode(private).decode())
    return FileSigner(tmp_path)


@pytest.fixture
def package(
    tmp_path: Path, signer: FileSigner, made: SimpleNamespace, rendered: dict[str, dict[str, bytes]]
) -> Path:
    event = Event(kind="report.drafted", chain="ent_a", actor="worker:draft")
    record = link(event, Head.empty("ent_a"), "2026-11-21T08:00:00.000Z")
    digest = made.editions["full"]["body_digest"]
    approval = {"person_name": "R. Viewer", "role": "reviewer", "body_digest": digest}
    statement = build_statement(
        body=made.body, annex=made.annex, renderings=rendered, approvals=[approval],
        audit_heads={"ent_a": {"seq": 1, "head": record["digest"]}},
        image_digest="sha256:00", manifest_digest="sha256:01",
    )  # fmt: skip
    extras = {"audit.json": canonical_bytes([public_view(record)])}
    path = tmp_path / "public.zip"
    path.write_bytes(build_package("public", rendered["public"], signer.sign(statement), extras))
    return path


def test_every_shown_result_leads_to_the_root(made: SimpleNamespace) -> None:
    document = made.editions["public"]
    size = len(document["results"]) + len(document["withheld"])
    for entry in document["results"]:
        found = leaf(entry["result"], entry["salt"])
        merkle.verify_proof(found, entry["index"], size, entry["proof"], document["results_root"])


def test_package_verifies_offline_against_the_pinned_key(package: Path, signer: FileSigner) -> None:
    verified = verify_package(package, {signer.key_id: signer.public_key})
    assert verified.edition == "public"
    assert verified.withheld > 0


def test_package_is_refused_with_another_pinned_key(package: Path) -> None:
    _, public = generate_signing_keypair()
    with pytest.raises(VerificationError):
        verify_package(package, {"sha256:00": public})


def test_edition_cannot_be_cut_from_a_changed_result(made: SimpleNamespace) -> None:
    changed = [dict(row) for row in made.body["results"]]
    changed[0]["estimate"] = 0.99
    with pytest.raises(TamperedError):
        cut_edition(made.body | {"results": changed}, made.annex, made.salts, "full")


def test_body_names_neither_vendor_nor_model(made: SimpleNamespace) -> None:
    assert b"MortaRisk" not in canonical_bytes(made.body)
