"""R14 (Bland & Altman 1986), replicates (2007), method comparison (NCSS, R mcr), forecasts."""

import numpy as np
import pytest

from proctor_workers.metrics import method_comparison
from proctor_workers.metrics.forecasting import ERRORS, error_columns, seasonal_naive_scale
from proctor_workers.metrics.method_comparison import deming, weighted_deming
from proctor_workers.metrics.regression import FORMULAS, columns
from proctor_workers.metrics.reliability import repeatability_coefficient, within_subject_sd
from proctor_workers.statistics.components import one_way
from proctor_workers.statistics.forecast_comparison import diebold_mariano
from proctor_workers.statistics.limits_of_agreement import (
    LimitsMethod,
    limits_of_agreement,
    linked_replicates,
    unlinked_replicates,
)
from proctor_workers.statistics.passing_bablok import passing_bablok


def numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in text.split()])


# Peak expiratory flow of 17 subjects, two readings by each of two meters: Bland & Altman, Lancet
# 1986;1:307, table I.
WRIGHT = np.array(
    [
        [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427],
        [490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421],
    ],
    dtype=float,
)
MINI = np.array(
    [
        [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451],
        [525, 415, 508, 444, 500, 625, 460, 390, 642, 432, 420, 605, 227, 467, 268, 370, 443],
    ],
    dtype=float,
)
# Cardiac output by radionuclide ventriculography and impedance: Bland & Altman, J Biopharm Stat
# 2007;17:571, table 1 (subject, first method, second method).
CARDIAC = numbers(
    """
    1 7.83 6.57 1 7.42 5.62 1 7.89 6.90 1 7.12 6.57 1 7.88 6.35 2 6.16 4.06 2 7.26 4.29
    2 6.71 4.26 2 6.54 4.09 3 4.75 4.71 3 5.24 5.50 3 4.86 5.08 3 4.78 5.02 3 6.05 6.01
    3 5.42 5.67 4 4.21 4.14 4 3.61 4.20 4 3.72 4.61 4 3.87 4.68 4 3.92 5.04 5 3.13 3.03
    5 2.98 2.86 5 2.85 2.77 5 3.17 2.46 5 3.09 2.32 5 3.12 2.43 6 5.92 5.90 6 6.42 5.81
    6 5.92 5.70 6 6.27 5.76 7 7.13 5.09 7 6.62 4.63 7 6.58 4.61 7 6.93 5.09 8 4.54 4.72
    8 4.81 4.61 8 5.11 4.36 8 5.29 4.20 8 5.39 4.36 8 5.57 4.20 9 4.48 3.17 9 4.92 3.12
    9 3.97 2.96 10 4.22 4.35 10 4.65 4.62 10 4.74 3.16 10 4.44 3.53 10 4.50 3.53 11 6.78 7.20
    11 6.07 6.09 11 6.52 7.00 11 6.42 7.10 11 6.41 7.40 11 5.76 6.80 12 5.06 4.50 12 4.72 4.20
    12 4.90 3.80 12 4.80 3.80 12 4.90 4.20 12 5.10 4.50
    """
).reshape(-1, 3)
SUBJECT, FIRST, SECOND = CARDIAC.T
# Ten pairs of the NCSS manual, chapter 303; forty pairs run through R's mcr 1.3.3.
TEN = np.array(
    [
        [7, 8.3, 10.5, 9, 5.1, 8.2, 10.2, 10.3, 7.1, 5.9],
        [7.9, 8.2, 9.6, 9, 6.5, 7.3, 10.2, 10.6, 6.3, 5.2],
    ]
)
FORTY = numbers(
    """
    10377.5 4056 2654 4747 1459.5 5880 3871 2461 1802 1607.5 4329 7911.5 1798.5 6504 9506.5 4781
    2122 17859 7064 963.5 408.5 5623 4923.5 2745 1738.5 7057 3001.5 895.5 12155.5 1290.5 943
    11312.5 2700 3561 1711 1006 1180.5 9007 4438 3606
    10741.5 3848.5 2655.5 5190.5 1554.5 6025 3861.5 2533.5 1858 1636 4341.5 8185 1753.5 6793 9056
    4724.5 2133.5 16576.5 7106.5 986.5 481 5603 5046 2799.5 1721.5 7547.5 3009.5 986.5 11712 1416
    998.5 11698.5 2829 3776.5 1899 1042 1616 9380.5 4332.5 3308.5
    """
).reshape(2, 40)


