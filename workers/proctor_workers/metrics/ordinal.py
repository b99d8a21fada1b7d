"""Quantities of ordered categories: distances between them, order, each cut-off as two classes."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from proctor_workers.metrics.areas import Area
from proctor_workers.metrics.binary import METRICS as BINARY
from proctor_workers.metrics.metric import Hits, Loop, Metric, Weighted
from proctor_workers.metrics.multiclass import TABLES as CATEGORY_TABLES
from proctor_workers.metrics.multiclass import CategoryShare, TableFormula, shifted, tables
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.ordinal_association import (
    ORDINAL_AUC,
    SOMERS_D,
    TAU_B,
    association,
    association_batch,
    ordered_rows,
)
from proctor_workers.statistics.pairwise_auc import SeveralAuc

_ONE_CATEGORY = "not estimable: all cases are of one category"


def mean_category_error(sums: Floats) -> Floats:
    """Mean number of categories between call and reference, of counts (..., k * k)."""
    table = tables(sums)
    place = np.arange(table.shape[-1], dtype=np.float64)
    total = table.sum(axis=(-2, -1))
    away = (table * np.abs(place[:, None] - place[None, :])).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: Floats = np.where(total > 0, away / total, np.nan)
    return mean


def beside(sample: Sample) -> Hits:
    """Count calls at most one category beside the reference."""
    gap = np.abs(sample["truth"].argmax(axis=1) - sample["called"].argmax(axis=1))
    return Hits(inside=np.ones(len(sample), dtype=np.bool_), hit=gap <= 1)


TABLES: dict[str, Metric] = {
    name: CATEGORY_TABLES[name]
    for name in ("category_accuracy", "macro_recall", "kappa", "kappa_linear", "kappa_quadratic")
} | {
    "mean_category_error": TableFormula(
        name="mean_category_error",
        formula=mean_category_error,
        ordered=True,
        unit_scale=False,
    ),
    "within_one": CategoryShare(name="within_one", hits=beside),
}
# "This category or above" against below, by the category that is called.
CUTOFF_RATES: dict[str, Metric] = {
    f"cutoff_{rate}": replace(BINARY[rate], name=f"cutoff_{rate}")
    for rate in ("sensitivity", "specificity", "ppv", "npv")
}


def score_above(score: Floats, cutoff: int) -> Floats:
    """Return the probability of a category or any above it from those of each, (rows,)."""
    return np.asarray(score[:, cutoff:].sum(axis=1))


def expected_category(score: Floats) -> Floats:
    """Return each row's mean category under its probabilities (rows, k); NaN where they are none.

    Probabilities are not negative and add up to 1 within 1e-6.
    """
    proper = (score >= 0).all(axis=1) & (np.abs(score.sum(axis=1) - 1) <= 1e-6)
    mean = score @ np.arange(score.shape[1], dtype=np.float64)
    return np.asarray(np.where(proper, mean, np.nan))


def _loop(measure: int, sample: Sample) -> Loop:
    code, _ = sample.codes()
    order, starts = ordered_rows(sample["rank"])
    return partial(association_batch, measure, order, starts, _truth(sample), sample.weight, code)


def _truth(sample: Sample) -> Ints:
    return np.asarray(sample["truth"].argmax(axis=1), dtype=np.int64)


def _influence(measure: int, sample: Sample) -> Floats:
    code, stratum = sample.codes()
    found = association(measure, sample["rank"], _truth(sample), code, len(stratum))
    return found.influence


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMeasure(Weighted):
    """Somers' D or Kendall's tau-b of `rank` and reference category."""

    needs: str = "rank"
    unit_scale: bool = False
    prevalence_bound: bool = True

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the sampling shifts, one category, and for tau-b one rank."""
        if reason := shifted(self, design):
            return reason
        if np.count_nonzero(sample["truth"].any(axis=0)) < 2:
            return _ONE_CATEGORY
        same = self.name == "kendall_tau_b" and len(np.unique(sample["rank"])) < 2
        return "not estimable: all cases have one rank" if same else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinalArea(Area):
    """The chance that of two cases of different categories the higher one ranks higher."""

    name: str = "ordinal_auc"
    needs: str = "rank"
    family: str = "ordinal_auc"
    prevalence_bound: bool = True

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the sampling shifts, and one category."""
        one = np.count_nonzero(sample["truth"].any(axis=0)) < 2
        return shifted(self, design) or (_ONE_CATEGORY if one else None)

    def loop(self, sample: Sample) -> Loop:
        """Return the area of draw counts."""
        return _loop(ORDINAL_AUC, sample)

    def found(self, sample: Sample) -> SeveralAuc:
        """Return value, variance, df and influence."""
        code, stratum = sample.codes()
        one = association(ORDINAL_AUC, sample["rank"], _truth(sample), code, len(stratum))
        return SeveralAuc(
            value=one.value,
            variance=one.variance,
            df=float(max(len(stratum) - 1, 1)),
            influence=one.influence,
        )

    def classes(self, sample: Sample) -> list[int]:
        """Return the rows of each category."""
        return [int(size) for size in np.bincount(_truth(sample)) if size]


ORDER: dict[str, Metric] = {
    "ordinal_auc": OrdinalArea(),
    "somers_d": OrderMeasure(
        name="somers_d",
        loop=partial(_loop, SOMERS_D),
        of_patients=partial(_influence, SOMERS_D),
        family="somers_d",
    ),
    "kendall_tau_b": OrderMeasure(
        name="kendall_tau_b",
        loop=partial(_loop, TAU_B),
        of_patients=partial(_influence, TAU_B),
        family="kendall_tau_b",
    ),
}
