"""What the planner says holds: against libraries, against simulation, against itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

from proctor_backend.planning import distributions
from proctor_backend.planning.clusters import design_effect, effective_size, inflated_size
from proctor_backend.planning.comparisons import (
    difference_width,
    mcnemar_power,
    mcnemar_required_pairs,
    noninferiority_pairs,
    noninferiority_power,
)
from proctor_backend.planning.means import (
    equivalence_power,
    kappa_width,
    limits_of_agreement_width,
    mean_power,
    mean_power_n,
    mean_required_n,
    mean_width,
)
from proctor_backend.planning.proportions import (
    clopper_pearson,
    expected_width,
    power,
    required_n,
    required_n_for_width,
    wilson,
)
from proctor_backend.planning.ranking import (
    auc_difference_power,
    auc_power,
    auc_required_positives,
    auc_width,
)
from proctor_backend.planning.risk_models import LinearPredictor, intercept_width, slope_width
from proctor_backend.planning.survival import (
    concordance_power,
    concordance_spread,
    concordance_width,
)

DRAWS = 20_000


@pytest.mark.parametrize(("x", "a", "b"), [(0.3, 2.5, 7.0), (0.999, 300, 1.5), (1e-6, 0.5, 0.5)])
def test_beta_equals_scipy(x: float, a: float, b: float) -> None:
    assert distributions.beta_cdf(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-11)
    p = special.betainc(a, b, x)
    assert distributions.beta_quantile(p, a, b) == pytest.approx(x, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.floats(0.001, 0.999), st.sampled_from([0.8, 0.95, 0.99]))
def test_intervals_equal_the_library(n: int, share: float, level: float) -> None:
    x = round(share * n)
    exact = proportion_confint(x, n, 1 - level, "beta")
    score = proportion_confint(x, n, 1 - level, "wilson")
    assert clopper_pearson(x, n, level) == pytest.approx(np.nan_to_num(exact), abs=1e-9)
    assert wilson(x, n, level) == pytest.approx(score, abs=1e-12)


def test_student_and_f_equal_scipy() -> None:
    assert distributions.student_cdf(-1.3, 4) == pytest.approx(stats.t.cdf(-1.3, 4), abs=1e-12)
    assert distributions.student_quantile(0.975, 2.5) == pytest.approx(stats.t.ppf(0.975, 2.5))
    assert distributions.f_quantile(0.95, 1, 15.2) == pytest.approx(stats.f.ppf(0.95, 1, 15.2))
    found = distributions.noncentral_f_cdf(4.4, 1, 16.1, 8.9)
    assert found == pytest.approx(stats.ncf.cdf(4.4, 1, 16.1, 8.9), abs=1e-8)


@pytest.mark.parametrize("df", [1, 4, 30, 400])
def test_noncentral_student_equals_scipy(df: int) -> None:
    found = distributions.noncentral_student_cdf(2.1, df, 1.5)
    assert found == pytest.approx(stats.nct.cdf(2.1, df, 1.5), abs=1e-8)


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (40, 0.02), (2000, 0.93)])
def test_binomial_terms_are_the_whole_distribution(n: int, p: float) -> None:
    terms = distributions.binomial_terms(n, p)
    assert sum(weight for _, weight in terms) == pytest.approx(1, abs=1e-10)
    for k, weight in terms[:: max(1, len(terms) // 7)]:
        assert weight == pytest.approx(stats.binom.pmf(k, n, p), rel=1e-9)


def test_exact_power_is_what_drawn_samples_reach() -> None:
    hits = np.random.default_rng(1).binomial(120, 0.9, DRAWS)
    lower = special.betaincinv(hits, 120 - hits + 1, 0.025)
    promised = power(0.9, 120, 0.82)
    assert np.mean(lower >= 0.82) == pytest.approx(promised, abs=3 * math.sqrt(0.25 / DRAWS))


def test_upper_bound_is_the_lower_bound_of_the_complement() -> None:
    assert power(0.05, 200, 0.10, bound="upper") == power(0.95, 200, 0.90)


def test_expected_width_is_the_mean_of_drawn_widths() -> None:
    hits = np.random.default_rng(2).binomial(80, 0.85, DRAWS)
    upper = special.betaincinv(hits + 1, np.maximum(80 - hits, 1e-9), 0.975)
    lower = special.betaincinv(hits, 80 - hits + 1, 0.025)
    width = np.where(hits == 80, 1, upper) - lower
    assert np.mean(width) == pytest.approx(expected_width(0.85, 80), rel=0.005)


@pytest.mark.parametrize(("p", "goal"), [(0.9, 0.8), (0.95, 0.85), (0.7, 0.5)])
def test_power_never_falls_again_from_the_required_size(p: float, goal: float) -> None:
    n = required_n(p, goal, chance=0.8)
    assert min(power(p, size, goal) for size in range(n, n + 200)) >= 0.8
    assert power(p, n - 1, goal) < 0.8


def test_goal_that_the_truth_does_not_exceed_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exceed"):
        required_n(0.8, 0.8)


def test_required_size_for_a_width_is_the_smallest() -> None:
    n = required_n_for_width(0.9, 0.1)
    assert expected_width(0.9, n) <= 0.1 < expected_width(0.9, n - 1)


def test_clusters_shrink_and_inflate_alike() -> None:
    effect = design_effect(4, 0.3, size_variation=0.5)
    assert effect == pytest.approx(1 + (1.25 * 4 - 1) * 0.3)
    assert effective_size(inflated_size(100, effect), effect) == 100


def test_mcnemar_power_is_what_drawn_pairs_reach() -> None:
    drawn = np.random.default_rng(3).multinomial(150, [0.12, 0.04, 0.84], DRAWS)
    fewer, total = np.minimum(drawn[:, 0], drawn[:, 1]), drawn[:, 0] + drawn[:, 1]
    exact = np.minimum(1, 2 * stats.binom.cdf(fewer, total, 0.5))
    mid = exact - stats.binom.pmf(fewer, total, 0.5)
    tolerance = 3 * math.sqrt(0.25 / DRAWS)
    assert np.mean(exact <= 0.05) == pytest.approx(mcnemar_power(0.12, 0.04, 150), abs=tolerance)
    assert np.mean(mid <= 0.05) == pytest.approx(
        mcnemar_power(0.12, 0.04, 150, mid_p=True), abs=tolerance
    )


def test_required_pairs_reach_the_power() -> None:
    n = mcnemar_required_pairs(0.15, 0.05)
    assert mcnemar_power(0.15, 0.05, n) >= 0.8 > mcnemar_power(0.15, 0.05, n - 1)


def test_noninferiority_power_is_what_drawn_pairs_reach() -> None:
    """The score test at the margin, which Tango's interval inverts."""
    n, margin = 300, 0.05
    drawn = np.random.default_rng(4).multinomial(n, [0.06, 0.05, 0.89], DRAWS)
    b, c = drawn[:, 0] / n, drawn[:, 1] / n
    slope = -(b + c) - (2 - b + c) * margin
    second = (np.sqrt(slope**2 - 8 * c * margin * (1 + margin)) - slope) / 4
    error = np.sqrt((2 * second - margin - margin**2) / n)
    reached = np.mean((b - c + margin) / error >= special.ndtri(0.975))
    assert reached == pytest.approx(noninferiority_power(0.06, 0.05, n, margin), abs=0.015)
    size = noninferiority_pairs(0.06, 0.05, margin)
    assert noninferiority_power(0.06, 0.05, size, margin) == pytest.approx(0.8, abs=0.005)


