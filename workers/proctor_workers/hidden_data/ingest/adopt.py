"""Takes a cohort that was prepared elsewhere; nothing in it is believed, all is recomputed."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from proctor_backend.domain.cohort import FORMS_OF_KIND
from proctor_backend.domain.errors import DataError, NotFoundError
from proctor_backend.domain.keys import upload_key
from proctor_backend.settings import Settings
from proctor_sdk.canonical import CanonicalError, sha256_hex, strict_loads
from proctor_sdk.cases import CaseLineError, StoredCase, parse_case
from proctor_sdk.cases import StoredFile as CaseFile
from proctor_sdk.merkle import root as merkle_root
from proctor_workers.hidden_data.blocks import StoredFile, leaf_of
from proctor_workers.hidden_data.findings import Severity
from proctor_workers.hidden_data.ingest.counts import CaseCounts
from proctor_workers.hidden_data.ingest.destinations import Destination
from proctor_workers.hidden_data.ingest.prepared import TABLES, Part, PreparedIndex
from proctor_workers.hidden_data.ingest.report import IngestReport
from proctor_workers.hidden_data.ingest.sources import opened_store

_LARGEST_LIST = 1 << 28
_CHUNK = 1 << 20
_ROWS_AT_ONCE = 256  # a row may hold a mask
# A model sees the names of files and people the names of cases: both say nothing, or are refused.
_FORMS = frozenset().union(*FORMS_OF_KIND.values())
_FILE_NAME = re.compile(rf"[0-9]{{1,6}}\.({'|'.join(sorted(_FORMS))})")
_ROLES = frozenset({"image", "signal", "table"})
_NAMES = {"case": "cas", "patient": "pat", "imaging_study": "img"}
_PSEUDONYM = re.compile("(cas|pat|img)_[a-z2-7]{26}")
_FINDING = {"key", "code", "severity", "title", "count", "message", "cure", "places"}


def adopt(
    settings: Settings, cohort: str, index: PreparedIndex, destination: Destination, folder: Path
) -> IngestReport:
    """Store a prepared cohort and return its report.

     1. lists of cases and files are fetched by the index's digests, and stored
     2. the root is made again from lists, files and reference standard
     3. so are the counts that the record keeps

    Raises:
        DataError: it does not hold together; the sentence says where.
    """
    report = _checked_report(index.report)
    received = _Received(settings, cohort, {part.path: part for part in index.parts})
    with TemporaryDirectory(dir=folder) as scratch:
        cases, blocks = _stored_cases(received, destination, Path(scratch))  # 1
        tables = {name: _table(received, name, destination, Path(scratch)) for name in TABLES}
        pixels = _pixel_digests(tables["files.parquet"])
        counted = CaseCounts()
        leaves = []
        try:
            for row in _rows(tables["reference.parquet"]):
                leaves.append((row["case"], _leaf(row, cases, pixels)))  # 2
                counted.add_row(row)  # 3
        except (KeyError, TypeError, CanonicalError) as exc:
            raise DataError("The prepared cohort's reference standard is malformed.") from exc
    if leaves != sorted(leaves) or {case for case, _ in leaves} != cases.keys():
        raise DataError("The prepared cohort's lists and its reference standard name other cases.")
    if merkle_root([leaf for _, leaf in leaves]) != index.report.get("root"):
        raise DataError("The prepared cohort's root does not follow from what was sent.")
    reference = received.parts["reference/reference.parquet"].sha256
    made: dict[str, Any] = {"blocks": blocks, "reference_sha256": reference} | counted.as_dict()
    try:
        return IngestReport(**{**report, **made, "problems": (), "problem_count": 0})
    except TypeError as exc:
        raise DataError("The prepared cohort's report has fields that are not known.") from exc


def _checked_report(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a partner's machine said, if records, pages and reports can be made of it."""
    try:
        known = all(
            one.keys() == _FINDING and one["places"] == [] and one["severity"] in set(Severity)
            for one in report["findings"]
        )
        overrides = all(one.keys() == {"finding", "reason"} for one in report["overrides"])
        told = [
            *(one[name] for one in report["findings"] for name in _FINDING - {"count", "places"}),
            *(text for one in report["overrides"] for text in one.values()),
            *(name for field in ("headers", "confounders") for name in report[field]),
        ]
        counts = [
            *(one["count"] for one in report["findings"]),
            *report["deidentified"].values(),
            *report["left_out"].values(),
        ]
        plain = all(isinstance(one, str) for one in told)
        whole = all(type(one) is int and one >= 0 for one in counts)
        forms = set(report["forms"]) <= _FORMS and isinstance(report["deidentification"], dict)
    except (AttributeError, KeyError, TypeError) as exc:
        raise DataError("The prepared cohort's report is malformed.") from exc
    if not (known and overrides and plain and whole and forms):
        raise DataError("The prepared cohort's report is malformed.")
    return report


