"""What came of an ingest: a cohort's identity and counts, or what is wrong with the table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What the cohort's record keeps; with problems there is no root and nothing was kept.

    `findings` are grouped by key, as `quality.summary` does. `forms` are the endings of the
    canonical files, `headers` the DICOM fields beyond the technical ones that models may see and a
    protocol must grant. `deidentified` counts what was done, `left_out` by code the cases that were
    refused or quarantined. `confounders` are facts of the acquisition that go with the truth.
    """

    root: str = ""
    reference_sha256: str = ""
    cases: int = 0
    patients: int = 0
    sites: int = 0
    blocks: Sequence[Mapping[str, Any]] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    forms: Sequence[str] = ()
    findings: Sequence[Mapping[str, Any]] = ()
    overrides: Sequence[Mapping[str, Any]] = ()
    headers: Sequence[str] = ()
    deidentified: Mapping[str, int] = field(default_factory=dict)
    deidentification: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    confounders: Sequence[str] = ()
    problems: Sequence[Mapping[str, Any]] = ()
    problem_count: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the form that the cohort's record keeps."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """The report, and the quality report as the partner reads it."""

    report: IngestReport
    quality_html: str = ""
    quality_json: str = ""
    quality_text: str = ""
