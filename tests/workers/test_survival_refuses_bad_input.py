"""Follow-up and predictions that cannot be measured get a sentence, not a number."""

import numpy as np
import pytest

from proctor_workers.metrics.survival.at_time import auc_at, brier_at, integrated_brier
from proctor_workers.metrics.survival.calibration import (
    calibration_groups,
    observed_to_expected,
    ratio_limits,
    recalibrated,
)
from proctor_workers.metrics.survival.concordance import difference, harrell, limits
from proctor_workers.metrics.survival.curves import (
    log_rank,
    restricted_mean,
    restricted_mean_difference,
    risk_groups,
    survival_curve,
)
from proctor_workers.metrics.survival.follow_up import follow_up
from proctor_workers.metrics.survival.predicted import survival_at
from proctor_workers.statistics.checks import NotEstimableError

FOUR = np.arange(4)
TIME = np.array([1.0, 2.0, 3.0, 4.0])
DATA = follow_up(TIME, np.array([True, False, True, False]), FOUR)
NO_EVENT = follow_up(TIME, np.zeros(4, dtype=bool), FOUR)
RISK = np.array([0.9, 0.2, 0.6, 0.3])


@pytest.mark.parametrize(
    ("time", "weight", "said"),
    [
        (np.array([-1.0, 2, 3, 4]), None, "negative"),
        (np.array([np.nan, 2, 3, 4]), None, "NaN"),
        (TIME[:3], None, "equally long"),
        (TIME, np.array([1.0, 0, 1, 1]), "weight"),
    ],
)
def test_impossible_follow_up(time, weight, said) -> None:
    with pytest.raises(ValueError, match=said):
        follow_up(time, np.ones(len(time), dtype=bool), FOUR, weight)


def test_no_rows() -> None:
    with pytest.raises(NotEstimableError, match="no rows"):
        follow_up(np.empty(0), np.empty(0, dtype=bool), np.empty(0, dtype=np.int64))


def test_no_events() -> None:
    with pytest.raises(NotEstimableError, match="comparable"):
        harrell(NO_EVENT, RISK)
    with pytest.raises(NotEstimableError, match="no event"):
        auc_at(NO_EVENT, RISK, 2)
    with pytest.raises(NotEstimableError, match="no fit"):
        recalibrated(NO_EVENT, RISK, 2, slope=True)
    with pytest.raises(NotEstimableError, match="no event"):
        ratio_limits(observed_to_expected(NO_EVENT, RISK, 2))


def test_without_events_survival_is_one_without_limits() -> None:
    found = survival_curve(NO_EVENT, np.array([2.0]))
    assert found.survival[0] == 1
    assert np.isnan(found.lower[0])
    assert np.isnan(found.upper[0])


def test_everybody_censored_before_the_time() -> None:
    early = follow_up(TIME, np.array([False, False, False, True]), FOUR)
    with pytest.raises(NotEstimableError, match="no event"):
        auc_at(early, RISK, 3.5)


@pytest.mark.parametrize("time", [4.0, 9.0])
def test_time_beyond_follow_up(time) -> None:
    for ask in (
        lambda: brier_at(DATA, 1 - RISK, time),
        lambda: auc_at(DATA, RISK, time),
        lambda: observed_to_expected(DATA, RISK, time),
    ):
        with pytest.raises(NotEstimableError, match="beyond"):
            ask()
    for ask in (
        lambda: restricted_mean(DATA, time + 0.5),
        lambda: survival_curve(DATA, np.array([time + 0.5])),
    ):
        with pytest.raises(NotEstimableError, match="followed to"):
            ask()


def test_resample_that_ends_before_the_time_has_no_value() -> None:
    value = np.zeros(1)
    brier_at(DATA, 1 - RISK, 3.5).loop(np.array([[2, 1, 1, 0]]), value)
    assert np.isnan(value[0])


@pytest.mark.parametrize("time", [-1.0, np.nan])
def test_impossible_time(time) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        brier_at(DATA, 1 - RISK, time)
    with pytest.raises(ValueError, match="above 0"):
        restricted_mean(DATA, time)


def test_times_that_do_not_rise() -> None:
    with pytest.raises(ValueError, match="rise"):
        integrated_brier(DATA, np.ones((4, 2)), [3.0, 2.0])


@pytest.mark.parametrize("risk", [1.2, -0.1, np.nan])
def test_prediction_outside_zero_to_one(risk) -> None:
    wrong = np.where(FOUR == 1, risk, RISK)
    for ask in (
        lambda: brier_at(DATA, 1 - wrong, 2),
        lambda: observed_to_expected(DATA, wrong, 2),
        lambda: calibration_groups(DATA, wrong, 2, FOUR),
    ):
        with pytest.raises(ValueError, match="between 0 and 1"):
            ask()


def test_risk_that_is_no_number() -> None:
    with pytest.raises(ValueError, match="risk"):
        harrell(DATA, np.array([0.1, np.nan, 0.2, 0.3]))
    with pytest.raises(ValueError, match="finite"):
        risk_groups(np.array([np.nan]), [0.5])


@pytest.mark.parametrize(
    ("grid", "curves", "said"),
    [
        ([1.0, 2.0], [[0.5, 0.6]], "rises"),
        ([1.0, 2.0], [[1.1, 0.6]], "between 0 and 1"),
        ([2.0, 1.0], [[0.9, 0.6]], "do not rise"),
        ([1.0, 2.0], [[0.9]], "as many values"),
        ([-1.0, 2.0], [[0.9, 0.8]], "at least 0"),
        ([1.0, 1.5], [[0.9, 0.8]], "ends before"),
    ],
)
def test_impossible_survival_curves(grid, curves, said) -> None:
    with pytest.raises(ValueError, match=said):
        survival_at(np.array(grid), np.array(curves), np.array([1.7]))


def test_survival_curves_are_steps_from_one() -> None:
    found = survival_at(np.array([1.0, 2.0]), np.array([[0.9, 0.4]]), np.array([0.5, 1, 1.5, 2]))
    assert found.tolist() == [[1.0, 0.9, 0.9, 0.4]]


def test_missing_outputs_may_stand_at_an_end() -> None:
    assert harrell(DATA, np.array([-np.inf, np.inf, 0.6, 0.3])).value < harrell(DATA, RISK).value


def test_perfect_concordance_has_no_limits() -> None:
    with pytest.raises(NotEstimableError, match="edge"):
        limits(harrell(DATA, -TIME))


def test_equal_models_do_not_differ() -> None:
    one = harrell(DATA, RISK)
    assert difference(one, one).p_value == 1


def test_constant_risks_have_no_slope() -> None:
    with pytest.raises(NotEstimableError, match="constant"):
        recalibrated(DATA, np.full(4, 0.4), 2, slope=True)


def test_log_rank_needs_two_groups_and_events() -> None:
    with pytest.raises(NotEstimableError, match="two groups"):
        log_rank(DATA, np.zeros(4, dtype=np.int64))
    with pytest.raises(NotEstimableError, match="events"):
        log_rank(NO_EVENT, FOUR % 2)
    with pytest.raises(NotEstimableError, match="no event"):
        restricted_mean_difference(NO_EVENT, NO_EVENT, 3.0)
