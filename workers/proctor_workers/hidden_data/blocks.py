"""Writes a cohort's blocks and reference standard, and computes its identity."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from proctor_sdk.canonical import canonical_bytes, sha256_hex
from proctor_sdk.merkle import leaf_hash
from proctor_workers.hidden_data.case_files import CanonicalFile, Fact
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.hidden_data.rows import Row

CASES_A_BLOCK = 1000
ROWS_AT_ONCE = 4096
_SOME_HAVE = ("reference_outputs", "raters")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A canonical file that lies in its bucket; its bytes are not held any more."""

    name: str
    role: str
    sha256: str
    size: int
    decoded_pixel_sha256: str
    perceptual_hash: str
    original_uid: str
    source_sha256: str
    detail_hash: str = ""

    @classmethod
    def of(cls, file: CanonicalFile, pseudonyms: Pseudonyms) -> "StoredFile":
        """Return the record of a file; its UID becomes a keyed commitment."""
        return cls(
            name=file.name,
            role=file.role,
            sha256=file.sha256,
            size=file.size,
            decoded_pixel_sha256=file.decoded_pixel_sha256,
            perceptual_hash=file.perceptual_hash,
            original_uid=pseudonyms.uid(file.original_uid) if file.original_uid else "",
            source_sha256=file.source_sha256,
            detail_hash=file.detail_hash,
        )

    def as_staged(self) -> dict[str, Any]:
        """Return what `cases.jsonl` says of it."""
        return {"name": self.name, "role": self.role, "sha256": self.sha256, "size": self.size}


class CaseFacts(Protocol):
    """What the files of a case told of themselves; see `CaseContent`."""

    @property
    def forms(self) -> tuple[str, ...]:
        """Endings of the canonical files."""
        ...

    @property
    def facts(self) -> Mapping[str, Fact]:
        """Properties of the acquisition."""
        ...

    @property
    def artefacts(self) -> Mapping[str, Fact]:
        """Traces beside it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCase:
    """What the version before keeps of a case; a row that names no files takes them over."""

    block: str
    files: tuple[StoredFile, ...]
    forms: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    artefacts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """A case under its public names."""

    id: str
    patient: str
    imaging_study: str
    row: Row
    files: tuple[StoredFile, ...]
    reference_outputs: str | None = None
    rater_kinds: Mapping[str, str] = field(default_factory=dict)
    acquisition: Mapping[str, str] = field(default_factory=dict)

    def staged_line(self) -> bytes:
        """Return the line that a runner reads: no identifier, no reference."""
        line = {
            "case": self.id,
            "files": [file.as_staged() for file in self.files],
            "inputs": dict(self.row.inputs),
        }
        return canonical_bytes(line) + b"\n"

    def leaf(self) -> str:
        """Return the hash of everything the cohort says of this case."""
        pixels = {file.name: file.decoded_pixel_sha256 for file in self.files}
        files = [file.as_staged() for file in self.files]
        return leaf_of(files, pixels, self.row.inputs, self.reference())

    def reference(self) -> dict[str, Any]:
        """Return the case's row of `reference.parquet`."""
        row = self.row
        rich: dict[str, Any] = {}
        if self.reference_outputs is not None:
            rich["reference_outputs"] = self.reference_outputs
        if row.raters:
            said = {
                name: {"kind": self.rater_kinds.get(name, "reader"), "outputs": json.loads(outputs)}
                for name, outputs in row.raters.items()
            }
            rich["raters"] = canonical_bytes(said).decode()
        return (
            {
                "case": self.id,
                "patient": self.patient,
                "site": row.site,
                "imaging_study": self.imaging_study,
                "reference_value": row.reference_value,
                "reference_status": row.reference_status,
                "reference_method": row.reference_method,
                "sampling_stratum": row.sampling_stratum,
                "sampling_weight": row.sampling_weight,
                "partition": row.partition,
            }
            | rich
            | {f"attr.{name}": value for name, value in row.attributes.items()}
            | {f"acq.{name}": value for name, value in self.acquisition.items()}
        )


