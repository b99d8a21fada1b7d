"""Quantities of tasks that give each case a value of its own: mean, median, share at a goal.

For overlap, distances, point errors, image errors. A case whose value is NaN has none by the task's
policy (two empty masks, say): it is left out and counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from proctor_workers.metrics.metric import (
    Estimate,
    FormulaOfSums,
    Hits,
    Loop,
    Plan,
    Share,
    Weighted,
    absent,
    divide,
)
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Floats, Ints, compiled
from proctor_workers.statistics.bootstrap import jackknife_influence
from proctor_workers.statistics.quantiles import resampled_quantile


def _value_columns(sample: Sample) -> Floats:
    """Return each row's weighted value and weight (rows, 2), both 0 where there is no value."""
    value = sample["value"]
    weight = np.where(np.isnan(value), 0.0, sample.weight)
    return np.column_stack([weight * np.nan_to_num(value), weight])


def _mean(sums: Floats) -> Floats:
    return divide(sums[..., 0], sums[..., 1])


def _no_value(sample: Sample) -> str | None:
    if not len(sample):
        return "not estimable: no cases"
    return "not estimable: no case has a value" if np.isnan(sample["value"]).all() else None


def _with_values(sample: Sample, why: str) -> tuple[Sample, tuple[str, ...]]:
    """Return the rows that have a value, and what a reader must know of the others."""
    without = np.isnan(sample["value"])
    left_out = int(without.sum())
    flags = (f"{left_out} cases left out: {why}",) if left_out else ()
    return sample.take(~without), flags


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMean(FormulaOfSums):
    """The mean of the cases' values, with patient-bootstrap limits.

    `left_out`: why a case may have no value, as a reader is told.
    """

    columns: Callable[[Sample], Floats] = _value_columns
    formula: Callable[[Floats], Floats] = _mean
    family: str = "case_mean"
    left_out: str

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a sample without any value."""
        del design
        return _no_value(sample)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return mean and limits over the cases that have a value."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        counted, flags = _with_values(sample, self.left_out)
        found = self.bootstrapped(counted, plan)
        return replace(found, flags=found.flags + flags)


def _median_loop(sample: Sample) -> Loop:
    code, _ = sample.codes()
    inside = ~np.isnan(sample["value"])
    return resampled_quantile(sample["value"][inside], code[inside], 0.5)


def _median_influence(sample: Sample) -> Floats:
    """Return the jackknife's influences, from the medians without each patient."""
    code, stratum = sample.codes()
    inside = ~np.isnan(sample["value"])
    without = medians_without(sample["value"][inside], code[inside], len(stratum))
    return jackknife_influence(without, stratum)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMedian(Weighted):
    """The median of the cases' values, with patient-bootstrap limits; takes no sampling weights."""

    loop: Callable[[Sample], Loop] = _median_loop
    of_patients: Callable[[Sample], Floats] | None = _median_influence
    family: str = "case_median"
    left_out: str

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a sample without any value, and rows that count unequally."""
        del design
        if sample.weighted:
            return "refused: a median takes no sampling weights"
        return _no_value(sample)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return median and limits over the cases that have a value."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        counted, flags = _with_values(sample, self.left_out)
        found = self.bootstrapped(counted, plan)
        return replace(found, flags=found.flags + flags)


def _reached(goal: float, higher_is_better: bool, sample: Sample) -> Hits:  # noqa: FBT001 - partial
    value = sample["value"]
    reached = value >= goal if higher_is_better else value <= goal
    return Hits(inside=~np.isnan(value), hit=reached)


def goal_share(name: str, goal: float, *, higher_is_better: bool) -> Share:
    """Return the share of cases at or beyond a goal."""
    return Share(name=name, hits=partial(_reached, goal, higher_is_better))


def over_cases(
    name: str,
    statistic: str,
    *,
    left_out: str,
    unit_scale: bool,
    complete_cases: bool,
    reference_test: str | None = None,
) -> CaseMean | CaseMedian:
    """Return the mean or the median of the cases' values; `left_out` says why a case has none."""
    form = CaseMedian if statistic == "median" else CaseMean
    return form(
        name=name,
        left_out=left_out,
        unit_scale=unit_scale,
        complete_cases=complete_cases,
        reference_test=reference_test,
    )


def medians_without(value: Floats, patient: Ints, patients: int) -> Floats:
    """Return the median of the rows (n,) without each patient's (patients,); NaN if none is left.

    In linear time after sorting: leaving rows out moves the two middle places by as many of those
    rows as lie at or below them.
    """
    order = np.argsort(value, kind="stable")
    code = patient[order]
    places = np.argsort(code, kind="stable").astype(np.int64)
    first = np.concatenate(([0], np.cumsum(np.bincount(code, minlength=patients))))
    medians = np.full(patients, np.nan)
    _leave_out(value[order], places, first.astype(np.int64), medians)
    return medians


@compiled
def _leave_out(ordered: Floats, places: Ints, first: Ints, medians: Floats) -> None:
    for patient in range(len(medians)):
        gone = places[first[patient] : first[patient + 1]]
        left = len(ordered) - len(gone)
        if left == 0:
            continue
        low, high = (left - 1) // 2, left // 2
        for place in gone:
            low += place <= low
            high += place <= high
        medians[patient] = (ordered[low] + ordered[high]) / 2
