"""Rules for outputs that are missing or indeterminate, and the rates at which they occur."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Interval, Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import FAILED, INDETERMINATE, OK
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds.base import NEGATIVE, POSITIVE, WORST, View
from proctor_workers.metrics.sample import Column, Sample
from proctor_workers.statistics.arrays import Bools
from proctor_workers.statistics.proportions import clopper_pearson, korn_graubard

SCENARIOS = {
    "excluded": "exclude",
    "as_positive": "as_positive",
    "as_negative": "as_negative",
    "worst_case": "worst_case",
}
_TREATMENT = {  # rule: (failed, indeterminate)
    "exclude": ("out", "out"),
    "as_positive": ("positive", "positive"),
    "as_negative": ("negative", "negative"),
    "worst_case": ("worst", "worst"),
    "failed_as_error": ("worst", "out"),
    "best_case": ("best", "best"),  # for the other arm of a comparison only
}


_RATES = {
    "failure_rate": "Share of cases run without a usable output: failed, or answered without what "
    "an endpoint of the protocol needs.",
    "indeterminate_rate": "Share of cases run whose output was indeterminate.",
}


@dataclass(frozen=True, slots=True)
class Ruled:
    """The sample that a rule leaves, and which units of the analysis set are in it."""

    sample: Sample
    kept: Bools


def apply_rule(study: Study, analysis: AnalysisSet, endpoint: Endpoint, rule: str) -> Ruled:
    """Give every missing output the place that the rule assigns for this endpoint's quantity.

    What the worst case is, and what counts as positive, is the kind's matter; quantities of
    complete cases leave missing outputs out under every rule.

    Raises:
        InvalidInputError: the quantity has no such place for a missing output.
    """
    if rule not in _TREATMENT:
        raise InvalidInputError("The endpoint names no known rule for missing outputs.")
    view = study.view(analysis, endpoint)
    failed, indeterminate = _absent(analysis, view, endpoint)
    treatments = ("out", "out") if endpoint.quantity.complete_cases else _TREATMENT[rule]
    kept = np.ones(len(analysis), dtype=np.bool_)
    columns = dict(view.columns)
    for rows, treatment in zip((failed, indeterminate), treatments, strict=True):
        if treatment == "out" or not rows.any():
            kept &= ~rows
            continue
        if treatment not in view.fills:
            raise InvalidInputError(
                f"{endpoint.metric} has no place for a missing output under the rule '{rule}'.",
                cure="Choose failed_as_error, worst_case or exclude.",
            )
        for name, filled in view.fills[treatment].items():
            columns[name] = _filled(columns[name], rows, filled)
    whole = Sample(
        patient=analysis.patient, weight=analysis.weight, stratum=analysis.stratum, columns=columns
    )
    return Ruled(whole.take(kept), kept)


def _filled(column: Column, rows: Bools, filled: Column) -> Column:
    changed = column.copy()
    changed[rows] = filled[rows]
    return changed


def scenarios_of(study: Study, analysis: AnalysisSet, endpoint: Endpoint) -> dict[str, str]:
    """Return the ways of counting missing outputs that exist for an endpoint: name to rule."""
    fills = study.view(analysis, endpoint).fills
    places = {"as_positive": POSITIVE, "as_negative": NEGATIVE, "worst_case": WORST}
    return {
        name: rule
        for name, rule in SCENARIOS.items()
        if endpoint.quantity.complete_cases or rule not in places or places[rule] in fills
    }


def missing(study: Study, analysis: AnalysisSet, endpoint: Endpoint) -> bool:
    """Return whether any unit lacks the output that this endpoint's quantity needs."""
    failed, indeterminate = _absent(analysis, study.view(analysis, endpoint), endpoint)
    return bool(failed.any() or indeterminate.any())


def _absent(analysis: AnalysisSet, view: View, endpoint: Endpoint) -> tuple[Bools, Bools]:
    """Return which units lack the output this quantity needs: failed, indeterminate.

    A unit answered "ok" without the needed output counts as failed.
    """
    if endpoint.quantity.needs == "nothing":
        nobody = np.zeros(len(analysis), dtype=np.bool_)
        return nobody, nobody
    failed = (analysis.status == FAILED) | ((analysis.status == OK) & view.lacking)
    return failed.astype(np.bool_), (analysis.status == INDETERMINATE).astype(np.bool_)


def failed_units(study: Study, analysis: AnalysisSet) -> Bools:
    """Return the units without a usable output.

    They failed, or answered without what one of the protocol's endpoints needs: what counts as a
    failure in an endpoint is not left out of the failures that are told.
    """
    failed: Bools = (analysis.status == FAILED).astype(np.bool_)
    for endpoint in study.endpoints:
        if endpoint.role is not Role.DESCRIPTIVE:
            failed |= _absent(analysis, study.view(analysis, endpoint), endpoint)[0]
    return failed


def output_rates(
    study: Study,
    analysis: AnalysisSet,
    groups: Mapping[str, tuple[Mapping[str, str] | None, Bools]],
) -> list[Result]:
    """Return the rates of failed and of indeterminate outputs in each group of units."""
    units = {
        "failure_rate": failed_units(study, analysis),
        "indeterminate_rate": (analysis.status == INDETERMINATE).astype(np.bool_),
    }
    return [
        _rate(analysis, hit[rows], quantity + suffix, quantity, group, rows)
        for quantity, hit in units.items()
        for suffix, (group, rows) in groups.items()
    ]


def _rate(
    analysis: AnalysisSet,
    units: Bools,
    id_: str,
    quantity: str,
    group: Mapping[str, str] | None,
    rows: Bools,
) -> Result:
    patient = analysis.patient[rows]
    hit = units.astype(np.float64)
    patients = len(np.unique(patient))
    common: dict[str, Any] = {
        "id": id_,
        "quantity": quantity,
        "role": Role.DESCRIPTIVE,
        "group": group,
        "n": len(hit),
        "patients": patients,
        "n_positive": None if analysis.positive is None else int(analysis.positive[rows].sum()),
        "definition": _RATES[quantity],
        "reference_test": "R08",
    }
    if not len(hit):
        return Result(**common, method="none", flags=("not estimable: no cases",))
    if patients < len(hit):
        part = korn_graubard(hit, patient)
        limits, method = (part.lower, part.upper), "Korn-Graubard"
    else:
        limits, method = clopper_pearson(float(hit.sum()), len(hit)), "Clopper-Pearson"
    return Result(
        **common,
        method=method,
        estimate=float(hit.mean()),
        interval=Interval(lower=limits[0], upper=limits[1], level=0.95, method=method),
        numerator=float(hit.sum()),
        denominator=float(len(hit)),
    )