def leaf_of(
    files: Iterable[Mapping[str, Any]],
    pixels: Mapping[str, str],
    inputs: Mapping[str, Any],
    row: Mapping[str, Any],
) -> str:
    """Return a case's leaf from its staged files, their pixel digests, its inputs and its row.

    A field that only some cases have is null in the table and absent here.
    """
    described = [{**file, "decoded_pixel_sha256": pixels.get(file["name"], "")} for file in files]
    said = {
        name: value
        for name, value in row.items()
        if value is not None or not (name in _SOME_HAVE or name.startswith("acq."))
    }
    return leaf_hash(canonical_bytes({"files": described, "inputs": dict(inputs)} | said))


def cases_document(cases: Sequence[Case]) -> bytes:
    """Return a block's `cases.jsonl`."""
    return b"".join(case.staged_line() for case in cases)


def block_summary(name: str, cases: Sequence[Case], document: bytes) -> dict[str, Any]:
    """Return what the cohort's record says of a block."""
    files = sum(file.size for case in cases for file in case.files)
    return {
        "block": name,
        "cases": len(cases),
        "sha256": sha256_hex(document),
        "bytes": files + len(document),
    }


def write_reference(cases: Sequence[Case], path: Path) -> None:
    """Write `reference.parquet`; the cases come sorted by their id, which is random."""
    names = list(dict.fromkeys(name for case in cases for name in case.reference()))
    schema = pa.schema(
        [(name, pa.float64() if name == "sampling_weight" else pa.string()) for name in names]
    )
    _write((case.reference() for case in cases), schema, path)


def write_files(cases: Sequence[Case], path: Path) -> None:
    """Write `files.parquet`: where each file comes from, by commitments and digests only."""
    rows = (
        {
            "case": case.id,
            "name": file.name,
            "sha256": file.sha256,
            "decoded_pixel_sha256": file.decoded_pixel_sha256,
            "source_sha256": file.source_sha256,
            "original_uid_hmac": file.original_uid,
        }
        for case in cases
        for file in case.files
    )
    _write(rows, pa.schema([(name, pa.string()) for name in _FILES]), path)


def write_fingerprints(cases: Sequence[Case], path: Path) -> None:
    """Write `fingerprints.parquet`: by what a vendor's training images can be recognised."""
    rows = (
        {
            "case": case.id,
            "patient": case.patient,
            "sha256": file.sha256,
            "source_sha256": file.source_sha256,
            "decoded_pixel_sha256": file.decoded_pixel_sha256,
            "perceptual_hash": file.perceptual_hash,
            "detail_hash": file.detail_hash,
        }
        for case in cases
        for file in case.files
    )
    _write(rows, pa.schema([(name, pa.string()) for name in _FINGERPRINTS]), path)


def write_facts(told: Iterator[tuple[str, CaseFacts]], path: Path) -> None:
    """Write `facts.parquet`: what files told of themselves, for the version after this one."""
    rows = (
        {
            "case": case,
            "forms": json.dumps(list(facts.forms)),
            "facts": json.dumps(dict(facts.facts)),
            "artefacts": json.dumps(dict(facts.artefacts)),
        }
        for case, facts in told
    )
    _write(rows, pa.schema([(name, pa.string()) for name in _FACTS]), path)


_FACTS = ("case", "forms", "facts", "artefacts")
_FILES = (
    "case", "name", "sha256", "decoded_pixel_sha256", "source_sha256", "original_uid_hmac",
)  # fmt: skip
_FINGERPRINTS = (
    "case", "patient", "sha256", "source_sha256", "decoded_pixel_sha256", "perceptual_hash",
    "detail_hash",
)  # fmt: skip


def _write(rows: Iterator[Mapping[str, Any]], schema: pa.Schema, path: Path) -> None:
    """Write rows a few thousand at a time: a large cohort's would fill the memory."""
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