@dataclass(frozen=True, slots=True)
class _Received:
    """The parts of a prepared cohort as they lie in quarantine."""

    settings: Settings
    cohort: str
    parts: Mapping[str, Part]

    def content(self, path: str) -> bytes:
        """Return a small part, checked by its digest."""
        part = self._part(path)
        if part.size > _LARGEST_LIST:
            raise DataError(f"The prepared cohort's {path} is too large.")
        with self._open(part) as body:
            content = body.read(part.size + 1)
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise DataError(f"The prepared cohort's {path} is not what its index says.")
        return content

    def fetched(self, path: str, folder: Path) -> Path:
        """Return a local copy of a part of any size, checked by its digest."""
        part = self._part(path)
        target, digest = folder / part.sha256, hashlib.sha256()
        with self._open(part) as body, target.open("wb") as file:
            while chunk := body.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != part.sha256:
            raise DataError(f"The prepared cohort's {path} is not what its index says.")
        return target

    def _part(self, path: str) -> Part:
        if path not in self.parts:
            raise DataError(f"The prepared cohort lacks {path}.")
        return self.parts[path]

    def _open(self, part: Part) -> IO[bytes]:
        try:
            key = upload_key(self.cohort, part.sha256)
            return opened_store(self.settings).open("quarantine", key)
        except NotFoundError as exc:
            raise DataError(f"The prepared cohort's {part.path} has not arrived.") from exc


def _stored_cases(
    received: _Received, destination: Destination, folder: Path
) -> tuple[dict[str, StoredCase], list[dict[str, Any]]]:
    cases: dict[str, StoredCase] = {}
    blocks: list[dict[str, Any]] = []
    listed = 0
    for path in sorted(one for one in received.parts if one.startswith("blocks/")):
        name = Path(path).stem
        document = received.content(path)
        members = _members(document)
        listed += len(members)
        for case in members:
            _check_names(case)
            cases[case.case] = case
            for file in case.files:
                _store(received, destination, name, file, folder)
        destination.put_cases(name, document)
        size = sum(file.size for case in members for file in case.files) + len(document)
        blocks.append(
            {"block": name, "cases": len(members), "sha256": sha256_hex(document), "bytes": size}
        )
    if listed != len(cases) or not cases:
        raise DataError("The prepared cohort lists a case twice, or none at all.")
    return cases, blocks


def _members(document: bytes) -> list[StoredCase]:
    try:
        return [parse_case(line) for line in document.splitlines()]
    except CaseLineError as exc:
        raise DataError("A list of cases of the prepared cohort is malformed.") from exc


def _check_names(case: StoredCase) -> None:
    names = [file.name for file in case.files]
    good = all(_FILE_NAME.fullmatch(file.name) and file.role in _ROLES for file in case.files)
    if not good or len(set(names)) < len(names) or not isinstance(case.inputs, dict):
        raise DataError("A case of the prepared cohort has files that are not named by number.")


def _store(
    received: _Received, destination: Destination, block: str, file: CaseFile, folder: Path
) -> None:
    path = received.fetched(f"files/{file.sha256[:2]}/{file.sha256}", folder)
    if path.name != file.sha256 or path.stat().st_size != file.size:
        raise DataError("A file of the prepared cohort is another than its list says.")
    stored = StoredFile(
        name=file.name,
        role=file.role,
        sha256=file.sha256,
        size=file.size,
        decoded_pixel_sha256="",
        perceptual_hash="",
        original_uid="",
        source_sha256="",
    )
    destination.put_file(block, stored, path)
    path.unlink(missing_ok=True)


def _table(received: _Received, name: str, destination: Destination, folder: Path) -> Path:
    path = received.fetched(f"reference/{name}", folder)
    destination.put_reference(name, path)
    return path


def _pixel_digests(path: Path) -> dict[tuple[str, str], str]:
    try:
        return {(row["case"], row["name"]): row["decoded_pixel_sha256"] for row in _rows(path)}
    except (KeyError, TypeError) as exc:
        raise DataError("The prepared cohort's table of files is malformed.") from exc


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(_ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except (pa.ArrowException, KeyError, TypeError) as exc:
        raise DataError("A table of the prepared cohort cannot be read.") from exc


def _leaf(
    row: Mapping[str, Any],
    cases: Mapping[str, StoredCase],
    pixels: Mapping[tuple[str, str], str],
) -> str:
    case = cases.get(row["case"])
    if case is None:
        raise DataError("The reference standard names a case that no list has.")
    for field, kind in _NAMES.items():
        name = row[field]
        if not _PSEUDONYM.fullmatch(name) or not name.startswith(kind):
            raise DataError("The prepared cohort names a case or patient by no pseudonym.")
    files = [
        {"name": file.name, "role": file.role, "sha256": file.sha256, "size": file.size}
        for file in case.files
    ]
    digests = {file.name: pixels.get((case.case, file.name), "") for file in case.files}
    return leaf_of(files, digests, case.inputs, row)


def index_of(content: bytes) -> Mapping[str, Any]:
    """Return an uploaded index as a mapping.

    Raises:
        DataError: it is none.
    """
    try:
        document = strict_loads(content)
    except CanonicalError as exc:
        raise DataError("The uploaded index is no JSON.") from exc
    if not isinstance(document, dict):
        raise DataError("The uploaded index is no JSON object.")
    return document
