"""A metric on some rows of a sample, as a quantity over draws of all the sample's patients."""

from dataclasses import dataclass

import numpy as np

from proctor_workers.metrics import ranked
from proctor_workers.metrics.metric import FormulaOfSums, Metric, Plan, Share, Weighted
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.shared import (
    Formula,
    Quantity,
    among_all,
    first_output,
    quantity_of_loop,
    quantity_of_sums,
)

_RANKED = {"auroc": ranked.AUROC, "auprc": ranked.AUPRC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawable:
    """A metric on a sample whose patients are drawn; `code` is each row's patient, 0..patients-1.

    What cannot be redrawn patient by patient has no quantity: `of` and `size` answer None.
    """

    metric: Metric
    sample: Sample
    plan: Plan
    code: Ints
    stratum: Ints

    def draws(self) -> Resampling:
        """Return the draws of these patients."""
        return self.plan.resampling(self.stratum)

    def of(self, rows: Bools) -> Quantity | None:
        """Return the metric on some rows; its value is NaN where the metric is refused there."""
        part, design = self.sample.take(rows), self.plan.design
        patients = len(self.stratum)
        if not len(part) or self.metric.refusal(part, design) is not None:
            return undefined(patients)
        if isinstance(self.metric, FormulaOfSums | Share):
            sums = group_sums(self.metric.columns(part), self.code[rows], patients)
            apply = self.metric.apply
            return quantity_of_sums(sums, lambda total: apply(total, design))
        own = np.flatnonzero(np.bincount(self.code[rows], minlength=patients))
        influence = self.metric.influence(part, design)
        value = self.metric.point(part, design)
        if isinstance(self.metric, Weighted):
            return quantity_of_loop(self.metric.loop(part), influence, own, patients, value=value)
        if self.metric.family not in _RANKED:
            return None
        weight = np.ones(len(part)) if self.metric.family == "auroc" else part.weight
        order = ranked.ranking(part.score, part.positive, weight, self.code[rows])
        output = _RANKED[self.metric.family]
        return Quantity(
            value=value,
            kernel=ranked.RankedAreas(order, design.standardised_to),
            formula=lambda areas: areas[..., output],
            influence=among_all(influence, own, patients),
        )

    def size(self, rows: Bools) -> Quantity:
        """Return how much some rows tell of the metric, for weighing strata.

        A share: rows of its denominator. With m positives and n negatives: 1 / (1/m + 1/n), as an
        area's variance goes. Else rows.
        """
        weight = self.sample.weight * rows
        counted = self.metric.share_of(self.sample, self.plan.design)
        formula: Formula = first_output
        if counted is not None:
            columns = (weight * counted.inside)[:, None]
        elif "positive" in self.sample.columns:
            positive = self.sample.positive
            columns = np.column_stack([weight * positive, weight * ~positive])
            formula = _balanced
        else:
            columns = weight[:, None]
        return quantity_of_sums(group_sums(columns, self.code, len(self.stratum)), formula)


def drawable(metric: Metric, sample: Sample, plan: Plan) -> Drawable:
    """Number a sample's patients."""
    code, stratum = sample.codes()
    return Drawable(metric=metric, sample=sample, plan=plan, code=code, stratum=stratum)


def undefined(patients: int) -> Quantity:
    """Return a quantity without a value in any resample."""
    return quantity_of_sums(np.zeros((patients, 1)), _never)


def _never(sums: Floats) -> Floats:
    return np.full(sums.shape[:-1], np.nan)


def _balanced(sums: Floats) -> Floats:
    m, n = sums[..., 0], sums[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        size: Floats = np.where((m > 0) & (n > 0), m * n / (m + n), 0.0)
    return size
