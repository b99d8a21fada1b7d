"""The cases that count, joined with their reference standard; leaves missing outputs to rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from proctor_backend.domain.errors import DataError
from proctor_workers.statistics.arrays import Bools, Floats, Ints

Texts = NDArray[np.object_]
OK, INDETERMINATE, FAILED = "ok", "indeterminate", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSet:
    """Units of analysis ordered by (patient, case), with the reference standard and outputs.

    `call` holds per operating point 1, 0 or -1 (none): the device's own until
    `with_decisions`. `score` is NaN where none was emitted.
    """

    case: Texts
    patient_name: Texts
    patient: Ints
    positive: Bools
    status: Texts
    score: Floats
    call: Mapping[str, Ints]
    weight: Floats
    stratum: Ints
    attributes: Mapping[str, Texts]
    excluded: tuple[Mapping[str, Any], ...]
    enrolled: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.case)


def join(
    protocol: Mapping[str, Any],
    manifest: Mapping[str, Any],
    observations: pa.Table,
    reference: pa.Table,
) -> AnalysisSet:
    """Order the cohort, take out what the protocol excludes and attach the model's outputs.

    Raises:
        DataError: a case occurs twice, has no observation, or no case is left.
    """
    table = _ordered(reference)
    case = _texts(table, "case")
    if len(np.unique(case)) != len(case):
        raise DataError(
            "A case occurs twice in the reference standard.", cure="Correct the cohort."
        )
    keep, positive, excluded = _eligible(protocol, table)
    if not keep.any():
        raise DataError(
            "No case has a usable reference standard.", cure="Check the cohort and the protocol."
        )
    outputs = _outputs(manifest, observations, case)
    patient_name = _texts(table, "patient")
    names, patient = np.unique(patient_name[keep].astype(str), return_inverse=True)
    weight = _weights(protocol, table)[keep]
    return AnalysisSet(
        case=case[keep],
        patient_name=patient_name[keep],
        patient=patient.astype(np.int64),
        positive=positive[keep],
        status=outputs.status[keep],
        score=outputs.score[keep],
        call={point: calls[keep] for point, calls in outputs.call.items()},
        weight=weight,
        stratum=_strata(protocol, table, keep, positive[keep], patient, len(names)),
        attributes={name: values[keep] for name, values in _attributes(table).items()},
        excluded=tuple(excluded),
        enrolled=_counts(patient_name, np.ones(len(case), dtype=np.bool_)),
    )


def _ordered(reference: pa.Table) -> pa.Table:
    return reference.sort_by([("patient", "ascending"), ("case", "ascending")])


def _texts(table: pa.Table, column: str) -> Texts:
    values: Texts = np.array(table[column].to_pylist(), dtype=object)
    return values


def _counts(patient: Texts, where: Bools) -> dict[str, int]:
    return {"cases": int(where.sum()), "patients": len(set(patient[where].tolist()))}


def _eligible(
    protocol: Mapping[str, Any], table: pa.Table
) -> tuple[Bools, Bools, list[dict[str, Any]]]:
    """Return who is kept, who is positive, and the exclusions in their order."""
    standard = protocol["reference_standard"]
    value, status = _texts(table, "reference_value"), _texts(table, "reference_status")
    patient = _texts(table, "patient")
    positive = value == standard["positive"]
    equivocal = status == "equivocal"
    rule = standard.get("equivocal_rule", "exclude")
    if rule != "exclude":
        positive = np.where(equivocal, rule == "as_positive", positive)
    missing = (status == "missing") | ((value == None) & ~equivocal)  # noqa: E711 - elementwise
    partition = (
        _texts(table, "partition")
        if "partition" in table.column_names
        else np.full(len(value), "confirmatory", dtype=object)
    )
    reasons = [
        ("exploratory partition", partition == "exploratory"),
        ("reference standard missing", missing),
        ("reference standard equivocal", equivocal & (rule == "exclude")),
    ]
    keep = np.ones(len(value), dtype=np.bool_)
    excluded = []
    for reason, applies in reasons:
        gone = keep & applies.astype(np.bool_)
        excluded.append({"reason": reason} | _counts(patient, gone))
        keep &= ~gone
    return keep, positive.astype(np.bool_), excluded


@dataclass(frozen=True, slots=True)
class _Outputs:
    status: Texts
    score: Floats
    call: dict[str, Ints]


def _outputs(manifest: Mapping[str, Any], observations: pa.Table, case: Texts) -> _Outputs:
    """Bring each case's score and decisions into the cohort's order."""
    place = {name: index for index, name in enumerate(case.tolist())}
    status = np.full(len(case), None, dtype=object)
    score = np.full(len(case), np.nan)
    points = {point["id"]: point for point in manifest.get("operating_points") or ()}
    own = {point: np.full(len(case), -1, dtype=np.int64) for point in points}
    names = ("case", "status", "score", "operating_point", "call")
    for name, state, value, point, call in zip(
        *(observations[column].to_pylist() for column in names), strict=True
    ):
        index = place.get(name)
        if index is None:
            raise DataError("An observation names a case that is not in the cohort.")
        status[index] = state
        if point is None:
            score[index] = np.nan if value is None else value
        elif point in own and call is not None:
            own[point][index] = int(call)
    if any(state is None for state in status):
        raise DataError(
            "A case of the cohort has no observation.", cure="Run the evaluation again."
        )
    return _Outputs(status, score, own)


def with_decisions(manifest: Mapping[str, Any], analysis: AnalysisSet) -> AnalysisSet:
    """Threshold the scores where the device did not decide itself; its own call outranks."""
    call = dict(analysis.call)
    for point in manifest.get("operating_points") or ():
        own = call[point["id"]]
        call[point["id"]] = np.where(own >= 0, own, _threshold(analysis.score, point))
    return replace(analysis, call=call)


def _threshold(score: Floats, point: Mapping[str, Any]) -> Ints:
    """Decide on the emitted value; -1 without a score."""
    threshold = point.get("threshold")
    if threshold is None:
        return np.full(len(score), -1, dtype=np.int64)
    compare = {
        ">=": np.greater_equal,
        ">": np.greater,
        "<=": np.less_equal,
        "<": np.less,
    }[point.get("comparator", ">=")]
    called = compare(score, float(threshold)).astype(np.int64)
    decided: Ints = np.where(np.isnan(score), -1, called)
    return decided


def has_weights(protocol: Mapping[str, Any], weight: Floats) -> bool:
    """Whether the design's sampling weights are given and say something."""
    kind = protocol["sampling_design"]["kind"]
    return kind in {"weighted", "stratified"} and len(weight) > 0 and bool(np.ptp(weight) > 0)


