"""Slopes and intercepts of the device's values against the reference's, with their limits.

Columns: `value` and `reference`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from proctor_workers.metrics import method_comparison
from proctor_workers.metrics.method_comparison import centre_of, moment_columns
from proctor_workers.metrics.metric import Estimate, Metric, Plan, absent
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.metrics.value_metrics import ErrorFormula, Ranked, analytic
from proctor_workers.statistics import passing_bablok
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.lines import INTERCEPT, SLOPE, Line


def _line_sums(sample: Sample) -> Floats:
    """Return the weighted moments, and the plain sums that an intercept needs, (rows, 8)."""
    reference, value = sample["reference"], sample["value"]
    moments = moment_columns(reference, value, centre_of(reference, value))
    weighted: Floats = np.column_stack([moments, reference, value]) * sample.weight[:, None]
    return weighted


def _deming_intercept(sums: Floats, ratio: float) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = sums[..., 6] / sums[..., 0], sums[..., 7] / sums[..., 0]
    intercept: Floats = mean_y - method_comparison.deming_slope(sums, ratio) * mean_x
    return intercept


def _of_line(sample: Sample, line: Line, part: int) -> Estimate:
    slope = part == SLOPE
    return analytic(
        sample,
        value=line.slope if slope else line.intercept,
        limits=line.slope_limits if slope else line.intercept_limits,
        method=line.method,
        reason=line.reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deming(ErrorFormula):
    """Slope or intercept of the Deming line with the patient jackknife's limits."""

    columns: Callable[[Sample], Floats] = _line_sums
    family: str = "line"
    part: int
    ratio: float

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return slope or intercept; weighted rows by bootstrap."""
        reason = self.refusal(sample, plan.design)
        if reason or plan.method == "bootstrap_bca" or sample.weighted:
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        try:
            line = method_comparison.deming(
                sample["reference"],
                sample["value"],
                sample.patient,
                ratio=self.ratio,
                level=plan.level,
            )
        except NotEstimableError as error:
            return absent(sample, f"not estimable: {error}")
        return _of_line(sample, line, self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedDeming(Ranked):
    """Slope or intercept of the weighted Deming line with the patient jackknife's limits."""

    part: int
    ratio: float

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse values that are not positive: errors in proportion to them make no sense."""
        if len(sample) and min(sample["value"].min(), sample["reference"].min()) <= 0:
            return "not estimable: a value or reference value is not positive"
        return Ranked.refusal(self, sample, design)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return slope or intercept."""
        reason = self.refusal(sample, plan.design)
        if reason or plan.method == "bootstrap_bca":
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        try:
            line = method_comparison.weighted_deming(
                sample["reference"],
                sample["value"],
                sample.patient,
                ratio=self.ratio,
                level=plan.level,
            )
        except NotEstimableError as error:
            return absent(sample, f"not estimable: {error}")
        return _of_line(sample, line, self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassingBablok(Ranked):
    """Slope or intercept by the ranks of slopes; by bootstrap where patients repeat."""

    part: int

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse repeats beyond what can be resampled, and equal reference values."""
        if sample.clustered and len(sample) > passing_bablok.MOST_RESAMPLED:
            return "not estimable: too many rows of repeated patients for the bootstrap of slopes"
        if len(sample) and np.ptp(sample["reference"]) == 0:
            return "not estimable: all reference values are equal"
        return Ranked.refusal(self, sample, design)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return slope or intercept."""
        reason = self.refusal(sample, plan.design)
        if reason or plan.method == "bootstrap_bca" or sample.clustered:
            return absent(sample, reason) if reason else self.bootstrapped(sample, plan)
        try:
            line = passing_bablok.passing_bablok(
                sample["reference"], sample["value"], level=plan.level
            )
        except NotEstimableError as error:
            return absent(sample, f"not estimable: {error}")
        return _of_line(sample, line, self.part)


def _weighted_line(part: int, ratio: float, sample: Sample) -> Callable[[Ints, Floats], None]:
    code, _ = sample.codes()
    return method_comparison.weighted_deming_resampled(
        sample["reference"], sample["value"], code, ratio=ratio, part=part
    )


def _slope_ranks(part: int, sample: Sample) -> Callable[[Ints, Floats], None]:
    code, _ = sample.codes()
    if len(sample) > passing_bablok.MOST_RESAMPLED:
        return _nothing
    return passing_bablok.passing_bablok_resampled(
        sample["reference"], sample["value"], code, part=part
    )


def _nothing(times: Ints, values: Floats) -> None:
    """Give no value to any draw: the sample is too large to resample this statistic."""
    del times
    values[:] = np.nan


def _deming(name: str, parameters: Mapping[str, Any]) -> Metric:
    ratio, slope = float(parameters["ratio"]), name.endswith("slope")
    formula = method_comparison.deming_slope if slope else _deming_intercept
    part = SLOPE if slope else INTERCEPT
    return Deming(name=name, formula=partial(formula, ratio=ratio), part=part, ratio=ratio)


def _weighted_deming(name: str, parameters: Mapping[str, Any]) -> Metric:
    ratio, part = float(parameters["ratio"]), SLOPE if name.endswith("slope") else INTERCEPT
    loop = partial(_weighted_line, part, ratio)
    return WeightedDeming(name=name, loop=loop, part=part, ratio=ratio)


def _passing_bablok(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    part = SLOPE if name.endswith("slope") else INTERCEPT
    return PassingBablok(name=name, loop=partial(_slope_ranks, part), part=part)


MAKERS: Mapping[str, Callable[[str, Mapping[str, Any]], Metric]] = {
    "deming_slope": _deming,
    "deming_intercept": _deming,
    "weighted_deming_slope": _weighted_deming,
    "weighted_deming_intercept": _weighted_deming,
    "passing_bablok_slope": _passing_bablok,
    "passing_bablok_intercept": _passing_bablok,
}
"""What makes each quantity from its parameters, by its name."""
