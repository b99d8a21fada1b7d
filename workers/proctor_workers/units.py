"""Collapses cases to patients where the protocol's estimand asks for it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from proctor_workers.analysis_set import FAILED, INDETERMINATE, OK, AnalysisSet, Texts
from proctor_workers.statistics.arrays import Floats, Ints


def to_units(protocol: Mapping[str, Any], analysis: AnalysisSet) -> AnalysisSet:
    """Return one row a patient where the unit is the patient and an aggregation is named.

    A patient is positive with any positive case; failed with any failed case, else indeterminate
    with any indeterminate one. The score is the largest or the mean, thresholded afterwards; the
    device's own calls become any case's call (max) or the majority's (mean, ties positive).
    """
    estimand = protocol.get("estimand") or {}
    aggregation = estimand.get("aggregation_to_patient", "none")
    if estimand.get("unit") != "patient" or aggregation == "none":
        return analysis
    patients = int(analysis.patient.max()) + 1
    _, first = np.unique(analysis.patient, return_index=True)
    rows = np.bincount(analysis.patient, minlength=patients)
    if len(first) == len(analysis):
        return analysis
    return replace(
        analysis,
        case=analysis.case[first],
        patient_name=analysis.patient_name[first],
        patient=np.arange(patients, dtype=np.int64),
        positive=np.bincount(analysis.patient, weights=analysis.positive) > 0,
        status=_status(analysis, patients),
        score=_score(analysis, aggregation, rows),
        call={point: _call(analysis, aggregation, call) for point, call in analysis.call.items()},
        weight=analysis.weight[first],
        stratum=analysis.stratum[first],
        attributes={
            name: _joined(analysis.patient, values, patients)
            for name, values in analysis.attributes.items()
        },
    )


def _status(analysis: AnalysisSet, patients: int) -> Texts:
    status = np.full(patients, OK, dtype=object)
    for worse in (INDETERMINATE, FAILED):
        status[np.unique(analysis.patient[analysis.status == worse])] = worse
    return status


def _score(analysis: AnalysisSet, aggregation: str, rows: Ints) -> Floats:
    """Aggregate scores; a patient with a case without a score has none."""
    if aggregation == "mean":
        mean: Floats = np.bincount(analysis.patient, weights=analysis.score) / rows
        return mean
    largest = np.full(len(rows), -np.inf)
    np.maximum.at(largest, analysis.patient, analysis.score)
    return largest


def _call(analysis: AnalysisSet, aggregation: str, call: Ints) -> Ints:
    """Aggregate decisions; a patient with a case without a decision has none."""
    decided = np.bincount(analysis.patient, weights=call >= 0)
    positive = np.bincount(analysis.patient, weights=call == 1)
    rows = np.bincount(analysis.patient)
    called = positive > 0 if aggregation == "max" else positive * 2 >= rows
    combined: Ints = np.where(decided == rows, called.astype(np.int64), -1)
    return combined


def _joined(patient: Ints, values: Texts, patients: int) -> Texts:
    """Join a patient's differing values with "|"."""
    parts: list[set[str]] = [set() for _ in range(patients)]
    for code, value in zip(patient.tolist(), values.tolist(), strict=True):
        if value is not None:
            parts[code].add(str(value))
    joined: Texts = np.array(["|".join(sorted(one)) or None for one in parts], dtype=object)
    return joined
