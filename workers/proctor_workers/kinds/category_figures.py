"""Figures and errors of several categories or labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Figure
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK
from proctor_workers.endpoints import Study
from proctor_workers.kinds.base import Described
from proctor_workers.metrics.binned import binned
from proctor_workers.metrics.roc import roc_points, roc_points_of_ranges, scored
from proctor_workers.metrics.sample import Sample
from proctor_workers.missing_outputs import apply_rule
from proctor_workers.statistics.arrays import Bools, Floats, Ints
from proctor_workers.statistics.categories import NONE

PUBLIC_PATIENTS = 11  # behind every step of a figure that may be shown to everybody


def confusion(study: Study, analysis: AnalysisSet) -> list[Figure]:
    """Return the confusion matrix under the study's first rule for missing outputs."""
    endpoint = study.endpoint(Described(metric="kappa"))
    sample = apply_rule(study, analysis, endpoint, endpoint.rule).sample
    if not len(sample):
        return []
    cells = (sample["truth"][:, :, None] & sample["called"][:, None, :]).sum(axis=0)
    categories = list(study.setting.targets)
    return [
        Figure(
            id="confusion_matrix",
            kind="confusion_matrix",
            title="Called against reference category",
            data={
                "categories": categories,
                "cells": cells.tolist(),
                "n": len(sample),
                "rule": endpoint.rule,
                "public": {"categories": categories, "shares": _shares(sample, cells)},
            },
        )
    ]


def _shares(sample: Sample, cells: Ints) -> list[list[float] | None]:
    """Return how each reference category's cases were called; None for one of few patients."""
    found: list[list[float] | None] = []
    for category, row in enumerate(cells):
        patients = len(np.unique(sample.patient[sample["truth"][:, category]]))
        found.append((row / row.sum()).tolist() if patients >= PUBLIC_PATIENTS else None)
    return found


def curves(study: Study, analysis: AnalysisSet) -> list[Figure]:
    """Return the ROC curve of each category or label against the rest, in one figure."""
    lines, steps = [], []
    for target in study.setting.targets:
        try:
            endpoint = study.endpoint(Described(metric="auroc", target=target))
            sample = apply_rule(study, analysis, endpoint, endpoint.rule).sample
        except InvalidInputError:
            continue  # the lowest of ordered categories is no cut-off
        scores = np.isfinite(sample.score).any() if len(sample) else False
        if scores and endpoint.quantity.refusal(sample, study.design) is None:
            rows = scored(sample.score, sample.positive, sample.patient, sample.weight)
            lines.append(_line(target, *roc_points(rows)))
            ends = binned(-sample.score, sample.patient, PUBLIC_PATIENTS)
            steps.append(_line(target, *roc_points_of_ranges(rows, ends)))
    if not lines:
        return []
    return [
        Figure(
            id="roc_by_target",
            kind="roc_by_target",
            title="ROC curves, each against the rest",
            data={"curves": lines, "public": {"curves": steps}},
        )
    ]


def _line(target: str, false_rate: Floats, true_rate: Floats) -> dict[str, Any]:
    return {
        "target": target,
        "false_positive_rate": false_rate.tolist(),
        "true_positive_rate": true_rate.tolist(),
    }


def wrong_categories(study: Study, analysis: AnalysisSet, *, ordered: bool) -> list[dict[str, Any]]:
    """List the cases that are called another category; of ordered ones the farthest first."""
    targets = study.setting.targets
    truth, called = analysis["truth"], analysis["called"]
    wrong = np.flatnonzero((analysis.status == OK) & (called != NONE) & (called != truth))
    if ordered:
        wrong = wrong[np.argsort(-np.abs(called - truth)[wrong], kind="stable")]
    return [
        {
            "case": analysis.case[row],
            "outcome": "wrong_category",
            "score": _own_score(analysis, row, int(called[row])),
            "reference": targets[truth[row]],
            "called": targets[called[row]],
        }
        for row in wrong
    ]


def _own_score(analysis: AnalysisSet, row: Any, place: int) -> float | None:
    score = float(analysis["scores"][row, place])
    return score if np.isfinite(score) else None


def wrong_labels(study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
    """List false calls, operating point by operating point."""
    found: list[dict[str, Any]] = []
    for point in study.operating_points:
        endpoint = study.endpoint(Described(metric="accuracy", operating_point=point))
        view = study.view(analysis, endpoint)
        target = study.setting.operating_point(point).get("target")
        found += _wrong_at(analysis, view.columns, view.lacking, point, target)
    return found


def _wrong_at(
    analysis: AnalysisSet,
    columns: Mapping[str, Any],
    lacking: Bools,
    point: str,
    target: str | None,
) -> list[dict[str, Any]]:
    positive, call = columns["positive"], columns["call"]
    wrong = (analysis.status == OK) & ~lacking & (positive != call)
    return [
        {
            "case": analysis.case[row],
            "outcome": "false_positive" if call[row] else "false_negative",
            "score": None,
            "reference": "positive" if positive[row] else "negative",
            "operating_point": point,
        }
        | ({"target": target} if target else {})
        for row in np.flatnonzero(wrong)
    ]
