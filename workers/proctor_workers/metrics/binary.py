"""The quantities of binary classification: shares, formulas of the four cells, ranks, logits."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from proctor_workers.metrics import cells, ranked, recalibration
from proctor_workers.metrics.metric import (
    Estimate,
    FormulaOfSums,
    Hits,
    Metric,
    Plan,
    Share,
    absent,
    divide,
    share_limits,
)
from proctor_workers.metrics.predictive_values import accuracy_pair, at_prevalence
from proctor_workers.metrics.sample import Design, Sample, distinct
from proctor_workers.statistics import auc, predictive
from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.ordering import ascending

_SMALL_CLASS = 100  # below it a criterion on a high AUC is judged by method 5
_HIGH_AUC = 0.95
_NO_PREVALENCE = (
    "refused: sampling was not consecutive, and neither weights nor a target prevalence are given"
)
_UNWEIGHTED = "not weighted by the sampling weights"
_ONE_CLASS = "not estimable: one of the two classes is empty"


def refused(metric: Metric, sample: Sample, design: Design) -> str | None:
    """Return why a quantity of two classes cannot be given on this sample under this design."""
    if metric.prevalence_bound and not design.represents_prevalence and design.prevalence is None:
        return _NO_PREVALENCE
    if sample.n_positive in {0, len(sample)}:
        return _ONE_CLASS
    if metric.needs == "probability" and (np.min(sample.score) < 0 or np.max(sample.score) > 1):
        return "refused: the scores are not probabilities"
    return None


def smaller_class(sample: Sample) -> int:
    """Return the patients of the class that fewer patients have."""
    classes = (sample.positive, ~sample.positive)
    return min(distinct(sample.patient[rows]) for rows in classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFormula(FormulaOfSums):
    """A formula of tp, fn, fp, tn, re-weighted to a declared prevalence where the design needs it.

    For probabilities the columns are positives, negatives, the probability of either, and the
    squared error of either.
    """

    reweighted: tuple[tuple[int, ...], tuple[int, ...]] = ((0, 1), (2, 3))
    totals: tuple[tuple[int, ...], tuple[int, ...]] = ((0, 1), (2, 3))

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the design shifts, one class, and scores that are no probabilities."""
        return refused(self, sample, design)

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return the patients of the smaller class."""
        del design
        return smaller_class(sample)

    def apply(self, sums: Floats, design: Design) -> Floats:
        """Apply the formula, both classes weighted to the design's prevalence."""
        prevalence = design.standardised_to if self.prevalence_bound else None
        if prevalence is None:
            return self.formula(sums)
        scaled = np.array(sums, dtype=np.float64)
        part = (prevalence, 1 - prevalence)
        for columns, totals, wanted in zip(self.reweighted, self.totals, part, strict=True):
            total = sums[..., list(totals)].sum(axis=-1)
            factor = divide(np.full_like(total, wanted), total)
            for column in columns:
                scaled[..., column] = sums[..., column] * factor
        return self.formula(scaled)

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Name weights and the prevalence that the value is standardised to."""
        return standardised_flags(self, sample, design)


def standardised_flags(metric: Metric, sample: Sample, design: Design) -> tuple[str, ...]:
    """Say that a value is standardised to a prevalence, or weighted."""
    flags = []
    if metric.prevalence_bound and design.standardised_to is not None:
        flags.append(f"standardised to the declared prevalence {design.standardised_to:g}")
    if sample.weighted:
        flags.append("weighted by the sampling weights")
    return tuple(flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRate(CellFormula):
    """A rate of decisions: an exact share, or standardised where the design shifted it."""

    counted: Callable[[Sample], Hits]
    needs: str = "call"
    reference_test: str | None = "R08"

    def share_of(self, sample: Sample, design: Design) -> Hits | None:
        """Return what is counted, unless the rate is standardised to a prevalence."""
        standardised = self.prevalence_bound and design.standardised_to is not None
        return None if standardised else self.counted(sample)

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the design shifts, and an empty denominator."""
        if self.prevalence_bound and not design.represents_prevalence:
            return refused(self, sample, design)
        inside = self.counted(sample).inside
        return None if inside.any() else "not estimable: the denominator is empty"

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return the patients inside the denominator."""
        return FormulaOfSums.least_patients(self, sample, design)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return exact limits of a share, Mercaldo's at a declared prevalence, or bootstrap."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        counted = self.share_of(sample, plan.design)
        prevalence = plan.design.standardised_to
        if counted is not None and plan.method != "bootstrap_bca":
            return share_limits(counted, sample, plan)
        if counted is None and self.name in {"ppv", "npv"} and prevalence is not None:
            return at_prevalence(self.name, sample, prevalence, plan)
        return self.bootstrapped(sample, plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prevalence(Share):
    """The share of reference-positive rows, refused where the design fixed it."""

    needs: str = "nothing"

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a prevalence that the sampling chose."""
        if not design.represents_prevalence:
            return "refused: the sampling design fixed the prevalence"
        return Share.refusal(self, sample, design)


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodRatio(CellFormula):
    """A likelihood ratio with limits on the log scale."""

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the ratio and its log limits; half a case is added to each cell at zeros."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        pair = accuracy_pair(sample, plan.level)
        value, lower, upper = predictive.likelihood_ratio_limits(
            pair, positive=self.name == "lr_positive", level=plan.level
        )
        return Estimate(
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method="log ratio" + (", patient-clustered" if sample.clustered else ""),
            value=value,
            lower=lower,
            upper=upper,
            effective_n=min(pair.positives, pair.negatives),
            flags=("half a case added to each cell: one is empty",) if pair.touches_zero else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Auroc(Metric):
    """The area under the ROC curve with DeLong's or Obuchowski's limits on the logit."""

    family: str = "auroc"
    needs: str = "score"
    logit_scale: bool = True
    reference_test: str | None = "R01"

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse one class."""
        return refused(self, sample, design)

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return the patients of the smaller class."""
        del design
        return smaller_class(sample)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the share of pairs in order, ties half."""
        del design
        return auc.placements(sample.score, sample.positive).auc

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the area in each resample."""
        del design
        kernel = ranked.RankedAreas(ranked.sample_ranking(sample, weighted=False), None)
        return draws.replicate(kernel)[0][:, ranked.AUROC]

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return each patient's placements, centred."""
        del design
        code, stratum = sample.codes()
        return auc.patient_auc(sample.score, sample.positive, code, len(stratum)).influence

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Say that the area counts all pairs alike, and of which spectrum they are."""
        flags = [_UNWEIGHTED] if sample.weighted else []
        if not design.represents_prevalence:
            chosen = design.kind.replace("_", "-")
            flags.append(f"spectrum: the patients of a {chosen} sample, not of the population")
        return tuple(flags)

    def estimate(self, sample: Sample, plan: Plan) -> Estimate:
        """Return the area with limits by the rule for its size and what is decided."""
        reason = self.refusal(sample, plan.design)
        if reason:
            return absent(sample, reason)
        return (
            self.bootstrapped(sample, plan)
            if plan.method == "bootstrap_bca"
            else _area(sample, plan, self.flags(sample, plan.design))
        )


def _area(sample: Sample, plan: Plan, flags: tuple[str, ...]) -> Estimate:
    code, stratum = sample.codes()
    found = auc.patient_auc(sample.score, sample.positive, code, len(stratum))
    smaller = min(found.m, found.n)
    deciding = plan.planned_auc is not None and plan.planned_auc >= _HIGH_AUC
    degenerate = not 0 < found.auc < 1 or found.variance <= 0
    clustered = sample.clustered
    if degenerate or plan.method == "newcombe5" or (deciding and smaller < _SMALL_CLASS):
        m, n = found.m / found.design_effect, found.n / found.design_effect
        if degenerate:  # rows that agree entirely carry no more than their patients
            m, n = float(found.positive_patients), float(found.negative_patients)
        lower, upper = auc.newcombe_method5(found.auc, m, n, plan.level)
        method = "Newcombe method 5" + (", effective n" if clustered else "")
    else:
        lower, upper = auc.logit_limits(found.auc, found.variance, plan.level)
        method = "Obuchowski on the logit" if clustered else "logit-DeLong"
    keys, _ = ascending(sample.score)
    tied = np.concatenate((keys[1:] == keys[:-1], [False]))
    return Estimate(
        n=len(sample),
        patients=sample.patients,
        n_positive=found.m,
        method=method,
        value=found.auc,
        lower=lower,
        upper=upper,
        effective_n=smaller / found.design_effect,
        flags=flags,
        extra={
            "standard_error": math.sqrt(found.variance),
            "tied_share": float(np.sum(tied | np.roll(tied, 1))) / len(sample),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Auprc(Metric):
    """The area under the precision-recall curve: average precision."""

    family: str = "auprc"
    needs: str = "score"
    prevalence_bound: bool = True

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the design shifts, and one class."""
        return refused(self, sample, design)

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return the patients of the smaller class."""
        del design
        return smaller_class(sample)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the average precision at the design's prevalence."""
        return ranked.average_precision(sample, design.standardised_to)

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the average precision in each resample."""
        kernel = ranked.RankedAreas(ranked.sample_ranking(sample), design.standardised_to)
        return draws.replicate(kernel)[0][:, ranked.AUPRC]

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return the derivative by each patient's weight."""
        return ranked.precision_influence(sample, design.standardised_to)

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Name weights and the prevalence that the value is standardised to."""
        return standardised_flags(self, sample, design)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibration(Metric):
    """Intercept or slope of a logistic recalibration."""

    family: str = "logistic"
    needs: str = "probability"
    unit_scale: bool = False
    complete_cases: bool = True

    def _prevalence(self, design: Design) -> float | None:
        return design.standardised_to if self.prevalence_bound else None

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse what the design shifts, one class, and scores that are no probabilities."""
        return refused(self, sample, design)

    def least_patients(self, sample: Sample, design: Design) -> int:
        """Return the patients of the smaller class."""
        del design
        return smaller_class(sample)

    def point(self, sample: Sample, design: Design) -> float:
        """Return the fitted coefficient."""
        found = recalibration.fit(self.name, sample, self._prevalence(design))
        return found[self.name == "calibration_slope"]

    def replicate(self, sample: Sample, design: Design, draws: Resampling) -> Floats:
        """Return the coefficient in each resample."""
        loop = recalibration.resampled(self.name, sample, self._prevalence(design))
        return draws.values(loop)

    def influence(self, sample: Sample, design: Design) -> Floats:
        """Return the derivative by each patient's weight."""
        return recalibration.influence(self.name, sample, self._prevalence(design))

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Count the scores that have no logit."""
        edge = int(np.sum((sample.score <= 0) | (sample.score >= 1)))
        moved = (f"{edge} scores of exactly 0 or 1 moved inside",) if edge else ()
        prevalence = self._prevalence(design)
        if prevalence is None:
            return moved
        return (f"standardised to the declared prevalence {prevalence:g}", *moved)


_BY_CLASS: tuple[tuple[int, ...], tuple[int, ...]] = ((0, 2, 4), (1, 3, 5))


def _rate(
    name: str,
    counted: Callable[[Sample], Hits],
    formula: Callable[[Floats], Floats],
    *,
    bound: bool,
) -> CallRate:
    return CallRate(
        name=name,
        counted=counted,
        columns=cells.four_cells,
        formula=formula,
        prevalence_bound=bound,
    )


def _cell_formula(
    name: str, formula: Callable[[Floats], Floats], *, bound: bool = True, unit: bool = True
) -> CellFormula:
    return CellFormula(
        name=name,
        columns=cells.four_cells,
        formula=formula,
        needs="call",
        prevalence_bound=bound,
        unit_scale=unit,
    )


def _likelihood_ratio(name: str, formula: Callable[[Floats], Floats]) -> LikelihoodRatio:
    return LikelihoodRatio(
        name=name, columns=cells.four_cells, formula=formula, needs="call", unit_scale=False
    )


def _probability_formula(
    name: str, formula: Callable[[Floats], Floats], *, complete: bool
) -> CellFormula:
    return CellFormula(
        name=name,
        columns=cells.probabilities,
        formula=formula,
        needs="probability",
        family="probability",
        prevalence_bound=True,
        unit_scale=not complete,
        complete_cases=complete,
        reweighted=_BY_CLASS,
        totals=((0,), (1,)),
    )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _rate("sensitivity", cells.among_positives, cells.true_positive_rate, bound=False),
        _rate("specificity", cells.among_negatives, cells.true_negative_rate, bound=False),
        _rate("ppv", cells.among_positive_calls, cells.positive_predictive_value, bound=True),
        _rate("npv", cells.among_negative_calls, cells.negative_predictive_value, bound=True),
        _rate("accuracy", cells.right_calls, cells.accuracy, bound=True),
        Prevalence(name="prevalence", hits=cells.diseased, prevalence_bound=True),
        _likelihood_ratio("lr_positive", cells.lr_positive),
        _likelihood_ratio("lr_negative", cells.lr_negative),
        _cell_formula("balanced_accuracy", cells.balanced_accuracy, bound=False),
        _cell_formula("f1", cells.f1),
        _cell_formula("mcc", cells.mcc),
        _cell_formula("nnp", cells.nnp, unit=False),
        Auroc(name="auroc"),
        Auprc(name="auprc"),
        _probability_formula("brier", cells.brier, complete=False),
        _probability_formula("oe_ratio", cells.oe_ratio, complete=True),
        Recalibration(name="calibration_intercept", prevalence_bound=True),
        Recalibration(name="calibration_slope"),
    )
}
