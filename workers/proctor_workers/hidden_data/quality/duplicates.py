"""Looks for one picture in two cases, and for one person under two names.

Two cases share a picture if an original file or its decoded pixels have one digest. Pictures that
differ by their encoding, size or window only are the business of `near_duplicates`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.seen_cases import SeenCase, SeenFile


def duplicate_findings(
    cases: Sequence[SeenCase], shared: Mapping[tuple[int, int], int]
) -> Iterator[Finding]:
    """Yield a finding for each case that shows what an earlier one shows already."""
    for (first, later), files in shared.items():
        yield _finding(cases[first], cases[later], files)
    yield from _instances(cases, shared)


def shared_pictures(cases: Sequence[SeenCase]) -> dict[tuple[int, int], int]:
    """Count the files that a case has in common with the first case that has them."""
    owner: dict[bytes, int] = {}
    shared: Counter[tuple[int, int]] = Counter()
    for number, one in enumerate(cases):
        for file in one.files:
            firsts = {owner.setdefault(digest, number) for digest in _digests(file)}
            shared.update((first, number) for first in firsts - {number})
    return shared


def _digests(file: SeenFile) -> Iterator[bytes]:
    """Yield what makes two files one picture."""
    if file.source:
        yield file.source
    if file.pixels:
        yield file.pixels


def _finding(first: SeenCase, later: SeenCase, files: int) -> Finding:
    values: dict[str, float | str] = {"other": first.name, "files": files}
    if first.patient != later.patient:
        return Finding(
            code="duplicate.patients",
            severity=Severity.ERROR,
            message="The same picture stands under two patients.",
            cure="Find out whose it is and remove the other case; or give both one patient.",
            case=later.name,
            values=values,
        )
    return Finding(
        code="duplicate.cases",
        severity=Severity.WARNING,
        message="The same picture stands in two cases of one patient.",
        cure="Remove one case, unless the study is to measure repeatability.",
        case=later.name,
        values=values,
    )


def _instances(
    cases: Sequence[SeenCase], shared: Mapping[tuple[int, int], int]
) -> Iterator[Finding]:
    """Yield cases that hold another version of a DICOM instance that an earlier case holds."""
    owner: dict[bytes, int] = {}
    told = set(shared)
    for number, one in enumerate(cases):
        for file in one.files:
            if not file.instance:
                continue
            first = owner.setdefault(file.instance, number)
            if first != number and (first, number) not in told:
                told.add((first, number))
                yield Finding(
                    code="duplicate.instance",
                    severity=Severity.ERROR,
                    message="Two cases hold one DICOM instance with different content.",
                    cure="Keep the case with the right version of the file.",
                    case=one.name,
                    values={"other": cases[first].name},
                )


def study_findings(cases: Sequence[SeenCase]) -> Iterator[Finding]:
    """Yield the imaging studies that are named under two patients."""
    holders: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for one in cases:
        holders[one.imaging_study].setdefault(one.patient, one.name)
    for patients in holders.values():
        first, *others = patients.values()
        for other in others:
            yield Finding(
                code="patient.study_shared",
                severity=Severity.WARNING,
                message="One imaging study is named under two patients.",
                cure="Give each examination a name of its own in the whole cohort, or correct "
                "the patient.",
                case=other,
                column="imaging_study",
                values={"other": first},
            )
