"""Parts of the ROC curve: libraries agree, influences follow resamples, bad input is named."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve
from torchmetrics.functional.classification import (
    binary_sensitivity_at_specificity,
    binary_specificity_at_sensitivity,
)

from proctor_workers.metrics.binned import binned, range_of
from proctor_workers.metrics.partial_auc import partial_auc, sensitivity_at, specificity_at
from proctor_workers.metrics.roc import roc_band, roc_points, roc_points_of_ranges, scored
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.draws import Stream


def made(n: int = 600, seed: int = 0, rows_per_patient: int = 2, digits: int = 6):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    score = np.round(1.2 * positive + rng.normal(size=n), digits)
    return score, positive, np.arange(n) // rows_per_patient


PLAN = Resampling(1000, np.zeros(300, dtype=np.int64), Stream(1, "test"))


@pytest.mark.parametrize("digits", [6, 1])
@pytest.mark.parametrize("greatest", [0.1, 0.35])
def test_standardised_partial_area_equals_scikit_learn(digits, greatest) -> None:
    score, positive, patient = made(digits=digits)
    found = partial_auc(scored(score, positive, patient), 1 - greatest, 1, standardised=True)
    theirs = roc_auc_score(positive, score, max_fpr=greatest)
    assert found.value == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("digits", [6, 1])
@pytest.mark.parametrize("rate", [0.8, 0.9, 0.95])
def test_one_rate_at_the_other_equals_torchmetrics(digits, rate) -> None:
    score, positive, patient = made(digits=digits)
    data = scored(score, positive, patient)
    p, y = torch.tensor(1 / (1 + np.exp(-score))), torch.tensor(positive.astype(int))
    theirs, _ = binary_sensitivity_at_specificity(p, y, min_specificity=rate)
    assert sensitivity_at(data, rate).value == pytest.approx(float(theirs), abs=1e-6)
    theirs, _ = binary_specificity_at_sensitivity(p, y, min_sensitivity=rate)
    assert specificity_at(data, rate).value == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize(
    ("make", "close"),
    [
        (lambda data: partial_auc(data, 0.8, 1.0), 0.08),
        (lambda data: partial_auc(data, 0.8, 0.95, standardised=True), 0.12),
        (lambda data: partial_auc(data, 0.7, 0.95, over="sensitivity"), 0.08),
        (lambda data: sensitivity_at(data, 0.8), 0.2),
        (lambda data: specificity_at(data, 0.8), 0.2),
    ],
)
def test_influence_gives_the_spread_of_resamples(make, close) -> None:
    found = make(scored(*made()))
    values = PLAN.values(found.loop)
    assert np.sqrt(np.sum(found.influence**2)) == pytest.approx(values.std(), rel=close)


def test_resamples_repeat_patients() -> None:
    score, positive, patient = made()
    times = np.random.default_rng(2).poisson(1, (1, 300))
    rows = np.repeat(np.arange(600), times[0][patient])
    value = np.empty(1)
    partial_auc(scored(score, positive, patient), 0.8, 1.0).loop(times, value)
    repeated = scored(score[rows], positive[rows], patient[rows])
    assert value[0] == pytest.approx(partial_auc(repeated, 0.8, 1.0).value, abs=1e-12)


def test_points_are_the_curves() -> None:
    score, positive, patient = made(digits=1)
    false_rate, true_rate = roc_points(scored(score, positive, patient))
    theirs = roc_curve(positive, score, drop_intermediate=False)
    assert false_rate == pytest.approx(theirs[0])
    assert true_rate == pytest.approx(theirs[1])


def test_band_holds_the_curve() -> None:
    found = roc_band(scored(*made()), np.arange(11) / 10, PLAN)
    assert np.all(found.lower <= found.value)
    assert np.all(found.value <= found.upper)
    assert np.all(found.upper[1:-1] - found.lower[1:-1] > 0)


def test_perfect_separation_has_a_band_below_one() -> None:
    score = np.concatenate([np.arange(20.0), np.arange(20.0) + 50])
    data = scored(score, score > 30, np.arange(40))
    plan = Resampling(200, np.zeros(40, dtype=np.int64), Stream(1, "test"))
    found = roc_band(data, np.array([0.2, 0.5]), plan)
    assert np.all(found.lower < 0.9)
    assert np.all(found.upper == 1)


def test_every_public_step_holds_eleven_patients() -> None:
    score, positive, patient = made(digits=1)
    data = scored(score, positive, patient)
    ends = binned(-data.score, data.patient, 11)
    place = range_of(-data.score, ends)
    held = [len(np.unique(data.patient[place == one])) for one in range(len(ends))]
    assert min(held) >= 11
    false_rate, true_rate = roc_points_of_ranges(data, ends)
    assert len(false_rate) == len(ends) + 1
    assert (false_rate[-1], true_rate[-1]) == pytest.approx((1, 1))


def test_fewer_than_eleven_patients_give_no_step() -> None:
    assert not len(binned(np.arange(10.0), np.arange(10)))
    assert not len(binned(np.empty(0), np.empty(0, dtype=np.int64)))
    assert binned(np.ones(11), np.arange(11)).tolist() == [1.0]


def test_ranges_ask_for_patients_not_rows() -> None:
    value = np.arange(44.0)
    assert len(binned(value, np.arange(44) // 4)) == 1
    with pytest.raises(ValueError, match="one patient"):
        binned(value, np.arange(44), 0)
    with pytest.raises(ValueError, match="equally long"):
        binned(value, np.arange(3))


def test_constant_scores_are_a_coin() -> None:
    data = scored(np.ones(20), np.arange(20) < 8, np.arange(20))
    assert partial_auc(data, 0.8, 1.0, standardised=True).value == pytest.approx(0.5)
    assert sensitivity_at(data, 0.9).value == 0


def test_missing_scores_may_stand_at_an_end() -> None:
    score, positive, patient = made()
    worst = np.where(np.arange(600) < 30, np.where(positive, -np.inf, np.inf), score)
    assert (
        partial_auc(scored(worst, positive, patient), 0.8, 1).value
        < partial_auc(scored(score, positive, patient), 0.8, 1).value
    )


def test_impossible_input() -> None:
    with pytest.raises(NotEstimableError, match="classes"):
        scored(np.ones(3), np.ones(3, dtype=bool), np.arange(3))
    with pytest.raises(ValueError, match="NaN"):
        scored(np.array([np.nan, 1]), np.array([True, False]), np.arange(2))
    data = scored(*made())
    for low, high in ((0.9, 0.9), (0.9, 0.8), (-0.1, 0.5), (0.5, 1.1)):
        with pytest.raises(ValueError, match="range"):
            partial_auc(data, low, high)
    with pytest.raises(ValueError, match="over"):
        partial_auc(data, 0.8, 1, over="accuracy")
    with pytest.raises(ValueError, match="within"):
        sensitivity_at(data, 1.2)
    with pytest.raises(ValueError, match="rise"):
        roc_band(data, np.array([0.5, 0.2]), PLAN)
