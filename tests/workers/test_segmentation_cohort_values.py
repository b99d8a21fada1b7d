import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from proctor_workers.metrics.case_values import goal_share, medians_without, over_cases
from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.metrics.segmentation.cohort import (
    CaseMasks,
    score_cohort,
    score_in_processes,
    score_masks,
)
from proctor_workers.metrics.segmentation.runs import encode_runs
from proctor_workers.metrics.segmentation.scores import Definitions
from proctor_workers.metrics.segmentation.signed_ranks import (
    hodges_lehmann,
    patient_differences,
    signed_ranks,
    walsh_limits,
)

PLAN = Plan(design=Design(kind="consecutive", weighted=False), resamples=400, seed=3)


def sample(value: np.ndarray, *, rows: int = 1, weight: np.ndarray | None = None) -> Sample:
    n = len(value)
    return Sample(
        patient=np.arange(n) // rows,
        weight=np.ones(n) if weight is None else weight,
        stratum=np.zeros(n, dtype=np.int64),
        columns={"value": value},
    )


def over(statistic: str):
    return over_cases("dice", statistic, left_out="why", unit_scale=True, complete_cases=False)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_value_is_numpys_and_lies_within_its_limits(statistic: str) -> None:
    value = np.random.default_rng(1).beta(8, 2, 60)
    value[[3, 7]] = np.nan
    found = over(statistic).estimate(sample(value, rows=2), PLAN)
    expected = np.nanmean(value) if statistic == "mean" else np.nanmedian(value)
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.lower < found.value < found.upper
    assert (found.n, found.patients) == (58, 30)
    assert found.flags == ("2 cases left out: why",)


def test_mean_takes_sampling_weights_and_a_median_refuses_them() -> None:
    value, weight = np.array([0.2, 0.4, 0.9]), np.array([1.0, 1.0, 2.0])
    weighted = sample(value, weight=weight)
    assert over("mean").estimate(weighted, PLAN).value == pytest.approx(0.6)
    assert over("median").estimate(weighted, PLAN).reason.startswith("refused")


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("value", [np.array([]), np.full(3, np.nan)])
def test_no_value_gives_no_estimate(statistic: str, value: np.ndarray) -> None:
    assert over(statistic).estimate(sample(value), PLAN).reason.startswith("not estimable")


def test_equal_values_have_no_interval() -> None:
    found = over("mean").estimate(sample(np.full(20, 0.75)), PLAN)
    assert found.value == 0.75
    assert found.lower is None
    assert "no variation" in found.flags[0]


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_medians_without_each_patient(seed: int, n: int, patients: int) -> None:
    draws = np.random.default_rng(seed)
    value, patient = np.round(draws.random(n), 1), draws.integers(0, patients, n)
    found = medians_without(value, patient, patients)
    for one in range(patients):
        left = value[patient != one]
        expected = np.median(left) if len(left) else np.nan
        assert found[one] == pytest.approx(expected, nan_ok=True)


def test_share_at_goal_counts_cases_with_a_value() -> None:
    value = np.array([0.95, 0.9, 0.89, np.nan])
    found = goal_share("x", 0.9, higher_is_better=True).estimate(sample(value), PLAN)
    assert (found.numerator, found.denominator) == (2, 3)
    far = goal_share("x", 0.9, higher_is_better=False).estimate(sample(value), PLAN)
    assert (far.numerator, far.denominator) == (2, 3)


@given(st.integers(0, 10_000), st.integers(4, 30))
@settings(max_examples=25, deadline=None)
def test_signed_ranks_are_scipys_without_ties(seed: int, n: int) -> None:
    value = np.random.default_rng(seed).normal(0.3, 1, n)
    found = signed_ranks(value)
    theirs = stats.wilcoxon(value, method="exact")
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    greater = stats.wilcoxon(value, alternative="greater", method="exact")
    assert found.statistic == greater.statistic
    assert found.p_greater == pytest.approx(greater.pvalue, rel=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_signed_ranks_with_ties_are_the_permutation_test(seed: int) -> None:
    value = np.random.default_rng(seed).integers(-3, 5, 8).astype(float)
    kept = value[value != 0]
    ranks = stats.rankdata(np.abs(kept))
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product((0, 1), repeat=len(ranks))
    ]
    observed = ranks[kept > 0].sum()
    found = signed_ranks(value)
    assert found.p_greater == pytest.approx(np.mean(np.array(sums) >= observed - 1e-9), rel=1e-9)
    assert found.zeros == 8 - len(kept)


