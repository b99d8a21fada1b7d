"""Further quantities of one score for two classes: parts of the ROC curve, calibration, benefit.

Columns: `positive` and `score`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from proctor_workers.metrics.binary import (
    CellFormula,
    refused,
    smaller_class,
    standardised_flags,
)
from proctor_workers.metrics.calibration import (
    Binning,
    Norm,
    Risks,
    bin_edges,
    error_statistic,
    if_calibrated,
    positive_class,
    risks,
    spiegelhalter,
    top_label,
)
from proctor_workers.metrics.calibration_curve import Index, distance_statistic
from proctor_workers.metrics.metric import Estimate, FormulaOfSums, Metric, Plan, absent, divide
from proctor_workers.metrics.of_statistic import OfStatistic
from proctor_workers.metrics.partial_auc import partial_auc, sensitivity_at, specificity_at
from proctor_workers.metrics.roc import Scored, scored
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.metrics.statistic import Statistic
from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.draws import Stream

Parameters = Mapping[str, Any]
_BIASED = "no interval: a distance from calibration is too great in every sample"
_MISSES = "the interval misses its level where calibration is nearly perfect"


def scores_of(sample: Sample) -> Scored:
    """Return a sample's rows by score; its patients have the sample's codes."""
    return scored(sample.score, sample.positive, sample.patient, sample.weight)


def risks_of(sample: Sample, prevalence: float | None) -> Risks:
    """Return a sample's probabilities, re-weighted to a prevalence."""
    return risks(sample.score, sample.positive, sample.patient, sample.weight, prevalence)


def _of_statistic(
    name: str, make: Callable[[Sample, Design], Statistic], needs: str, **more: Any
) -> Metric:
    return OfStatistic(
        name=name,
        family=f"risks.{name}",
        needs=needs,
        make=make,
        refused=refused,
        least=smaller_class,
        noted=standardised_flags,
        **more,
    )


def _ranked(name: str, make: Callable[[Scored], Statistic]) -> Metric:
    def made(sample: Sample, design: Design) -> Statistic:
        del design
        return make(scores_of(sample))

    return _of_statistic(name, made, "score")


def _partial_auc(name: str, parameters: Parameters) -> Metric:
    low, high = float(parameters["low"]), float(parameters["high"])
    if low >= high:
        raise ValueError("the range of a partial area begins below its end")
    return _ranked(
        name,
        lambda data: partial_auc(
            data, low, high, over=parameters["over"], standardised=parameters["standardised"]
        ),
    )


def _sensitivity_at(name: str, parameters: Parameters) -> Metric:
    return _ranked(name, lambda data: sensitivity_at(data, float(parameters["specificity"])))


