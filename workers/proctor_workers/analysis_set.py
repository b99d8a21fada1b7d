"""The cases that count, joined with their reference standard; leaves missing outputs to rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from proctor_backend.domain.errors import DataError
from proctor_backend.domain.result import ACQUISITION
from proctor_workers.answers import Answers, Cases, Texts
from proctor_workers.kinds.base import Columns, Kind, Setting
from proctor_workers.metrics.sample import Column
from proctor_workers.statistics.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSet:
    """Units of analysis ordered by (patient, case), with what the task's kind read of them."""

    case: Texts
    patient_name: Texts
    patient: Ints
    status: Texts
    columns: Columns
    weight: Floats
    stratum: Ints
    attributes: Mapping[str, Texts]
    excluded: tuple[Mapping[str, Any], ...]
    enrolled: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.case)

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @property
    def positive(self) -> Bools | None:
        """The reference status of each unit; None for kinds that have none."""
        return self.columns.get("positive")


def join(
    kind: Kind, setting: Setting, observations: pa.Table, reference: pa.Table
) -> tuple[AnalysisSet, Cases]:
    """Order the cohort, take out what the protocol excludes and read the model's outputs.

    Returns the analysis set, and the cases it was read from, for other raters of the same cases.

    Raises:
        DataError: a case occurs twice, has no observation, or no case is left.
    """
    table = reference.sort_by([("patient", "ascending"), ("case", "ascending")])
    everyone = Cases(case=_texts(table, "case"), reference=table)
    if len(np.unique(everyone.case.astype(str))) != len(everyone):
        raise DataError(
            "A case occurs twice in the reference standard.", cure="Correct the cohort."
        )
    keep, excluded = _eligible(setting, everyone)
    if not keep.any():
        raise DataError(
            "No case has a usable reference standard.", cure="Check the cohort and the protocol."
        )
    patient_name = everyone.texts("patient")
    cases = Cases(case=everyone.case[keep], reference=table.filter(pa.array(keep)))
    answers = Answers(cases, _of_cases(observations, everyone, keep))
    columns = kind.read(setting, cases, answers)
    names, patient = np.unique(patient_name[keep].astype(str), return_inverse=True)
    analysis = AnalysisSet(
        case=cases.case,
        patient_name=patient_name[keep],
        patient=patient.astype(np.int64),
        status=answers.status,
        columns=columns,
        weight=_weights(setting, cases),
        stratum=_strata(setting, cases, columns.get("positive"), patient, len(names)),
        attributes=_attributes(cases),
        excluded=tuple(excluded),
        enrolled=_counts(patient_name, np.ones(len(everyone), dtype=np.bool_)),
    )
    return analysis, cases


def _of_cases(observations: pa.Table, everyone: Cases, keep: Bools) -> pa.Table:
    """Return the observations of the cases that count.

    Raises:
        DataError: an observation names a case that is not in the cohort.
    """
    known = dict(zip(everyone.case.tolist(), keep.tolist(), strict=True))
    try:
        wanted = [known[name] for name in observations["case"].to_pylist()]
    except KeyError:
        raise DataError("An observation names a case that is not in the cohort.") from None
    return observations.filter(pa.array(wanted, type=pa.bool_()))


def _texts(table: pa.Table, column: str) -> Texts:
    values: Texts = np.array(table[column].to_pylist(), dtype=object)
    return values


def _counts(patient: Texts, where: Bools) -> dict[str, int]:
    return {"cases": int(where.sum()), "patients": len(set(patient[where].tolist()))}


def _eligible(setting: Setting, cases: Cases) -> tuple[Bools, list[dict[str, Any]]]:
    """Return who is kept, and the exclusions in their order."""
    rule = setting.protocol["reference_standard"].get("equivocal_rule", "exclude")
    status, patient = cases.texts("reference_status"), cases.texts("patient")
    nothing = (cases.texts("reference_value") == None) & (  # noqa: E711 - elementwise
        cases.texts("reference_outputs") == None  # noqa: E711 - elementwise
    )
    equivocal = status == "equivocal"
    reasons = [
        ("exploratory partition", cases.texts("partition") == "exploratory"),
        ("reference standard missing", (status == "missing") | (nothing & ~equivocal)),
        ("reference standard equivocal", equivocal & (rule == "exclude")),
    ]
    keep = np.ones(len(cases), dtype=np.bool_)
    excluded = []
    for reason, applies in reasons:
        gone = keep & applies.astype(np.bool_)
        excluded.append({"reason": reason} | _counts(patient, gone))
        keep &= ~gone
    return keep, excluded


def has_weights(protocol: Mapping[str, Any], weight: Floats) -> bool:
    """Whether the design's sampling weights are given and say something."""
    kind = protocol["sampling_design"]["kind"]
    return kind in {"weighted", "stratified"} and len(weight) > 0 and bool(np.ptp(weight) > 0)


def _weights(setting: Setting, cases: Cases) -> Floats:
    weight = np.array(
        [1.0 if value is None else value for value in cases.texts("sampling_weight")], dtype=float
    )
    return weight if has_weights(setting.protocol, weight) else np.ones(len(cases))


def _strata(
    setting: Setting, cases: Cases, positive: Bools | None, patient: Ints, patients: int
) -> Ints:
    """Give every row its patient's stratum: the cells whose sizes the sampling design fixed."""
    kind = setting.protocol["sampling_design"]["kind"]
    if kind == "consecutive":
        return np.zeros(len(patient), dtype=np.int64)
    drawn = cases.texts("sampling_stratum")
    if kind == "case_control" and positive is not None:
        any_positive = np.bincount(patient, weights=positive, minlength=patients) > 0
        return any_positive[patient].astype(np.int64)
    if kind == "case_control" or all(name in {None, ""} for name in drawn):
        return np.zeros(len(patient), dtype=np.int64)  # no cell is known whose size was fixed
    _, first = np.unique(patient, return_index=True)
    _, code = np.unique(drawn[first].astype(str), return_inverse=True)
    return code[patient].astype(np.int64)


def _attributes(cases: Cases) -> dict[str, Texts]:
    """Return every attribute and the site by its plain name, and the acquisition's facts."""
    names = cases.reference.column_names
    found = {
        name.removeprefix("attr."): cases.texts(name)
        for name in names
        if name.startswith(("attr.", ACQUISITION))
    }
    for name in ("site", "imaging_study", "reference_method"):
        if name in names:
            found.setdefault(name, cases.texts(name))
    return found
