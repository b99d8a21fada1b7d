"""The area under the ROC curve: DeLong and Obuchowski variances, intervals and tests."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums
from proctor_workers.statistics.proportions import Limits, normal_quantile, root


@dataclass(frozen=True, slots=True)
class Placements:
    """An AUC with each row's placement: a positive's share of negatives below it, and v.v."""

    auc: float
    placement: Floats
    positive: Bools

    @property
    def m(self) -> int:
        """Positives."""
        return int(self.positive.sum())

    @property
    def n(self) -> int:
        """Negatives."""
        return len(self.positive) - self.m


def placements(score: Floats, positive: Bools) -> Placements:
    """Compute an AUC in O(n log n); ties count half (Sun & Xu, IEEE SPL 2014;21:1389)."""
    m = int(positive.sum())
    n = len(positive) - m
    if not m or not n:
        raise ValueError("an AUC needs at least one positive and one negative")
    overall = stats.rankdata(score)
    placement = np.empty(len(score))
    placement[positive] = (overall[positive] - stats.rankdata(score[positive])) / n
    placement[~positive] = 1 - (overall[~positive] - stats.rankdata(score[~positive])) / m
    return Placements(float(placement[positive].mean()), placement, positive)


def patient_parts(sample: Placements, patient: Ints, patients: int) -> Floats:
    """Return each patient's centred part of the AUC's two halves, (patients, 2)."""
    centred = sample.placement - sample.auc
    return np.column_stack(
        [
            group_sums(np.where(sample.positive, centred, 0.0) / sample.m, patient, patients),
            group_sums(np.where(sample.positive, 0.0, centred) / sample.n, patient, patients),
        ]
    )


@dataclass(frozen=True, slots=True)
class PatientAuc:
    """An AUC, its patient-clustered influence (per patient code) and variance."""

    auc: float
    variance: float
    delong_variance: float
    m: int
    n: int
    positive_patients: int
    negative_patients: int
    influence: Floats

    @property
    def design_effect(self) -> float:
        """How much the clustering widens the variance; at least 1."""
        return max(1.0, self.variance / self.delong_variance) if self.delong_variance else 1.0


def patient_auc(score: Floats, positive: Bools, patient: Ints, patients: int) -> PatientAuc:
    """Estimate an AUC with Obuchowski's clustered variance (Biometrics 1997;53:567).

    With one row a patient it is DeLong's variance (R01).
    """
    sample = placements(score, positive)
    parts = patient_parts(sample, patient, patients)
    has_positive = np.bincount(patient[positive], minlength=patients) > 0
    has_negative = np.bincount(patient[~positive], minlength=patients) > 0
    plain = _delong_variance(sample)
    variance = _clustered_covariance(parts, parts, has_positive, has_negative)
    return PatientAuc(
        sample.auc,
        max(variance, 0.0),
        plain,
        sample.m,
        sample.n,
        int(has_positive.sum()),
        int(has_negative.sum()),
        parts.sum(axis=1),
    )


def _delong_variance(sample: Placements) -> float:
    halves = (sample.placement[sample.positive], sample.placement[~sample.positive])
    return float(sum(np.var(half, ddof=1) / len(half) for half in halves if len(half) > 1))


def _clustered_covariance(
    first: Floats, second: Floats, has_positive: Bools, has_negative: Bools
) -> float:
    """Covariance of two AUCs over the same patients, with Obuchowski's small-sample factors."""
    total = int((has_positive | has_negative).sum())
    s10 = np.sum(first[:, 0] * second[:, 0]) * _factor(int(has_positive.sum()))
    s01 = np.sum(first[:, 1] * second[:, 1]) * _factor(int(has_negative.sum()))
    s11 = np.sum(first[:, 0] * second[:, 1] + first[:, 1] * second[:, 0]) * _factor(total)
    return float(s10 + s01 + s11)


def _factor(clusters: int) -> float:
    return clusters / (clusters - 1) if clusters > 1 else 1.0


