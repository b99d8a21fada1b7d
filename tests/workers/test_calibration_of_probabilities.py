"""Calibration of probabilities: libraries agree, influences are derivatives, bad input is named."""

import numpy as np
import patsy
import pytest
import statsmodels.api as sm
import torch
from torchmetrics.functional.classification import binary_calibration_error

from proctor_workers.metrics.calibration import (
    bin_edges,
    binned_error,
    calibration_bins,
    error_statistic,
    if_calibrated,
    positive_class,
    risks,
    spiegelhalter,
    top_label,
)
from proctor_workers.metrics.calibration_curve import (
    distance_statistic,
    smooth_curve,
    spline_knots,
)
from proctor_workers.metrics.recalibration import logits
from proctor_workers.metrics.risks import scaled_brier
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.draws import Stream

STATISTICS = {
    "mean": lambda data: error_statistic(
        data, positive_class(data), bin_edges(np.ones(1), 10, "equal width")
    ),
    "greatest": lambda data: error_statistic(
        data, top_label(data), bin_edges(np.ones(1), 5, "equal width"), "greatest"
    ),
    "root": lambda data: error_statistic(
        data, positive_class(data), bin_edges(np.ones(1), 5, "equal width"), "root mean square"
    ),
    "ici": lambda data: distance_statistic(data, "ici"),
    "e50": lambda data: distance_statistic(data, "e50"),
    "e90": lambda data: distance_statistic(data, "e90"),
}
SMOOTH = ("mean", "greatest", "root", "ici")


def made(n: int = 500, seed: int = 1, rows_per_patient: int = 1, slope: float = 0.6):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    positive = rng.random(n) < 1 / (1 + np.exp(-(0.4 + slope * x + 0.2 * x**2)))
    return 1 / (1 + np.exp(-x)), positive, np.arange(n) // rows_per_patient


@pytest.mark.parametrize(("norm", "theirs"), [("mean", "l1"), ("greatest", "max")])
def test_binned_errors_equal_torchmetrics(norm, theirs) -> None:
    p, positive, patient = made()
    expected = binary_calibration_error(
        torch.tensor(p), torch.tensor(positive.astype(int)), n_bins=12, norm=theirs
    )
    found = binned_error(
        risks(p, positive, patient), (p, positive), bin_edges(p, 12, "equal width"), norm
    )
    assert found == pytest.approx(float(expected), abs=1e-6)  # theirs is in single precision


def test_bins_are_closed_on_the_right() -> None:
    p = np.array([0.5, 0.500001, 0.0])
    assert np.searchsorted(bin_edges(p, 2, "equal width"), p).tolist() == [0, 1, 0]


def test_bins_of_equal_mass_keep_equal_values_together() -> None:
    p = np.array([0.1, 0.1, 0.1, 0.2, 0.3, 0.4])
    assert bin_edges(p, 3, "equal mass").tolist() == [0.1, 0.2, 1.0]


def test_flexible_curve_and_its_band_equal_a_fit_on_the_same_spline() -> None:
    p, positive, patient = made()
    data = risks(p, positive, patient)
    knots = spline_knots(p)
    columns = np.asarray(
        patsy.cr(logits(p), knots=knots[1:-1], lower_bound=knots[0], upper_bound=knots[-1])
    )
    theirs = sm.GLM(positive.astype(float), columns, family=sm.families.Binomial()).fit(
        cov_type="HC0"
    )
    observed, lower, upper = smooth_curve(data).at(p)
    assert observed == pytest.approx(theirs.predict(), abs=1e-9)
    limits = theirs.get_prediction(columns).conf_int()
    assert np.column_stack([lower, upper]) == pytest.approx(limits, abs=1e-9)
    distance = np.abs(p - theirs.predict())
    assert distance_statistic(data, "ici").value == pytest.approx(distance.mean(), abs=1e-9)
    assert distance_statistic(data, "e90").value == pytest.approx(
        np.quantile(distance, 0.9, method="inverted_cdf"), abs=1e-9
    )


