"""What each quantity of binary classification is: its definition, needs and formula."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats

Formula = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One quantity. `needs` is call, probability, score or nothing.

    `family` says how it is estimated: proportion, ratio (LR), sums (a formula of patient sums),
    auroc, auprc or logistic.
    """

    name: str
    definition: str
    family: str
    needs: str
    prevalence_bound: bool = False
    unit_scale: bool = True
    complete_cases: bool = False
    reference_test: str | None = None
    formula: Formula | None = None


def _divide(top: Floats, bottom: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(bottom > 0, top / bottom, np.nan)
    return ratio


def _f1(cells: Floats) -> Floats:
    tp, fn, fp = cells[..., 0], cells[..., 1], cells[..., 2]
    return _divide(2 * tp, 2 * tp + fp + fn)


def _balanced_accuracy(cells: Floats) -> Floats:
    tp, fn, fp, tn = (cells[..., index] for index in range(4))
    return (_divide(tp, tp + fn) + _divide(tn, tn + fp)) / 2


def _mcc(cells: Floats) -> Floats:
    tp, fn, fp, tn = (cells[..., index] for index in range(4))
    margins = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return _divide(tp * tn - fp * fn, margins)


def _nnp(cells: Floats) -> Floats:
    tp, fn, fp, tn = (cells[..., index] for index in range(4))
    gain = _divide(tp, tp + fp) + _divide(tn, tn + fn) - 1
    return _divide(np.ones_like(gain), gain)


def _accuracy(cells: Floats) -> Floats:
    return _divide(cells[..., 0] + cells[..., 3], cells.sum(axis=-1))


def _brier(sums: Floats) -> Floats:
    return _divide(sums[..., 4] + sums[..., 5], sums[..., 0] + sums[..., 1])


def _oe_ratio(sums: Floats) -> Floats:
    return _divide(sums[..., 0], sums[..., 2] + sums[..., 3])


_ALL = (
    Metric(
        name="sensitivity",
        definition="Share of reference-positive cases called positive.",
        family="proportion",
        needs="call",
        reference_test="R08",
    ),
    Metric(
        name="specificity",
        definition="Share of reference-negative cases called negative.",
        family="proportion",
        needs="call",
        reference_test="R08",
    ),
    Metric(
        name="ppv",
        definition="Share of cases called positive that are reference-positive.",
        family="proportion",
        needs="call",
        prevalence_bound=True,
        reference_test="R08",
    ),
    Metric(
        name="npv",
        definition="Share of cases called negative that are reference-negative.",
        family="proportion",
        needs="call",
        prevalence_bound=True,
        reference_test="R08",
    ),
    Metric(
        name="accuracy",
        definition="Share of cases called as the reference standard has them.",
        family="proportion",
        needs="call",
        prevalence_bound=True,
        reference_test="R08",
        formula=_accuracy,
    ),
    Metric(
        name="prevalence",
        definition="Share of cases that are reference-positive.",
        family="proportion",
        needs="nothing",
        prevalence_bound=True,
        reference_test="R08",
    ),
    Metric(
        name="lr_positive",
        definition="Sensitivity divided by (1 - specificity).",
        family="ratio",
        needs="call",
        unit_scale=False,
    ),
    Metric(
        name="lr_negative",
        definition="(1 - sensitivity) divided by specificity.",
        family="ratio",
        needs="call",
        unit_scale=False,
    ),
    Metric(
        name="balanced_accuracy",
        definition="Mean of sensitivity and specificity.",
        family="sums",
        needs="call",
        formula=_balanced_accuracy,
    ),
    Metric(
        name="f1",
        definition="Harmonic mean of sensitivity and positive predictive value.",
        family="sums",
        needs="call",
        prevalence_bound=True,
        formula=_f1,
    ),
    Metric(
        name="mcc",
        definition="Matthews correlation of call and reference.",
        family="sums",
        needs="call",
        prevalence_bound=True,
        formula=_mcc,
    ),
    Metric(
        name="nnp",
        definition="Number needed to predict: 1 / (PPV + NPV - 1), blank where that sum is <= 1.",
        family="sums",
        needs="call",
        prevalence_bound=True,
        unit_scale=False,
        formula=_nnp,
    ),
    Metric(
        name="auroc",
        definition="Chance that a random positive scores above a random negative; ties half.",
        family="auroc",
        needs="score",
        reference_test="R01",
    ),
    Metric(
        name="auprc",
        definition="Average precision: precision at each recall step, ties together.",
        family="auprc",
        needs="score",
        prevalence_bound=True,
    ),
    Metric(
        name="brier",
        definition="Mean squared distance of the emitted probability from the reference.",
        family="sums",
        needs="probability",
        prevalence_bound=True,
        formula=_brier,
    ),
    Metric(
        name="oe_ratio",
        definition="Observed positives divided by the sum of emitted probabilities.",
        family="sums",
        needs="probability",
        prevalence_bound=True,
        unit_scale=False,
        complete_cases=True,
        formula=_oe_ratio,
    ),
    Metric(
        name="calibration_intercept",
        definition="Intercept of a logistic model with the score's logit as offset.",
        family="logistic",
        needs="probability",
        prevalence_bound=True,
        unit_scale=False,
        complete_cases=True,
    ),
    Metric(
        name="calibration_slope",
        definition="Slope of a logistic model on the score's logit.",
        family="logistic",
        needs="probability",
        unit_scale=False,
        complete_cases=True,
    ),
)
METRICS = {metric.name: metric for metric in _ALL}


@dataclass(frozen=True, slots=True)
class Hits:
    """A proportion's denominator (rows of the sample) and the hits within it."""

    inside: Bools
    hit: Bools


def hits(name: str, sample: Sample) -> Hits:
    """Return which rows a proportion counts."""
    positive = sample.positive
    if name == "prevalence":
        return Hits(np.ones(len(sample), dtype=np.bool_), positive)
    call = sample.calls()
    return {
        "sensitivity": Hits(positive, call),
        "specificity": Hits(~positive, ~call),
        "ppv": Hits(call, positive),
        "npv": Hits(~call, ~positive),
        "accuracy": Hits(np.ones(len(sample), dtype=np.bool_), call == positive),
    }[name]


def row_columns(metric: Metric, sample: Sample) -> Floats:
    """Return what each row adds to the sums that a formula takes.

    For decisions: tp, fn, fp, tn. For probabilities: positives, negatives, probability of either,
    squared error of either.
    """
    positive, weight = sample.positive, sample.weight
    if metric.needs == "call":
        call = sample.calls()
        cells = (positive & call, positive & ~call, ~positive & call, ~positive & ~call)
        return np.column_stack([cell * weight for cell in cells])
    one, zero = positive * weight, ~positive * weight
    p = sample.score
    return np.column_stack([one, zero, one * p, zero * p, one * (1 - p) ** 2, zero * p**2])


def evaluate(metric: Metric, sums: Floats, prevalence: float | None) -> Floats:
    """Apply a metric's formula to sums (..., k), re-weighting both classes to a prevalence."""
    if metric.formula is None:
        raise ValueError(f"{metric.name} is not a formula of sums")
    if prevalence is None:
        return metric.formula(sums)
    ones, zeros = ((0, 1), (2, 3)) if metric.needs == "call" else ((0, 2, 4), (1, 3, 5))
    head = (ones, zeros) if metric.needs == "call" else ((0,), (1,))
    scaled = np.array(sums, dtype=np.float64)
    share = (prevalence, 1 - prevalence)
    for columns, totals, part in zip((ones, zeros), head, share, strict=True):
        total = sums[..., list(totals)].sum(axis=-1)
        factor = _divide(np.full_like(total, part), total)
        for column in columns:
            scaled[..., column] = sums[..., column] * factor
    return metric.formula(scaled)
