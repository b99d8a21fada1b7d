import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_backend.domain.result import Conclusion
from proctor_workers.metrics.metric import divide
from proctor_workers.statistics.adjusted import Cell, adjusted_gap, mantel_haenszel_difference
from proctor_workers.statistics.arrays import group_sums
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.heterogeneity import random_effects
from proctor_workers.statistics.hypotheses import durkalski
from proctor_workers.statistics.paired import (
    Aim,
    compare_areas,
    compare_shares,
    judge_difference,
    mcnemar_tests,
    newcombe_paired,
    paired_counts,
    relative_predictive_value,
    tango,
    weighted_score_test,
)
from proctor_workers.statistics.shared import (
    Difference,
    first_output,
    quantity_of_sums,
    shared_draws,
)

COUNT = st.integers(min_value=0, max_value=40)


def plan(patients: int, resamples: int = 400) -> Resampling:
    return Resampling(resamples, np.zeros(patients, dtype=np.int64), Stream(5, "test"))


@given(COUNT, COUNT, COUNT, COUNT)
@settings(max_examples=60, deadline=None)
def test_paired_limits_hold_the_estimate_and_turn_with_the_raters(
    both: int, first: int, second: int, neither: int
) -> None:
    n = both + first + second + neither
    if n == 0:
        return
    gap = (first - second) / n
    for method in (tango, newcombe_paired):
        lower, upper = method(both, first, second, neither)
        assert -1 <= lower <= gap + 1e-12
        assert gap - 1e-12 <= upper <= 1
        turned = method(both, second, first, neither)
        assert turned == pytest.approx((-upper, -lower), abs=1e-9)


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (3, -1, 2, 2)])
def test_impossible_table_is_refused(table: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="paired table"):
        tango(*table)


def test_raters_of_other_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="the same rows"):
        paired_counts(np.ones(3, dtype=bool), np.ones(2, dtype=bool))


def test_no_discordant_pair_says_nothing_against_equality() -> None:
    hit = np.array([True, False, True])
    assert set(mcnemar_tests(paired_counts(hit, hit)).values()) == {1.0}


def test_durkalski_weighs_patients_not_rows() -> None:
    """Three patients with 2, 1 and 3 rows: shares 1/2, 1 and -1/3 of discordant rows."""
    first = np.array([True, False, True, False, False, True])
    second = np.array([False, False, False, True, False, True])
    patient = np.array([0, 0, 1, 2, 2, 2])
    share = np.array([0.5, 1.0, -1 / 3])
    expected = share.sum() ** 2 / np.sum(share**2)
    assert durkalski(first, second, patient).statistic == pytest.approx(expected)


def test_rows_repeated_within_patients_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(2)
    hits = rng.random((2, 120)) < np.array([[0.8], [0.7]])
    once = compare_shares(
        *hits, patient=np.arange(120), weight=np.ones(120), plan=plan(120), level=0.95
    )
    patient = np.repeat(np.arange(120), 5)
    often = compare_shares(
        *np.repeat(hits, 5, axis=1), patient=patient, weight=np.ones(600), plan=plan(120, 2000),
        level=0.95,
    )  # fmt: skip
    widths = [one.difference.upper - one.difference.lower for one in (once, often)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_clustered_delong_takes_the_patient_for_its_unit() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(150) < 0.4
    scores = rng.normal(size=(2, 150)) + np.array([[1.2], [0.8]]) * positive
    alone = compare_areas(*scores, positive, np.arange(150), level=0.95)
    thrice = compare_areas(
        *np.repeat(scores, 3, axis=1), np.repeat(positive, 3), np.repeat(np.arange(150), 3),
        level=0.95,
    )  # fmt: skip
    assert thrice.difference.estimate == pytest.approx(alone.difference.estimate, abs=1e-12)
    assert thrice.p_value == pytest.approx(alone.p_value, rel=0.05)
    assert "clustered" in thrice.method


def test_scores_that_rank_alike_claim_no_interval() -> None:
    score = np.array([0.1, 0.4, 0.35, 0.8])
    positive = np.array([False, False, True, True])
    found = compare_areas(score, 2 * score + 1, positive, np.arange(4), level=0.95)
    assert found.difference.lower is None
    assert "no variation" in str(found.difference.reason)


def test_predictive_value_of_nobody_called_has_no_ratio() -> None:
    call, nobody = np.array([True, True]), np.array([False, False])
    found = relative_predictive_value(call, nobody, call, np.arange(2))
    assert found.ratio is None
    with pytest.raises(ValueError, match="at least one call"):
        weighted_score_test(call, nobody, call)


def test_any_two_quantities_are_compared_over_the_same_draws() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(80, 1))
    columns = np.hstack([values, np.ones((80, 1))])
    mean = quantity_of_sums(columns, lambda s: s[..., 0] / s[..., 1])
    shifted = quantity_of_sums(columns + np.array([1.0, 0.0]), lambda s: s[..., 0] / s[..., 1])
    shared = shared_draws([shifted, mean], plan(80))
    found = shared.difference(lambda v: v[..., 0] - v[..., 1])
    assert found.estimate == pytest.approx(1.0)
    assert found.reason is None or found.lower is None
    spread = [0.0 if limit is None else abs(limit - 1.0) for limit in (found.lower, found.upper)]
    assert max(spread) < 1e-9


