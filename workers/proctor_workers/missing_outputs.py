"""Rules for outputs that are missing or indeterminate, and the rates at which they occur."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Interval, Result, Role
from proctor_workers.analysis_set import FAILED, INDETERMINATE, OK, AnalysisSet
from proctor_workers.metrics.binary import METRICS, Metric
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools
from proctor_workers.statistics.proportions import clopper_pearson, korn_graubard

SCENARIOS = {
    "excluded": "exclude",
    "as_positive": "as_positive",
    "as_negative": "as_negative",
    "worst_case": "worst_case",
}
RULES = {
    "exclude": "missing and indeterminate outputs are left out",
    "as_positive": "missing and indeterminate outputs count as positive",
    "as_negative": "missing and indeterminate outputs count as negative",
    "worst_case": "missing and indeterminate outputs count as errors",
    "failed_as_error": "failed outputs count as errors; indeterminate ones are left out, "
    "their rate is reported",
}
_TREATMENT = {  # rule: (failed, indeterminate)
    "exclude": ("out", "out"),
    "as_positive": ("positive", "positive"),
    "as_negative": ("negative", "negative"),
    "worst_case": ("worst", "worst"),
    "failed_as_error": ("worst", "out"),
}


@dataclass(frozen=True, slots=True)
class Ruled:
    """The sample that a rule leaves, and which units of the analysis set are in it."""

    sample: Sample
    kept: Bools


def apply_rule(
    analysis: AnalysisSet, *, metric: str, operating_point: str | None, rule: str
) -> Ruled:
    """Give every missing output the place that the rule assigns for this quantity.

    The worst case is an error for decisions, a rank below (positives) or above (negatives) all
    others for scores, and a probability of 1 - y; calibration takes complete cases.
    """
    wanted = METRICS[metric]
    if rule not in _TREATMENT:
        raise InvalidInputError("The endpoint names no known rule for missing outputs.")
    failed, indeterminate = absent(analysis, wanted, operating_point)
    treatments = ("out", "out") if wanted.complete_cases else _TREATMENT[rule]
    if wanted.needs == "nothing":
        failed = indeterminate = np.zeros(len(analysis), dtype=np.bool_)
    kept = np.ones(len(analysis), dtype=np.bool_)
    as_positive = np.zeros(len(analysis), dtype=np.bool_)
    as_negative = np.zeros(len(analysis), dtype=np.bool_)
    for rows, treatment in zip((failed, indeterminate), treatments, strict=True):
        kept &= ~(rows & (treatment == "out"))
        as_positive |= rows & _taken_for(treatment, "positive", ~analysis.positive)
        as_negative |= rows & _taken_for(treatment, "negative", analysis.positive)
    score, call = analysis.score.copy(), None
    ends = (1.0, 0.0) if wanted.needs == "probability" else (np.inf, -np.inf)
    score[as_positive], score[as_negative] = ends
    if wanted.needs == "call":
        call = (_calls(analysis, operating_point) == 1) & ~as_negative | as_positive
    whole = Sample(
        patient=analysis.patient,
        positive=analysis.positive,
        score=score,
        call=call,
        weight=analysis.weight,
        stratum=analysis.stratum,
    )
    return Ruled(whole.take(kept), kept)


def _taken_for(treatment: str, end: str, wrong: Bools) -> Bools:
    if treatment == "worst":
        return wrong
    return np.full(len(wrong), treatment == end)


def _calls(analysis: AnalysisSet, operating_point: str | None) -> Any:
    if operating_point is None or operating_point not in analysis.call:
        raise InvalidInputError(
            f"The manifest declares no operating point '{operating_point}'.",
            cure="Name one of the manifest's operating points in the endpoint.",
        )
    return analysis.call[operating_point]


def absent(
    analysis: AnalysisSet, metric: Metric, operating_point: str | None
) -> tuple[Bools, Bools]:
    """Return which units lack the output this quantity needs: failed, indeterminate.

    A unit answered "ok" without the needed output counts as failed.
    """
    failed = analysis.status == FAILED
    indeterminate = analysis.status == INDETERMINATE
    if metric.needs == "call":
        failed = failed | ((analysis.status == OK) & (_calls(analysis, operating_point) < 0))
    elif metric.needs != "nothing":
        failed = failed | ((analysis.status == OK) & np.isnan(analysis.score))
    return failed.astype(np.bool_), indeterminate.astype(np.bool_)


def output_rates(
    analysis: AnalysisSet, groups: Mapping[str, tuple[Mapping[str, str] | None, Bools]]
) -> list[Result]:
    """Return the rates of failed and of indeterminate outputs in each group of units."""
    found = []
    for status in (FAILED, INDETERMINATE):
        quantity = "failure_rate" if status == FAILED else "indeterminate_rate"
        for suffix, (group, rows) in groups.items():
            found.append(_rate(analysis, status, quantity + suffix, quantity, group, rows))
    return found


def _rate(
    analysis: AnalysisSet,
    status: str,
    id_: str,
    quantity: str,
    group: Mapping[str, str] | None,
    rows: Bools,
) -> Result:
    patient = analysis.patient[rows]
    hit = (analysis.status[rows] == status).astype(np.float64)
    patients = len(np.unique(patient))
    common: dict[str, Any] = {
        "id": id_,
        "quantity": quantity,
        "role": Role.DESCRIPTIVE,
        "group": group,
        "n": len(hit),
        "patients": patients,
        "n_positive": int(analysis.positive[rows].sum()),
        "definition": f"Share of cases run whose output was {status}.",
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
