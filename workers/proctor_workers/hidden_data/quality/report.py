"""The quality report as a value: findings, tables and counts, and whether they hold a cohort back.

Its JSON form is stable; page and text are set from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from proctor_backend.domain.cohort import blocking
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.leak_audit.audit import LeakAudit
from proctor_workers.hidden_data.plan import Override
from proctor_workers.hidden_data.quality.summary import ORDER, summary
from proctor_workers.hidden_data.quality.tables import Table

SCHEMA = 1
PLACES_KEPT = 1000  # of a kind of finding: what a person still works through


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """A cohort's findings and tables. Only the partner reads it: names and small counts are shown.

    `counts` are cases, patients, sites, files and bytes of what was taken, and cases `left_out`.
    `overrides`, `leaks`, `root` and `deidentification` are the cohort's, printed as they are.
    """

    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]
    counts: Mapping[str, int]
    overrides: tuple[Override, ...] = ()
    leaks: LeakAudit | None = None
    root: str = ""
    deidentification: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values: findings by kind, with their first places."""
        findings = summary(self.findings, places=PLACES_KEPT)
        overrides = [asdict(override) for override in self.overrides]
        reasons = {override.finding: override.reason for override in self.overrides}
        held_by = [str(one["key"]) for one in blocking(findings, overrides)]
        errors = {one["key"] for one in findings if one["severity"] == Severity.ERROR}
        for one in findings:
            one["blocking"] = one["key"] in held_by
            one["override"] = reasons.get(one["key"], "") if one["key"] in errors else ""
        findings.sort(key=lambda one: (not one["blocking"], bool(one["override"])))
        return {
            "schema": SCHEMA,
            "verdict": _verdict(len(held_by)),
            "publishable": not held_by,
            "held_back_by": held_by,
            "root": self.root,
            "counts": dict(self.counts),
            "kinds": {
                str(severity): sum(one["severity"] == severity for one in findings)
                for severity in ORDER
            },
            "findings": findings,
            "unused_overrides": sorted(reasons.keys() - errors),
            "leak_audit": _tests(self.leaks) if self.leaks else None,
            "tables": [table.as_dict() for table in self.tables],
            "deidentification": dict(self.deidentification),
        }


def _verdict(number: int) -> str:
    if number:
        return f"Held back by {number} finding{'s' if number > 1 else ''}"
    return "Can be published"


def _tests(leaks: LeakAudit) -> dict[str, Any]:
    """Return what was tested; the findings stand among the others."""
    document = leaks.as_dict()
    del document["findings"]
    return document
