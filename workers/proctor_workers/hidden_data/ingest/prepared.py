"""A cohort that was made on the partner's machine: what of it leaves, and how it is described.

Below the plan's `out` lie two folders. `cohort/` is all that is sent: canonical files, lists of
cases under pseudonyms, the reference standard, and `index.json`, which names each by its digest.
`private/` never leaves: the journal, and the map from pseudonyms back to patients.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from proctor_backend.domain.errors import DataError
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.hidden_data.ingest.report import Ingested, IngestReport
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.hidden_data.rows import Row

VERSION = 1
TABLES = ("reference.parquet", "files.parquet", "fingerprints.parquet", "facts.parquet")
# Digests become names of files here, and blocks keys of objects: nothing else may stand there.
_SHA256 = re.compile("[0-9a-f]{64}")
_PATH = re.compile(
    r"blocks/[0-9]{5}\.jsonl|reference/[a-z]+\.parquet|files/[0-9a-f]{2}/[0-9a-f]{64}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of a prepared cohort; `path` is below `cohort/`."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedIndex:
    """What a prepared cohort says of itself; the platform believes none of it unseen."""

    report: Mapping[str, Any]
    parts: tuple[Part, ...]

    def as_bytes(self) -> bytes:
        """Return the index as it is sent."""
        parts = [[part.path, part.sha256, part.size] for part in self.parts]
        return canonical_bytes(
            {"prepared": VERSION, "report": _whole_numbers(self.report), "parts": parts}
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "PreparedIndex":
        """Read an index that somebody sent.

        Raises:
            DataError: it is none.
        """
        try:
            if document["prepared"] != VERSION:
                raise DataError("The prepared cohort is of another version of this software.")
            parts = tuple(
                Part(path=str(path), sha256=str(sha256), size=int(size))
                for path, sha256, size in document["parts"]
            )
            if not all(
                _PATH.fullmatch(one.path) and _SHA256.fullmatch(one.sha256) for one in parts
            ):
                raise DataError("The prepared cohort has a part of another name than this writes.")
            return cls(report=dict(document["report"]), parts=parts)
        except (KeyError, TypeError, ValueError) as exc:
            raise DataError("The index of the prepared cohort is malformed.") from exc


def write_index(folder: Path, ingested: Ingested) -> PreparedIndex:
    """Describe what lies in `folder`; places in the partner's own words stay behind.

    What an earlier plan made there, or an interrupted write, is deleted: it must not be sent.
    """
    _forget_others(folder, [block["block"] for block in ingested.report.blocks])
    parts = tuple(_part(folder, path) for path in _sent(folder))
    index = PreparedIndex(report=_without_places(ingested.report).as_dict(), parts=parts)
    (folder / "index.json").write_bytes(index.as_bytes())
    return index


def write_map(path: Path, rows: Sequence[Row], names: Pseudonyms) -> None:
    """Write the way back from pseudonyms to patients and cases, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "case_name": [row.case for row in rows],
            "case": [names.case(row.case) for row in rows],
            "patient_name": [row.patient for row in rows],
            "patient": [names.patient(row.patient) for row in rows],
        }
    )
    path.touch(mode=0o600)
    pq.write_table(table, path)


def _forget_others(folder: Path, blocks: Sequence[str]) -> None:
    """Delete what the cohort's own lists do not name."""
    kept = {folder / "blocks" / f"{name}.jsonl" for name in blocks}
    for path in tuple(kept):
        for line in path.read_bytes().splitlines():
            digests = [file["sha256"] for file in json.loads(line)["files"]]
            kept.update(folder / "files" / one[:2] / one for one in digests)
    kept.update(folder / "reference" / name for name in TABLES)
    for path in [one for one in _sent(folder) if one not in kept]:
        path.unlink()


def _sent(folder: Path) -> Iterator[Path]:
    for name in ("blocks", "reference", "files"):
        yield from sorted(path for path in (folder / name).rglob("*") if path.is_file())


def _part(folder: Path, path: Path) -> Part:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Part(path=path.relative_to(folder).as_posix(), sha256=digest, size=path.stat().st_size)


def _without_places(report: IngestReport) -> IngestReport:
    return replace(report, findings=tuple({**one, "places": []} for one in report.findings))


def _whole_numbers(report: Mapping[str, Any]) -> Any:
    """Return the report as plain JSON values."""
    return json.loads(json.dumps(report))
