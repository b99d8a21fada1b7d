"""Errors and correlations of values: against scikit-learn, scipy, torchmetrics; properties."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from torchmetrics.functional import concordance_corrcoef, spearman_corrcoef

from proctor_workers.metrics import regression
from proctor_workers.metrics.method_comparison import centre_of
from proctor_workers.statistics import means
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.quantiles import resampled_quantile

ONCE = np.ones((1, 40), dtype=np.int64)


def pairs(seed: int, n: int = 40, *, rounded: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return values and references of a large mean, where sums of squares lose digits."""
    rng = np.random.default_rng(seed)
    reference = 1000 + 20 * rng.normal(size=n)
    value = reference + 2 + 5 * rng.normal(size=n)
    return (np.round(value / 5), np.round(reference / 5)) if rounded else (value, reference)


def formula(name: str, value: np.ndarray, reference: np.ndarray) -> float:
    sums = regression.columns(value, reference, centre_of(reference, value)).sum(axis=0)
    return float(regression.FORMULAS[name](sums))


@pytest.mark.parametrize("seed", range(3))
def test_formulas_equal_scikit_learn_and_scipy(seed: int) -> None:
    value, reference = pairs(seed)
    expected = {
        "bias": np.mean(value - reference),
        "mae": metrics.mean_absolute_error(reference, value),
        "rmse": metrics.root_mean_squared_error(reference, value),
        "mape": metrics.mean_absolute_percentage_error(reference, value),
        "r_squared": metrics.r2_score(reference, value),
        "pearson": stats.pearsonr(reference, value).statistic,
    }
    for name, one in expected.items():
        assert formula(name, value, reference) == pytest.approx(one, rel=1e-10), name


@pytest.mark.filterwarnings("ignore")
def test_concordance_equals_torchmetrics() -> None:
    value, reference = pairs(1)
    theirs = concordance_corrcoef(torch.tensor(value), torch.tensor(reference))
    assert formula("ccc", value, reference) == pytest.approx(float(theirs), abs=2e-3)  # n - 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rounded", [False, True])
def test_spearman_equals_scipy_and_torchmetrics(*, rounded: bool) -> None:
    value, reference = pairs(2, rounded=rounded)
    found = np.empty(1)
    regression.spearman(value, reference, np.arange(40))(ONCE, found)
    assert found[0] == pytest.approx(stats.spearmanr(value, reference).statistic, abs=1e-12)
    theirs = float(spearman_corrcoef(torch.tensor(value), torch.tensor(reference)))
    assert found[0] == pytest.approx(theirs, abs=1e-5)  # single precision


def test_median_absolute_error_equals_scikit_learn() -> None:
    value, reference = pairs(3)
    found = np.empty(1)
    regression.median_absolute_error(value, reference, np.arange(40))(ONCE, found)
    assert found[0] == pytest.approx(metrics.median_absolute_error(reference, value), rel=1e-12)


