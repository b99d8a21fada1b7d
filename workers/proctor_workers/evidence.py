"""The evidence of a measurement as four files: what went in, what came out, and their digests."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite.binding  # type: ignore[import-untyped]  # ships no stubs
import pyarrow as pa
import pyarrow.parquet as pq

from proctor_backend.domain.result import Measurement
from proctor_sdk.canonical import canonical_bytes, digest, strict_loads

EVIDENCE_VERSION = 1
OBSERVATIONS, REFERENCE = "observations.parquet", "reference.parquet"
EVIDENCE, RESULTS = "evidence.json", "results.json"


def write_evidence(
    folder: Path,
    *,
    protocol: Mapping[str, Any],
    manifest: Mapping[str, Any],
    observations: pa.Table,
    reference: pa.Table,
    measurement: Measurement,
    confounders: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Write the four files into a folder and return the digests of what they hold.

    `provenance` (attempts, cohort root, image) stands in evidence.json and takes no part in a
    recomputation.
    """
    for name, table in ((OBSERVATIONS, observations), (REFERENCE, reference)):
        order = [("patient", "ascending"), ("case", "ascending")]
        pq.write_table(table.sort_by(order), folder / name, compression="zstd")
    (folder / RESULTS).write_bytes(canonical_bytes(measurement.as_dict()))
    digests = file_digests(folder) | document_digests(protocol, manifest)
    document = {
        "schema": EVIDENCE_VERSION,
        "protocol": protocol,
        "manifest": manifest,
        "confounders": list(confounders),
        "digests": digests,
        "versions": dict(measurement.versions),
        "cpu": cpu(),
        "provenance": dict(provenance or {}),
    }
    (folder / EVIDENCE).write_bytes(canonical_bytes(document))
    return digests


def file_digests(folder: Path) -> dict[str, str]:
    """Return the digests of the tables and the results."""
    files = {"observations": OBSERVATIONS, "reference": REFERENCE, "results": RESULTS}
    return {part: digest((folder / name).read_bytes()) for part, name in files.items()}


def document_digests(protocol: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of protocol and manifest."""
    return {
        "protocol": digest(canonical_bytes(protocol)),
        "manifest": digest(canonical_bytes(manifest)),
    }


def cpu() -> dict[str, Any]:
    """Name the processor and the features that decide the last bits of exp and log."""
    features = llvmlite.binding.get_host_cpu_features()
    return {
        "machine": platform.machine(),
        "name": llvmlite.binding.get_host_cpu_name(),
        "features": sorted(name for name, present in features.items() if present),
    }


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence as read from a folder, not yet verified."""

    document: Mapping[str, Any]
    observations: pa.Table
    reference: pa.Table
    results: bytes


def read_evidence(folder: Path) -> Evidence:
    """Read the four files of a folder."""
    return Evidence(
        document=strict_loads((folder / EVIDENCE).read_bytes()),
        observations=pq.read_table(folder / OBSERVATIONS),
        reference=pq.read_table(folder / REFERENCE),
        results=(folder / RESULTS).read_bytes(),
    )
