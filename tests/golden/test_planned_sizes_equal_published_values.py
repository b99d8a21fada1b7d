"""Published sample sizes and powers, each with its source."""

import math

import pytest

from proctor_backend.planning.clusters import design_effect
from proctor_backend.planning.comparisons import (
    connor_pairs,
    difference_power,
    difference_required_n,
)
from proctor_backend.planning.means import icc_required_n, mean_power
from proctor_backend.planning.proportions import buderer_n, power
from proctor_backend.planning.ranking import (
    auc_test_positives,
    auc_test_power,
    hanley_mcneil_variance,
)
from proctor_backend.planning.readers import (
    ReaderVariance,
    reader_power,
    reader_required_cases,
)
from proctor_backend.planning.risk_models import (
    LinearPredictor,
    c_statistic_required_n,
    oe_required_n,
    predictor_of,
    slope_required_n,
)

# Van Dyke, jackknife (R04); the interaction is MS(TR) less what the error terms explain.
VAN_DYKE = ReaderVariance(
    cases=114,
    error=0.000802288265572,
    covariance1=0.000346613709441,
    covariance2=0.000344074828861,
    covariance3=0.000239028370892,
    interaction=0.000200402523838,
)
VAN_DYKE_DIFFERENCE = 0.0438003220612


def test_exact_binomial_reaches_flahaults_size_and_not_before() -> None:
    """Flahault, J Clin Epidemiol 2005;58:859: Se 0.90, lower limit 0.75, 95 %: 70 cases."""
    reached = [n for n in range(40, 71) if power(0.90, n, 0.75, level=0.90) >= 0.95]
    assert reached == [70]


def test_exact_binomial_equals_a_single_stage_design() -> None:
    """A'Hern, Stat Med 2001;20:859: 10 % against 30 %, 25 patients, at least 6 responses."""
    assert power(0.3, 25, 0.1, level=0.90) >= 0.80
    assert power(0.3, 24, 0.1, level=0.90) < 0.80


def test_buderer_by_hand() -> None:
    """1.96² · 0.9 · 0.1 / 0.05² = 138.3 diseased, at 10 % prevalence 1,383 patients."""
    assert buderer_n(0.9, 0.10, 0.05) == 1383
    assert buderer_n(0.9, 1.0, 0.05) == 139


@pytest.mark.parametrize(("theta", "ratio", "positives"), [
    (0.6, 0.25, 334), (0.6, 1, 135), (0.6, 2, 102), (0.6, 4, 85),
    (0.7, 0.25, 80), (0.7, 0.5, 49), (0.7, 1, 33), (0.7, 2, 25), (0.7, 4, 21), (0.8, 1, 14),
])  # fmt: skip
def test_area_sizes_equal_obuchowski_2004_table_4(
    theta: float, ratio: float, positives: int
) -> None:
    found = auc_test_positives(theta, ratio=ratio, chance=0.9, alpha=0.05, two_sided=False)
    assert math.ceil(found) == positives


def test_area_power_equals_pROC() -> None:  # noqa: N802 - the package's name
    """pROC's power.roc.test: 41 and 72 cases, area 0.73; the size at 95 % power."""
    assert auc_test_power(0.73, 41, 72) == pytest.approx(0.9897453, abs=2e-6)
    assert auc_test_positives(0.7313686, ratio=1.7, chance=0.95) == pytest.approx(
        29.29764, abs=1e-3
    )


def test_r16_hanley_mcneil_standard_error() -> None:
    error = math.sqrt(hanley_mcneil_variance(0.893171061528, 51, 58))
    assert error == pytest.approx(0.0324865796, abs=1e-9)


def test_two_proportions_equal_r() -> None:
    """R's power.prop.test."""
    assert difference_power(0.50, 50, 0.75, 50) == pytest.approx(0.740, abs=5e-4)
    assert difference_required_n(0.50, 0.75, chance=0.90) == pytest.approx(76.7, abs=0.05)


def test_two_means_equal_r() -> None:
    """R's power.t.test(n = 20, delta = 1, sd = 1)."""
    assert mean_power(1, 1, 20, samples=2) == pytest.approx(0.8689528, abs=1e-6)


@pytest.mark.parametrize(("first", "second", "pairs"), [(0.45, 0.05, 23), (0.30, 0.15, 155)])
def test_pairs_equal_connor_1987(first: float, second: float, pairs: int) -> None:
    assert math.ceil(connor_pairs(first, second)) == pairs


def test_icc_size_equals_bonett_2002() -> None:
    """Two raters, ICC 0.8, a width of 0.2: 51 subjects."""
    assert icc_required_n(0.8, 2, 0.2) == 51


def test_risk_model_sizes_equal_riley_2021() -> None:
    """Heart valves: 1.8 %, C 0.8, logits -5 (2.5): O/E 905, slope 4,544 (drawn), C 4,252."""
    assert oe_required_n(0.018, 1) == pytest.approx(905, abs=1)
    assert slope_required_n(LinearPredictor(-5, 2.5), 0.2) == pytest.approx(4544, rel=0.004)
    assert c_statistic_required_n(0.8, 0.018, 0.1) == pytest.approx(4252, abs=1)


def test_slope_size_equals_pavlou_2021() -> None:
    """Prevalence 0.1, C 0.75, standard error 0.1 of the slope: 1,536."""
    width = 2 * 1.959963984540054 * 0.1
    assert slope_required_n(predictor_of(0.75, 0.1), width) == 1536


def test_reader_power_equals_rjafroc() -> None:
    """RJafroc's SsPowerGivenJK on Van Dyke, readers and cases random."""
    assert reader_power(VAN_DYKE, VAN_DYKE_DIFFERENCE, 6, 251) == pytest.approx(0.8005403, abs=1e-7)
    assert reader_power(VAN_DYKE, VAN_DYKE_DIFFERENCE, 10, 163) == pytest.approx(
        0.8015625, abs=1e-7
    )


@pytest.mark.parametrize(
    ("readers", "cases"), [(4, 1089), (5, 344), (6, 251), (7, 211), (8, 188), (10, 163), (15, 137)]
)
def test_reader_sizes_equal_rjafroc(readers: int, cases: int) -> None:
    assert reader_required_cases(VAN_DYKE, VAN_DYKE_DIFFERENCE, readers) == cases


def test_design_effect_is_kishs() -> None:
    """Kish 1965: clusters of 20 with correlation 0.05 nearly double the variance."""
    assert design_effect(20, 0.05) == pytest.approx(1.95)
