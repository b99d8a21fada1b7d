"""The figures of one score for two classes, each with its band and its public form.

In the public form every step between two points holds at least 11 patients.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.result import Figure
from proctor_workers.endpoints import Study
from proctor_workers.kinds.base import Described
from proctor_workers.kinds.survival_figures import LEAST, numbers
from proctor_workers.metrics.binned import binned
from proctor_workers.metrics.calibration import Risks, calibration_bins
from proctor_workers.metrics.calibration_curve import smooth_curve
from proctor_workers.metrics.decision_curve import decision_curve
from proctor_workers.metrics.risks import risks_of, scores_of
from proctor_workers.metrics.roc import roc_band, roc_points, roc_points_of_ranges
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.checks import NotEstimableError

_RATES = np.arange(51) / 50
_THRESHOLDS = np.arange(1, 50) / 50
_BINS = 10
_SMOOTH = 41  # points that the flexible curve is drawn through


def roc(study: Study, sample: Sample, points: Sequence[dict[str, Any]]) -> Figure:
    """Return the ROC curve with a band and operating points."""
    data = scores_of(sample)
    band = roc_band(data, _RATES, _draws(study, sample), _level(study))
    within = {
        "false_positive_rate": _RATES.tolist(),
        "lower": numbers(band.lower),
        "upper": numbers(band.upper),
        "method": band.method,
    }
    ends = binned(-data.score, data.patient, LEAST)
    public = None
    if len(ends) > 1:
        public = _curve(*roc_points_of_ranges(data, ends)) | _common(within, points)
    exact = _curve(*roc_points(data)) | _common(within, points)
    return Figure(id="roc", kind="roc", title="ROC curve", data=exact | {"public": public})


def _curve(false_rate: Floats, true_rate: Floats) -> dict[str, Any]:
    return {
        "false_positive_rate": false_rate.tolist(),
        "true_positive_rate": true_rate.tolist(),
    }


def _common(band: dict[str, Any], points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"band": band, "operating_points": list(points)}


def calibration(study: Study, sample: Sample) -> Figure:
    """Return observed against predicted in bins, with the flexible curve through all rows."""
    data = risks_of(sample, None)
    level = _level(study)
    share = np.arange(1, _BINS + 1) / _BINS
    tenths = np.unique(np.quantile(data.probability, share, method="inverted_cdf"))
    wide = binned(data.probability, data.patient, max(LEAST, -(-data.patients // _BINS)))
    public = None
    if len(wide):
        public = {"bins": _bins(data, wide, level), "curve": _smooth(data, 0.05, level)}
    exact = {"bins": _bins(data, tenths, level), "curve": _smooth(data, 0.01, level)}
    return Figure(
        id="calibration",
        kind="calibration",
        title="Calibration",
        data=exact | {"public": public},
    )


def _bins(data: Risks, ends: Floats, level: float) -> list[dict[str, Any]]:
    return [
        {
            "predicted": one.predicted,
            "observed": one.observed,
            "lower": one.lower,
            "upper": one.upper,
            "n": one.n,
            "patients": one.patients,
            "positive": one.positive,
            "method": one.method,
        }
        for one in calibration_bins(data, ends, level)
    ]


def _smooth(data: Risks, edge: float, level: float) -> dict[str, Any] | None:
    """Return the flexible curve between two quantiles of the probabilities, where it exists."""
    try:
        fitted = smooth_curve(data)
    except NotEstimableError:
        return None
    low, high = np.quantile(data.probability, [edge, 1 - edge], method="inverted_cdf")
    at = np.linspace(low, high, _SMOOTH)
    observed, lower, upper = fitted.at(at, level)
    return {
        "predicted": at.tolist(),
        "observed": numbers(observed),
        "lower": numbers(lower),
        "upper": numbers(upper),
        "method": "logistic, restricted cubic spline of the logit, sandwich variance by patient",
    }


def decision(study: Study, sample: Sample) -> Figure:
    """Return net benefit over the declared thresholds, at the design's prevalence."""
    data = risks_of(sample, study.design.standardised_to)
    thresholds = _declared(study)
    curve = decision_curve(data, thresholds, _draws(study, sample), level=_level(study))
    exact = {
        "threshold": thresholds.tolist(),
        "model": numbers(curve.model.value),
        "lower": numbers(curve.model.lower),
        "upper": numbers(curve.model.upper),
        "treat_all": numbers(curve.treat_all.value),
        "treat_all_lower": numbers(curve.treat_all.lower),
        "treat_all_upper": numbers(curve.treat_all.upper),
        "treat_none": [0.0] * len(thresholds),
    }
    kept = apart(thresholds, data.probability, data.patient, LEAST)
    said = {"prevalence": curve.prevalence, "method": curve.model.method}
    public = None
    if len(kept) > 1:
        public = {name: [column[place] for place in kept] for name, column in exact.items()} | said
    return Figure(
        id="decision_curve",
        kind="decision_curve",
        title="Net benefit",
        data=exact | said | {"public": public},
    )


def _declared(study: Study) -> Floats:
    """Return the range from the least to the greatest threshold of the net benefit endpoints."""
    named = [
        float(one.parameters["threshold"]) for one in study.endpoints if one.metric == "net_benefit"
    ]
    if len(set(named)) < 2:
        return _THRESHOLDS
    return np.unique(np.concatenate([np.linspace(min(named), max(named), 50), named]))


def apart(thresholds: Floats, value: Floats, patient: Ints, least: int) -> list[int]:
    """Return the places of thresholds with enough patients' values before, between and after."""
    kept: list[int] = []
    below = -np.inf
    for place, threshold in enumerate(thresholds):
        if (
            len(np.unique(patient[(value >= below) & (value < threshold)])) >= least
            and len(np.unique(patient[value >= threshold])) >= least
        ):
            kept.append(place)
            below = threshold
    return kept


def _draws(study: Study, sample: Sample) -> Resampling:
    plan = study.plan(study.endpoint(Described(metric="auroc")))
    return plan.resampling(sample.codes()[1])


def _level(study: Study) -> float:
    return study.endpoints[0].level