def delong_limits(auc: float, variance: float, level: float = 0.95) -> Limits:
    """Plain symmetric limits, cut at 0 and 1 (R01)."""
    half = normal_quantile(level) * math.sqrt(variance)
    return max(0.0, auc - half), min(1.0, auc + half)


def logit_limits(auc: float, variance: float, level: float = 0.95) -> Limits:
    """Limits on the logit scale (Pepe 2003, section 5.2.4); needs 0 < AUC < 1 and a variance."""
    if not 0 < auc < 1 or variance <= 0:
        raise ValueError("the logit needs an AUC inside (0, 1) and a positive variance")
    half = normal_quantile(level) * math.sqrt(variance) / (auc * (1 - auc))
    centre = float(special.logit(auc))
    return float(special.expit(centre - half)), float(special.expit(centre + half))


def newcombe_method5(auc: float, m: float, n: float, level: float = 0.95) -> Limits:
    """Score-like limits that stay sensible near 1 (Newcombe, Stat Med 2006;25:559, method 5).

    m and n may be effective sizes.
    """
    z = normal_quantile(level)
    mean = (m + n) / 2 - 1

    def spread(theta: float) -> float:
        shape = 1 + mean * (1 - theta) / (2 - theta) + mean * theta / (1 + theta)
        return z * math.sqrt(max(theta * (1 - theta) * shape / (m * n), 0.0))

    lower = 0.0 if auc <= 0 else root(lambda t: auc - t - spread(t), 0.0, auc)
    upper = 1.0 if auc >= 1 else root(lambda t: auc - t + spread(t), auc, 1.0)
    return lower, upper


def hanley_mcneil_error(auc: float, m: int, n: int) -> float:
    """Standard error under exponential scores (R16; Radiology 1982;143:29)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (m - 1) * (q1 - auc**2) + (n - 1) * (q2 - auc**2)
    return math.sqrt(spread / (m * n))


@dataclass(frozen=True, slots=True)
class AucDifference:
    """The difference of two AUCs with its test and limits; df None means normal."""

    difference: float
    statistic: float
    p_value: float
    lower: float
    upper: float
    df: float | None


def delong_paired(
    first: Floats, second: Floats, positive: Bools, patient: Ints, level: float = 0.95
) -> AucDifference:
    """Compare two scores of the same cases (R02); clustered by patient when rows repeat."""
    _, code = np.unique(patient, return_inverse=True)
    patients = int(code.max()) + 1
    one, two = placements(first, positive), placements(second, positive)
    parts = patient_parts(one, code, patients) - patient_parts(two, code, patients)
    has_positive = np.bincount(code[positive], minlength=patients) > 0
    has_negative = np.bincount(code[~positive], minlength=patients) > 0
    variance = _clustered_covariance(parts, parts, has_positive, has_negative)
    difference = one.auc - two.auc
    if variance <= 0:
        return AucDifference(difference, 0.0, 1.0, difference, difference, None)
    error = math.sqrt(variance)
    z = difference / error
    half = normal_quantile(level) * error
    p_value = float(2 * special.ndtr(-abs(z)))
    return AucDifference(difference, z, p_value, difference - half, difference + half, None)


def delong_unpaired(first: PatientAuc, second: PatientAuc, level: float = 0.95) -> AucDifference:
    """Compare AUCs of different patients with Welch's df (R02; pROC's roc.test)."""
    variance = first.variance + second.variance
    sizes = (first.m + first.n, second.m + second.n)
    df = variance**2 / sum(
        part.variance**2 / (size - 1) for part, size in zip((first, second), sizes, strict=True)
    )
    difference = first.auc - second.auc
    error = math.sqrt(variance)
    statistic = difference / error
    half = float(special.stdtrit(df, 0.5 + level / 2)) * error
    p_value = float(2 * special.stdtr(df, -abs(statistic)))
    return AucDifference(difference, statistic, p_value, difference - half, difference + half, df)
