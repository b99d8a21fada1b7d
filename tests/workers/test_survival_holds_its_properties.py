"""What must hold for any follow-up: influences, resamples, order of rows, transforms of risk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_workers.metrics.survival.at_time import auc_at, brier_at, integrated_brier, mean_auc
from proctor_workers.metrics.survival.calibration import (
    calibration_groups,
    observed_to_expected,
    recalibrated,
)
from proctor_workers.metrics.survival.concordance import harrell, limits, uno
from proctor_workers.metrics.survival.curves import (
    log_rank,
    restricted_mean,
    risk_groups,
    survival_curve,
)
from proctor_workers.metrics.survival.follow_up import follow_up

TIMES = [3.5, 7.5]
QUANTITIES = {
    "harrell": harrell,
    "uno": lambda data, risk: uno(data, risk, 12.5),
    "auc": lambda data, risk: auc_at(data, risk, 7.5),
    "mean_auc": lambda data, risk: mean_auc(data, np.column_stack([risk, risk]), TIMES),
    "brier": lambda data, risk: brier_at(data, 1 - risk, 7.5),
    "integrated": lambda data, risk: integrated_brier(data, np.column_stack([1 - risk] * 2), TIMES),
    "ratio": lambda data, risk: observed_to_expected(data, risk, 7.5),
    "slope": lambda data, risk: recalibrated(data, risk, 7.5, slope=True),
    "intercept": lambda data, risk: recalibrated(data, risk, 7.5, slope=False),
    "restricted_mean": lambda data, _: restricted_mean(data, 9.0),
}


def made(n: int, seed: int, rows_per_patient: int = 1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    until = np.ceil(10 * rng.exponential(np.exp(-x)))
    censored = np.ceil(12 * rng.exponential(size=n))
    risk = np.round(1 / (1 + np.exp(-x - rng.normal(size=n))), 2)
    return (
        np.minimum(until, censored),
        until <= censored,
        np.arange(n) // rows_per_patient,
        np.clip(risk, 0.01, 0.99),
    )


@pytest.mark.parametrize("name", QUANTITIES)
def test_influence_is_the_derivative_by_a_patients_weight(name) -> None:
    time, event, patient, risk = made(160, 3, rows_per_patient=2)
    found = QUANTITIES[name](follow_up(time, event, patient), risk).influence
    for one in (0, 17, 63):
        moved = [
            QUANTITIES[name](
                follow_up(time, event, patient, np.where(patient == one, 1 + step, 1.0)), risk
            ).value
            for step in (1e-5, -1e-5)
        ]
        assert (moved[0] - moved[1]) / 2e-5 == pytest.approx(found[one], rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_resample_is_the_cohort_with_patients_repeated(name) -> None:
    time, event, patient, risk = made(160, 5, rows_per_patient=2)
    whole = QUANTITIES[name](follow_up(time, event, patient), risk)
    times = np.random.default_rng(1).poisson(1, (2, 80))
    times[0] = 1
    values = np.empty(2)
    whole.loop(times, values)
    rows = np.repeat(np.arange(160), times[1][patient])
    repeated = QUANTITIES[name](follow_up(time[rows], event[rows], patient[rows]), risk[rows])
    assert values == pytest.approx([whole.value, repeated.value], abs=1e-12)


@given(st.integers(12, 60), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_order_of_rows_changes_nothing(n: int, seed: int) -> None:
    time, event, patient, risk = made(n, seed)
    if not event.any():
        return
    order = np.random.default_rng(seed).permutation(n)
    first = harrell(follow_up(time, event, patient), risk)
    second = harrell(follow_up(time[order], event[order], patient[order]), risk[order])
    assert first.value == second.value
    assert second.influence == pytest.approx(first.influence, abs=1e-15)


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_monotone_transform_of_risk_leaves_ranks(seed: int) -> None:
    time, event, patient, risk = made(80, seed)
    data = follow_up(time, event, patient)
    for quantity in (harrell, uno):
        assert quantity(data, risk).value == quantity(data, np.exp(3 * risk)).value


def test_reversed_risk_mirrors_the_concordance() -> None:
    time, event, patient, risk = made(80, 4)
    data = follow_up(time, event, patient)
    assert harrell(data, risk).value + harrell(data, -risk).value == pytest.approx(1, abs=1e-12)


def test_constant_risk_is_a_coin() -> None:
    time, event, patient, _ = made(80, 4)
    data = follow_up(time, event, patient)
    assert harrell(data, np.ones(80)).value == 0.5
    assert uno(data, np.ones(80)).value == pytest.approx(0.5, abs=1e-12)


def test_without_censoring_weights_vanish() -> None:
    time, _, patient, risk = made(80, 4)
    data = follow_up(time, np.ones(80, dtype=bool), patient)
    assert uno(data, risk).value == pytest.approx(harrell(data, risk).value, abs=1e-12)
    plain = np.mean((risk - (time <= 7.5)) ** 2)
    assert brier_at(data, 1 - risk, 7.5).value == pytest.approx(plain, abs=1e-12)


def test_clustered_band_of_single_rows_is_greenwoods() -> None:
    time, event, patient, _ = made(90, 6)
    plain = survival_curve(follow_up(time, event, patient), np.array(TIMES))
    weighted = survival_curve(
        follow_up(time, event, patient, np.where(patient == 0, 1 + 1e-12, 1.0)), np.array(TIMES)
    )
    assert weighted.method != plain.method
    assert weighted.lower == pytest.approx(plain.lower, abs=1e-9)


def test_repeating_every_row_leaves_clustered_limits() -> None:
    time, event, patient, risk = made(90, 6)
    once = limits(harrell(follow_up(time, event, patient), risk))
    twice = np.repeat(np.arange(90), 2)
    again = limits(harrell(follow_up(time[twice], event[twice], patient[twice]), risk[twice]))
    assert again == pytest.approx(once, rel=1e-9)


def test_relabelled_groups_get_the_same_log_rank() -> None:
    time, event, patient, _ = made(90, 6)
    data = follow_up(time, event, patient)
    group = np.arange(90) % 3
    assert log_rank(data, group).statistic == pytest.approx(
        log_rank(data, (group + 1) % 3).statistic, rel=1e-9
    )


def test_risk_groups_begin_at_their_cut() -> None:
    assert risk_groups(np.array([0.1, 0.2, 0.3]), [0.2]).tolist() == [0, 1, 1]


def test_calibrated_risks_have_a_slope_and_ratio_of_one() -> None:
    rng = np.random.default_rng(2)
    n = 20_000
    rate = np.exp(rng.normal(size=n)) / 10
    until, censored = rng.exponential(1 / rate), rng.exponential(15, n)
    data = follow_up(np.minimum(until, censored), until <= censored, np.arange(n))
    risk = 1 - np.exp(-rate * 5)
    assert observed_to_expected(data, risk, 5).value == pytest.approx(1, abs=0.02)
    assert recalibrated(data, risk, 5, slope=True).value == pytest.approx(1, abs=0.05)
    groups = calibration_groups(data, risk, 5, risk_groups(risk, [0.2, 0.4, 0.6]))
    assert all(one is not None and one.lower < one.predicted < one.upper for one in groups)
