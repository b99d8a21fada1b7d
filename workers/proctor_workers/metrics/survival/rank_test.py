"""The log-rank test between risk groups as a quantity: its statistic with a p value."""

from dataclasses import dataclass

import numpy as np

from proctor_workers.metrics.metric import Estimate, FormulaOfSums, Plan, absent, divide
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.metrics.survival.curves import log_rank, log_rank_parts
from proctor_workers.metrics.survival.follow_up import FollowUp, follow_up
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.checks import NotEstimableError


def _follow_up(sample: Sample) -> FollowUp:
    return follow_up(sample["time"], sample["event"], sample.patient, sample.weight)


def _groups(sample: Sample) -> Ints:
    groups: Ints = sample["high"].astype(np.int64)
    return groups


def score_columns(sample: Sample) -> Floats:
    """Return each patient's part of the score and its square (rows, 2), in the patient's first.

    The parts are those at the sample's own risk sets, which resamples of them leave as they are.
    """
    part = log_rank_parts(_follow_up(sample), _groups(sample))[:, 0]
    code, _ = sample.codes()
    _, first = np.unique(code, return_index=True)
    columns: Floats = np.zeros((len(sample), 2))
    columns[first] = np.column_stack([part, part**2])
    return columns


def chi_squared(sums: Floats) -> Floats:
    """Return the squared score over its variance by patient, of sums (..., 2)."""
    return divide(sums[..., 0] ** 2, sums[..., 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRank(FormulaOfSums):
    """The log-rank test of two risk groups: chi-squared with its p value, no interval."""

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse follow-up without events, and a risk group without cases."""
        del design
        if not np.any(sample["event"]):
            return "not estimable: there is no event"
        groups = len(np.unique(sample["high"]))
        return None if groups > 1 else "not estimable: one of the two risk groups is empty"

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return 0: the statistic grows with the size of a level, so levels are not compared."""
        del sample, design
        return 0

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return chi-squared, and in `extra` its p value and degrees of freedom."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        try:
            found = log_rank(_follow_up(sample), _groups(sample))
        except NotEstimableError as error:
            return absent(sample, f"not estimable: {error}")
        return Estimate(
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method=found.method,
            value=found.statistic,
            effective_n=float(len(np.unique(sample.patient[sample["event"]]))),
            flags=("a test: no interval", *self.flags(sample, plan.design)),
            extra={"p_value": found.p_value, "df": found.df},
        )
