"""Checks a report's package offline against pinned keys; whom to pin is the reader's decision.

A package is a zip with `edition.json`, its renderings, `audit.json`, in the full edition
`evidence/…`, and `statement.dsse.json`. The statement's subjects are named `<edition>/<file>`, or
by the file's own path where all editions share it. Steps, numbered as at the calls:

1. Open the package: bounded, no name twice.
2. The statement is signed by a pinned key.
3. It is a statement about a result, of the kind we know.
4. Every file has the digest that the statement gives it; none is missing, none is added. After a
   patient was withdrawn the evidence of single cases may be missing, and a note says so.
5. The edition is of this statement: report, body, root.
6. Every result leads to the signed root.
7. With the leaves of what is withheld, all leaves together give the signed root.
8. The audit chains are unbroken and end at the signed heads.
9. Everybody who approved, approved this body.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proctor_sdk import merkle
from proctor_sdk.canonical import CanonicalError, canonical_bytes, sha256_hex, strict_loads
from proctor_sdk.dsse import Envelope, SignatureError, verify_envelope
from proctor_sdk.errors import Problem, ProctorSdkError
from proctor_sdk.evidence_files import (
    NOT_RECOMPUTABLE,
    TOLD_OF_CASES,
    WITHDRAWN,
    is_withdrawn_document,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://proctor.example/attestation/result/v1"
STATEMENT = "statement.dsse.json"
EDITION = "edition.json"
AUDIT = "audit.json"
EVIDENCE = "evidence"
MOST_FILES = 10_000
LARGEST_FILE = 2 << 30
GENESIS = "0" * 64
AUDIT_FIELDS = ("chain", "seq", "prev", "kind", "at", "actor", "public", "commitment")


class VerificationError(ProctorSdkError):
    """The package is not what was signed; `problems` names each file or result that fails."""

    def __init__(self, step: int, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(
            "verification_failed",
            f"NOT VERIFIED, step {step}: {message}",
            cure="" if problems else "Fetch the package again from a source you trust.",
            problems=problems,
        )
        self.step = step


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found to be true, one sentence for each step."""

    report: str
    edition: str
    results: int
    withheld: int
    lines: tuple[str, ...]


def verify_package(path: Path, trusted: Mapping[str, bytes]) -> Verified:
    """Check a package against pinned keys; raises `VerificationError`."""
    files = _open(path)  # 1
    statement, keyid = _signed_statement(files, trusted)  # 2
    predicate = _predicate(statement)  # 3
    subjects = _subjects(statement)
    name = _edition_name(files, subjects)
    count = _check_files(files, name, subjects)  # 4
    erased = f"{EVIDENCE}/{WITHDRAWN}" in files
    edition = _document(files, EDITION, step=5)
    _check_edition(edition, name, predicate, subjects)  # 5
    leaves = _check_results(edition, predicate)  # 6
    withheld = _check_root(edition, leaves, predicate)  # 7
    chains = _check_audit(files, name, subjects, predicate)  # 8
    approvals = _check_approvals(edition, predicate)  # 9
    return Verified(
        report=str(predicate["report"]),
        edition=name,
        results=len(leaves),
        withheld=withheld,
        lines=(
            f"signed by the pinned key {keyid}",
            f"statement about report {predicate['report']}",
            f"{count} files have their signed digests",
            *([f"evidence of single cases was erased. {NOT_RECOMPUTABLE}"] if erased else []),
            f"edition {name} belongs to the signed body",
            f"{len(leaves)} results are proven against the signed root",
            f"{withheld} withheld results complete the signed root",
            f"{chains} audit chains are unbroken up to their signed heads",
            f"{approvals} approvals are of this body",
        ),
    )


