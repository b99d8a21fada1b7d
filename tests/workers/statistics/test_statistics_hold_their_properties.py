from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.auc import newcombe_method5, patient_auc
from proctor_workers.statistics.draws import Stream, below
from proctor_workers.statistics.hypotheses import durkalski, mcnemar
from proctor_workers.statistics.multiplicity import holm
from proctor_workers.statistics.predictive import Accuracy, mercaldo, ppv
from proctor_workers.statistics.proportions import clopper_pearson, korn_graubard, wilson
from proctor_workers.subgroups import equality

CONSECUTIVE = Design(kind="consecutive", weighted=False)


def sample(n: int, seed: int, *, rows_per_patient: int = 1, levels: int | None = None) -> Sample:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    positive[:2] = (True, False)
    score = 1 / (1 + np.exp(-(positive + rng.normal(size=n))))
    if levels:
        score = np.round(score * levels) / levels
    return Sample(
        patient=np.arange(n) // rows_per_patient,
        weight=np.ones(n),
        stratum=np.zeros(n, dtype=np.int64),
        columns={"positive": positive, "score": score, "call": score >= 0.5},
    )


@given(st.integers(10, 80), st.integers(0, 1000), st.sampled_from([None, 4]))
@settings(max_examples=25, deadline=None)
def test_auc_and_average_precision_equal_scikit_learn(
    n: int, seed: int, levels: int | None
) -> None:
    one = sample(n, seed, levels=levels)
    auc = patient_auc(one.score, one.positive, np.arange(n), n).auc
    precision = METRICS["auprc"].point(one, CONSECUTIVE)
    assert auc == pytest.approx(roc_auc_score(one.positive, one.score), abs=1e-12)
    assert precision == pytest.approx(average_precision_score(one.positive, one.score), abs=1e-12)


@given(st.integers(10, 60), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_monotone_transform_leaves_auc_and_its_limits(n: int, seed: int) -> None:
    one = sample(n, seed, rows_per_patient=2)
    plan = Plan(design=CONSECUTIVE)
    columns = {"positive": one.positive, "score": np.exp(3 * one.score), "call": one.call}
    moved = replace(one, columns=columns)
    area = METRICS["auroc"]
    assert area.estimate(one, plan) == area.estimate(moved, plan)


@pytest.mark.parametrize("name", ["auprc", "calibration_intercept", "calibration_slope", "brier"])
def test_influence_is_the_jackknife_to_first_order(name: str) -> None:
    one = sample(400, 3, rows_per_patient=2)
    metric = METRICS[name]
    whole = metric.point(one, CONSECUTIVE)
    left_out = np.array(
        [metric.point(one.take(one.patient != code), CONSECUTIVE) for code in range(0, 200, 10)]
    )
    found = metric.influence(one, CONSECUTIVE)[::10]
    assert whole - left_out == pytest.approx(found, rel=0.1, abs=2e-4)


def test_clustered_variance_is_delong_without_clusters() -> None:
    one = sample(120, 4)
    found = patient_auc(one.score, one.positive, one.patient, 120)
    assert found.variance == pytest.approx(found.delong_variance, rel=1e-12)


def test_repeating_every_row_does_not_narrow_clustered_intervals() -> None:
    hit = np.array([1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0] * 3, dtype=float)
    once = korn_graubard(hit, np.arange(len(hit)))
    thrice = korn_graubard(np.repeat(hit, 3), np.repeat(np.arange(len(hit)), 3))
    assert thrice.upper - thrice.lower >= (once.upper - once.lower) * 0.999


@given(st.integers(1, 60), st.data())
@settings(max_examples=50, deadline=None)
def test_proportion_limits_contain_the_estimate_and_mirror(n: int, data: st.DataObject) -> None:
    x = data.draw(st.integers(0, n))
    for interval in (wilson, clopper_pearson):
        lower, upper = interval(x, n)
        mirrored = interval(n - x, n)
        assert 0 <= lower <= x / n <= upper <= 1
        assert mirrored == pytest.approx((1 - upper, 1 - lower), abs=1e-9)


def test_method5_gives_limits_at_perfect_separation() -> None:
    lower, upper = newcombe_method5(1.0, 30, 40)
    assert upper == 1.0
    assert 0.85 < lower < 0.97


def test_mercaldo_gives_limits_at_zero_cells() -> None:
    lower, upper = mercaldo(Accuracy(1.0, 0.9, 20, 50), 0.1, positive=True)
    assert lower < ppv(1.0, 0.9, 0.1) < upper


def test_durkalski_is_mcnemar_without_clusters() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.random(200) < 0.7, rng.random(200) < 0.6
    b, c = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    found = durkalski(first, second, np.arange(200))
    assert found.statistic == pytest.approx(mcnemar(b, c, corrected=False).statistic)


def test_draws_are_numpys_philox_words_and_uniform() -> None:
    stream = Stream(7, "test")
    words = np.concatenate([batch.ravel() for _, batch in stream.batches(50, 1000)])
    assert np.array_equal(words, stream.words().random_raw(len(words)))
    drawn = np.bincount([below(words, place, 10) for place in range(40000)], minlength=10)
    assert drawn.min() > 3700


def test_relabelled_groups_get_the_same_test() -> None:
    one = sample(400, 8, rows_per_patient=2)
    group = one.patient % 3
    plan = Plan(design=CONSECUTIVE)
    tests = [
        equality.equality_test(
            METRICS["auroc"], one, [(str(g), group == g) for g in order], plan
        ).p_value
        for order in ((0, 1, 2), (2, 0, 1))
    ]
    assert tests[0] == pytest.approx(tests[1], rel=1e-9)


def test_family_wise_false_alarms_stay_below_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 cohorts under the null, unequal prevalence, clusters, correlated factors: at most 37."""
    monkeypatch.setattr(equality, "PERMUTATIONS", 199)
    rng = np.random.default_rng(20261121)
    alarms = sum(min(holm(_null_p_values(rng, index))) <= 0.05 for index in range(500))
    assert alarms <= 37


def _null_p_values(rng: np.random.Generator, index: int) -> list[float]:
    patients = 150
    rows = rng.integers(1, 4, patients)
    sex = rng.random(patients) < 0.4
    race = np.where(rng.random(patients) < np.where(sex, 0.5, 0.8), 0, rng.integers(1, 3, patients))
    patient = np.repeat(np.arange(patients), rows)
    positive = rng.random(len(patient)) < np.where(race == 0, 0.3, 0.5)[patient]
    strain = rng.normal(size=patients)[patient]
    score = 2.2 * positive + 0.7 * strain + 0.7 * rng.normal(size=len(patient))
    one = Sample(
        patient=patient,
        weight=np.ones(len(patient)),
        stratum=np.zeros(len(patient), dtype=np.int64),
        columns={"positive": positive, "score": score, "call": score >= 1.1},
    )
    factors = {
        "sex": [("F", sex[patient]), ("M", ~sex[patient])],
        "race": [(str(level), race[patient] == level) for level in range(3)],
    }
    p_values = []
    for name, levels in factors.items():
        for metric in ("auroc", "sensitivity", "specificity"):
            plan = Plan(design=CONSECUTIVE, seed=index, stream=name + metric)
            found = equality.equality_test(METRICS[metric], one, levels, plan).p_value
            p_values.append(1.0 if found is None else found)
    return p_values
