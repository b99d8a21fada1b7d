"""One quantity's estimate and interval by the rule for its kind; refusals carry their reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from proctor_workers.metrics import ranked, recalibration
from proctor_workers.metrics.binary import METRICS, Metric, evaluate, hits, row_columns
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics import auc, predictive
from proctor_workers.statistics.arrays import Floats, group_sums
from proctor_workers.statistics.bootstrap import (
    Resampling,
    acceleration,
    bca_limits,
    bootstrap_counts,
    bootstrap_sums,
    jackknife_influence,
)
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.proportions import clopper_pearson, korn_graubard, wilson

_SMALL_CLASS = 100  # below it a criterion on a high AUC is judged by method 5
_HIGH_AUC = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one quantity is estimated: the design, the interval and the resampling."""

    design: Design
    level: float = 0.95
    method: str = "auto"
    resamples: int = 2000
    seed: int = 0
    stream: str = "estimate"
    planned_auc: float | None = None  # of an endpoint that a criterion decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with limits and counts; without a value, `reason` says why."""

    n: int
    patients: int
    n_positive: int
    method: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    effective_n: float | None = None
    reason: str | None = None
    flags: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def estimate(name: str, sample: Sample, plan: Plan) -> Estimate:
    """Estimate a quantity of METRICS on a sample by the plan."""
    metric = METRICS[name]
    found = _refusal(metric, sample, plan.design)
    if found is not None:
        return _absent(sample, found)
    standardised = plan.design.standardised_to if metric.prevalence_bound else None
    if name in {"ppv", "npv"} and standardised is not None:
        return at_prevalence(name, sample, standardised, plan)
    if metric.family == "proportion" and standardised is None and plan.method != "bootstrap_bca":
        return _proportion(metric, sample, plan)
    if metric.family == "ratio":
        return _likelihood_ratio(metric, sample, plan)
    analytic = metric.family == "auroc" and plan.method != "bootstrap_bca"
    return _auroc(sample, plan) if analytic else _bootstrapped(metric, sample, plan, standardised)


def _refusal(  # noqa: PLR0911 - one flat list of reasons
    metric: Metric, sample: Sample, design: Design
) -> str | None:
    if metric.prevalence_bound and not design.represents_prevalence:
        if metric.name == "prevalence":
            return "refused: the sampling design fixed the prevalence"
        if design.prevalence is None:
            return (
                "refused: sampling was not consecutive, and neither weights nor a target "
                "prevalence are given"
            )
    positives = int(sample.positive.sum())
    if metric.name == "prevalence":
        return None if len(sample) else "not estimable: no cases"
    if metric.family == "proportion" and (
        design.standardised_to is None or not metric.prevalence_bound
    ):
        inside = hits(metric.name, sample).inside
        return None if inside.any() else "not estimable: the denominator is empty"
    if positives in {0, len(sample)}:
        return "not estimable: one of the two classes is empty"
    if metric.needs == "probability" and (np.min(sample.score) < 0 or np.max(sample.score) > 1):
        return "refused: the scores are not probabilities"
    return None


def _absent(sample: Sample, reason: str) -> Estimate:
    return Estimate(
        n=len(sample),
        patients=sample.patients,
        n_positive=int(sample.positive.sum()),
        method="none",
        reason=reason,
    )


def _proportion(metric: Metric, sample: Sample, plan: Plan) -> Estimate:
    counted = hits(metric.name, sample)
    inside = sample.take(counted.inside)
    hit = counted.hit[counted.inside].astype(np.float64)
    common: dict[str, Any] = {
        "n": len(inside),
        "patients": inside.patients,
        "n_positive": int(inside.positive.sum()),
        "numerator": float(hit.sum()),
        "denominator": float(len(hit)),
    }
    if inside.clustered or inside.weighted:
        part = korn_graubard(hit, inside.patient, weight=inside.weight, level=plan.level)
        return Estimate(
            **common,
            method="Korn-Graubard",
            value=part.estimate,
            lower=part.lower,
            upper=part.upper,
            effective_n=part.effective_n,
            flags=("weighted by the sampling weights",) if inside.weighted else (),
        )
    interval = wilson if plan.method == "wilson" else clopper_pearson
    lower, upper = interval(float(hit.sum()), len(hit), plan.level)
    return Estimate(
        **common,
        method="Wilson" if plan.method == "wilson" else "Clopper-Pearson",
        value=float(hit.mean()),
        lower=lower,
        upper=upper,
        effective_n=float(len(hit)),
    )