@given(st.integers(0, 200), st.sampled_from([0.1, 0.5, 0.9]))
@settings(max_examples=20, deadline=None)
def test_drawn_statistics_equal_those_of_the_repeated_rows(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    value, reference = pairs(seed, 30, rounded=bool(seed % 2))
    patient = rng.integers(0, 10, 30)
    times = rng.integers(0, 3, (2, 10))
    times[:, patient[0]] += 1
    drawn = np.empty(2)
    for name in ("quantile", "spearman"):
        if name == "quantile":
            resampled_quantile(value, patient, share)(times, drawn)
        else:
            regression.spearman(value, reference, patient)(times, drawn)
        for repeat in range(2):
            rows = np.repeat(np.arange(30), times[repeat, patient])
            if name == "quantile":
                expected = np.quantile(value[rows], share)
            elif np.ptp(value[rows]) == 0 or np.ptp(reference[rows]) == 0:
                continue
            else:
                expected = stats.spearmanr(value[rows], reference[rows]).statistic
            assert drawn[repeat] == pytest.approx(expected, rel=1e-12)


@given(st.floats(-1e4, 1e4), st.floats(0.01, 100))
@settings(max_examples=25, deadline=None)
def test_shift_and_scale_of_the_unit(shift: float, scale: float) -> None:
    value, reference = pairs(5)
    moved = scale * (value + shift), scale * (reference + shift)
    for name in ("bias", "mae", "rmse"):
        before = formula(name, value, reference)
        assert formula(name, *moved) == pytest.approx(scale * before, rel=1e-8), name
    for name in ("pearson", "ccc", "r_squared"):
        before = formula(name, value, reference)
        assert formula(name, *moved) == pytest.approx(before, rel=1e-8), name


def test_order_of_rows_and_names_of_patients_change_nothing() -> None:
    value, reference = pairs(6)
    patient = np.arange(40) // 2
    order = np.random.default_rng(1).permutation(40)
    first = means.clustered_mean(value - reference, patient)
    second = means.clustered_mean((value - reference)[order], 700 - 3 * patient[order])
    assert first.lower == pytest.approx(second.lower, rel=1e-12)
    assert first.df == pytest.approx(second.df, rel=1e-12)
    assert formula("ccc", value, reference) == pytest.approx(
        formula("ccc", value[order], reference[order]), rel=1e-12
    )


@pytest.mark.parametrize("name", ["pearson", "r_squared"])
def test_reference_without_variation_has_no_correlation(name: str) -> None:
    value, _ = pairs(1)
    assert np.isnan(formula(name, value, np.full(40, 12.3)))


def test_mape_of_a_reference_of_zero_is_undefined_and_the_others_are_not() -> None:
    value, reference = pairs(1)
    reference[3] = 0
    assert np.isnan(formula("mape", value, reference))
    assert np.isfinite(formula("mae", value, reference))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(bad: float) -> None:
    value, reference = pairs(1)
    value[5] = bad
    with pytest.raises(ValueError, match="value holds NaN or an infinity"):
        regression.columns(value, reference, (0.0, 0.0))


def test_allowance_is_the_larger_of_its_parts() -> None:
    allowance = regression.Allowance(absolute=15, relative=0.15)
    reference = np.array([50.0, 50, 200, 200, 200])
    value = np.array([65.0, 66, 230, 231, np.inf])
    assert allowance.inside(value, reference).tolist() == [True, False, True, False, False]
    with pytest.raises(ValueError, match="must be positive"):
        regression.Allowance()


def test_clustered_mean_is_students_without_clusters() -> None:
    value, reference = pairs(7)
    found = means.clustered_mean(value - reference, np.arange(40))
    theirs = stats.ttest_1samp(value - reference, 0).confidence_interval(0.95)
    assert (found.lower, found.upper) == pytest.approx(tuple(theirs), rel=1e-12)
    assert found.df == pytest.approx(39)


def test_repeating_every_row_does_not_narrow_the_mean() -> None:
    value, reference = pairs(8)
    once = means.clustered_mean(value - reference, np.arange(40))
    thrice = means.clustered_mean(np.repeat(value - reference, 3), np.repeat(np.arange(40), 3))
    assert thrice.lower == pytest.approx(once.lower, rel=1e-9)


def test_clustered_mean_covers_with_few_unequal_clusters() -> None:
    """1,000 cohorts of 12 patients with 1 to 8 rows, intraclass correlation one half."""
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(1000):
        patient = np.repeat(np.arange(12), rng.integers(1, 9, 12))
        value = rng.normal(size=12)[patient] + rng.normal(size=len(patient))
        found = means.clustered_mean(value, patient)
        inside += found.lower <= 0 <= found.upper
    assert 0.93 <= inside / 1000 <= 0.98


def test_equivalence_is_the_interval_inside_the_margins() -> None:
    value, reference = pairs(9)
    mean = means.clustered_mean(value - reference, np.arange(40))
    for margin in (1.0, 3.0, 5.0):
        test = means.equivalence(mean, lower_margin=-margin, upper_margin=margin)
        assert test.shown == (-margin < test.lower and test.upper < margin)
        theirs = [
            stats.ttest_1samp(value - reference, -margin, alternative="greater").pvalue,
            stats.ttest_1samp(value - reference, margin, alternative="less").pvalue,
        ]
        assert (test.p_lower, test.p_upper) == pytest.approx(tuple(theirs), rel=1e-9)


def test_non_inferiority_is_one_sided() -> None:
    value, reference = pairs(9)
    mean = means.clustered_mean(value - reference, np.arange(40))
    test = means.non_inferiority(mean, margin=-1.0, better="above")
    expected = stats.ttest_1samp(value - reference, -1.0, alternative="greater").pvalue
    assert test.p_value == pytest.approx(expected, rel=1e-9)
    assert test.p_upper is None


def test_one_patient_has_no_interval() -> None:
    with pytest.raises(NotEstimableError, match="at least 2"):
        means.clustered_mean(np.array([1.0, 2.0]), np.array([4, 4]))


def test_draw_without_rows_has_no_quantile() -> None:
    drawn = np.empty(1)
    resampled_quantile(np.array([1.0]), np.array([0]), 0.5)(np.zeros((1, 1), dtype=np.int64), drawn)
    assert np.isnan(drawn[0])
