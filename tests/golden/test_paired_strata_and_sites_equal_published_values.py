"""Strata and sites: Rothman 2008 table 15-1, and the BCG trials as R's metafor has them."""

import math

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from proctor_workers.statistics.adjusted import mantel_haenszel_difference
from proctor_workers.statistics.heterogeneity import cochran_q, random_effects

# Tolbutamide and placebo by age: dead, alive (University Group Diabetes Program 1970).
STRATA = [((8, 98), (5, 115)), ((22, 76), (16, 69))]

# Colditz et al., JAMA 1994;271:698: vaccinated with and without disease, controls with and without.
BCG = np.array(
    [
        (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619),
        (33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619),
        (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
        (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
    ],
    dtype=float,
)  # fmt: skip


def log_risk_ratios() -> tuple[np.ndarray, np.ndarray]:
    a, b, c, d = BCG.T
    value = np.log(a / (a + b)) - np.log(c / (c + d))
    return value, 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


def strata() -> tuple[np.ndarray, ...]:
    hit, first, stratum = [], [], []
    for number, groups in enumerate(STRATA):
        for side, (dead, alive) in enumerate(groups):
            hit += [True] * dead + [False] * alive
            first += [side == 0] * (dead + alive)
            stratum += [number] * (dead + alive)
    return np.array(hit), np.array(first), np.array(stratum)


def test_mantel_haenszel_risk_difference_and_greenland_robins_variance() -> None:
    """The book's 90 % interval; metafor's rma.mh gives -0.0176 to 0.0874."""
    hit, first, stratum = strata()
    found = mantel_haenszel_difference(hit, first, stratum, np.arange(len(hit)))
    half = 1.6448536269514722 * math.sqrt(found.variance)
    limits = (found.difference - half, found.difference + half)
    assert found.difference == pytest.approx(0.0349, abs=5e-5)
    assert limits == pytest.approx((-0.0176, 0.0874), abs=5e-5)
    assert found.clustered_variance == pytest.approx(found.variance, rel=1e-12)


def test_restricted_likelihood_and_hartung_knapp_equal_metafor() -> None:
    found = random_effects(*log_risk_ratios())
    assert found.mean == pytest.approx(-0.714532342158211, abs=1e-8)
    assert found.tau2 == pytest.approx(0.313243258137274, abs=1e-8)
    assert found.limits == pytest.approx((-1.10844371368566, -0.320620970630764), abs=1e-8)
    assert found.q.statistic == pytest.approx(152.2330, abs=5e-5)
    assert 100 * found.i2 == pytest.approx(92.22, abs=5e-3)


def test_prediction_interval_is_students_with_two_degrees_less() -> None:
    """Higgins 2009, equation 12, on the same trials."""
    found = random_effects(*log_risk_ratios())
    half = 2.20098516009164 * math.sqrt(found.tau2 + found.error**2)
    assert found.prediction == pytest.approx((found.mean - half, found.mean + half), abs=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_q_equals_statsmodels() -> None:
    values, variances = log_risk_ratios()
    theirs = combine_effects(values, variances, method_re="dl")
    assert cochran_q(values, variances).statistic == pytest.approx(theirs.q, rel=1e-10)
