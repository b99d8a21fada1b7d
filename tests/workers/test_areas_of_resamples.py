"""Areas under curves in each resample, the order of rows, and DeLong's variance from its pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from proctor_workers.metrics.ranked import AUPRC, AUROC, RankedAreas, Ranking, ranking
from proctor_workers.statistics.arrays import Bools, Floats
from proctor_workers.statistics.auc import delong_paired, patient_auc
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.draws import LANES, Stream
from proctor_workers.statistics.ordering import ascending, descending

ANY = st.floats(allow_nan=False, width=64) | st.sampled_from([0.0, -0.0, np.inf, -np.inf, 0.5])


@given(st.lists(ANY, max_size=60))
@settings(max_examples=60, deadline=None)
def test_rows_are_ordered_as_by_a_stable_sort(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    keys, rows = ascending(array)
    assert np.array_equal(rows, np.argsort(array, kind="stable"))
    assert np.array_equal(keys[1:] == keys[:-1], array[rows][1:] == array[rows][:-1])
    assert np.array_equal(descending(array)[1], np.argsort(-array, kind="stable"))


def made(
    seed: int, *, ties: bool = False, weighted: bool = False, rows_a_patient: int = 1
) -> tuple[Floats, Bools, Floats, Ranking]:
    rng = np.random.default_rng(seed)
    positive = rng.random(120) < 0.4
    score = rng.normal(positive)
    score = np.round(2 * score) if ties else score
    weight = rng.uniform(0.5, 3, 120) if weighted else np.ones(120)
    patient = np.arange(120) // rows_a_patient
    return score, positive, weight, ranking(score, positive, weight, patient)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows_a_patient", [1, 3])
@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_areas_of_resamples_equal_scikit_learns(
    *, ties: bool, weighted: bool, rows_a_patient: int, prevalence: float | None
) -> None:
    score, positive, weight, ranked = made(
        1, ties=ties, weighted=weighted, rows_a_patient=rows_a_patient
    )
    patients = 120 // rows_a_patient
    plan = Resampling(20, np.zeros(patients, dtype=np.int64), Stream(1, "areas"))
    areas = plan.replicate(RankedAreas(ranked, prevalence))[0]
    ((_, times),) = plan.times()
    for repeat in range(20):
        mass = weight * np.repeat(times[:, repeat], rows_a_patient)
        assert areas[repeat, AUROC] == pytest.approx(
            roc_auc_score(positive, score, sample_weight=mass), abs=1e-12
        )
        if prevalence is not None:
            part = np.where(positive, prevalence, 1 - prevalence)
            mass = mass * part / np.where(positive, mass[positive].sum(), mass[~positive].sum())
        assert areas[repeat, AUPRC] == pytest.approx(
            average_precision_score(positive, score, sample_weight=mass), abs=1e-12
        )


@pytest.mark.parametrize("missing", [True, False])
def test_areas_are_undefined_without_a_class(*, missing: bool) -> None:
    _, positive, _, ranked = made(2)
    times = np.zeros((120, LANES), dtype=np.uint8)
    times[positive != missing] = 1
    values = np.zeros((2, LANES))
    RankedAreas(ranked, None).fill(times, values)
    assert np.all(np.isnan(values))


def test_constant_scores_have_no_discrimination() -> None:
    positive = np.arange(40) < 10
    ranked = ranking(np.zeros(40), positive, np.ones(40), np.arange(40))
    values = np.empty((2, LANES))
    RankedAreas(ranked, None).fill(np.ones((40, LANES), dtype=np.uint8), values)
    assert values[:, 0] == pytest.approx([0.5, 0.25])


def pairs(score: Floats, positive: Bools) -> Floats:
    gap = score[positive][:, None] - score[~positive][None, :]
    wins: Floats = (gap > 0) + 0.5 * (gap == 0)
    return wins


@given(st.integers(0, 500), st.booleans())
@settings(max_examples=40, deadline=None)
def test_delong_equals_its_sum_over_all_pairs(seed: int, ties: bool) -> None:  # noqa: FBT001
    score, positive, _, _ = made(seed, ties=ties)
    wins = pairs(score, positive)
    variance = np.var(wins.mean(axis=1), ddof=1) / wins.shape[0]
    variance += np.var(wins.mean(axis=0), ddof=1) / wins.shape[1]
    found = patient_auc(score, positive, np.arange(120), 120)
    assert found.auc == pytest.approx(wins.mean(), abs=1e-14)
    assert found.variance == pytest.approx(variance, rel=1e-10)
    assert found.delong_variance == pytest.approx(variance, rel=1e-10)


def test_clustered_delong_equals_its_sum_over_patients() -> None:
    """Obuchowski's sums over clusters (Biometrics 1997;53:567), pair by pair."""
    score, positive, _, _ = made(3)
    patient = np.arange(120) // 3
    wins = pairs(score, positive)
    area, (m, n) = wins.mean(), wins.shape
    of_positive = np.bincount(patient[positive], wins.mean(axis=1) - area, minlength=40)
    of_negative = np.bincount(patient[~positive], wins.mean(axis=0) - area, minlength=40)
    ones = len(np.unique(patient[positive]))
    zeros = len(np.unique(patient[~positive]))
    expected = (
        ones / (ones - 1) * np.sum(of_positive**2) / m**2
        + zeros / (zeros - 1) * np.sum(of_negative**2) / n**2
        + 2 * 40 / 39 * np.sum(of_positive * of_negative) / (m * n)
    )
    found = patient_auc(score, positive, patient, 40)
    assert found.variance == pytest.approx(expected, rel=1e-10)


def test_paired_delong_equals_its_sum_over_all_pairs() -> None:
    score, positive, _, _ = made(4)
    other = score + np.random.default_rng(5).normal(size=120)
    gap = pairs(score, positive) - pairs(other, positive)
    variance = np.var(gap.mean(axis=1), ddof=1) / gap.shape[0]
    variance += np.var(gap.mean(axis=0), ddof=1) / gap.shape[1]
    found = delong_paired(score, other, positive, np.arange(120))
    assert found.difference == pytest.approx(gap.mean(), abs=1e-14)
    assert found.statistic == pytest.approx(gap.mean() / np.sqrt(variance), rel=1e-10)
