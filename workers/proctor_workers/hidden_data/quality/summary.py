"""Gathers findings by what an override names: one line for each kind, with the first places."""

from collections.abc import Iterable, Sequence
from typing import Any

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.catalogue import title_of

PLACES = 5  # of a kind of finding, as records and the dashboard show it
ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def summary(findings: Iterable[Finding], *, places: int = PLACES) -> list[dict[str, Any]]:
    """Return one entry for each key: severity, count, message, cure and the first `places` places.

    The gravest severity of a key stands for it, with the message of the first finding that has it.
    Entries are ordered by severity, then by count, then by key. A place is a case, file or column
    in the partner's own words, for the partner's eyes only; `other` is the second case of two.
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
        "title": title_of(gravest.code),
        "count": len(group),
        "message": sentence(gravest),
        "cure": gravest.cure,
        "places": [_place(finding, gravest) for finding in group[:places]],
    }


def sentence(finding: Finding) -> str:
    """Return the message as a sentence: readers write what follows a file's name."""
    text = finding.message
    if not text[:1].islower() or text.startswith(finding.column or "\0"):
        return text
    return f"{finding.column or 'The file'} {text.removesuffix('.')}."


def _place(finding: Finding, gravest: Finding) -> dict[str, str]:
    """Return where a finding is, and its message where it is another than the entry's."""
    found = {
        "case": finding.case,
        "file": finding.file,
        "column": finding.column,
        "other": str(finding.values.get("other", "")),
        "message": sentence(finding) if finding.message != gravest.message else "",
    }
    return {name: text for name, text in found.items() if text}
