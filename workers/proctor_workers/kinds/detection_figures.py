"""The numbers of the FROC figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds.base import Described
from proctor_workers.metrics.detection import froc
from proctor_workers.metrics.detection.intervals import replicates
from proctor_workers.metrics.detection.quantities import of_sample
from proctor_workers.metrics.detection.responses import FreeResponse
from proctor_workers.metrics.sample import Sample
from proctor_workers.missing_outputs import apply_rule
from proctor_workers.statistics.arrays import Floats

_MOST_POINTS = 400
_FEWEST_PATIENTS = 11  # a step of the curve that the public sees
_CURVES = {"froc_sensitivity", "froc_score", "wafroc_auc", "afroc_auc", "patient_auroc"}


def figures(study: Study, analysis: AnalysisSet, results: Sequence[Result]) -> list[Figure]:
    """Return the FROC curve by the first endpoint's hit rule, with a band by patients."""
    endpoint = _endpoint(study)
    sample = apply_rule(study, analysis, endpoint, endpoint.rule).sample
    if not len(sample) or not sample["lesions"].sum():
        return []
    response = of_sample(sample, endpoint.parameters["false_marks_if_failed"])
    curve = froc.curve(response)
    rates = _rates(float(curve.nlf[-1]))
    thin = _thinned(curve)
    data = {
        "nlf": curve.nlf[thin].tolist(),
        "llf": curve.llf[thin].tolist(),
        "band": _band(study, sample, response, rates),
        "operating_points": _points(study, results),
        "public": _stepped(response, curve),
    }
    return [Figure(id="froc", kind="froc", title="FROC curve", data=data)]


def _endpoint(study: Study) -> Endpoint:
    first = next((one for one in study.endpoints if "hit_rule" in one.parameters), None)
    given = next((one for one in study.endpoints if one.metric in _CURVES), first)
    parameters = {} if given is None else dict(given.parameters)
    rule = None if given is None else given.rule
    described = Described(
        metric="froc_score",
        target=None if given is None else given.target,
        parameters={name: parameters[name] for name in parameters if name != "rates"},
    )
    return study.endpoint(described, rule=rule)


def _rates(last: float) -> Floats:
    """Return rates for the band, from none to the end of the curve or 8 an image."""
    end = min(max(last, 1e-3), froc.RATES[-1])
    return np.concatenate([[0.0], np.geomspace(end / 200, end, 40)])


def _thinned(curve: froc.Curve) -> Any:
    """Return the points to draw: all, or as many as a figure resolves, the ends included."""
    last = len(curve.nlf) - 1
    return np.unique(np.linspace(0, last, min(last + 1, _MOST_POINTS)).astype(np.int64))


def _band(
    study: Study, sample: Sample, response: FreeResponse, rates: Floats
) -> dict[str, list[float]]:
    """Return pointwise percentile limits of the sensitivity."""
    _, stratum = sample.codes()
    plan = study.plan(_endpoint(study)).resampling(stratum)
    drawn = replicates(plan, froc.sensitivities(response, rates), len(rates) + 1)[:, :-1]
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if not len(drawn):
        return {"nlf": [], "lower": [], "upper": []}
    lower, upper = np.quantile(drawn, [0.025, 0.975], axis=0)
    return {"nlf": rates.tolist(), "lower": lower.tolist(), "upper": upper.tolist()}


def _stepped(response: FreeResponse, curve: froc.Curve) -> dict[str, list[float]]:
    """Return the curve in steps that at least 11 patients each have a mark in."""
    found = froc.events(response)
    run = np.cumsum(np.concatenate([[1], found.ends[:-1]]))[: len(found.ends)]
    kept, seen = [0], set()
    for event in range(len(run)):
        seen.add(int(found.patient[event]))
        if found.ends[event] and len(seen) >= _FEWEST_PATIENTS:
            kept.append(int(run[event]))
            seen = set()
    return {"nlf": curve.nlf[kept].tolist(), "llf": curve.llf[kept].tolist()}


def _points(study: Study, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return each operating point's results, by their ids."""
    whole = {
        (one.quantity, (one.extra or {}).get("operating_point")): one
        for one in reversed(results)
        if one.group is None and one.scenario is None
    }
    found = []
    for point in study.operating_points:
        false = whole.get(("false_marks_per_image", point))
        share = whole.get(("lesion_sensitivity", point))
        if false is not None and share is not None:
            found.append({"id": point, "nlf": false.id, "llf": share.id})
    return found
