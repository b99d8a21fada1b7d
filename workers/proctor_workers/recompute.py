"""Makes the results again from the evidence and says whether they are the same bytes."""

import math
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from proctor_backend.domain.errors import InvalidInputError, TamperedError
from proctor_sdk.canonical import canonical_bytes, strict_loads
from proctor_sdk.evidence_files import NOT_RECOMPUTABLE, WITHDRAWN
from proctor_workers.evidence import (
    EVIDENCE,
    OBSERVATIONS,
    REFERENCE,
    RESULTS,
    cpu,
    document_digests,
    file_digests,
    read_evidence,
)
from proctor_workers.measurement import measure

TOLERANCE = 1e-9  # what another processor may change in the last bits
_FILES = (EVIDENCE, OBSERVATIONS, REFERENCE, RESULTS)


class WithdrawnError(InvalidInputError):
    """The evidence has lost a patient, as the data partner wished."""

    code = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecomputeReport:
    """How a recomputation compares with the recorded results."""

    identical: bool
    largest_difference: float | None
    where: str | None
    results: int
    same_cpu: bool
    same_versions: bool

    @property
    def agrees(self) -> bool:
        """Whether results are equal, or differ by no more than a processor may cause."""
        difference = self.largest_difference
        return self.identical or (difference is not None and difference <= TOLERANCE)

    def sentence(self) -> str:
        """Say it to a person."""
        if self.identical:
            return f"Recomputed {self.results} results: equal, byte for byte."
        if self.largest_difference is None:
            return f"NOT equal: the results differ in more than numbers, first at {self.where}."
        verdict = "within" if self.agrees else "NOT within"
        circumstances = (
            ""
            if self.same_cpu and self.same_versions
            else (" The processor or the library versions differ from the recorded ones.")
        )
        return (
            f"Recomputed {self.results} results: the largest difference is "
            f"{self.largest_difference:.3g} at {self.where}, {verdict} {TOLERANCE:g}."
            + circumstances
        )


def recompute(path: Path) -> RecomputeReport:
    """Verify an evidence folder or zip and measure again from it.

    Raises:
        WithdrawnError: a patient was withdrawn, so the evidence of single cases was erased.
        InvalidInputError: files are missing.
        TamperedError: a file does not have its recorded digest.
    """
    with _opened(path) as folder:
        if (folder / WITHDRAWN).is_file():
            raise WithdrawnError(NOT_RECOMPUTABLE, cure="Its signed results stand.")
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise InvalidInputError(
                f"The evidence lacks {', '.join(missing)}.", cure="Fetch the evidence again."
            )
        evidence = read_evidence(folder)
        document = evidence.document
        found = file_digests(folder) | document_digests(document["protocol"], document["manifest"])
    for part, recorded in document["digests"].items():
        if found.get(part) != recorded:
            raise TamperedError(
                f"The evidence's {part} does not have its recorded digest.",
                cure="Fetch the evidence again; if it persists, its storage was altered.",
            )
    again = measure(
        document["protocol"],
        document["manifest"],
        evidence.observations,
        evidence.reference,
        confounders=document.get("confounders", ()),
    )
    made = canonical_bytes(again.as_dict())
    difference, where = _largest_difference(strict_loads(evidence.results), strict_loads(made))
    return RecomputeReport(
        identical=made == evidence.results,
        largest_difference=difference,
        where=where,
        results=len(again.results),
        same_cpu=document["cpu"] == cpu(),
        same_versions=document["versions"] == dict(again.versions),
    )


@contextmanager
def _opened(path: Path) -> Iterator[Path]:
    """Give the folder itself, or a temporary one with the evidence files of a zip."""
    if path.is_dir():
        yield path
        return
    if not zipfile.is_zipfile(path):
        raise InvalidInputError(
            "The path is neither an evidence folder nor a zip.", cure="Name one of the two."
        )
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            file = PurePosixPath(member).name
            if file in (*_FILES, WITHDRAWN):
                (Path(name) / file).write_bytes(archive.read(member))
        yield Path(name)


def _largest_difference(first: Any, second: Any) -> tuple[float | None, str | None]:
    """Return the largest numeric difference and its place; None where more than numbers differ.

    Library versions may differ between machines and are compared apart.
    """
    largest, place = 0.0, None
    for where, one, other in _leaves(first, second, ""):
        if where.startswith("/versions"):
            continue
        if not (_is_number(one) and _is_number(other)):
            if one != other:
                return None, where
            continue
        gap = abs(one - other)
        if gap > largest:
            largest, place = gap, where
    return largest, place


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _leaves(first: Any, second: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        for key, value in first.items():
            yield from _leaves(value, second[key], f"{where}/{key}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            name = one.get("id", index) if isinstance(one, dict) else index
            yield from _leaves(one, other, f"{where}/{name}")
    else:
        yield where, first, second