@pytest.mark.parametrize(
    ("aim", "limits", "margin", "larger", "conclusion"),
    [
        (Aim.SUPERIORITY, (0.01, 0.2), 0.0, True, Conclusion.CRITERION_MET),
        (Aim.SUPERIORITY, (-0.01, 0.2), 0.0, True, Conclusion.CRITERION_NOT_MET),
        (Aim.SUPERIORITY, (-0.2, -0.01), 0.0, False, Conclusion.CRITERION_MET),
        (Aim.NON_INFERIORITY, (-0.04, 0.2), 0.05, True, Conclusion.CRITERION_MET),
        (Aim.NON_INFERIORITY, (-0.05, 0.2), 0.05, True, Conclusion.CRITERION_NOT_MET),
        (Aim.NON_INFERIORITY, (-0.2, 0.04), 0.05, False, Conclusion.CRITERION_MET),
        (Aim.EQUIVALENCE, (-0.04, 0.04), 0.05, True, Conclusion.CRITERION_MET),
        (Aim.EQUIVALENCE, (-0.04, 0.06), 0.05, True, Conclusion.CRITERION_NOT_MET),
        (Aim.EQUIVALENCE, (None, None), 0.05, True, Conclusion.INCONCLUSIVE),
    ],
)
def test_margin_is_judged_by_the_bound(
    aim: Aim,
    limits: tuple[float, float],
    margin: float,
    larger: bool,  # noqa: FBT001 - one of a parametrised list
    conclusion: Conclusion,
) -> None:
    found = Difference(estimate=0.0, lower=limits[0], upper=limits[1])
    assert judge_difference(found, aim, margin=margin, larger_is_better=larger) is conclusion


@pytest.mark.parametrize(("aim", "margin"), [(Aim.EQUIVALENCE, 0.0), (Aim.SUPERIORITY, -0.1)])
def test_senseless_margin_is_refused(aim: Aim, margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        judge_difference(Difference(estimate=0.0), aim, margin=margin, larger_is_better=True)


def gap_of(hit: np.ndarray, first: np.ndarray, stratum: np.ndarray, patient: np.ndarray):
    patients = int(patient.max()) + 1

    def rate(rows: np.ndarray):
        columns = group_sums(np.column_stack([hit * rows, rows]).astype(float), patient, patients)
        return quantity_of_sums(columns, lambda s: divide(s[..., 0], s[..., 1]))

    def cell(rows: np.ndarray) -> Cell:
        size = group_sums(rows[:, None].astype(float), patient, patients)
        return Cell(value=rate(rows), size=quantity_of_sums(size, first_output))

    strata = [
        (str(one), cell(first & (stratum == one)), cell(~first & (stratum == one)))
        for one in np.unique(stratum)
    ]
    return adjusted_gap((rate(first), rate(~first)), strata, plan(patients))


def made(seed: int, rows: int = 1):
    rng = np.random.default_rng(seed)
    n = 300
    patient = np.repeat(np.arange(n // rows), rows)
    stratum, first = rng.integers(0, 3, n), rng.random(n) < 0.4
    hit = rng.random(n) < 0.5 + 0.1 * stratum - 0.15 * first
    return hit, first, stratum, patient


@pytest.mark.parametrize("rows", [1, 3])
def test_adjusted_gap_of_a_share_is_mantel_haenszel(rows: int) -> None:
    hit, first, stratum, patient = made(6, rows)
    exact = mantel_haenszel_difference(hit, first, stratum, patient)
    found = gap_of(hit, first, stratum, patient)
    assert found.adjusted.estimate == pytest.approx(exact.difference, abs=1e-12)
    width = found.adjusted.upper - found.adjusted.lower
    assert width == pytest.approx(2 * 1.96 * np.sqrt(exact.clustered_variance), rel=0.15)


def test_crude_less_adjusted_is_what_is_explained() -> None:
    found = gap_of(*made(7))
    assert found.crude.estimate - found.adjusted.estimate == pytest.approx(found.explained.estimate)


def test_stratum_of_one_group_only_has_no_weight() -> None:
    hit, first, stratum, patient = made(8)
    stratum = np.where(first & (stratum == 0), 9, stratum)
    found = gap_of(hit, first, stratum, patient)
    weight = {one.stratum: one.weight for one in found.strata}
    assert weight["9"] == weight["0"] == 0
    assert sum(weight.values()) == pytest.approx(1)


def test_no_stratum_with_both_groups_is_refused() -> None:
    first = np.array([True, False])
    with pytest.raises(ValueError, match="both groups"):
        mantel_haenszel_difference(first, first, np.array([0, 1]), np.arange(2))


@given(st.permutations(range(6)))
@settings(max_examples=20, deadline=None)
def test_order_of_sites_does_not_matter(order: list[int]) -> None:
    values, variances = np.array([0.2, 0.5, 0.1, 0.7, 0.3, 0.4]), np.full(6, 0.02)
    one, two = random_effects(values, variances), random_effects(values[order], variances[order])
    assert one.limits == pytest.approx(two.limits, abs=1e-9)


def test_sites_that_agree_leave_no_variance_between_and_narrow_nothing() -> None:
    found = random_effects(np.full(5, 0.4), np.full(5, 0.01))
    assert found.tau2 == 0
    assert found.error == pytest.approx(np.sqrt(0.01 / 5))
    assert found.prediction[0] < found.limits[0]


@pytest.mark.parametrize("variances", [[0.1], [0.1, 0.0], [0.1, np.nan]])
def test_site_without_a_variance_is_refused(variances: list[float]) -> None:
    with pytest.raises(ValueError, match="site"):
        random_effects(np.zeros(len(variances)), np.array(variances))
