"""The leak audit: does anything beside the pixels give the reference standard away?

Patients are cross-fitted and the truth is permuted among them (`crossfit`), for each family of
fields apart (`fields`). A find is an AUC of 0.60 or more, in patients not fitted on, that fewer
than 1 % of the permutations reach anywhere in the family: so a cohort without a leak is held back
less than once in a hundred times, however many fields it has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from proctor_workers.hidden_data.case_files import Fact
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.hidden_data.leak_audit.crossfit import (
    PERMUTATIONS,
    Codes,
    Layout,
    Tested,
    family,
    lay_out,
)
from proctor_workers.hidden_data.leak_audit.fields import (
    Family,
    acquisition_attributes,
    coded,
    fields_of,
)
from proctor_workers.hidden_data.leak_audit.truth import Answers, answers_of, questions
from proctor_workers.statistics.arrays import Bools

__all__ = ["FieldTest", "LeakAudit", "acquisition_attributes", "audit"]

FEWEST_PATIENTS = 20
MOST_CASES = 12_000  # a larger cohort's patients are drawn at random: the time stays bounded
SIGNIFICANT = 0.01
RELEVANT = 0.60
TOGETHER = "(all together)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTest:
    """What one field, or all of a family together, tells of the truth.

    `auc` with its 95 % limits is in patients not fitted on; `p` is adjusted for the family.
    `question` is the one, of all asked, that the field answers best. `found`: it is a leak;
    `shared`: not by itself, the numbers are those of all that were left, and it tells most of them.
    """

    family: Family
    field: str
    question: str
    auc: float
    lower: float
    upper: float
    p: float
    found: bool
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakAudit:
    """What was tested, on how many, and what was found.

    `constant` are the fields that are the same in all cases. `confounders` are facts of the
    acquisition that go with the truth. Without tests, a finding says why.
    """

    findings: tuple[Finding, ...]
    tests: tuple[FieldTest, ...] = ()
    confounders: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    cases: int = 0
    patients: int = 0
    permutations: int = PERMUTATIONS

    def as_dict(self) -> dict[str, Any]:
        """Return the audit as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cohort:
    """The cases that have a truth, column by column."""

    layout: Layout
    truths: Mapping[str, Bools]
    columns: Mapping[Family, Mapping[str, Sequence[Fact | None]]]
    permutations: int
    seed: int


def audit(
    cases: Sequence[IngestedCase], *, seed: int, permutations: int = PERMUTATIONS
) -> LeakAudit:
    """Ask whether a container could tell the truth without looking at the picture.

    The same cases, in any order, and the same seed give the same audit.
    """
    known = _with_truth(cases)
    number = {patient: at for at, patient in enumerate(sorted({one.patient for one in known}))}
    patient = np.array([number[one.patient] for one in known], dtype=np.int64)
    truths = questions([one.answers for one in known], patient)
    patients = len(number)
    if patients < FEWEST_PATIENTS or not truths:
        return _not_tested(patients)
    stacked = np.stack(list(truths.values()), axis=1)
    layout = lay_out(patient, stacked, most=MOST_CASES, stream=_stream(seed, "patients"))
    cohort = _Cohort(
        layout=layout,
        truths={name: yes[layout.rows] for name, yes in truths.items()},
        columns=_columns(cases, [known[row].place for row in layout.rows]),
        permutations=permutations,
        seed=seed,
    )
    tests: list[FieldTest] = []
    constant: list[str] = []
    for kind in Family:
        found, same = _tested(cohort, kind)
        tests += found
        constant += same
    leaks = [test for test in tests if test.found and test.field != TOGETHER]
    return LeakAudit(
        findings=tuple(_finding(test, patients) for test in leaks),
        tests=tuple(tests),
        confounders=tuple(test.field for test in leaks if test.family == Family.ACQUISITION),
        constant=tuple(constant),
        questions=tuple(cohort.truths),
        cases=len(layout.rows),
        patients=len(set(layout.patient.tolist())),
        permutations=permutations,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """A case whose truth is known, small: a cohort's cases are read again for their fields."""

    case: str
    patient: str
    place: int
    answers: Answers


def _with_truth(cases: Sequence[IngestedCase]) -> list[_Known]:
    """Return the cases that have a truth, by their ids: random, whatever the table's order."""
    known = (
        _Known(case.case.id, case.case.patient, place, answers)
        for place, case in enumerate(cases)
        if (answers := answers_of(case))
    )
    return sorted(known, key=lambda one: one.case)


def _columns(
    cases: Sequence[IngestedCase], places: Sequence[int]
) -> dict[Family, dict[str, list[Fact | None]]]:
    """Return every field's values at these places of the cohort."""
    columns: dict[Family, dict[str, list[Fact | None]]] = {kind: {} for kind in Family}
    for row, place in enumerate(places):
        for kind, fields in fields_of(cases[place]).items():
            for name, value in fields.items():
                if name not in columns[kind]:
                    columns[kind][name] = [None] * len(places)
                columns[kind][name][row] = value
    return {kind: dict(sorted(found.items())) for kind, found in columns.items()}


def _stream(seed: int, purpose: str) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *purpose.encode()])))