def _open(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as package:
            members = [info for info in package.infolist() if not info.is_dir()]
            names = [info.filename for info in members]
            if len(set(names)) != len(names):
                raise VerificationError(1, "the package holds a name twice.")
            if len(names) > MOST_FILES or any(m.file_size > LARGEST_FILE for m in members):
                raise VerificationError(1, "the package is larger than any report.")
            return {info.filename: _content(package, info) for info in members}
    except FileNotFoundError:
        raise ProctorSdkError("package_missing", f"There is no {path}.") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise VerificationError(1, f"{path} is not a readable zip file.") from error


def _content(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return package.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise VerificationError(1, f"{info.filename} is damaged.") from error


def _signed_statement(
    files: Mapping[str, bytes], trusted: Mapping[str, bytes]
) -> tuple[dict[str, Any], str]:
    raw = _file(files, STATEMENT, step=2)
    try:
        envelope = Envelope.from_bytes(raw)
        payload = verify_envelope(envelope, trusted)
        statement = strict_loads(payload)
    except (SignatureError, CanonicalError) as error:
        raise VerificationError(2, f"{STATEMENT}: {error.message}") from error
    # One form only: what surrounds the signed bytes cannot carry anything unsigned.
    if envelope.to_bytes() != raw or not isinstance(statement, dict):
        raise VerificationError(2, f"{STATEMENT} holds more than what was signed.")
    keyids = [signature.keyid for signature in envelope.signatures]
    if any(keyid not in trusted for keyid in keyids):
        raise VerificationError(2, f"{STATEMENT} carries a signature by a key you do not trust.")
    return statement, ", ".join(keyids)


def _predicate(statement: Mapping[str, Any]) -> dict[str, Any]:
    if statement.get("_type") != STATEMENT_TYPE:
        raise VerificationError(3, f"{STATEMENT} is not an in-toto statement.")
    if statement.get("predicateType") != PREDICATE_TYPE:
        raise VerificationError(3, f"{STATEMENT} is of a kind that this version does not know.")
    predicate = statement.get("predicate")
    wanted = ("report", "results_root", "approvals", "audit_heads")
    if not isinstance(predicate, dict) or any(name not in predicate for name in wanted):
        raise VerificationError(3, f"{STATEMENT} lacks a part of its predicate.")
    return predicate


def _subjects(statement: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {str(s["name"]): str(s["digest"]["sha256"]) for s in statement["subject"]}
    except (KeyError, TypeError) as error:
        raise VerificationError(3, f"{STATEMENT} has a subject without a digest.") from error


def _edition_name(files: Mapping[str, bytes], subjects: Mapping[str, str]) -> str:
    """The edition of this package, as the statement and not the file itself names it."""
    found = hashlib.sha256(_file(files, EDITION, step=4)).hexdigest()
    for name, signed in subjects.items():
        edition, _, path = name.rpartition("/")
        if path == EDITION and signed == found:
            return edition
    raise VerificationError(4, f"{EDITION} was altered after it was signed.")


def _check_files(files: Mapping[str, bytes], edition: str, subjects: Mapping[str, str]) -> int:
    """Compare every file with its subject, and look for subjects of this edition without a file."""
    problems = list(_file_problems(files, edition, subjects))
    if problems:
        raise VerificationError(4, "the files are not those that were signed.", problems)
    return len(files) - len({STATEMENT, AUDIT} & files.keys())


def _file_problems(
    files: Mapping[str, bytes], edition: str, subjects: Mapping[str, str]
) -> Iterator[Problem]:
    erased = _erased(files, edition, subjects)
    for path, content in files.items():
        signed = subjects.get(f"{edition}/{path}", subjects.get(path))
        if path in erased and signed is None:
            continue
        if path == STATEMENT or (path == AUDIT and signed is None):
            continue
        if signed is None:
            yield Problem(source=path, what="is not named in the statement", cure="Remove it.")
        elif hashlib.sha256(content).hexdigest() != signed:
            yield Problem(source=path, what="was altered after it was signed", cure="")
    for name in subjects:
        prefix, _, path = name.partition("/")
        if prefix == edition and path not in files and path not in erased:
            yield Problem(source=path, what="is missing from the package", cure="")


def _erased(
    files: Mapping[str, bytes], edition: str, subjects: Mapping[str, str]
) -> frozenset[str]:
    """Return the paths that may be missing or stand unsigned, since a patient was withdrawn.

    The evidence of single cases is erased then. Results and text are signed and stay.
    """
    note = f"{EVIDENCE}/{WITHDRAWN}"
    told = frozenset(f"{EVIDENCE}/{name}" for name in TOLD_OF_CASES)
    had_evidence = any(f"{edition}/{path}" in subjects for path in told)
    if not had_evidence or not is_withdrawn_document(files.get(note, b"")):
        return frozenset()
    return told | {note}


def _check_edition(
    edition: Mapping[str, Any], name: str, predicate: Mapping[str, Any], subjects: Mapping[str, str]
) -> None:
    body = _bare(edition.get("body_digest"))
    if edition.get("edition") != name:
        raise VerificationError(5, f"{EDITION} calls itself another edition than it is signed as.")
    if edition.get("report") != predicate["report"]:
        raise VerificationError(5, f"{EDITION} is of another report.")
    if body not in (subjects.get("body"), subjects.get("body.json")):
        raise VerificationError(5, f"{EDITION} is made from another body.")
    if _bare(edition.get("results_root")) != _bare(predicate["results_root"]):
        raise VerificationError(5, f"{EDITION} names another root of results.")


def _check_results(edition: Mapping[str, Any], predicate: Mapping[str, Any]) -> dict[int, str]:
    """Prove each result; give the leaves by their index."""
    results, withheld = edition.get("results"), edition.get("withheld")
    if not isinstance(results, list) or not isinstance(withheld, list):
        raise VerificationError(6, f"{EDITION} has no list of results.")
    size, root = len(results) + len(withheld), _bare(predicate["results_root"])
    leaves: dict[int, str] = {}
    problems = []
    for number, entry in enumerate(results):
        try:
            leaves[entry["index"]] = _proven_leaf(entry, size, root)
        except (KeyError, TypeError, merkle.MerkleError, CanonicalError) as error:
            what = getattr(error, "message", "It lacks a part of its proof.")
            name = f"result {_name_of(entry, number)}"
            problems.append(Problem(source=EDITION, field=name, what=what, cure=""))
    if problems:
        raise VerificationError(6, "results are not those that were signed.", problems)
    return leaves


def _proven_leaf(entry: Mapping[str, Any], size: int, root: str) -> str:
    salted = {"salt": entry["salt"], "result": entry["result"]}
    leaf = merkle.leaf_hash(canonical_bytes(salted))
    merkle.verify_proof(leaf, entry["index"], size, entry["proof"], root)
    return leaf


def _name_of(entry: Any, number: int) -> str:
    try:
        return str(entry["result"]["id"])
    except (KeyError, TypeError):
        return f"number {number + 1}"


def _check_root(
    edition: Mapping[str, Any], leaves: Mapping[int, str], predicate: Mapping[str, Any]
) -> int:
    try:
        withheld = {int(entry["index"]): str(entry["leaf"]) for entry in edition["withheld"]}
        everything = {**leaves, **withheld}
        whole = len(everything) == len(edition["results"]) + len(edition["withheld"])
        complete = whole and sorted(everything) == list(range(len(everything)))
        root = merkle.root([everything[i] for i in sorted(everything)])
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationError(7, f"{EDITION}: a withheld leaf is malformed.") from error
    if not complete:
        raise VerificationError(7, f"{EDITION}: leaves are missing or stand twice.")
    if root != _bare(predicate["results_root"]):
        raise VerificationError(7, f"{EDITION}: the leaves give another root.")
    return len(withheld)


def _check_audit(
    files: Mapping[str, bytes],
    edition: str,
    subjects: Mapping[str, str],
    predicate: Mapping[str, Any],
) -> int:
    """Follow each chain to its signed head; an extract that is not itself signed must be whole."""
    events = _audit_events(files)
    chains: dict[str, list[Any]] = {}
    for event in events:
        chains.setdefault(str(event.get("chain")), []).append(event)
    heads = predicate["audit_heads"]
    signed = AUDIT in subjects or f"{edition}/{AUDIT}" in subjects
    if missing := [] if signed else sorted(heads.keys() - chains.keys()):
        raise VerificationError(8, f"{AUDIT}: the chain {missing[0]} is missing.")
    for chain, links in chains.items():
        head = heads.get(chain)
        if head is None and not signed:
            raise VerificationError(8, f"{AUDIT}: the chain {chain} has no signed head.")
        _check_chain(chain, links, head or _last(links))
    return len(chains)


def _last(links: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where a chain ends that only its signed file tells of."""
    return {"seq": links[-1].get("seq"), "head": links[-1].get("digest")}


def _audit_events(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    raw = _file(files, AUDIT, step=8)
    try:
        document = strict_loads(raw)
        canonical = canonical_bytes(document) == raw
    except CanonicalError as error:
        raise VerificationError(8, f"{AUDIT} is not JSON.") from error
    events = document.get("events") if isinstance(document, dict) else document
    if not canonical or not isinstance(events, list) or not all(map(_is_object, events)):
        raise VerificationError(8, f"{AUDIT} is not a canonical list of events.")
    if isinstance(document, dict) and document.keys() - {"schema", "events"}:
        raise VerificationError(8, f"{AUDIT} holds more than events.")
    return events


def _check_chain(chain: str, links: Sequence[Mapping[str, Any]], head: Mapping[str, Any]) -> None:
    previous = GENESIS
    for seq, event in enumerate(links, start=1):
        where = f"{AUDIT}: chain {chain}, event {seq}"
        if event.keys() != {*AUDIT_FIELDS, "digest"}:
            raise VerificationError(8, f"{where} has other fields than an event.")
        if event["seq"] != seq or event["prev"] != previous:
            raise VerificationError(8, f"{where} does not follow the one before.")
        hashed = sha256_hex(canonical_bytes({name: event[name] for name in AUDIT_FIELDS}))
        if hashed != event["digest"]:
            raise VerificationError(8, f"{where} was altered.")
        previous = hashed
    if (len(links), previous) != (head.get("seq"), head.get("head")):
        raise VerificationError(8, f"{AUDIT}: chain {chain} does not end at its signed head.")


def _check_approvals(edition: Mapping[str, Any], predicate: Mapping[str, Any]) -> int:
    approvals = predicate["approvals"]
    if not approvals:
        raise VerificationError(9, "nobody approved this result.")
    for approval in approvals:
        if _bare(approval.get("body_digest")) != _bare(edition["body_digest"]):
            raise VerificationError(9, f"{approval.get('person_name')} approved another body.")
    return len(approvals)


def _file(files: Mapping[str, bytes], name: str, *, step: int) -> bytes:
    if name not in files:
        raise VerificationError(step, f"{name} is missing from the package.")
    return files[name]


def _document(files: Mapping[str, bytes], name: str, *, step: int) -> dict[str, Any]:
    try:
        document = strict_loads(_file(files, name, step=step))
    except CanonicalError as error:
        raise VerificationError(step, f"{name} was altered: it is not JSON.") from error
    if not isinstance(document, dict):
        raise VerificationError(step, f"{name} was altered: it is not an object.")
    return document


def _bare(digest: Any) -> str:
    """Hex digits, with or without the name of the algorithm before them."""
    return str(digest).removeprefix("sha256:")


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