def test_r14_limits_of_agreement_as_in_the_lancet() -> None:
    found = limits_of_agreement(WRIGHT[0] - MINI[0], method=LimitsMethod.LANCET_1986)
    assert found.bias == pytest.approx(-2.1176470588, abs=1e-9)
    assert found.sd == pytest.approx(38.7651298736, abs=1e-9)
    assert (found.lower, found.upper) == pytest.approx((-79.6479, 75.4126), abs=1e-4)
    assert found.bias_limits == pytest.approx((-22.0488, 17.8135), abs=1e-4)
    assert found.lower_limits == pytest.approx((-114.1697, -45.1261), abs=1e-4)
    assert found.upper_limits == pytest.approx((40.8908, 109.9344), abs=1e-4)
    # The paper rounds on its way.
    assert (found.lower, found.upper) == pytest.approx((-79.7, 75.5), abs=0.1)
    assert found.lower_limits == pytest.approx((-114.3, -45.1), abs=0.4)


@pytest.mark.parametrize("method", [LimitsMethod.EXACT, LimitsMethod.APPROXIMATE])
def test_r14_limits_at_1_96_standard_deviations(method: LimitsMethod) -> None:
    found = limits_of_agreement(WRIGHT[0] - MINI[0], method=method)
    assert (found.lower, found.upper) == pytest.approx((-78.0973, 73.862), abs=2e-3)


def test_r14_correlation_and_repeatability() -> None:
    sums = columns(MINI[0], WRIGHT[0], (450.0, 450.0)).sum(axis=0)
    assert FORMULAS["pearson"](sums) == pytest.approx(0.943279, abs=1e-6)
    for meter, published in ((WRIGHT, 43.2938), (MINI, 56.3163)):
        subject = np.tile(np.arange(17), 2)
        sd = within_subject_sd(meter.ravel(), subject).estimate
        assert 2 * np.sqrt(2) * sd == pytest.approx(published, abs=1e-4)
        coefficient = repeatability_coefficient(meter.ravel(), subject).estimate
        assert coefficient == pytest.approx(published * 1.959964 / 2, abs=1e-3)


@pytest.mark.parametrize(("n", "factor"), [(10, 2.911), (20, 2.396), (30, 2.220)])
def test_exact_limit_is_the_one_sided_tolerance_factor(n: int, factor: float) -> None:
    """NIST/SEMATECH e-Handbook 7.2.6.3 (Natrella 1963): 95 % content at 95 % confidence."""
    difference = np.random.default_rng(n).normal(size=n)
    found = limits_of_agreement(difference, share=0.9, level=0.9)
    assert (found.upper_limits[1] - found.bias) / found.sd == pytest.approx(factor, abs=5e-4)


def test_replicates_with_a_constant_true_value_as_in_2007() -> None:
    found = unlinked_replicates(FIRST, SUBJECT, SECOND, SUBJECT)
    assert one_way(FIRST, SUBJECT).within == pytest.approx(0.107227795, abs=5e-8)
    assert one_way(SECOND, SUBJECT).within == pytest.approx(0.137874069, abs=5e-8)
    assert found.bias == pytest.approx(0.7092361, abs=1e-7)
    assert found.sd == pytest.approx(1.0518506, abs=1e-7)
    half = (2.6637939 + 1.4594605) / 2  # published at 1.96 standard deviations
    assert (found.upper - found.lower) / 2 == pytest.approx(half, abs=1e-4)


def test_replicates_with_a_varying_true_value_as_in_2007() -> None:
    parts = one_way(FIRST - SECOND, SUBJECT)
    assert parts.within == pytest.approx(0.170714026, abs=5e-8)
    assert parts.between == pytest.approx(4.2090856, rel=2e-7)
    assert parts.divisor == pytest.approx(4.9818182, abs=1e-7)
    variance = (parts.between - parts.within) / parts.divisor + parts.within
    assert variance == pytest.approx(0.98133606, abs=1e-7)


