"""The numbers of every figure of a measurement."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.metrics.curves import calibration_points, net_benefit, roc_points
from proctor_workers.metrics.sample import Sample
from proctor_workers.missing_outputs import apply_rule


def measurement_figures(
    study: Study, analysis: AnalysisSet, results: Sequence[Result], flow: Mapping[str, Any]
) -> list[Figure]:
    """Return flow, ROC, calibration, decision, confusion and forest figures that exist."""
    figures = [Figure(id="flow", kind="flow", title="Flow of cases", data=flow)]
    figures += _score_figures(study, analysis, results)
    figures += [_confusion(study, analysis, point) for point in study.operating_points]
    figures += [
        figure for endpoint in study.endpoints if (figure := _forest(endpoint, results)) is not None
    ]
    return figures


def _score_figures(study: Study, analysis: AnalysisSet, results: Sequence[Result]) -> list[Figure]:
    rule = next((one.rule for one in study.endpoints if one.metric == "auroc"), None)
    sample = apply_rule(
        analysis, metric="auroc", operating_point=None, rule=rule or study.endpoints[0].rule
    ).sample
    if not np.any(np.isfinite(sample.score)) or not 0 < sample.positive.sum() < len(sample):
        return []
    figures = [
        Figure(
            id="roc",
            kind="roc",
            title="ROC curve",
            data=roc_points(sample) | {"operating_points": _points(study, results)},
        )
    ]
    complete = apply_rule(
        analysis, metric="calibration_slope", operating_point=None, rule="exclude"
    ).sample
    if not 0 < complete.positive.sum() < len(complete):
        return figures
    if complete.score.min() >= 0 and complete.score.max() <= 1:
        figures += _probability_figures(study, complete)
    return figures


def _probability_figures(study: Study, complete: Sample) -> list[Figure]:
    if not study.design.represents_prevalence and study.design.prevalence is None:
        return []  # calibration in the large and net benefit are refused under this sampling
    figures = [
        Figure(
            id="decision_curve",
            kind="decision_curve",
            title="Net benefit",
            data=net_benefit(complete, study.design),
        )
    ]
    if study.design.represents_prevalence and not complete.weighted:
        bins = {"bins": calibration_points(complete)}
        figures.append(Figure(id="calibration", kind="calibration", title="Calibration", data=bins))
    return figures


def _points(study: Study, results: Sequence[Result]) -> list[dict[str, Any]]:
    by_key = {
        (one.quantity, one.id.rpartition(".")[2]): one.estimate
        for one in results
        if one.group is None and one.scenario is None
    }
    return [
        {
            "id": point,
            "sensitivity": by_key.get(("sensitivity", point)),
            "specificity": by_key.get(("specificity", point)),
        }
        for point in study.operating_points
    ]


def _confusion(study: Study, analysis: AnalysisSet, point: str) -> Figure:
    endpoint = next(
        (one for one in study.endpoints if one.operating_point == point), study.endpoints[0]
    )
    sample = apply_rule(
        analysis, metric="accuracy", operating_point=point, rule=endpoint.rule
    ).sample
    call, positive = sample.calls(), sample.positive
    cells = {
        "tp": int(np.sum(call & positive)),
        "fp": int(np.sum(call & ~positive)),
        "fn": int(np.sum(~call & positive)),
        "tn": int(np.sum(~call & ~positive)),
    }
    return Figure(
        id=f"confusion.{point}",
        kind="confusion",
        title=f"Calls against the reference standard at '{point}'",
        data=cells | {"rule": endpoint.rule, "n": len(sample)},
    )


def _forest(endpoint: Endpoint, results: Sequence[Result]) -> Figure | None:
    rows = [
        _row(one)
        for one in results
        if one.group is not None
        and one.quantity == endpoint.metric
        and one.id.startswith(f"{endpoint.result_id}.")
        and one.estimate is not None
        and one.id == f"{endpoint.result_id}.{one.group['factor']}.{one.group['level']}"
    ]
    overall = next(one for one in results if one.id == endpoint.result_id)
    if not rows or overall.estimate is None:
        return None
    return Figure(
        id=f"forest.{endpoint.result_id}",
        kind="forest",
        title=f"{endpoint.result_id} by subgroup",
        data={"overall": _row(overall), "rows": rows, "quantity": endpoint.metric},
    )


def _row(result: Result) -> dict[str, Any]:
    interval = result.interval
    return {
        "result": result.id,
        "group": None if result.group is None else dict(result.group),
        "estimate": result.estimate,
        "lower": None if interval is None else interval.lower,
        "upper": None if interval is None else interval.upper,
        "n": result.n,
        "patients": result.patients,
        "flags": list(result.flags),
    }
