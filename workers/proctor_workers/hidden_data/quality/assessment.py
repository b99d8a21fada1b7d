"""Assesses a cohort's content as a whole: what is in it, and what is wrong with it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from sys import intern

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.hidden_data.quality.acquisition import (
    acquisition_findings,
    acquisition_tables,
)
from proctor_workers.hidden_data.quality.attributes import attribute_findings, completeness
from proctor_workers.hidden_data.quality.balance import balance_findings, balance_tables
from proctor_workers.hidden_data.quality.catalogue import title_of
from proctor_workers.hidden_data.quality.duplicates import (
    duplicate_findings,
    shared_pictures,
    study_findings,
)
from proctor_workers.hidden_data.quality.near_duplicates import near_duplicate_findings
from proctor_workers.hidden_data.quality.readers import (
    Agreement,
    agreement_findings,
    agreement_table,
    agreements,
)
from proctor_workers.hidden_data.quality.references import ReferenceCheck
from proctor_workers.hidden_data.quality.report import QualityReport
from proctor_workers.hidden_data.quality.seen_cases import SeenCase, Shared, seen
from proctor_workers.hidden_data.quality.summary import sentence
from proctor_workers.hidden_data.quality.tables import Table
from proctor_workers.hidden_data.quality.twice_listed import twice_listed_findings

_NOTHING: Mapping[str, float | str] = {}
LEFT_OUT = frozenset({"file", "case"})  # families of findings for which a case is left out


@dataclass(slots=True)
class _Walk:
    """What one walk through the cohort collects: cases may be made anew each time."""

    references: ReferenceCheck
    cases: list[SeenCase] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    actions: Counter[str] = field(default_factory=Counter)
    bytes: int = 0

    def through(self, cases: Iterable[IngestedCase]) -> None:
        shared = Shared()
        for one in cases:
            self.cases.append(seen(one, shared))
            self.findings += (_lean(finding) for finding in one.findings)
            self.findings += self.references.of_case(one)
            self.actions.update(one.actions)
            self.bytes += sum(file.size for file in one.case.files)


def assess(
    cases: Sequence[IngestedCase],
    *,
    labels: Collection[str],
    others: Sequence[Finding] = (),
    today: date | None = None,
) -> QualityReport:
    """Return what is to be said of a cohort before it is published.

    Args:
        cases: those that were taken; walked through once.
        labels: names that masks, boxes and values of the reference standard may bear; none given
            allows any.
        others: findings made elsewhere: cases left out, columns with identifiers, leaks.
        today: in UTC, to tell what lies in the future; without it nothing does.
    """
    walk = _Walk(ReferenceCheck(labels))
    walk.through(cases)
    agreement = agreements(walk.cases)
    findings = [*others, *walk.findings]
    if walk.cases:
        findings += _of_cohort(walk, today)
        findings += agreement_findings(agreement)
    left_out = [one for one in others if one.severity is Severity.ERROR and _is_left_out(one)]
    tables = list(_tables(walk, left_out, agreement)) if walk.cases or left_out else []
    return QualityReport(
        findings=tuple(findings),
        tables=tuple(tables),
        counts={
            "cases": len(walk.cases),
            "patients": len({one.patient for one in walk.cases}),
            "sites": len({one.site for one in walk.cases}),
            "files": sum(len(one.files) for one in walk.cases),
            "bytes": walk.bytes,
            "left_out": len(left_out),
        },
    )


def _of_cohort(walk: _Walk, today: date | None) -> Iterator[Finding]:
    cases = walk.cases
    shared = shared_pictures(cases)
    yield from duplicate_findings(cases, shared)
    yield from near_duplicate_findings(cases, shared)
    yield from study_findings(cases)
    yield from twice_listed_findings(cases)
    yield from walk.references.of_cohort(cases)
    yield from attribute_findings(cases, today=today)
    yield from acquisition_findings(cases)
    yield from balance_findings(cases)


def _tables(
    walk: _Walk, left_out: Sequence[Finding], agreement: Sequence[Agreement]
) -> Iterator[Table]:
    cases = walk.cases
    if left_out:
        counts = Counter((title_of(one.code), sentence(one), one.cure) for one in left_out)
        yield Table(
            name="left_out",
            title="Cases left out",
            columns=("finding", "why", "what to do", "cases"),
            rows=tuple((*why, number) for why, number in counts.most_common()),
        )
    if not cases:
        return
    yield walk.references.table(cases)
    if agreement:
        yield agreement_table(agreement)
    if rows := completeness(cases):
        yield Table(
            name="completeness",
            title="Attributes",
            columns=("attribute", "cases with a value", "without", "share", "levels"),
            rows=tuple(rows),
        )
    yield from balance_tables(cases)
    yield from acquisition_tables(cases)
    if walk.actions:
        yield Table(
            name="deidentification",
            title="What de-identification did",
            columns=("action", "times"),
            rows=tuple(sorted(walk.actions.items())),
        )


def _is_left_out(finding: Finding) -> bool:
    return finding.code.partition(".")[0] in LEFT_OUT and bool(finding.case)


def _lean(finding: Finding) -> Finding:
    """Return the finding with its texts shared: a hundred thousand cases may all have it."""
    return replace(
        finding,
        code=intern(finding.code),
        message=intern(finding.message),
        cure=intern(finding.cure),
        column=intern(finding.column),
        values=finding.values or _NOTHING,
    )