def _weights(protocol: Mapping[str, Any], table: pa.Table) -> Floats:
    if "sampling_weight" not in table.column_names:
        return np.ones(table.num_rows)
    weight = np.array(
        [1.0 if value is None else value for value in table["sampling_weight"].to_pylist()]
    )
    return weight if has_weights(protocol, weight) else np.ones(table.num_rows)


def _strata(
    protocol: Mapping[str, Any],
    table: pa.Table,
    keep: Bools,
    positive: Bools,
    patient: Ints,
    patients: int,
) -> Ints:
    """Give every row its patient's stratum: the cells whose sizes the sampling design fixed."""
    kind = protocol["sampling_design"]["kind"]
    if kind == "consecutive":
        return np.zeros(len(patient), dtype=np.int64)
    any_positive = np.bincount(patient, weights=positive, minlength=patients) > 0
    status = any_positive[patient].astype(np.int64)
    if kind == "case_control" or "sampling_stratum" not in table.column_names:
        return status
    drawn = np.array([str(name) for name in _texts(table, "sampling_stratum")[keep]])
    _, first = np.unique(patient, return_index=True)
    _, code = np.unique(drawn[first], return_inverse=True)
    return code[patient].astype(np.int64)


def _attributes(table: pa.Table) -> dict[str, Texts]:
    """Return every attribute and the site by its plain name."""
    found = {
        name.removeprefix("attr."): _texts(table, name)
        for name in table.column_names
        if name.startswith("attr.")
    }
    for name in ("site", "imaging_study", "reference_method"):
        if name in table.column_names:
            found.setdefault(name, _texts(table, name))
    return found
