"""The points of the ROC, calibration and decision curves; drawing is the report's."""

from typing import Any

import numpy as np

from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.proportions import clopper_pearson, korn_graubard

_MOST_POINTS = 400
_BINS = 10
_DECISION_STEPS = 50


def roc_points(sample: Sample) -> dict[str, Any]:
    """Return (false positive rate, true positive rate) at each distinct score, thinned.

    Thresholds are left out: scores never leave.
    """
    distinct, group = np.unique(-sample.score, return_inverse=True)
    weight = sample.weight
    tp = np.cumsum(np.bincount(group, weights=weight * sample.positive, minlength=len(distinct)))
    fp = np.cumsum(np.bincount(group, weights=weight * ~sample.positive, minlength=len(distinct)))
    sensitivity = np.concatenate(([0.0], tp / tp[-1]))
    false_positive = np.concatenate(([0.0], fp / fp[-1]))
    kept = np.unique(np.linspace(0, len(sensitivity) - 1, _MOST_POINTS).round().astype(np.int64))
    if len(sensitivity) <= _MOST_POINTS:
        kept = np.arange(len(sensitivity))
    return {
        "false_positive_rate": false_positive[kept].tolist(),
        "true_positive_rate": sensitivity[kept].tolist(),
    }


def calibration_points(sample: Sample) -> list[dict[str, Any]]:
    """Return observed share with limits against mean probability in ten equally filled bins."""
    order = np.argsort(sample.score, kind="stable")
    points = []
    for rows in np.array_split(order, min(_BINS, len(order))):
        hit = sample.positive[rows].astype(np.float64)
        patient = sample.patient[rows]
        if len(np.unique(patient)) < len(rows):
            part = korn_graubard(hit, patient)
            lower, upper, method = part.lower, part.upper, "Korn-Graubard"
        else:
            lower, upper = clopper_pearson(float(hit.sum()), len(hit))
            method = "Clopper-Pearson"
        points.append(
            {
                "predicted": float(sample.score[rows].mean()),
                "observed": float(hit.mean()),
                "lower": lower,
                "upper": upper,
                "n": len(rows),
                "positive": int(hit.sum()),
                "method": method,
            }
        )
    return points


def net_benefit(sample: Sample, design: Design) -> dict[str, Any]:
    """Return net benefit over threshold probabilities, treat-all and treat-none (Vickers 2006).

    Classes are weighted to the design's prevalence where that is needed.
    """
    weight = sample.weight.copy()
    prevalence = design.standardised_to
    ones = sample.positive
    if prevalence is None:
        prevalence = float(weight[ones].sum() / weight.sum())
    threshold: Floats = np.arange(1, _DECISION_STEPS) / _DECISION_STEPS
    odds = threshold / (1 - threshold)
    share_one = _share_at_or_above(sample.score[ones], weight[ones], threshold)
    share_zero = _share_at_or_above(sample.score[~ones], weight[~ones], threshold)
    benefit = prevalence * share_one - (1 - prevalence) * share_zero * odds
    treat_all = prevalence - (1 - prevalence) * odds
    return {
        "threshold": threshold.tolist(),
        "model": benefit.tolist(),
        "treat_all": treat_all.tolist(),
        "treat_none": [0.0] * len(threshold),
        "prevalence": prevalence,
    }


def _share_at_or_above(score: Floats, weight: Floats, threshold: Floats) -> Floats:
    order = np.argsort(score, kind="stable")
    below = np.concatenate(([0.0], np.cumsum(weight[order])))
    place = np.searchsorted(score[order], threshold, side="left")
    share: Floats = 1 - below[place] / below[-1]
    return share
