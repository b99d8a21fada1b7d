"""The numbers of the figures of two classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Study
from proctor_workers.kinds import score_figures
from proctor_workers.kinds.base import Described
from proctor_workers.metrics.sample import Sample
from proctor_workers.missing_outputs import apply_rule


def figures(study: Study, analysis: AnalysisSet, results: Sequence[Result]) -> list[Figure]:
    """Return ROC, calibration and decision curve where they exist, and each cross table."""
    found = _of_scores(study, analysis, results)
    return [*found, *(_confusion(study, analysis, point) for point in study.operating_points)]


def _of_scores(study: Study, analysis: AnalysisSet, results: Sequence[Result]) -> list[Figure]:
    rule = next((one.rule for one in study.endpoints if one.metric == "auroc"), None)
    area = study.endpoint(Described(metric="auroc"), rule=rule)
    sample = apply_rule(study, analysis, area, area.rule).sample
    if not np.any(np.isfinite(sample.score)) or not 0 < sample.positive.sum() < len(sample):
        return []
    found = [score_figures.roc(study, sample, _points(study, results))]
    slope = study.endpoint(Described(metric="calibration_slope"))
    complete = apply_rule(study, analysis, slope, "exclude").sample
    if not 0 < complete.positive.sum() < len(complete):
        return found
    if complete.score.min() >= 0 and complete.score.max() <= 1:
        found += _of_probabilities(study, complete)
    return found


def _of_probabilities(study: Study, complete: Sample) -> list[Figure]:
    if not study.design.represents_prevalence and study.design.prevalence is None:
        return []  # calibration in the large and net benefit are refused under this sampling
    found = [score_figures.decision(study, complete)]
    if study.design.represents_prevalence:
        found.append(score_figures.calibration(study, complete))
    return found


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
    first = next((one for one in study.endpoints if one.operating_point == point), None)
    rule = study.endpoints[0].rule if first is None else first.rule
    accuracy = study.endpoint(Described(metric="accuracy", operating_point=point), rule=rule)
    sample = apply_rule(study, analysis, accuracy, rule).sample
    call, positive = sample.call, sample.positive
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
        data=cells | {"rule": rule, "n": len(sample)},
    )