def test_many_patients_take_the_normal_approximation() -> None:
    value = np.round(np.random.default_rng(4).normal(0.05, 1, 400), 1)
    found = signed_ranks(value)
    theirs = stats.wilcoxon(value, correction=True, method="approx")
    assert found.method == "normal"
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_middle_is_the_median_of_the_walsh_averages(n: int) -> None:
    value = np.random.default_rng(n).normal(size=n)
    walsh = [(value[i] + value[j]) / 2 for i in range(n) for j in range(i, n)]
    assert hodges_lehmann(value) == pytest.approx(np.median(walsh), abs=1e-12)


def test_limits_are_those_of_hollander_and_wolfe() -> None:
    """Hamilton depression scale, Hollander & Wolfe 1999 table 3.1; R's wilcox.test(conf.int=T)."""
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    found = signed_ranks(before - after)
    assert (found.statistic, found.p_value) == (40, pytest.approx(0.0390625))
    assert found.p_greater == pytest.approx(0.01953125)
    assert found.middle == pytest.approx(0.46, abs=1e-12)
    assert (found.lower, found.upper) == pytest.approx((0.010, 0.786), abs=1e-12)


def test_limits_are_the_values_that_the_test_does_not_reject() -> None:
    value = np.random.default_rng(9).normal(0.4, 1, 25)
    lower, upper = walsh_limits(value)
    for edge, inside in ((lower, 1), (upper, -1)):
        assert signed_ranks(value, shift=-(edge - 1e-9 * inside)).p_value <= 0.05
        assert signed_ranks(value, shift=-(edge + 1e-9 * inside)).p_value > 0.05


def test_margin_makes_a_slightly_worse_model_non_inferior() -> None:
    value = np.random.default_rng(2).normal(-0.01, 0.02, 40)
    assert signed_ranks(value).p_greater > 0.9
    assert signed_ranks(value, shift=0.05).p_greater < 0.001


def test_differences_are_taken_by_patient_where_both_have_a_value() -> None:
    first = np.array([0.9, 0.7, np.nan, 0.5])
    second = np.array([0.8, 0.8, 0.9, 0.4])
    found = patient_differences(first, second, np.array([0, 0, 1, 2]))
    assert found == pytest.approx([0.0, 0.1])


@pytest.mark.parametrize("value", [np.array([]), np.array([np.nan]), np.array([np.inf, 1.0])])
def test_differences_that_are_none_are_refused(value: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite"):
        signed_ranks(value)


def test_equal_values_have_no_evidence() -> None:
    found = signed_ranks(np.zeros(5))
    assert (found.p_value, found.middle, found.lower, found.upper) == (1.0, 0.0, 0.0, 0.0)


def cases(count: int) -> list[CaseMasks]:
    draws = np.random.default_rng(5)
    made = []
    for _ in range(count):
        first, second = (draws.random((2, 6, 7, 8)) < 0.4).astype(np.uint8)
        made.append(
            CaseMasks(
                shape=(6, 7, 8),
                spacing=(1.0, 1.0, 2.0),
                reference={"a": encode_runs(first)[1], "b": encode_runs(second)[1]},
                predicted={"a": encode_runs(second)[1]},
                structures=("a", "b"),
                asked=(
                    ("dice", Definitions()),
                    ("hd95", Definitions(convention="surfel")),
                    ("hd95", Definitions()),
                ),
            )
        )
    return made


def test_structures_that_overlap_score_as_each_does_alone() -> None:
    case = cases(1)[0]
    alone = [score_masks(replace(case, structures=(one,)))[0] for one in case.structures]
    assert np.array_equal(score_masks(case), alone)


def test_structure_without_runs_is_empty() -> None:
    found = score_masks(cases(1)[0])
    assert 0 < found[0, 0] < 1
    assert found[1, 0] == 0.0
    assert found[1, 1] == pytest.approx(np.hypot(np.hypot(6, 7), 16))


def test_processes_give_the_same_values_in_the_same_order() -> None:
    made = cases(6)
    alone = score_cohort(made, processes=1)
    together = score_in_processes(made, 2)
    assert [one.tobytes() for one in alone] == [one.tobytes() for one in together]
