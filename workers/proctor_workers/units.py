"""Collapses cases to patients where the protocol's estimand asks for it."""

from dataclasses import replace

import numpy as np

from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import FAILED, INDETERMINATE, OK, Texts
from proctor_workers.kinds.base import Kind, Setting
from proctor_workers.statistics.arrays import Ints


def to_units(kind: Kind, setting: Setting, analysis: AnalysisSet) -> AnalysisSet:
    """Return one row a patient where the unit is the patient and an aggregation is named.

    A patient is failed with any failed case, else indeterminate with any indeterminate one. What
    becomes of outputs is the kind's matter.
    """
    estimand = setting.protocol.get("estimand") or {}
    aggregation = estimand.get("aggregation_to_patient", "none")
    if estimand.get("unit") != "patient" or aggregation == "none":
        return analysis
    patients = int(analysis.patient.max()) + 1
    _, first = np.unique(analysis.patient, return_index=True)
    if len(first) == len(analysis):
        return analysis
    rows = np.bincount(analysis.patient, minlength=patients)
    return replace(
        analysis,
        case=analysis.case[first],
        patient_name=analysis.patient_name[first],
        patient=np.arange(patients, dtype=np.int64),
        status=_status(analysis, patients),
        columns=kind.collapsed(analysis, aggregation, rows),
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


def _joined(patient: Ints, values: Texts, patients: int) -> Texts:
    """Join a patient's differing values with "|"."""
    parts: list[set[str]] = [set() for _ in range(patients)]
    for code, value in zip(patient.tolist(), values.tolist(), strict=True):
        if value is not None:
            parts[code].add(str(value))
    joined: Texts = np.array(["|".join(sorted(one)) or None for one in parts], dtype=object)
    return joined