@pytest.mark.parametrize("name", SMOOTH)
def test_influence_is_the_derivative_by_a_patients_weight(name) -> None:
    p, positive, patient = made(rows_per_patient=2)
    found = STATISTICS[name](risks(p, positive, patient)).influence
    for one in (0, 33, 120):
        moved = [
            STATISTICS[name](
                risks(p, positive, patient, np.where(patient == one, 1 + step, 1.0))
            ).value
            for step in (1e-4, -1e-4)
        ]
        assert (moved[0] - moved[1]) / 2e-4 == pytest.approx(found[one], rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("name", ["e50", "e90"])
def test_influence_of_a_quantile_gives_the_spread_of_resamples(name) -> None:
    p, positive, patient = made(2000)
    found = STATISTICS[name](risks(p, positive, patient))
    values = np.empty(300)
    found.loop(np.random.default_rng(3).poisson(1, (300, 2000)), values)
    error = np.sqrt(np.sum(found.influence**2))
    assert error == pytest.approx(values.std(), rel=0.3)


@pytest.mark.parametrize("name", STATISTICS)
def test_a_resample_is_the_cohort_with_patients_repeated(name) -> None:
    p, positive, patient = made(rows_per_patient=2)
    whole = STATISTICS[name](risks(p, positive, patient))
    times = np.random.default_rng(1).poisson(1, (1, 250))
    values = np.empty(1)
    whole.loop(times, values)
    rows = np.repeat(np.arange(500), times[0][patient])
    if name in {"ici", "e50", "e90"}:  # knots stay where the cohort put them
        weight = np.maximum(times[0][patient], 1e-12)
        expected = STATISTICS[name](risks(p, positive, patient, weight)).value
        assert values[0] == pytest.approx(expected, abs=1e-6)
    else:
        expected = STATISTICS[name](risks(p[rows], positive[rows], patient[rows])).value
        assert values[0] == pytest.approx(expected, abs=1e-12)


def test_declared_prevalence_is_a_weighting_of_classes() -> None:
    p, positive, patient = made()
    weight = np.where(positive, 0.1 / positive.mean(), 0.9 / (1 - positive.mean()))
    edges = bin_edges(p, 10, "equal width")
    declared = risks(p, positive, patient, prevalence=0.1)
    weighted = risks(p, positive, patient, weight)
    assert binned_error(declared, (p, positive), edges) == pytest.approx(
        binned_error(weighted, (p, positive), edges), abs=1e-12
    )


def test_calibrated_draws_show_the_excess_of_the_expected_calibration_error() -> None:
    p, positive, patient = made(seed=4)
    data = risks(p, positive, patient)
    drawn = if_calibrated(data, STATISTICS["mean"], Stream(1, "test"), repeats=100)
    assert 0.03 < drawn.mean() < 0.07  # 0 were the cohort without end
    assert STATISTICS["mean"](data).value > np.quantile(drawn, 0.95)


def test_spiegelhalter_is_a_standard_normal_under_calibration() -> None:
    rng = np.random.default_rng(6)
    found = []
    for _ in range(400):
        p = rng.random(100)
        found.append(spiegelhalter(risks(p, rng.random(100) < p, np.arange(100))).z)
    assert abs(np.mean(found)) < 0.2
    assert np.std(found) == pytest.approx(1, abs=0.12)


def test_spiegelhalter_by_hand() -> None:
    p, positive = np.array([0.2, 0.7, 0.9]), np.array([False, True, False])
    top = np.sum((positive - p) * (1 - 2 * p))
    bottom = np.sqrt(np.sum((1 - 2 * p) ** 2 * p * (1 - p)))
    found = spiegelhalter(risks(p, positive, np.arange(3)))
    assert found.z == pytest.approx(top / bottom)
    assert found.brier - found.expected == pytest.approx(top / 3)


def test_scaled_brier_is_zero_for_the_prevalence_and_one_for_the_truth() -> None:
    sums = np.array([[3.0, 3 * 0.49, 7.0, 7 * 0.09], [3.0, 0.0, 7.0, 0.0]])
    assert scaled_brier(sums) == pytest.approx([0.0, 1.0])


def test_bins_hold_every_row_once() -> None:
    p, positive, patient = made(rows_per_patient=2)
    found = calibration_bins(risks(p, positive, patient), np.array([0.3, 0.6, 1.0]))
    assert sum(one.n for one in found) == 500
    assert all(one.lower <= one.observed <= one.upper for one in found)
    assert {one.method for one in found} == {"Korn-Graubard"}


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan])
def test_what_is_no_probability(wrong) -> None:
    with pytest.raises(ValueError, match="probability"):
        risks(np.array([0.2, wrong]), np.array([True, False]), np.arange(2))


def test_one_class_only_has_no_curve() -> None:
    with pytest.raises(NotEstimableError, match="classes"):
        smooth_curve(risks(np.array([0.2, 0.4, 0.6]), np.ones(3, dtype=bool), np.arange(3)))
    with pytest.raises(NotEstimableError, match="classes"):
        risks(np.array([0.2]), np.array([True]), np.arange(1), prevalence=0.5)


def test_constant_probabilities_have_no_curve() -> None:
    with pytest.raises(NotEstimableError, match="differ"):
        smooth_curve(risks(np.full(4, 0.3), np.array([True, False] * 2), np.arange(4)))


def test_separated_classes_have_no_finite_curve() -> None:
    p = np.linspace(0.05, 0.95, 30)
    with pytest.raises(NotEstimableError, match="finite"):
        smooth_curve(risks(p, p > 0.5, np.arange(30)))


def test_few_values_give_a_line_in_the_logit() -> None:
    p = np.tile([0.2, 0.6], 40)
    positive = np.random.default_rng(1).random(80) < p
    observed, _, _ = smooth_curve(risks(p, positive, np.arange(80))).at(np.array([0.2, 0.6]))
    shares = [positive[p == value].mean() for value in (0.2, 0.6)]
    assert observed == pytest.approx(shares, abs=1e-6)


def test_probabilities_of_zero_half_and_one_cannot_be_tested() -> None:
    with pytest.raises(NotEstimableError, match="variance"):
        spiegelhalter(risks(np.array([0, 0.5, 1.0]), np.array([False, True, True]), np.arange(3)))
