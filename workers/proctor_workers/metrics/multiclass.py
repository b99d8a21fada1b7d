"""Quantities of one category out of several: formulas of the confusion table's patient sums."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from proctor_workers.metrics.binary import METRICS as BINARY
from proctor_workers.metrics.metric import (
    Estimate,
    FormulaOfSums,
    Hits,
    Metric,
    Plan,
    Share,
    divide,
)
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums
from proctor_workers.statistics.categories import check_codes, check_scores
from proctor_workers.statistics.contingency import (
    agreement_weights,
    bowker,
    kappa,
    kappa_estimate,
    stuart_maxwell,
)

Formula = Callable[[Floats], Floats]
_SHIFTED = "refused: sampling was not consecutive, and no weights are given"
_EMPTY = "not estimable: a category has no case"


def one_hot(codes: Ints, categories: int) -> Bools:
    """Return which category each row has, (rows, k); a row of none where the code is negative."""
    return np.asarray(codes[:, None] == np.arange(categories)[None, :])


def table_columns(sample: Sample) -> Floats:
    """Return each row's weight in its cell of the confusion table, (rows, k * k).

    From `truth` and `called`, one-hot (rows, k); cells in the order (reference, called).
    """
    cells = sample["truth"][:, :, None] & sample["called"][:, None, :]
    return np.asarray(cells.reshape(len(sample), -1) * sample.weight[:, None])


def shifted(metric: Metric, design: Design) -> str | None:
    """Return why a quantity that depends on the categories' shares is refused by the design."""
    return _SHIFTED if metric.prevalence_bound and not design.represents_prevalence else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFormula(FormulaOfSums):
    """A formula of confusion counts, (..., k * k) -> (...).

    `ordered`: needs an order of the categories. `every_category`: needs a case of each.
    """

    columns: Callable[[Sample], Floats] = table_columns
    family: str = "table"
    needs: str = "category"
    prevalence_bound: bool = True
    ordered: bool = False
    every_category: bool = False

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the sampling shifts, and a category without a case where it counts."""
        if not len(sample):
            return "not estimable: no cases"
        missing = self.every_category and not sample["truth"].any(axis=0).all()
        return shifted(self, design) or (_EMPTY if missing else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa(TableFormula):
    """Cohen's kappa with a weighting scheme; beside it the tests of symmetry and of margins."""

    scheme: str

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return kappa with bootstrap limits, or linearised ones where the plan says so."""
        found = FormulaOfSums.estimate(self, sample, plan)
        if found.value is None:
            return found
        by_patient = tables(self.by_patient(sample)[0])
        extra = dict(found.extra) | category_tests(by_patient)
        if plan.method != "linearised":
            return replace(found, extra=extra)
        weights = agreement_weights(by_patient.shape[-1], self.scheme)
        linear = kappa_estimate(by_patient, weights, plan.level)
        return replace(
            found,
            method=linear.method,
            lower=linear.lower,
            upper=linear.upper,
            extra=extra | {"standard_error": linear.error, "p_value": linear.p_value},
        )


def category_tests(by_patient: Floats) -> dict[str, Any]:
    """Return Stuart and Maxwell's and Bowker's test of two labellings, (patients, k, k)."""
    return {
        f"{name}_{part}": value
        for name, test in (
            ("stuart_maxwell", stuart_maxwell(by_patient)),
            ("bowker", bowker(by_patient)),
        )
        for part, value in (
            ("statistic", test.statistic),
            ("df", test.df),
            ("p_value", test.p_value),
        )
    }


def called_by_both(first: Sample, second: Sample) -> Floats:
    """Return each patient's table of what two raters called the same rows, (patients, k, k)."""
    code, stratum = first.codes()
    cells = first["called"][:, :, None] & second["called"][:, None, :]
    weighted = cells.reshape(len(first), -1) * first.weight[:, None]
    return tables(group_sums(weighted, code, len(stratum)))


def confusion_columns(truth: Ints, called: Ints, categories: int, weight: Floats) -> Floats:
    """Return what each row adds to the confusion counts, (rows, k * k).

    Raises:
        UnknownCategoryError: a code lies outside 0..k - 1.
    """
    check_codes(truth, categories)
    check_codes(called, categories)
    columns = np.zeros((len(truth), categories * categories))
    columns[np.arange(len(truth)), truth * categories + called] = weight
    return columns


def tables(sums: Floats) -> Floats:
    """Give counts (..., k * k) their square shape (..., k, k)."""
    categories = math.isqrt(sums.shape[-1])
    return sums.reshape(*sums.shape[:-1], categories, categories)


def _hits(sums: Floats) -> Floats:
    return np.diagonal(tables(sums), axis1=-2, axis2=-1)


def _reference(sums: Floats) -> Floats:
    return np.asarray(tables(sums).sum(axis=-1))


def _called(sums: Floats) -> Floats:
    return np.asarray(tables(sums).sum(axis=-2))


def recall(sums: Floats) -> Floats:
    """Share of each category's cases that are called it, (..., k); NaN without a case."""
    return divide(_hits(sums), _reference(sums))


def precision(sums: Floats) -> Floats:
    """Share right of the cases called each category, (..., k).

    A category that is never called counts 0 where it has cases (nothing of it is found, as in
    F1), NaN where it has none.
    """
    never = (_called(sums) == 0) & (_reference(sums) > 0)
    return np.where(never, 0.0, divide(_hits(sums), _called(sums)))


def f1(sums: Floats) -> Floats:
    """Harmonic mean of precision and recall of each category, (..., k); NaN without a case."""
    value = divide(2 * _hits(sums), _reference(sums) + _called(sums))
    return np.where(_reference(sums) > 0, value, np.nan)


