"""Scores of forecasts, their comparison, alerts: scikit-learn, statsmodels, by hand; bad input."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import mean_pinball_loss

from proctor_workers.metrics.alerts import ALERTS, Window, match, patient_columns
from proctor_workers.metrics.forecasting import (
    ERRORS,
    INTERVALS,
    blocks,
    crps,
    error_columns,
    interval_columns,
    mean_of,
    mean_pinball,
    pinball_columns,
    rolling_origins,
    seasonal_naive_scale,
)
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.forecast_comparison import diebold_mariano

LEVELS = np.array([0.1, 0.5, 0.9])


def forecasts(seed: int, n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    observed = 10 + 3 * rng.normal(size=n)
    centre = observed + rng.normal(size=n)
    return centre[:, None] + 2 * stats.norm.ppf(LEVELS), observed


def test_pinball_equals_scikit_learn() -> None:
    quantiles, observed = forecasts(1)
    sums = pinball_columns(quantiles, observed, LEVELS).sum(axis=0)
    theirs = [
        mean_pinball_loss(observed, quantiles[:, place], alpha=level)
        for place, level in enumerate(LEVELS)
    ]
    for place, one in enumerate(theirs):
        assert mean_of(place + 1)(sums) == pytest.approx(one, rel=1e-12)
    assert mean_pinball(sums) == pytest.approx(np.mean(theirs), rel=1e-12)


def test_many_quantiles_give_the_crps_of_the_normal_distribution() -> None:
    """Gneiting & Raftery, JASA 2007;102:359: the closed form of a normal forecast."""
    levels = (np.arange(2000) + 0.5) / 2000
    observed = np.array([0.7, -1.2])
    quantiles = np.tile(stats.norm.ppf(levels), (2, 1))
    found = crps(pinball_columns(quantiles, observed, levels).sum(axis=0), levels)
    closed = observed * (2 * stats.norm.cdf(observed) - 1) + 2 * stats.norm.pdf(observed)
    assert found == pytest.approx(np.mean(closed - 1 / np.sqrt(np.pi)), abs=1e-4)
    direct, _ = integrate.quad(lambda x: (stats.norm.cdf(x) - (x >= 0.7)) ** 2, -9, 9, limit=200)
    assert closed[0] - 1 / np.sqrt(np.pi) == pytest.approx(direct, abs=1e-6)


def test_order_of_levels_leaves_the_crps() -> None:
    quantiles, observed = forecasts(2)
    order = [2, 0, 1]
    one = crps(pinball_columns(quantiles, observed, LEVELS).sum(axis=0), LEVELS)
    sums = pinball_columns(quantiles[:, order], observed, LEVELS[order]).sum(axis=0)
    assert crps(sums, LEVELS[order]) == pytest.approx(one, rel=1e-12)


def test_interval_score_by_hand() -> None:
    """Width 4; one inside, one 1 below, one 2 above: penalties 2 / 0.2 times the distance."""
    columns = interval_columns(
        np.zeros(3), np.full(3, 4.0), np.array([4.0, -1.0, 6.0]), level=0.8
    ).sum(axis=0)
    assert INTERVALS["coverage"](columns) == pytest.approx(1 / 3)
    assert INTERVALS["width"](columns) == 4
    assert INTERVALS["interval_score"](columns) == pytest.approx(4 + (0 + 10 + 20) / 3)


def test_interval_score_is_that_of_its_two_quantiles() -> None:
    quantiles, observed = forecasts(3)
    columns = interval_columns(quantiles[:, 0], quantiles[:, 2], observed, level=0.8).sum(axis=0)
    losses = pinball_columns(quantiles[:, [0, 2]], observed, LEVELS[[0, 2]]).sum(axis=0)
    assert INTERVALS["interval_score"](columns) == pytest.approx(20 * mean_pinball(losses))


@given(st.floats(-1e3, 1e3), st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_unit_of_the_series_leaves_the_scaled_error(shift: float, scale: float) -> None:
    rng = np.random.default_rng(4)
    history, observed = rng.normal(size=20), rng.normal(size=6)
    forecast = observed + rng.normal(size=6)

    def mase(history: np.ndarray, forecast: np.ndarray, observed: np.ndarray) -> float:
        size = np.full(6, seasonal_naive_scale(history, 4))
        return float(ERRORS["mase"](error_columns(forecast, observed, size).sum(axis=0)))

    before = mase(history, forecast, observed)
    after = mase(scale * history + shift, scale * forecast + shift, scale * observed + shift)
    assert after == pytest.approx(before, rel=1e-6)


def test_history_without_a_scale_says_why() -> None:
    with pytest.raises(NotEstimableError, match="at least 5"):
        seasonal_naive_scale(np.arange(4.0), 4)
    with pytest.raises(NotEstimableError, match="does not change"):
        seasonal_naive_scale(np.tile([1.0, 2.0], 5), 2)
    with pytest.raises(ValueError, match="at least one step"):
        seasonal_naive_scale(np.arange(4.0), 0)


def test_relative_error_of_zero_and_scaled_error_without_a_scale_are_undefined() -> None:
    columns = error_columns(np.ones(2), np.array([0.0, 1.0]), np.array([1.0, 0.0])).sum(axis=0)
    assert np.isnan(ERRORS["mape"](columns))
    assert np.isnan(ERRORS["mase"](columns))
    assert ERRORS["mae"](columns) == 0.5


def test_bad_forecasts_are_named() -> None:
    quantiles, observed = forecasts(5)
    with pytest.raises(ValueError, match="a column a level"):
        pinball_columns(quantiles[:, :2], observed, LEVELS)
    with pytest.raises(ValueError, match="between 0 and 1"):
        pinball_columns(quantiles, observed, np.array([0.1, 0.5, 1.0]))
    with pytest.raises(ValueError, match="wrong order"):
        interval_columns(quantiles[:, 2], quantiles[:, 0], observed, 0.8)
    with pytest.raises(ValueError, match="observed holds NaN"):
        error_columns(observed, np.full(50, np.nan), observed)


def test_rolling_origins_see_the_past_only() -> None:
    origin, step, target = rolling_origins(10, first=4, horizon=3, stride=2)
    assert origin.tolist() == [4, 4, 4, 6, 6, 6]
    assert step.tolist() == [1, 2, 3, 1, 2, 3]
    assert target.tolist() == [4, 5, 6, 6, 7, 8]
    with pytest.raises(NotEstimableError):
        rolling_origins(6, first=4, horizon=3)
    with pytest.raises(ValueError, match="at least 1"):
        rolling_origins(6, first=4, horizon=0)


def test_blocks_follow_one_another() -> None:
    assert blocks(np.arange(7), 3).tolist() == [0, 0, 0, 1, 1, 1, 2]
    with pytest.raises(ValueError, match="at least one time"):
        blocks(np.arange(7), 0)


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_diebold_mariano_has_the_variance_of_statsmodels(horizon: int) -> None:
    rng = np.random.default_rng(6)
    noise = rng.normal(size=83)
    gap = 0.2 + noise[3:] + 0.6 * noise[2:-1] + 0.3 * noise[1:-2]
    found = diebold_mariano(gap, np.zeros(80), horizon=horizon)
    robust = sm.OLS(gap, np.ones(80)).fit(
        cov_type="HAC", cov_kwds={"maxlags": horizon - 1, "kernel": "uniform"}
    )
    factor = (81 - 2 * horizon + horizon * (horizon - 1) / 80) / 80
    assert found.statistic == pytest.approx(robust.tvalues[0] * np.sqrt(factor), rel=1e-9)


def test_diebold_mariano_takes_bartlett_weights_where_the_variance_is_negative() -> None:
    gap = np.tile([1.0, -1.0], 10) + 0.01 * np.arange(20)
    found = diebold_mariano(gap, np.zeros(20), horizon=2)
    assert found.method.endswith("Bartlett weights")
    assert found.lower < found.difference < found.upper


def test_exchanged_forecasts_have_the_opposite_difference() -> None:
    rng = np.random.default_rng(7)
    first, second = rng.random(30), rng.random(30)
    one, two = diebold_mariano(first, second), diebold_mariano(second, first)
    assert two.p_value == pytest.approx(one.p_value)
    assert (two.lower, two.upper) == pytest.approx((-one.upper, -one.lower))


def test_comparison_that_is_none_says_why() -> None:
    loss = np.arange(6.0)
    with pytest.raises(NotEstimableError, match="same amount"):
        diebold_mariano(loss, loss - 0.1)
    with pytest.raises(NotEstimableError, match="at least 8"):
        diebold_mariano(loss, loss**2, horizon=4)
    with pytest.raises(ValueError, match="at least one step"):
        diebold_mariano(loss, loss**2, horizon=0)


def test_alerts_by_hand() -> None:
    """Patient 0: event at 10, alerts at 1 (too early), 6, 6.5 (the same), 9; patient 1: one."""
    window = Window(latest=5, earliest=0.5, silence=1)
    alert, alert_patient = np.array([9.0, 1, 6, 6.5, 3]), np.array([0, 0, 0, 0, 1])
    event, event_patient = np.array([10.0, 20]), np.array([0, 1])
    found = match(alert, alert_patient, event, event_patient, window)
    assert found.counted.tolist() == [True, True, True, False, True]
    assert found.right.tolist() == [True, False, True, False, False]
    assert found.lead[0] == 4
    assert np.isnan(found.lead[1])
    sums = patient_columns(found, alert_patient, event_patient, np.array([2.0, 3.0])).sum(axis=0)
    assert ALERTS["alerts_per_patient_day"](sums) == pytest.approx(4 / 5)
    assert ALERTS["ppv_per_alert"](sums) == 0.5
    assert ALERTS["events_foreseen"](sums) == 0.5
    assert ALERTS["mean_lead_time"](sums) == 4


def test_order_of_alerts_changes_nothing() -> None:
    rng = np.random.default_rng(9)
    alert, alert_patient = rng.uniform(0, 50, 60), rng.integers(0, 5, 60)
    event, event_patient = rng.uniform(0, 50, 12), rng.integers(0, 5, 12)
    window = Window(latest=4, silence=1)
    first = match(alert, alert_patient, event, event_patient, window)
    order = rng.permutation(60)
    second = match(alert[order], alert_patient[order], event, event_patient, window)
    assert np.array_equal(first.right[order], second.right)
    assert np.array_equal(first.lead, second.lead, equal_nan=True)


def test_bad_alerts_are_named() -> None:
    with pytest.raises(ValueError, match="0 <= earliest <= latest"):
        Window(latest=1, earliest=2)
    nothing = match(
        np.array([]), np.array([], int), np.array([]), np.array([], int), Window(latest=1)
    )
    with pytest.raises(ValueError, match="watched for no time"):
        patient_columns(nothing, np.array([], int), np.array([], int), np.array([0.0]))
    with pytest.raises(ValueError, match="NaN"):
        match(np.array([np.nan]), np.array([0]), np.array([]), np.array([], int), Window(latest=1))
