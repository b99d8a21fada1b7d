import io
import json
import secrets
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proctor_backend.domain.audit import Event, Head, link, public_view
from proctor_backend.reporting.seal import build_package, build_statement
from proctor_sdk import merkle
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_sdk.cli import main
from proctor_sdk.dsse import Envelope, ed25519_signer, generate_signing_keypair, sign_envelope
from proctor_sdk.trust import TrustError, read_trust, trust_document
from proctor_sdk.verify import VerificationError, verify_package

PRIVATE, PUBLIC = generate_signing_keypair()
KEYID, SIGN = ed25519_signer(PRIVATE)
TRUSTED = {KEYID: PUBLIC}
RESULTS = [{"id": f"auroc.site.{n}", "estimate": 0.8 + n / 100, "n": 100 + n} for n in range(7)]
WITHHELD = {2, 5}


def audit_events(chain: str, count: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    events, head = [], Head.empty(chain)
    for number in range(count):
        event = Event(kind="entry.moved", chain=chain, actor="per_1", public={"step": number})
        record = link(event, head, "2026-11-21T08:00:00.000Z")
        head = Head(chain, record["seq"], record["digest"])
        events.append(public_view(record))
    return events, {"seq": head.seq, "head": head.digest}


class Report:
    """A report made by the platform's own functions, each part of which a test may falsify."""

    def __init__(self) -> None:
        salts = [secrets.token_hex(32) for _ in RESULTS]
        leaves = [
            merkle.leaf_hash(canonical_bytes({"salt": salt, "result": result}))
            for salt, result in zip(salts, RESULTS, strict=True)
        ]
        proofs = merkle.proofs(leaves)
        self.body: dict[str, Any] = {
            "report": "rep_1",
            "study": {"id": "stu_1"},
            "demonstration": True,
            "protocol_digest": digest(b"protocol"),
            "cohort": {"root": "ab" * 32},
            "evidence": {"digest": digest(b"evidence")},
            "results_root": merkle.root(leaves),
            "results": RESULTS,
        }
        self.edition: dict[str, Any] = {
            "schema": 1,
            "edition": "public",
            "report": "rep_1",
            "body_digest": digest(canonical_bytes(self.body)),
            "results_root": self.body["results_root"],
            "results": [
                {"result": RESULTS[i], "salt": salts[i], "index": i, "proof": proofs[i]}
                for i in range(len(RESULTS))
                if i not in WITHHELD
            ],
            "withheld": [{"index": i, "leaf": leaves[i]} for i in sorted(WITHHELD)],
            "sections": [{"title": "Results"}],
        }
        entry, entry_head = audit_events("ent_1", 4)
        study, study_head = audit_events("stu_1", 2)
        self.events = entry + study
        self.heads = {"ent_1": entry_head, "stu_1": study_head}
        self.approvals = [
            {
                "person_name": "R. Reviewer",
                "role": "reviewer",
                "body_digest": digest(canonical_bytes(self.body)),
            }
        ]
        self.sign_audit = True

    def files(self) -> dict[str, bytes]:
        """The package's files, freshly signed."""
        renderings = {
            "json": canonical_bytes(self.edition),
            "html": b"<h1>Report</h1>",
            "pdf": b"%PDF-1.7 report",
            "docx": b"PK docx",
        }
        audit = canonical_bytes({"events": self.events})
        other = canonical_bytes({**self.edition, "edition": "full"})
        statement = build_statement(
            body=self.body,
            annex={"vendor": "Example Ltd"},
            renderings={
                "public": renderings,
                "full": renderings | {"html": b"full", "json": other},
            },
            approvals=self.approvals,
            audit_heads=self.heads,
            image_digest=digest(b"image"),
            manifest_digest=digest(b"manifest"),
            extras={"public/audit.json": audit} if self.sign_audit else {},
        )
        envelope = sign_envelope(canonical_bytes(statement), keyid=KEYID, sign=SIGN)
        packed = build_package("public", renderings, envelope, {"audit.json": audit})
        with zipfile.ZipFile(io.BytesIO(packed)) as package:
            return {name: package.read(name) for name in package.namelist()}


FILES = Report().files()
LENGTH = sum(map(len, FILES.values()))


def write(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as package:
        for name, content in files.items():
            package.writestr(name, content)
    return path


def refused(tmp_path: Path, files: dict[str, bytes]) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        verify_package(write(tmp_path / "p.zip", files), TRUSTED)
    return caught.value


def test_a_package_as_it_was_signed_is_verified(tmp_path: Path) -> None:
    found = verify_package(write(tmp_path / "p.zip", FILES), TRUSTED)
    assert (found.report, found.edition) == ("rep_1", "public")
    assert (found.results, found.withheld, len(found.lines)) == (5, 2, 8)


@settings(
    deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, LENGTH - 1), flip=st.integers(1, 255))
def test_any_altered_byte_of_any_file_is_found_and_its_file_named(
    tmp_path: Path, place: int, flip: int
) -> None:
    places = [(name, at) for name, content in FILES.items() for at in range(len(content))]
    name, at = places[place]
    altered = bytearray(FILES[name])
    altered[at] ^= flip
    assert name in str(refused(tmp_path, {**FILES, name: bytes(altered)}))


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    assert name in str(refused(tmp_path, {n: c for n, c in FILES.items() if n != name}))


def test_a_file_that_was_added_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, {**FILES, "readme.html": b"trust me"})
    assert "readme.html" in str(error)


def test_two_renderings_that_changed_places_are_both_named(tmp_path: Path) -> None:
    swapped = {**FILES, "report.html": FILES["report.pdf"], "report.pdf": FILES["report.html"]}
    text = str(refused(tmp_path, swapped))
    assert "report.html" in text
    assert "report.pdf" in text


