"""The area under the ROC curve: DeLong and Obuchowski variances, intervals and tests."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Bools, Floats, Halves, Ints, Words, compiled
from proctor_workers.statistics.ordering import ascending
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
    keys, rows = ascending(score)
    placement = np.empty(len(score))
    twice_won = _place(keys, rows, positive, m, placement)
    return Placements(twice_won / (2 * m * n), placement, positive)


@compiled
def _place(keys: Words, rows: Halves, positive: Bools, m: int, placement: Floats) -> int:
    """Write each row's placement; return twice the number of pairs that positives win."""
    n = len(rows) - m
    ones, zeros, won = 0, 0, 0  # of the scores below
    stop = 0
    while stop < len(rows):
        first = stop
        tied_ones, tied_zeros = 0, 0
        while stop < len(rows) and keys[stop] == keys[first]:
            if positive[rows[stop]]:
                tied_ones += 1
            else:
                tied_zeros += 1
            stop += 1
        of_positive = (zeros + tied_zeros / 2) / n
        of_negative = (m - ones - tied_ones / 2) / m
        for place in range(first, stop):
            row = rows[place]
            placement[row] = of_positive if positive[row] else of_negative
        won += tied_ones * (2 * zeros + tied_zeros)
        ones += tied_ones
        zeros += tied_zeros
    return won


def patient_parts(sample: Placements, patient: Ints, patients: int) -> Floats:
    """Return each patient's centred part of the AUC's two halves, (patients, 2)."""
    parts = np.zeros((2, patients))
    _add_parts(sample.placement, sample.positive, patient, sample.auc, sample.m, parts)
    return parts.T


@compiled
def _add_parts(
    placement: Floats, positive: Bools, patient: Ints, auc: float, m: int, parts: Floats
) -> None:
    n = len(placement) - m
    for row in range(len(placement)):
        if positive[row]:
            parts[0, patient[row]] += (placement[row] - auc) / m
        else:
            parts[1, patient[row]] += (placement[row] - auc) / n


@compiled
def _with_class(positive: Bools, patient: Ints, patients: int) -> tuple[Bools, Bools]:
    """Which patients have a positive row, and which a negative one."""
    has_positive = np.zeros(patients, dtype=np.bool_)
    has_negative = np.zeros(patients, dtype=np.bool_)
    for row in range(len(positive)):
        if positive[row]:
            has_positive[patient[row]] = True
        else:
            has_negative[patient[row]] = True
    return has_positive, has_negative


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
    has_positive, has_negative = _with_class(positive, patient, patients)
    plain = _delong_variance(sample.placement, positive, sample.auc)
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


@compiled
def _delong_variance(placement: Floats, positive: Bools, auc: float) -> float:
    """The variance with every row on its own (DeLong et al., Biometrics 1988;44:837)."""
    ones, zeros, of_ones, of_zeros = 0, 0, 0.0, 0.0
    for row in range(len(placement)):
        square = (placement[row] - auc) ** 2
        if positive[row]:
            ones += 1
            of_ones += square
        else:
            zeros += 1
            of_zeros += square
    variance = 0.0
    if ones > 1:
        variance += of_ones / (ones - 1) / ones
    if zeros > 1:
        variance += of_zeros / (zeros - 1) / zeros
    return variance


def _clustered_covariance(
    first: Floats, second: Floats, has_positive: Bools, has_negative: Bools
) -> float:
    """Covariance of two AUCs over the same patients, with Obuchowski's small-sample factors."""
    s10, s01, s11, positives, negatives, total = _cross_sums(
        first, second, has_positive, has_negative
    )
    return s10 * _factor(positives) + s01 * _factor(negatives) + s11 * _factor(total)


@compiled
def _cross_sums(
    first: Floats, second: Floats, has_positive: Bools, has_negative: Bools
) -> tuple[float, float, float, int, int, int]:
    s10, s01, s11 = 0.0, 0.0, 0.0
    positives, negatives, total = 0, 0, 0
    for patient in range(len(first)):
        s10 += first[patient, 0] * second[patient, 0]
        s01 += first[patient, 1] * second[patient, 1]
        s11 += first[patient, 0] * second[patient, 1] + first[patient, 1] * second[patient, 0]
        positives += has_positive[patient]
        negatives += has_negative[patient]
        total += has_positive[patient] or has_negative[patient]
    return s10, s01, s11, positives, negatives, total


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
    has_positive, has_negative = _with_class(positive, code, patients)
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
