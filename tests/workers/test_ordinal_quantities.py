import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_absolute_error, roc_auc_score

from proctor_workers.metrics.multiclass import one_hot
from proctor_workers.metrics.ordinal import TABLES, expected_category, score_above
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.auc import patient_auc
from proctor_workers.statistics.categories import UndefinedScoreError
from proctor_workers.statistics.ordinal_association import (
    ORDINAL_AUC,
    SOMERS_D,
    TAU_B,
    association,
    association_batch,
    ordered_rows,
)

MEASURES = (ORDINAL_AUC, SOMERS_D, TAU_B)


def graded(n: int, seed: int, *, levels: int | None = None) -> tuple[Ints, Floats]:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(4), rng.integers(0, 4, n - 4)])
    score = truth + 1.5 * rng.normal(size=n)
    return truth, np.round(score * levels) / levels if levels else score


def value(name: str, truth: Ints, called: Ints) -> float:
    n = len(truth)
    drawn = Sample(
        patient=np.arange(n),
        weight=np.ones(n),
        stratum=np.zeros(n, dtype=np.int64),
        columns={"truth": one_hot(truth, 4), "called": one_hot(called, 4)},
    )
    return TABLES[name].point(drawn, Design(kind="consecutive", weighted=False))


@given(st.integers(10, 60), st.integers(0, 1000), st.sampled_from([None, 1]))
@settings(max_examples=25, deadline=None)
def test_order_measures_equal_scipy(n: int, seed: int, levels: int | None) -> None:
    truth, score = graded(n, seed, levels=levels)
    d, tau, area = (
        association(one, score, truth, np.arange(n), n).value
        for one in (SOMERS_D, TAU_B, ORDINAL_AUC)
    )
    assert d == pytest.approx(stats.somersd(truth, score).statistic, abs=1e-12)
    assert tau == pytest.approx(stats.kendalltau(truth, score).statistic, abs=1e-12)
    assert area == pytest.approx((d + 1) / 2, abs=1e-12)


def test_ordinal_area_of_two_categories_is_the_binary_one() -> None:
    truth, score = graded(80, 3)
    patient = np.arange(80) // 2
    found = association(ORDINAL_AUC, score, truth // 2, patient, 40)
    expected = patient_auc(score, truth >= 2, patient, 40)
    assert found.value == pytest.approx(expected.auc)
    assert found.influence == pytest.approx(expected.influence)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("levels", [None, 1])
def test_drawing_a_patient_twice_is_having_its_rows_twice(measure: int, levels: int | None) -> None:
    truth, score = graded(40, 7, levels=levels)
    patient = np.arange(40) // 2
    times = np.random.default_rng(1).integers(0, 3, (1, 20))
    rows = np.repeat(np.arange(40), times[0, patient])
    values = np.empty(1)
    association_batch(measure, *ordered_rows(score), truth, np.ones(40), patient, times, values)
    expected = association(measure, score[rows], truth[rows], patient[rows], 20).value
    assert values[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_influence_is_the_jackknife_to_first_order(measure: int) -> None:
    truth, score = graded(300, 2, levels=2)
    patient = np.arange(300) // 2
    whole = association(measure, score, truth, patient, 150)
    without = np.array(
        [
            association(measure, score[keep], truth[keep], patient[keep], 150).value
            for keep in (patient != one for one in range(150))
        ]
    )
    assert whole.value - without == pytest.approx(whole.influence, rel=0.1, abs=2e-4)


@pytest.mark.parametrize("measure", MEASURES)
def test_monotone_transform_leaves_the_order(measure: int) -> None:
    truth, score = graded(50, 4)
    plain, moved = (
        association(measure, one, truth, np.arange(50), 50) for one in (score, np.exp(score))
    )
    assert (plain.value, plain.variance) == (moved.value, moved.variance)


def test_constant_scores_order_nothing() -> None:
    truth, _ = graded(30, 4)
    found = association(ORDINAL_AUC, np.ones(30), truth, np.arange(30), 30)
    assert (found.value, found.variance) == (0.5, 0.0)
    with pytest.raises(ValueError, match="two different scores"):
        association(TAU_B, np.ones(30), truth, np.arange(30), 30)


def test_one_category_has_no_order() -> None:
    with pytest.raises(ValueError, match="two categories"):
        association(SOMERS_D, np.arange(5.0), np.full(5, 2), np.arange(5), 5)
    values = np.empty(1)
    order, starts = ordered_rows(np.arange(3.0))
    truth, once = np.array([0, 1, 1]), np.array([[0, 1, 1]])
    association_batch(ORDINAL_AUC, order, starts, truth, np.ones(3), np.arange(3), once, values)
    assert np.isnan(values[0])


def test_score_that_is_no_number_is_a_named_error() -> None:
    with pytest.raises(UndefinedScoreError):
        association(TAU_B, np.array([1.0, np.nan]), np.array([0, 1]), np.arange(2), 2)


def test_distances_between_categories() -> None:
    truth, called = np.array([0, 1, 2, 3, 3]), np.array([0, 3, 1, 3, 0])
    expected = mean_absolute_error(truth, called)
    assert value("mean_category_error", truth, called) == pytest.approx(expected)
    assert value("within_one", truth, called) == pytest.approx(3 / 5)


def test_reversing_the_categories_changes_no_distance() -> None:
    truth, score = graded(60, 5)
    called = np.clip(np.round(score), 0, 3).astype(np.int64)
    for name in TABLES:
        expected = value(name, truth, called)
        assert value(name, 3 - truth, 3 - called) == pytest.approx(expected, abs=1e-12), name


def test_probability_of_reaching_a_category_ranks_its_cutoff() -> None:
    truth, _ = graded(60, 8)
    score = np.random.default_rng(8).dirichlet(np.ones(4), 60)
    found = patient_auc(score_above(score, 2), truth >= 2, np.arange(60), 60).auc
    assert found == pytest.approx(roc_auc_score(truth >= 2, score[:, 2] + score[:, 3]))


def test_mean_category_needs_probabilities() -> None:
    assert expected_category(np.array([[0.5, 0.0, 0.5, 0.0]])) == pytest.approx([1.0])
    assert np.isnan(expected_category(np.array([[0.5, 0.2, 0.5, 0.0]])))
    assert np.isnan(expected_category(np.array([[1.5, -0.5, 0.0, 0.0]])))
