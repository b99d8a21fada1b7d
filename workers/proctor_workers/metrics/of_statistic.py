"""Metrics made of a statistic: its value, resamples and influences come from one place."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from proctor_workers.metrics.metric import Estimate, Metric, Plan, absent
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.metrics.statistic import Statistic
from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.auc import logit_limits
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.proportions import Limits, normal_quantile

Scale = Literal["logit", "log", "plain"]
_METHODS = {
    "logit": "infinitesimal jackknife on the logit",
    "log": "infinitesimal jackknife on the log",
    "plain": "infinitesimal jackknife",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfStatistic(Metric):
    """A metric that `make` computes for a sample; `least` counts the patients that carry it.

    With a `scale` its limits are the infinitesimal jackknife's on that scale, unless the bootstrap
    is asked for or the value lies where the scale has none.
    """

    make: Callable[[Sample, Design], Statistic]
    refused: Callable[[Metric, Sample, Design], str | None]
    least: Callable[[Sample], int]
    noted: Callable[[Metric, Sample, Design], tuple[str, ...]]
    scale: Scale | None = None

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse by design, and what these rows do not determine."""
        if not len(sample):
            return "not estimable: no cases"
        reason = self.refused(self, sample, design)
        if reason is None:
            try:
                self.make(sample, design)
            except NotEstimableError as error:
                reason = f"not estimable: {error}"
        return reason

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return the patients that carry the quantity."""
        del design
        return self.least(sample)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the value; NaN where these rows do not determine it."""
        try:
            return self.make(sample, design).value
        except NotEstimableError:
            return math.nan

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the value in each resample."""
        return draws.values(self.make(sample, design).loop)

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return each patient's influence."""
        return self.make(sample, design).influence

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Name weights and the prevalence that the value is standardised to."""
        return self.noted(self, sample, design)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the value with limits on its scale, or by the bootstrap."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        found = self.make(sample, plan.design)
        limits = None
        if plan.method != "bootstrap_bca":
            limits = self._limits(found, sample, plan.level)
        if limits is None or self.scale is None:
            return self.bootstrapped(sample, plan)
        clustered = ", clustered by patient" if sample.clustered else ""
        return Estimate(
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method=_METHODS[self.scale] + clustered,
            value=found.value,
            lower=limits[0],
            upper=limits[1],
            effective_n=float(self.least(sample)),
            flags=self.flags(sample, plan.design),
            extra={"standard_error": self._error(found, sample)},
        )

    def _limits(self, found: Statistic, sample: Sample, level: float) -> Limits | None:
        error = self._error(found, sample)
        half = normal_quantile(level) * error
        if not error > 0:
            return None
        if self.scale == "logit" and 0 < found.value < 1:
            return logit_limits(found.value, error**2, level)
        if self.scale == "log" and found.value > 0:
            factor = math.exp(half / found.value)
            return found.value / factor, found.value * factor
        return (found.value - half, found.value + half) if self.scale == "plain" else None

    @staticmethod
    def _error(found: Statistic, sample: Sample) -> float:
        """Return the standard error, centred within the strata that the design fixed."""
        _, stratum = sample.codes()
        _, code = np.unique(stratum, return_inverse=True)
        size = np.bincount(code)
        centre = np.bincount(code, weights=found.influence) / size
        return math.sqrt(float(np.sum((found.influence - centre[code]) ** 2)))
