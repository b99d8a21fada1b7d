"""Tests of equality: paired proportions, and levels of a factor by a joint Wald statistic."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """A statistic with its p value and degrees of freedom."""

    __test__ = False  # pytest takes the name for a test class

    statistic: float
    p_value: float
    df: float
    method: str


def mcnemar_exact(first_only: int, second_only: int) -> float:
    """Exact binomial p value of the discordant pairs (R13)."""
    n = first_only + second_only
    if n == 0:
        return 1.0
    return min(1.0, 2 * float(stats.binom.cdf(min(first_only, second_only), n, 0.5)))


def mcnemar_mid_p(first_only: int, second_only: int) -> float:
    """Mid-P version (Fagerland, BMC Med Res Methodol 2013;13:91)."""
    n = first_only + second_only
    if n == 0:
        return 1.0
    point = float(stats.binom.pmf(min(first_only, second_only), n, 0.5))
    if first_only == second_only:
        return 1.0 - point / 2  # the paper's own case: the exact p value is cut at 1
    return mcnemar_exact(first_only, second_only) - point


def mcnemar(first_only: int, second_only: int, *, corrected: bool) -> TestOutcome:
    """Chi-squared test of the discordant pairs, with or without continuity correction (R13)."""
    n = first_only + second_only
    if n == 0:
        return TestOutcome(0.0, 1.0, 1, "McNemar")
    gap = max(abs(first_only - second_only) - (1 if corrected else 0), 0)
    statistic = gap**2 / n
    return TestOutcome(statistic, float(special.chdtrc(1, statistic)), 1, "McNemar")


def durkalski(first: Bools, second: Bools, patient: Ints) -> TestOutcome:
    """Clustered McNemar test (Durkalski, Stat Med 2003;22:2417); needs no equal cluster sizes."""
    _, code = np.unique(patient, return_inverse=True)
    patients = int(code.max()) + 1
    gap = first.astype(np.float64) - second.astype(np.float64)
    table = group_sums(np.column_stack([gap, np.ones(len(gap))]), code, patients)
    share = table[:, 0] / table[:, 1]
    spread = float(np.sum(share**2))
    if spread == 0:
        return TestOutcome(0.0, 1.0, 1, "Durkalski")
    statistic = float(np.sum(share)) ** 2 / spread
    return TestOutcome(statistic, float(special.chdtrc(1, statistic)), 1, "Durkalski")


def joint_wald(values: Floats, influence: Floats, patients: int) -> TestOutcome:
    """Test that all values (levels,) are equal, given influence (patients, levels).

    The covariance sums over patients, so that one patient may stand in several levels. The
    reference is F with patients - 1 denominator degrees of freedom (Hotelling), not chi-squared,
    which rejects too often with few patients.
    """
    levels = len(values)
    contrast = np.eye(levels)[:-1] - np.eye(levels)[1:]
    covariance = contrast @ (influence.T @ influence) @ contrast.T
    covariance *= patients / max(patients - 1, 1)
    gap = contrast @ values
    if not np.any(gap):
        return TestOutcome(0.0, 1.0, levels - 1, "joint Wald")
    rank = int(np.linalg.matrix_rank(covariance, tol=1e-14))
    if rank == 0:
        return TestOutcome(0.0, 1.0, 0, "joint Wald")
    statistic = float(gap @ np.linalg.pinv(covariance, rcond=1e-10) @ gap)
    denominator = patients - rank
    if denominator < 1:
        return TestOutcome(statistic, 1.0, rank, "joint Wald")
    scaled = statistic * denominator / ((patients - 1) * rank)
    p_value = float(special.fdtrc(rank, denominator, scaled)) if math.isfinite(scaled) else 0.0
    return TestOutcome(statistic, p_value, rank, "joint Wald")