def test_mean_power_equals_statsmodels() -> None:
    theirs = TTestPower().power(effect_size=0.4, nobs=25, alpha=0.05, alternative="larger")
    assert mean_power(0.4, 1, 25, level=0.90) == pytest.approx(theirs, abs=1e-8)
    assert mean_power(0.4, 1, mean_power_n(0.4, 1)) >= 0.8


def test_mean_width_is_the_mean_of_drawn_widths() -> None:
    sd = np.random.default_rng(5).normal(size=(DRAWS, 12)).std(axis=1, ddof=1)
    width = 2 * stats.t.ppf(0.975, 11) * sd / math.sqrt(12)
    assert np.mean(width) == pytest.approx(mean_width(1, 12), rel=0.005)
    assert mean_width(1, mean_required_n(1, 0.2)) <= 0.2


def test_equivalence_power_is_what_drawn_samples_reach() -> None:
    sample = np.random.default_rng(6).normal(0.1, 1, (DRAWS, 40))
    half = stats.t.ppf(0.975, 39) * sample.std(axis=1, ddof=1) / math.sqrt(40)
    inside = np.abs(sample.mean(axis=1)) + half < 0.5
    assert np.mean(inside) == pytest.approx(equivalence_power(0.1, 1, 40, 0.5), abs=0.011)


def test_limits_of_agreement_width_equals_the_noncentral_t() -> None:
    n, shift = 30, stats.norm.ppf(0.975) * math.sqrt(30)
    factors = stats.nct.ppf([0.025, 0.975], n - 1, shift) / math.sqrt(n)
    c4 = math.sqrt(2 / 29) * math.exp(math.lgamma(15) - math.lgamma(14.5))
    expected = 7.0 * (factors[1] - factors[0]) * c4
    assert limits_of_agreement_width(7.0, n) == pytest.approx(expected, rel=1e-6)


