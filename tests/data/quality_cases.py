"""Cases as they come out of an ingest, made by hand."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from proctor_workers.hidden_data.blocks import Case, StoredFile
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.hidden_data.quality.assessment import assess
from proctor_workers.hidden_data.rows import Row


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file(picture: str, look: str | None = None, **changes: Any) -> StoredFile:
    """An image file; `picture` names its content, `look` is its perceptual hash."""
    return StoredFile(
        **{
            "name": "0.dcm",
            "role": "image",
            "sha256": digest(f"canonical {picture}"),
            "size": 1000,
            "decoded_pixel_sha256": digest(f"pixels {picture}"),
            "perceptual_hash": digest(f"look {picture}")[:16] if look is None else look,
            "original_uid": digest(f"uid {picture}"),
            "source_sha256": digest(f"source {picture}"),
        }
        | changes
    )


def case(
    name: str,
    *,
    patient: str | None = None,
    value: str | None = "1",
    files: Sequence[StoredFile] | None = None,
    facts: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    findings: Sequence[Finding] = (),
    **row: Any,
) -> IngestedCase:
    """A case whose reader found `facts`; `raters` say a category each."""
    patient = patient or f"P-{name}"
    raters: Mapping[str, str] = row.pop("raters", {})
    text = None if outputs is None else json.dumps(outputs, sort_keys=True, separators=(",", ":"))
    made = Row(
        **{
            "number": 1,
            "case": name,
            "patient": patient,
            "site": "A",
            "imaging_study": name,
            "reference_value": value,
            "reference_status": "verified" if value or outputs else "missing",
            "reference_method": "histology",
            "reference_outputs": text,
            "reference_file": None,
            "raters": {rater: json.dumps({"category": word}) for rater, word in raters.items()},
            "sampling_stratum": "",
            "sampling_weight": 1.0,
            "partition": "confirmatory",
            "files": (),
            "series": (),
            "attributes": {},
            "inputs": {},
        }
        | row
    )
    return IngestedCase(
        case=Case(
            id=f"cas_{digest(name)[:8]}",
            patient=f"pat_{digest(patient)[:8]}",
            imaging_study=f"img_{digest(name)[:8]}",
            row=made,
            files=(file(name),) if files is None else tuple(files),
            reference_outputs=text,
            rater_kinds={},
        ),
        facts={"modality": "CT", "rows": 10.0, "columns": 20.0} | (facts or {}),
        findings=tuple(findings),
    )


def found(cases: Sequence[IngestedCase], **options: Any) -> dict[str, list[Finding]]:
    """The findings of an assessment by code."""
    report = assess(cases, **({"labels": ()} | options))
    codes: dict[str, list[Finding]] = {}
    for finding in report.findings:
        codes.setdefault(finding.code, []).append(finding)
    return codes


def severities(findings: Sequence[Finding]) -> set[Severity]:
    return {finding.severity for finding in findings}