def _macro(per_category: Formula) -> Formula:
    """Average over all categories of the protocol; undefined where one has no case."""

    def mean(sums: Floats) -> Floats:
        found: Floats = per_category(sums).mean(axis=-1)
        return np.where((_reference(sums) > 0).all(axis=-1), found, np.nan)

    return mean


def _weighted(per_category: Formula) -> Formula:
    """Average weighted by the categories' cases; one without a case has no weight."""

    def mean(sums: Floats) -> Floats:
        cases = _reference(sums)
        value = np.where(cases > 0, per_category(sums), 0.0)
        return divide((value * cases).sum(axis=-1), cases.sum(axis=-1))

    return mean


def mcc(sums: Floats) -> Floats:
    """Correlation of two labellings (Gorodkin, Comput Biol Chem 2004;28:367).

    NaN where all cases have, or are called, one category.
    """
    total, right = sums.sum(axis=-1), _hits(sums).sum(axis=-1)
    cases, called = _reference(sums), _called(sums)
    spread_cases = total**2 - (cases**2).sum(axis=-1)
    spread_called = total**2 - (called**2).sum(axis=-1)
    defined = (spread_cases > 1e-12 * total**2) & (spread_called > 1e-12 * total**2)
    scale = np.sqrt(np.where(defined, spread_cases, 1.0)) * np.sqrt(
        np.where(defined, spread_called, 1.0)
    )
    return np.where(defined, (right * total - (cases * called).sum(axis=-1)) / scale, np.nan)


def _kappa(scheme: str) -> Formula:
    def weighted(sums: Floats) -> Floats:
        table = tables(sums)
        return kappa(table, agreement_weights(table.shape[-1], scheme))

    return weighted


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryShare(Share):
    """A share of all rows whose call is right in some sense, refused where sampling shifts it.

    Where some hits are fractions (ties at the edge of the top k), limits are bootstrapped.
    """

    family: str = "category_share"
    needs: str = "category"
    prevalence_bound: bool = True

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the sampling shifts, and a sample without rows."""
        return shifted(self, design) or Share.refusal(self, sample, design)

    def share_of(self, sample: Sample, design: Design) -> Hits | None:
        """Return what is counted, where every hit is whole."""
        counted = Share.share_of(self, sample, design)
        if counted is None or not np.isin(counted.hit, (0, 1)).all():
            return None
        return Hits(inside=counted.inside, hit=counted.hit.astype(np.bool_))

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return exact limits of whole hits, bootstrapped ones otherwise."""
        if self.refusal(sample, plan.design) or self.share_of(sample, plan.design):
            return Share.estimate(self, sample, plan)
        return self.bootstrapped(sample, plan)


def right(sample: Sample) -> Hits:
    """Count calls that are the reference category."""
    hit: Bools = np.any(sample["truth"] & sample["called"], axis=1)
    return Hits(inside=np.ones(len(sample), dtype=np.bool_), hit=hit)


def _among_highest(k: int, sample: Sample) -> Hits:
    hit: Any = top_k_hits(sample["scores"], sample["truth"].argmax(axis=1), k)
    return Hits(inside=np.ones(len(sample), dtype=np.bool_), hit=hit)


def top_k(k: int) -> CategoryShare:
    """Return top-k accuracy: the share of rows whose category is among the k highest scores."""
    return CategoryShare(name="top_k_accuracy", hits=partial(_among_highest, k), needs="scores")


_SHARE = CategoryShare(name="category_accuracy", hits=right)
_MEAN = TableFormula(name="", formula=_macro(recall), every_category=True)
TABLES: dict[str, Metric] = {
    one.name: one
    for one in (
        _SHARE,
        *(replace(_SHARE, name=f"micro_{name}") for name in ("recall", "precision", "f1")),
        replace(_MEAN, name="macro_recall", prevalence_bound=False),
        replace(_MEAN, name="macro_precision", formula=_macro(precision)),
        replace(_MEAN, name="macro_f1", formula=_macro(f1)),
        TableFormula(name="weighted_recall", formula=_weighted(recall)),
        TableFormula(name="weighted_precision", formula=_weighted(precision)),
        TableFormula(name="weighted_f1", formula=_weighted(f1)),
        TableFormula(name="category_mcc", formula=mcc),
        Kappa(name="kappa", formula=_kappa("identity"), scheme="identity"),
        Kappa(name="kappa_linear", formula=_kappa("linear"), scheme="linear", ordered=True),
        Kappa(
            name="kappa_quadratic", formula=_kappa("quadratic"), scheme="quadratic", ordered=True
        ),
    )
}
# A category against the rest, by the category that is called: the binary rates of positive, call.
CLASS_RATES: dict[str, Metric] = {
    name: replace(BINARY[rate], name=name)
    for name, rate in (
        ("class_recall", "sensitivity"),
        ("class_specificity", "specificity"),
        ("class_precision", "ppv"),
        ("class_npv", "npv"),
        ("class_f1", "f1"),
    )
}


def top_k_hits(score: Floats, truth: Ints, k: int) -> Floats:
    """Return each row's chance that its category is among the k highest scores, (rows,).

    Scores tied at the edge share the places left, so that the order of the columns is nothing.

    Raises:
        UnknownCategoryError: a code lies outside the columns of `score`.
        UndefinedScoreError: a score is NaN.
        ValueError: k is not below the number of categories.
    """
    check_codes(truth, score.shape[1])
    check_scores(score)
    if not 1 <= k < score.shape[1]:
        raise ValueError("top-k accuracy needs 1 <= k < number of categories")
    own = score[np.arange(len(truth)), truth][:, None]
    above, tied = (score > own).sum(axis=1), (score == own).sum(axis=1)
    hits: Floats = np.clip((k - above) / tied, 0.0, 1.0)
    return hits