def test_a_rendering_of_another_edition_is_refused(tmp_path: Path) -> None:
    assert "report.html" in str(refused(tmp_path, {**FILES, "report.html": b"full"}))


def test_a_package_signed_by_another_key_is_refused(tmp_path: Path) -> None:
    keyid, sign = ed25519_signer(generate_signing_keypair()[0])
    payload = Envelope.from_bytes(FILES["statement.dsse.json"]).payload
    forged = sign_envelope(payload, keyid=keyid, sign=sign).to_bytes()
    assert refused(tmp_path, {**FILES, "statement.dsse.json": forged}).step == 2


def test_no_key_of_the_package_itself_is_believed(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="key you trust"):
        verify_package(write(tmp_path / "p.zip", FILES), {})


def result_altered(report: Report) -> None:
    report.edition["results"][1]["result"] = {**RESULTS[1], "estimate": 0.99}


def proof_of_another(report: Report) -> None:
    report.edition["results"][1]["proof"] = report.edition["results"][0]["proof"]


def result_left_out(report: Report) -> None:
    del report.edition["results"][1]


def withheld_left_out(report: Report) -> None:
    del report.edition["withheld"][0]


def withheld_exchanged(report: Report) -> None:
    report.edition["withheld"][0]["leaf"] = merkle.leaf_hash(b"another")


def result_shown_twice(report: Report) -> None:
    report.edition["results"][1] = report.edition["results"][0]


def event_altered(report: Report) -> None:
    report.events[1]["public"] = {"step": 99}


def event_left_out(report: Report) -> None:
    del report.events[1]


def end_cut_off(report: Report) -> None:
    report.events.pop()


def unsigned_chain_without_head(report: Report) -> None:
    report.sign_audit = False
    del report.heads["stu_1"]


def unsigned_chain_left_out(report: Report) -> None:
    report.sign_audit = False
    report.events = [event for event in report.events if event["chain"] == "ent_1"]


def other_body_approved(report: Report) -> None:
    report.approvals[0]["body_digest"] = digest(b"another body")


def nobody_approved(report: Report) -> None:
    report.approvals.clear()


def edition_of_another_report(report: Report) -> None:
    report.edition["report"] = "rep_2"


def edition_of_another_body(report: Report) -> None:
    report.edition["body_digest"] = digest(b"another body")


def edition_of_another_name(report: Report) -> None:
    report.edition["edition"] = "submission"


@pytest.mark.parametrize(
    ("falsify", "step", "named"),
    [
        (result_altered, 6, "auroc.site.1"),
        (proof_of_another, 6, "auroc.site.1"),
        (result_left_out, 6, "edition.json"),
        (withheld_left_out, 6, "edition.json"),
        (withheld_exchanged, 7, "edition.json"),
        (result_shown_twice, 7, "edition.json"),
        (event_altered, 8, "chain ent_1, event 2"),
        (event_left_out, 8, "chain ent_1, event 2"),
        (end_cut_off, 8, "chain stu_1"),
        (unsigned_chain_without_head, 8, "chain stu_1"),
        (unsigned_chain_left_out, 8, "chain stu_1"),
        (other_body_approved, 9, "R. Reviewer"),
        (nobody_approved, 9, "nobody"),
        (edition_of_another_report, 5, "edition.json"),
        (edition_of_another_body, 5, "edition.json"),
        (edition_of_another_name, 5, "edition.json"),
    ],
)
def test_even_a_signed_package_must_agree_with_itself(
    tmp_path: Path, falsify: Callable[[Report], None], step: int, named: str
) -> None:
    report = Report()
    falsify(report)
    error = refused(tmp_path, report.files())
    assert error.step == step
    assert named in str(error)


def test_a_name_that_stands_twice_in_the_zip_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "p.zip", FILES)
    with zipfile.ZipFile(path, "a") as package, pytest.warns(UserWarning, match="Duplicate"):
        package.writestr("report.pdf", b"another")
    with pytest.raises(VerificationError, match="twice"):
        verify_package(path, TRUSTED)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.zip").write_bytes(b"hello")
    with pytest.raises(VerificationError, match="not a readable zip"):
        verify_package(tmp_path / "p.zip", TRUSTED)


def verify(tmp_path: Path, files: dict[str, bytes]) -> int:
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(trust_document([PUBLIC])))
    return main(["verify", str(write(tmp_path / "p.zip", files)), "--trust", str(trust)])


def test_the_command_prints_what_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(tmp_path, FILES) == 0
    shown = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok  ") for line in shown[:-1])
    assert shown[-1] == "VERIFIED  public edition of rep_1"


def test_the_command_prints_what_does_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(tmp_path, {**FILES, "report.pdf": b"%PDF-1.7 better report"}) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "report.pdf: was altered after it was signed" in shown.err


@pytest.mark.parametrize(
    "text", ["", "{}", '{"keys": [{"keyid": "a"}]}', '{"keys": 3}', '["keys"]']
)
def test_what_is_no_trust_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "trust.json").write_text(text)
    with pytest.raises(TrustError):
        read_trust(tmp_path / "trust.json")


def test_a_key_under_another_key_s_id_is_refused(tmp_path: Path) -> None:
    document = trust_document([PUBLIC, generate_signing_keypair()[1]])
    document["keys"][0]["keyid"] = document["keys"][1]["keyid"]
    (tmp_path / "trust.json").write_text(json.dumps(document))
    with pytest.raises(TrustError):
        read_trust(tmp_path / "trust.json")
