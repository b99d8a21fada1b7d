"""PPV and NPV at a declared prevalence, from sensitivity and specificity of the same sample."""

import math

import numpy as np

from proctor_workers.metrics.metric import Estimate, Plan, absent
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics import predictive
from proctor_workers.statistics.arrays import group_sums
from proctor_workers.statistics.proportions import korn_graubard


def accuracy_pair(sample: Sample, level: float) -> predictive.Accuracy:
    """Return sensitivity and specificity with effective sizes and their patient covariance."""
    parts = ((sample.positive, sample.call), (~sample.positive, ~sample.call))
    code, stratum = sample.codes()
    patients = len(stratum)
    rates, sizes, influences = [], [], []
    for counted, hit in parts:
        weight = sample.weight * counted
        rate = float(np.sum(weight * hit) / np.sum(weight))
        rates.append(rate)
        influences.append(group_sums(weight * (hit - rate) / np.sum(weight), code, patients)[:, 0])
        inside = sample.take(counted)
        if inside.clustered or inside.weighted:
            found = korn_graubard(
                hit[counted].astype(np.float64), inside.patient, weight=inside.weight, level=level
            )
            sizes.append(found.effective_n)
        else:
            sizes.append(float(len(inside)))
    covariance = float(np.sum(influences[0] * influences[1])) * patients / max(patients - 1, 1)
    return predictive.Accuracy(rates[0], rates[1], sizes[0], sizes[1], covariance)


def at_prevalence(name: str, sample: Sample, prevalence: float, plan: Plan) -> Estimate:
    """Estimate PPV or NPV at a declared prevalence (Mercaldo 2007)."""
    positives = sample.n_positive
    if positives in {0, len(sample)}:
        return absent(sample, "not estimable: one of the two classes is empty")
    pair = accuracy_pair(sample, plan.level)
    formula = predictive.ppv if name == "ppv" else predictive.npv
    value = formula(pair.sensitivity, pair.specificity, prevalence)
    if not math.isfinite(value):
        return absent(sample, "not estimable: no case is called so")
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