def accuracy_pair(sample: Sample, level: float) -> predictive.Accuracy:
    """Return sensitivity and specificity with effective sizes and their patient covariance."""
    parts = {name: hits(name, sample) for name in ("sensitivity", "specificity")}
    code, stratum = sample.codes()
    patients = len(stratum)
    rates, sizes, influences = [], [], []
    for part in parts.values():
        weight = sample.weight * part.inside
        rate = float(np.sum(weight * part.hit) / np.sum(weight))
        rates.append(rate)
        influences.append(
            group_sums(weight * (part.hit - rate) / np.sum(weight), code, patients)[:, 0]
        )
        inside = sample.take(part.inside)
        if inside.clustered or inside.weighted:
            hit = part.hit[part.inside].astype(np.float64)
            found = korn_graubard(hit, inside.patient, weight=inside.weight, level=level)
            sizes.append(found.effective_n)
        else:
            sizes.append(float(len(inside)))
    covariance = float(np.sum(influences[0] * influences[1])) * patients / max(patients - 1, 1)
    return predictive.Accuracy(rates[0], rates[1], sizes[0], sizes[1], covariance)


def at_prevalence(name: str, sample: Sample, prevalence: float, plan: Plan) -> Estimate:
    """Estimate PPV or NPV at a declared prevalence (Mercaldo 2007)."""
    positives = int(sample.positive.sum())
    if positives in {0, len(sample)}:
        return _absent(sample, "not estimable: one of the two classes is empty")
    pair = accuracy_pair(sample, plan.level)
    formula = predictive.ppv if name == "ppv" else predictive.npv
    value = formula(pair.sensitivity, pair.specificity, prevalence)
    if not math.isfinite(value):
        return _absent(sample, "not estimable: no case is called so")
    lower, upper = predictive.mercaldo(pair, prevalence, positive=name == "ppv", level=plan.level)
    adjusted = " adjusted" if pair.touches_zero else ""
    clustered = ", patient-clustered" if sample.clustered else ""
    return Estimate(
        n=len(sample),
        patients=sample.patients,
        n_positive=positives,
        method=f"Mercaldo logit{adjusted}{clustered}",
        value=value,
        lower=min(lower, value),
        upper=max(upper, value),
        effective_n=min(pair.positives, pair.negatives),
        flags=(f"at the declared prevalence {prevalence:g}",),
        extra={"prevalence": prevalence},
    )


def _likelihood_ratio(metric: Metric, sample: Sample, plan: Plan) -> Estimate:
    pair = accuracy_pair(sample, plan.level)
    value, lower, upper = predictive.likelihood_ratio_limits(
        pair, positive=metric.name == "lr_positive", level=plan.level
    )
    return Estimate(
        n=len(sample),
        patients=sample.patients,
        n_positive=int(sample.positive.sum()),
        method="log ratio" + (", patient-clustered" if sample.clustered else ""),
        value=value,
        lower=lower,
        upper=upper,
        effective_n=min(pair.positives, pair.negatives),
        flags=("half a case added to each cell: one is empty",) if pair.touches_zero else (),
    )


def _auroc(sample: Sample, plan: Plan) -> Estimate:
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
    _, counts = np.unique(sample.score, return_counts=True)
    flags = ("not weighted by the sampling weights",) if sample.weighted else ()
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
            "tied_share": float(counts[counts > 1].sum()) / len(sample),
        },
    )


