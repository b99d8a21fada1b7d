"""The quantities of forecasts: a row of the sample is one forecast of several steps.

Columns, NaN where a forecast has no such step: `point` and `observed` (forecasts, steps),
`quantiles` (forecasts, levels, steps), `levels` (forecasts, levels), all rows alike; `lower` and
`upper` (forecasts, steps); `scale` (forecasts,).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from proctor_workers.metrics.forecasting import (
    ERRORS,
    INTERVALS,
    Formula,
    crps,
    error_columns,
    interval_columns,
    mean_of,
    mean_pinball,
    pinball_columns,
)
from proctor_workers.metrics.metric import Estimate, FormulaOfSums, Metric, Plan, absent
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Bools, Floats, group_sums
from proctor_workers.statistics.proportions import clopper_pearson, korn_graubard

ALL_STEPS = 0


def steps(sample: Sample, step: int) -> Bools:
    """Return which steps of each forecast count (forecasts, steps)."""
    known: Bools = np.isfinite(sample["observed"])
    if step != ALL_STEPS:
        at = np.zeros_like(known)
        at[:, step - 1 : step] = True
        known &= at
    return known


def _summed(sample: Sample, counted: Bools, columns: Floats) -> Floats:
    """Add the columns of all steps (rows, k) up to forecasts, weighted."""
    forecast, _ = np.nonzero(counted)
    weighted: Floats = group_sums(columns, forecast, len(sample)) * sample.weight[:, None]
    return weighted


def _error_sums(step: int, sample: Sample) -> Floats:
    counted = steps(sample, step)
    scale = sample["scale"] if "scale" in sample.columns else np.ones(len(sample))
    scales = np.broadcast_to(scale[:, None], counted.shape)[counted]
    columns = error_columns(sample["point"][counted], sample["observed"][counted], scales)
    return _summed(sample, counted, columns)


def _pinball_sums(step: int, sample: Sample) -> Floats:
    counted = steps(sample, step)
    quantiles = np.moveaxis(sample["quantiles"], 1, 2)[counted]
    columns = pinball_columns(quantiles, sample["observed"][counted], sample["levels"][0])
    return _summed(sample, counted, columns)


def _interval_sums(step: int, level: float, sample: Sample) -> Floats:
    counted = steps(sample, step)
    lower, upper = sample["lower"][counted], sample["upper"][counted]
    columns = interval_columns(lower, upper, sample["observed"][counted], level)
    return _summed(sample, counted, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastFormula(FormulaOfSums):
    """A formula of sums over the steps of all forecasts.

    `loss`: the formula of a single forecast's sums that the quantity averages; None where less is
    not better.
    """

    needs: str = "point"
    complete_cases: bool = True
    unit_scale: bool = False
    step: int
    loss: Formula | None = None

    def losses(self, sample: Sample) -> Floats:
        """Return each forecast's own mean loss (forecasts,); NaN without the step."""
        if self.loss is None:
            raise ValueError(f"{self.name} is no mean of losses")
        return self.loss(self.columns(sample))

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a step that no forecast has, and relative errors of an observation of 0."""
        del design
        counted = steps(sample, self.step)
        if not counted.any():
            return "not estimable: no case has this step"
        if self.name == "forecast_mape" and bool(np.any(sample["observed"][counted] == 0)):
            return "not estimable: an observation is 0"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage(ForecastFormula):
    """The share of observed steps inside the interval; steps of one patient are clustered."""

    needs: str = "interval"
    complete_cases: bool = False
    unit_scale: bool = True
    level: float
    reference_test: str | None = "R08"

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the share with exact limits at the effective size."""
        reason = self.refusal(sample, plan.design)
        if reason or plan.method == "bootstrap_bca":
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        counted = steps(sample, self.step)
        forecast, _ = np.nonzero(counted)
        observed = sample["observed"][counted]
        inside = (sample["lower"][counted] <= observed) & (observed <= sample["upper"][counted])
        hit, patient = inside.astype(np.float64), sample.patient[forecast]
        common: dict[str, Any] = {
            "n": len(sample),
            "patients": sample.patients,
            "n_positive": None,
            "numerator": float(hit.sum()),
            "denominator": float(len(hit)),
        }
        if len(np.unique(patient)) < len(hit) or sample.weighted:
            weight = sample.weight[forecast]
            part = korn_graubard(hit, patient, weight=weight, level=plan.level)
            return Estimate(
                **common,
                method="Korn-Graubard",
                value=part.estimate,
                lower=part.lower,
                upper=part.upper,
                effective_n=part.effective_n,
                flags=("weighted by the sampling weights",) if sample.weighted else (),
            )
        lower, upper = clopper_pearson(float(hit.sum()), len(hit), plan.level)
        return Estimate(
            **common,
            method="Clopper-Pearson",
            value=float(hit.mean()),
            lower=lower,
            upper=upper,
            effective_n=float(len(hit)),
        )


