"""A full edition whose evidence lost a patient after it was signed is verified, and says so."""

import io
import zipfile
from pathlib import Path

import pytest
from tests.sdk.test_verify_names_what_was_altered import (
    KEYID,
    SIGN,
    TRUSTED,
    Report,
    refused,
    write,
)

from proctor_backend.reporting.seal import build_package, build_statement
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_sdk.dsse import sign_envelope
from proctor_sdk.evidence_files import NOT_RECOMPUTABLE, withdrawn_document
from proctor_sdk.verify import verify_package

NOTE = "evidence/withdrawn.json"
EVIDENCE = {
    f"evidence/{name}": name.encode()
    for name in ("observations.parquet", "reference.parquet", "results.json", "evidence.json")
}
MARKS = [{"withdrawal": "wdr_1", "at": "2026-11-21T08:00:00.000Z"}]


def files(evidence: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of a full edition that was signed with this evidence."""
    report = Report()
    report.edition["edition"] = "full"
    renderings = {"json": canonical_bytes(report.edition), "html": b"h", "pdf": b"p", "docx": b"d"}
    extras = {"audit.json": canonical_bytes({"events": report.events})} | evidence
    statement = build_statement(
        body=report.body,
        annex=None,
        renderings={"full": renderings},
        approvals=report.approvals,
        audit_heads=report.heads,
        image_digest=digest(b"image"),
        manifest_digest=digest(b"manifest"),
        extras={f"full/{name}": content for name, content in extras.items()},
    )
    envelope = sign_envelope(canonical_bytes(statement), keyid=KEYID, sign=SIGN)
    packed = build_package("full", renderings, envelope, extras)
    with zipfile.ZipFile(io.BytesIO(packed)) as package:
        return {name: package.read(name) for name in package.namelist()}


SIGNED = files(EVIDENCE)
ERASED = {
    name: content
    for name, content in SIGNED.items()
    if name not in EVIDENCE or name == "evidence/evidence.json"
}


def test_erased_evidence_beside_a_note_is_verified_and_told(tmp_path: Path) -> None:
    package = write(tmp_path / "p.zip", ERASED | {NOTE: withdrawn_document(MARKS)})
    assert NOT_RECOMPUTABLE in " ".join(verify_package(package, TRUSTED).lines)


def test_missing_evidence_without_the_note_is_refused(tmp_path: Path) -> None:
    assert "evidence/observations.parquet" in str(refused(tmp_path, ERASED))


def test_a_whole_package_says_nothing_of_it(tmp_path: Path) -> None:
    lines = verify_package(write(tmp_path / "p.zip", SIGNED), TRUSTED).lines
    assert NOT_RECOMPUTABLE not in " ".join(lines)


@pytest.mark.parametrize(
    "note", [b"", b"{}", b'{"withdrawn":[],"more":1}', b' {"withdrawn":[]}', b'{"withdrawn":[{}]}']
)
def test_a_note_that_holds_anything_else_excuses_nothing(tmp_path: Path, note: bytes) -> None:
    assert NOTE in str(refused(tmp_path, ERASED | {NOTE: note}))


def test_evidence_that_is_there_must_be_what_was_signed(tmp_path: Path) -> None:
    forged = {NOTE: withdrawn_document(MARKS), "evidence/results.json": b"forged"}
    assert "evidence/results.json" in str(refused(tmp_path, ERASED | forged))


def test_no_other_file_may_be_missing(tmp_path: Path) -> None:
    less = {name: content for name, content in ERASED.items() if name != "report.pdf"}
    note = {NOTE: withdrawn_document(MARKS)}
    assert "report.pdf" in str(refused(tmp_path, less | note))


def test_an_edition_that_had_no_evidence_has_no_note(tmp_path: Path) -> None:
    bare = files({})
    assert NOTE in str(refused(tmp_path, bare | {NOTE: withdrawn_document(MARKS)}))


def test_a_note_that_was_signed_is_told_as_well(tmp_path: Path) -> None:
    signed = files({NOTE: withdrawn_document(MARKS)})
    lines = verify_package(write(tmp_path / "p.zip", signed), TRUSTED).lines
    assert NOT_RECOMPUTABLE in " ".join(lines)