def _bootstrapped(
    metric: Metric, sample: Sample, plan: Plan, standardised: float | None
) -> Estimate:
    value = point(metric, sample, standardised)
    if not math.isfinite(value):
        return _absent(sample, "not estimable: the quantity is undefined here")
    _, stratum = sample.codes()
    resampling = Resampling(
        plan.resamples, stratum, Stream(plan.seed, f"{plan.stream}/{metric.family}")
    )
    replicates = replicate(metric, sample, resampling, standardised)
    limits = bca_limits(
        value,
        replicates,
        acceleration(influence(metric, sample, standardised), stratum),
        plan.level,
    )
    flags = []
    if standardised is not None:
        flags.append(f"standardised to the declared prevalence {standardised:g}")
    if sample.weighted and metric.family != "logistic":
        flags.append("weighted by the sampling weights")
    if limits.reason:
        flags.append(f"no interval: {limits.reason}")
    if metric.needs == "probability" and metric.family == "logistic":
        edge = int(np.sum((sample.score <= 0) | (sample.score >= 1)))
        flags += [f"{edge} scores of exactly 0 or 1 moved inside"] if edge else []
    return Estimate(
        n=len(sample),
        patients=len(stratum),
        n_positive=int(sample.positive.sum()),
        method=f"patient bootstrap, BCa, {plan.resamples} resamples",
        value=value,
        lower=limits.lower,
        upper=limits.upper,
        effective_n=float(len(stratum)),
        flags=tuple(flags),
        extra={"undefined_resamples": limits.undefined},
    )


def point(metric: Metric, sample: Sample, prevalence: float | None) -> float:
    """Return the value of a quantity; NaN where it is undefined."""
    if metric.family == "auroc":
        return auc.placements(sample.score, sample.positive).auc
    if metric.family == "auprc":
        return ranked.average_precision(sample, prevalence)
    if metric.family == "logistic":
        found = recalibration.fit(metric.name, sample, prevalence)
        return found[metric.name == "calibration_slope"]
    if metric.formula is None:
        counted = hits(metric.name, sample)
        weight = sample.weight * counted.inside
        return float(np.sum(weight * counted.hit) / np.sum(weight)) if weight.any() else math.nan
    return float(evaluate(metric, row_columns(metric, sample).sum(axis=0), prevalence))


def replicate(metric: Metric, sample: Sample, plan: Resampling, prevalence: float | None) -> Floats:
    """Return the quantity's value in each resample of patients."""
    if metric.family in {"auroc", "auprc"}:
        return bootstrap_counts(plan, ranked.resampled(metric.name, sample, prevalence))
    if metric.family == "logistic":
        return bootstrap_counts(plan, recalibration.resampled(metric.name, sample, prevalence))
    code, stratum = sample.codes()
    if metric.formula is None:
        drawn = bootstrap_sums(
            group_sums(share_columns(metric.name, sample), code, len(stratum)), plan
        )
        return share(drawn)
    sums = group_sums(row_columns(metric, sample), code, len(stratum))
    return evaluate(metric, bootstrap_sums(sums, plan), prevalence)


def influence(metric: Metric, sample: Sample, prevalence: float | None) -> Floats:
    """Return each patient's influence on the quantity, (patients,), for variances and tests."""
    code, stratum = sample.codes()
    if metric.family == "auroc":
        return auc.patient_auc(sample.score, sample.positive, code, len(stratum)).influence
    if metric.family == "auprc":
        return ranked.precision_influence(sample, prevalence)
    if metric.family == "logistic":
        return recalibration.influence(metric.name, sample, prevalence)
    if metric.formula is None:
        sums = group_sums(share_columns(metric.name, sample), code, len(stratum))
        return jackknife_influence(share(sums.sum(axis=0) - sums), stratum)
    sums = group_sums(row_columns(metric, sample), code, len(stratum))
    return jackknife_influence(evaluate(metric, sums.sum(axis=0) - sums, prevalence), stratum)


def share_columns(name: str, sample: Sample) -> Floats:
    """Return a proportion's weighted hits and denominator per row, (rows, 2)."""
    counted = hits(name, sample)
    weight = sample.weight * counted.inside
    return np.column_stack([weight * counted.hit, weight])


def share(sums: Floats) -> Floats:
    """Divide hits by denominator, (..., 2)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)
    return ratio