def test_mover_intervals_of_replicates_as_in_zou_2013() -> None:
    """The first four subjects, with and without two missing readings."""
    few = SUBJECT <= 4
    linked = linked_replicates((FIRST - SECOND)[few], SUBJECT[few])
    assert (linked.bias, linked.lower, linked.upper) == pytest.approx(
        (0.7255, -2.14, 3.59), abs=5e-3
    )
    assert linked.lower_limits == pytest.approx((-9.83, -0.33), abs=1e-2)
    assert linked.upper_limits == pytest.approx((1.77, 11.27), abs=1.1e-2)
    kept = few & ~np.isin(np.arange(len(SUBJECT)), [4, 8])
    unlinked = unlinked_replicates(FIRST[few], SUBJECT[few], SECOND[kept], SUBJECT[kept])
    assert (unlinked.lower, unlinked.upper) == pytest.approx((-2.23, 3.66), abs=5e-3)
    assert unlinked.lower_limits == pytest.approx((-9.76, -0.48), abs=1e-2)
    assert unlinked.upper_limits == pytest.approx((1.91, 11.20), abs=1e-2)


def test_deming_with_a_variance_ratio_equals_ncss() -> None:
    found = deming(*TEN, np.arange(10), ratio=4)
    assert (found.slope, found.intercept) == pytest.approx((1.0012, -0.0897), abs=5e-5)
    assert found.slope_error == pytest.approx(0.1872, abs=5e-5)
    assert found.intercept_error == pytest.approx(1.7220, abs=5e-5)


def test_one_round_of_weighted_deming_equals_ncss() -> None:
    """NCSS weighs once, by the measured values."""
    line = np.empty(2)
    method_comparison._moment_line(*TEN, ((TEN[0] + 4 * TEN[1]) / 5) ** -2.0, 4.0, line)
    assert line == pytest.approx((1.0309, -0.3251), abs=5e-5)


def test_weighted_deming_equals_mcr() -> None:
    found = weighted_deming(*FORTY, np.arange(40))
    assert (found.slope, found.intercept) == pytest.approx((0.9949122, 80.3878188), abs=5e-8)
    assert found.slope_limits == pytest.approx((0.9751623, 1.014662), abs=5e-7)
    assert found.intercept_limits == pytest.approx((44.8202707, 115.955367), abs=5e-6)
    assert found.slope_error == pytest.approx(0.009755964, abs=5e-9)
    assert found.intercept_error == pytest.approx(17.569477709, abs=5e-8)


def test_passing_bablok_equals_mcr() -> None:
    """mcr averages angles, and two neighbouring ranks for each limit; the paper takes one rank."""
    found = passing_bablok(*FORTY)
    assert found.slope == pytest.approx(0.9987917, abs=1e-6)
    assert found.intercept == pytest.approx(57.2280851, abs=1e-3)
    assert found.slope_limits == pytest.approx((0.9710559, 1.027696), abs=3e-4)


def test_mase_by_hand() -> None:
    """The series of the documentation of sktime's mean_absolute_scaled_error."""
    scale = seasonal_naive_scale(np.array([5, 0.5, 4, 6, 3, 5, 2]))
    forecast, observed = np.array([2.5, 0, 2, 8, 1.25]), np.array([3, -0.5, 2, 7, 2])
    sums = error_columns(forecast, observed, np.full(5, scale)).sum(axis=0)
    assert scale == 3.0
    assert ERRORS["mase"](sums) == pytest.approx(0.55 / 3.0)


def test_seasonal_scale_by_hand() -> None:
    assert seasonal_naive_scale(np.array([1.0, 5, 2, 8, 4, 8]), 2) == pytest.approx(6 / 4)


ETS = numbers(
    """
    0.002241270 -0.000661906 -1.200002613 -4.000218178 3.799373533 3.401005111 -1.199692125
    -0.800490048 -1.200048999 3.399847229 7.000708948 2.200989241 -4.800165569 -1.201043375
    3.400167556 3.000709085 0.400267950 -6.800169207 -2.401259050 1.200112198
    """
)
ARIMA = numbers(
    """
    0.1209998 8.0622269 -0.9189429 -1.7952436 5.3431277 2.0459823 -0.6073261 0.5516816 -0.7633238
    4.1229472 5.8785333 1.2828331 -3.4854233 1.1971370 3.1709314 2.3408457 0.4962286 -5.9841362
    0.1537114 0.4207951
    """
)


@pytest.mark.parametrize(
    ("power", "horizon", "p"), [(2, 1, 0.8871), (2, 10, 0.9362), (1, 1, 0.7818)]
)
def test_diebold_mariano_of_r_forecast(power: int, horizon: int, p: float) -> None:
    """Errors of two models of R's WWWusage, as published with dm.test (HLN correction)."""
    found = diebold_mariano(abs(ETS) ** power, abs(ARIMA) ** power, horizon=horizon)
    assert found.p_value == pytest.approx(p, abs=5e-5)