def test_kappa_width_equals_the_librarys_error_at_the_expected_table() -> None:
    share, kappa, n = 0.3, 0.6, 10_000_000
    off = (1 - kappa) * share * (1 - share)
    table = n * np.array([[share - off, off], [off, 1 - share - off]])
    theirs = cohens_kappa(table)
    width = 2 * stats.norm.ppf(0.975) * theirs.std_kappa * math.sqrt(n / 200)
    assert kappa_width(kappa, share, 200) == pytest.approx(width, rel=1e-6)


def test_difference_width_narrows_with_either_group() -> None:
    wide = difference_width(0.9, 40, 0.85, 60)
    assert difference_width(0.9, 400, 0.85, 60) < wide
    assert difference_width(0.9, 400, 0.85, 600) < wide / 2


@pytest.mark.parametrize(("auc", "goal"), [(0.85, 0.75), (0.95, 0.9)])
def test_required_positives_reach_the_power(auc: float, goal: float) -> None:
    m = auc_required_positives(auc, goal, ratio=2)
    assert auc_power(auc, m, 2 * m, goal) >= 0.8 > auc_power(auc, m - 1, 2 * (m - 1), goal)


def test_area_width_shrinks_with_the_root_of_the_size() -> None:
    assert auc_width(0.85, 100, 100) / auc_width(0.85, 400, 400) == pytest.approx(2, rel=0.02)


def test_correlated_areas_are_told_apart_more_easily() -> None:
    alone = auc_difference_power(0.9, 0.85, 100, 100)
    assert auc_difference_power(0.9, 0.85, 100, 100, correlation=0.6) > alone


def test_slope_and_intercept_widths_are_what_fits_show() -> None:
    """Spread of logistic recalibrations of drawn cohorts."""
    rng = np.random.default_rng(7)
    logits, n = LinearPredictor(-1.5, 1.2), 1200
    slopes, intercepts = [], []
    for _ in range(300):
        x = rng.normal(logits.mean, logits.sd, n)
        y = rng.random(n) < special.expit(x)
        slopes.append(_fit(np.column_stack([np.ones(n), x]), y, np.zeros(n))[1])
        intercepts.append(_fit(np.ones((n, 1)), y, x)[0])
    z = 2 * stats.norm.ppf(0.975)
    assert np.std(slopes) * z == pytest.approx(slope_width(logits, n), rel=0.15)
    assert np.std(intercepts) * z == pytest.approx(intercept_width(logits, n), rel=0.15)


def _fit(design: np.ndarray, y: np.ndarray, offset: np.ndarray) -> np.ndarray:
    beta = np.zeros(design.shape[1])
    for _ in range(8):
        p = special.expit(design @ beta + offset)
        beta += np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]), design.T @ (y - p))
    return beta


def test_concordance_spread_is_what_drawn_cohorts_show() -> None:
    """Log risks of standard deviation 1.25, followed until 60 % have had the event."""
    rng = np.random.default_rng(8)
    n, found = 150, []
    big = rng.normal(0, 1.25, 100_000)
    end = np.quantile(rng.exponential(size=100_000) * np.exp(-big), 0.6)
    for _ in range(400):
        risk = rng.normal(0, 1.25, n)
        time = rng.exponential(size=n) * np.exp(-risk)
        first = (time[:, None] < time[None, :]) & (time <= end)[:, None]
        found.append(np.sum(first & (risk[:, None] > risk[None, :])) / first.sum())
    promised = concordance_spread(float(np.mean(found)), 0.6) / math.sqrt(n)
    assert np.std(found) == pytest.approx(promised, rel=0.15)


def test_concordance_width_and_power_move_with_the_size() -> None:
    assert concordance_width(0.7, 0.4, 400) < concordance_width(0.7, 0.4, 100)
    assert concordance_power(0.75, 0.4, 400, 0.65) > concordance_power(0.75, 0.4, 100, 0.65)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: expected_width(1.2, 10),
        lambda: power(0.9, 0, 0.8),
        lambda: design_effect(0.5, 0.1),
        lambda: auc_width(1.0, 10, 10),
        lambda: mean_width(0, 10),
        lambda: kappa_width(1.5, 0.3, 10),
        lambda: concordance_spread(0.4, 0.5),
        lambda: mcnemar_power(0.7, 0.6, 10),
        lambda: noninferiority_pairs(0.05, 0.20, 0.05),
    ],
)
def test_values_out_of_range_are_refused(refused: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        refused()
