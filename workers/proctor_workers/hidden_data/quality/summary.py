"""Gathers findings by what an override names: one line for each kind, with the first places."""

from collections.abc import Iterable, Sequence
from typing import Any

from proctor_workers.hidden_data.findings import Finding, Severity

PLACES = 5  # of a kind of finding, as records and the dashboard show it
ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def summary(findings: Iterable[Finding], *, places: int = PLACES) -> list[dict[str, Any]]:
    """Return one entry for each key: severity, count, message, cure and the first `places` places.

    The gravest severity of a key stands for it, with the message of the first finding that has it.
    Entries are ordered by severity, then by count, then by key. A place is a case, file or column
    in the partner's own words: for the partner's eyes only.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.key, []).append(finding)
    entries = [_entry(key, group, places) for key, group in groups.items()]
    return sorted(
        entries,
        key=lambda one: (ORDER.index(Severity(one["severity"])), -one["count"], one["key"]),
    )


def _entry(key: str, group: Sequence[Finding], places: int) -> dict[str, Any]:
    gravest = min(group, key=lambda finding: ORDER.index(finding.severity))
    return {
        "key": key,
        "code": gravest.code,
        "severity": str(gravest.severity),
        "count": len(group),
        "message": gravest.message,
        "cure": gravest.cure,
        "places": [place(finding) for finding in group[:places]],
    }


def place(finding: Finding) -> dict[str, str]:
    """Return where a finding is; `other` is the second case, where it is about two."""
    found = {
        "case": finding.case,
        "file": finding.file,
        "column": finding.column,
        "other": str(finding.values.get("other", "")),
    }
    return {name: text for name, text in found.items() if text}