def _tested(cohort: _Cohort, kind: Family) -> tuple[list[FieldTest], list[str]]:
    """Test a family, and again without what was found until nothing more is: a step-down.

    The first round decides whether anything is found at all, so that a cohort without a leak meets
    one family of tests only.
    """
    fields: dict[str, Codes] = {}
    constant = []
    for name, values in cohort.columns[kind].items():
        codes = coded(values)
        if codes is None:
            constant.append(name)
        else:
            fields[name] = codes
    together: FieldTest | None = None
    found: list[FieldTest] = []
    alone: list[FieldTest] = []
    while fields:
        joint, alone = _round(cohort, kind, fields)
        together = together or joint
        leaks = [test for test in alone if test.found]
        if not leaks and joint.found:
            # No field tells by itself: the one that tells most stands for them.
            best = max(alone, key=lambda test: test.auc)
            leaks = [replace(joint, field=best.field, shared=True)]
        if not leaks:
            break
        found += leaks
        for test in leaks:
            del fields[test.field]
    told = {test.field for test in found}
    rest = [test for test in alone if test.field not in told]
    return [*([together] if together else []), *found, *rest], constant


def _round(
    cohort: _Cohort, kind: Family, fields: Mapping[str, Codes]
) -> tuple[FieldTest, list[FieldTest]]:
    questions_asked = list(cohort.truths)
    results = family(
        cohort.layout,
        list(fields.values()),
        [cohort.truths[name] for name in questions_asked],
        permutations=cohort.permutations,
        stream=_stream(cohort.seed, f"{kind} {','.join(fields)}"),
    )
    tests = [
        _best(kind, name, questions_asked, tested)
        for name, tested in zip([TOGETHER, *fields], results, strict=True)
    ]
    return tests[0], tests[1:]


def _best(kind: Family, field: str, asked: Sequence[str], tested: Sequence[Tested]) -> FieldTest:
    """Return the question that a field answers best: a find if any is one."""
    at = max(range(len(tested)), key=lambda n: (_is_leak(tested[n]), -tested[n].p, tested[n].auc))
    one = tested[at]
    return FieldTest(
        family=kind,
        field=field,
        question=asked[at],
        auc=one.auc,
        lower=one.lower,
        upper=one.upper,
        p=one.p,
        found=_is_leak(one),
    )


def _is_leak(one: Tested) -> bool:
    return one.p < SIGNIFICANT and one.auc >= RELEVANT


_SAID = {
    Family.ARTEFACT: (
        "leak.artefact",
        Severity.ERROR,
        "a trace beside the picture, tells",
        "Export all cases in the same way, or override this field with a reason; it is printed.",
    ),
    Family.ACQUISITION: (
        "leak.acquisition",
        Severity.WARNING,
        "how cases were acquired, goes with the truth: it tells",
        "Results are shown by its levels too; add cases in which it does not go with the truth.",
    ),
    Family.ORIGINAL: (
        "leak.original",
        Severity.NOTE,
        "which only the original files had and no container sees, tells",
        "Nothing is left of it in the cohort; it may point to how the cases were chosen.",
    ),
}


def _finding(test: FieldTest, patients: int) -> Finding:
    code, severity, what, cure = _SAID[test.family]
    subject = f"{test.field} and others" if test.shared else test.field
    return Finding(
        code=code,
        severity=severity,
        column=test.field,
        message=(
            f"{subject}, {what} {test.question} in patients not fitted on: "
            f"AUC {test.auc:.2f} ({test.lower:.2f} to {test.upper:.2f}), "
            f"p = {test.p:.3f} adjusted for the family."
        ),
        cure=cure,
        values={
            "auc": round(test.auc, 4),
            "lower": round(test.lower, 4),
            "upper": round(test.upper, 4),
            "p": round(test.p, 4),
            "patients": float(patients),
        },
    )


def _not_tested(patients: int) -> LeakAudit:
    enough = patients >= FEWEST_PATIENTS
    why = (
        "no question about the reference standard has five patients with either answer"
        if enough
        else f"fewer than {FEWEST_PATIENTS} patients have a reference standard"
    )
    return LeakAudit(
        patients=patients,
        findings=(
            Finding(
                code="leak.not_tested",
                severity=Severity.NOTE,
                message=f"Whether traces give the truth away was not tested: {why}.",
                cure="Add patients, or look at names, sizes and histories of the files yourself.",
            ),
        ),
    )