# Errors of either sign are no losses; squares are compared as they are, without the root.
_LOSSES: Mapping[str, Formula | None] = {"forecast_bias": None, "forecast_rmse": mean_of(3)}


def _errors(name: str, parameters: Mapping[str, Any]) -> Metric:
    step = int(parameters["step"])
    formula = ERRORS[name.removeprefix("forecast_")]
    return ForecastFormula(
        name=name,
        step=step,
        formula=formula,
        loss=_LOSSES.get(name, formula),
        columns=partial(_error_sums, step),
        needs="scale" if name == "mase" else "point",
    )


def _pinball(name: str, parameters: Mapping[str, Any]) -> Metric:
    step = int(parameters["step"])
    integral = name == "crps"
    formula = mean_of(1) if integral else mean_pinball
    return ForecastFormula(
        name=name,
        step=step,
        formula=formula,
        loss=formula,
        columns=partial(_crps_sums if integral else _pinball_sums, step),
        needs="quantiles",
    )


def _crps_sums(step: int, sample: Sample) -> Floats:
    """Return each forecast's steps and sum of scores; a score is linear in the losses."""
    sums = _pinball_sums(step, sample)
    each = crps(np.column_stack([np.ones(len(sums)), sums[:, 1:]]), sample["levels"][0])
    return np.column_stack([sums[:, 0], each])


def _intervals(name: str, parameters: Mapping[str, Any]) -> Metric:
    step, level = int(parameters["step"]), float(parameters["level"])
    score = INTERVALS["interval_score"]
    return ForecastFormula(
        name=name,
        step=step,
        formula=INTERVALS["width"] if name.endswith("width") else score,
        loss=None if name.endswith("width") else score,
        columns=partial(_interval_sums, step, level),
        needs="interval",
    )


def _coverage(name: str, parameters: Mapping[str, Any]) -> Metric:
    step, level = int(parameters["step"]), float(parameters["level"])
    return Coverage(
        name=name,
        step=step,
        level=level,
        formula=INTERVALS["coverage"],
        columns=partial(_covered_sums, step),
    )


def _covered_sums(step: int, sample: Sample) -> Floats:
    """Return each forecast's steps and covered steps; a missing forecast covers none."""
    counted = steps(sample, step)
    observed = sample["observed"]
    inside = counted & (sample["lower"] <= observed) & (observed <= sample["upper"])
    sums = np.column_stack([counted.sum(axis=1), inside.sum(axis=1)]).astype(np.float64)
    weighted: Floats = sums * sample.weight[:, None]
    return weighted


MAKERS: Mapping[str, Callable[[str, Mapping[str, Any]], Metric]] = {
    "forecast_bias": _errors,
    "forecast_mae": _errors,
    "forecast_rmse": _errors,
    "forecast_mape": _errors,
    "mase": _errors,
    "pinball_loss": _pinball,
    "crps": _pinball,
    "forecast_coverage": _coverage,
    "forecast_interval_width": _intervals,
    "forecast_interval_score": _intervals,
}
"""What makes each quantity from its parameters, by its name."""