def _specificity_at(name: str, parameters: Parameters) -> Metric:
    return _ranked(name, lambda data: specificity_at(data, float(parameters["sensitivity"])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance(OfStatistic):
    """A distance from perfect calibration: never below 0, and too great in every sample.

    Resamples repeat the excess, so that a bootstrap interval misses a distance near 0: an interval
    is given only where the protocol asks for the bootstrap. What a perfectly calibrated model would
    show stands beside the value.
    """

    draw: Callable[[Risks], Statistic]

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the value, and in `extra` its mean and 95th percentile under calibration."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        if plan.method == "bootstrap_bca":
            found = self.bootstrapped(sample, plan)
            return replace(found, flags=(*found.flags, _MISSES))
        data = risks_of(sample, plan.design.standardised_to)
        extra = {}
        if data.prevalence is None:
            drawn = if_calibrated(
                data, self.draw, Stream(plan.seed, f"{plan.stream}/{self.family}/calibrated")
            )
            if len(drawn):
                extra = {
                    "mean_if_calibrated": float(drawn.mean()),
                    "p95_if_calibrated": float(np.quantile(drawn, 0.95, method="inverted_cdf")),
                }
        return Estimate(
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method="point estimate",
            value=self.make(sample, plan.design).value,
            effective_n=float(smaller_class(sample)),
            flags=(*self.flags(sample, plan.design), _BIASED),
            extra=extra,
        )


def _never_tested(sample: Sample) -> int:
    """Return 0: what is too great in every sample is greatest in the smallest level."""
    del sample
    return 0


def _distance_metric(name: str, draw: Callable[[Risks], Statistic]) -> Metric:
    def made(sample: Sample, design: Design) -> Statistic:
        return draw(risks_of(sample, design.standardised_to))

    return Distance(
        name=name,
        family=f"risks.{name}",
        needs="probability",
        make=made,
        refused=refused,
        least=_never_tested,
        noted=standardised_flags,
        draw=draw,
        complete_cases=True,
        prevalence_bound=True,
    )


def _binned(name: str, parameters: Parameters, *, norm: Norm) -> Metric:
    chosen: dict[str, Binning] = {"equal_width": "equal width", "equal_mass": "equal mass"}
    look = positive_class if parameters["of"] == "positive_class" else top_label

    def make(data: Risks) -> Statistic:
        confidence = look(data)
        edges = bin_edges(confidence[0], int(parameters["bins"]), chosen[parameters["binning"]])
        return error_statistic(data, confidence, edges, norm)

    return _distance_metric(name, make)


def _distance(name: str, parameters: Parameters, *, index: Index) -> Metric:
    del parameters
    return _distance_metric(name, lambda data: distance_statistic(data, index))


def _squared_errors(sample: Sample) -> Floats:
    """Return each row's class weights, and its squared error by class (rows, 4)."""
    one, zero = sample.positive * sample.weight, ~sample.positive * sample.weight
    p = sample.score
    return np.column_stack([one, one * (1 - p) ** 2, zero, zero * p**2])


def scaled_brier(sums: Floats) -> Floats:
    """Return 1 - Brier / (pi (1 - pi)) of sums (..., 4) by class; pi is the prevalence.

    1 is perfect, 0 is as good as predicting the prevalence (Steyerberg, Epidemiology 2010;21:128).
    """
    one, zero = sums[..., 0], sums[..., 2]
    value: Floats = 1 - divide((sums[..., 1] + sums[..., 3]) * (one + zero), one * zero)
    return value


def _scaled_brier(name: str, parameters: Parameters) -> Metric:
    del parameters
    return _of_probabilities(name, _squared_errors, scaled_brier)


def _net_benefit(name: str, parameters: Parameters) -> Metric:
    threshold = float(parameters["threshold"])

    def columns(sample: Sample) -> Floats:
        one, zero = sample.positive * sample.weight, ~sample.positive * sample.weight
        call = sample.score >= threshold
        return np.column_stack([one, one * call, zero, zero * call])

    def benefit(sums: Floats) -> Floats:
        odds = threshold / (1 - threshold)
        return divide(sums[..., 1] - odds * sums[..., 3], sums[..., 0] + sums[..., 2])

    return _of_probabilities(name, columns, benefit)


def _of_probabilities(
    name: str, columns: Callable[[Sample], Floats], formula: Callable[[Floats], Floats]
) -> Metric:
    """Return a formula of (positives, their part, negatives, their part)."""
    return CellFormula(
        name=name,
        family=f"risks.{name}",
        columns=columns,
        formula=formula,
        needs="probability",
        prevalence_bound=True,
        unit_scale=False,
        reweighted=((0, 1), (2, 3)),
        totals=((0,), (2,)),
    )


def _departures(sample: Sample) -> Floats:
    p = sample.score
    departure = sample.weight * (sample.positive - p) * (1 - 2 * p)
    return np.column_stack([departure, (sample.weight * (1 - 2 * p)) ** 2 * p * (1 - p)])


def _standardised(sums: Floats) -> Floats:
    return divide(sums[..., 0], np.sqrt(np.maximum(sums[..., 1], 0.0)))


class Spiegelhalter(FormulaOfSums):
    """A test of the Brier score: z with its p value, no interval."""

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the design shifts, and probabilities that leave no variance."""
        reason = refused(self, sample, design)
        if reason is None and design.standardised_to is not None:
            reason = "refused: the test is of the prevalence that was sampled, not the declared one"
        return reason

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return 0: z grows with the size of a level, so that levels are not compared."""
        del sample, design
        return 0

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return z, and in `extra` its p value and the Brier score's expectation."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        try:
            found = spiegelhalter(risks_of(sample, None))
        except NotEstimableError as error:
            return absent(sample, f"not estimable: {error}")
        return Estimate(
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method=found.method,
            value=found.z,
            effective_n=float(smaller_class(sample)),
            flags=("a test: no interval", *self.flags(sample, plan.design)),
            extra={"p_value": found.p_value, "brier": found.brier, "expected": found.expected},
        )


def _spiegelhalter(name: str, parameters: Parameters) -> Metric:
    del parameters
    return Spiegelhalter(
        name=name,
        columns=_departures,
        formula=_standardised,
        needs="probability",
        prevalence_bound=True,
        complete_cases=True,
        unit_scale=False,
    )


MAKERS: Mapping[str, Callable[[str, Parameters], Metric]] = {
    "partial_auc": _partial_auc,
    "sensitivity_at_specificity": _sensitivity_at,
    "specificity_at_sensitivity": _specificity_at,
    "scaled_brier": _scaled_brier,
    "spiegelhalter_z": _spiegelhalter,
    "expected_calibration_error": partial(_binned, norm="mean"),
    "maximum_calibration_error": partial(_binned, norm="greatest"),
    "integrated_calibration_index": partial(_distance, index="ici"),
    "calibration_e50": partial(_distance, index="e50"),
    "calibration_e90": partial(_distance, index="e90"),
    "net_benefit": _net_benefit,
}
