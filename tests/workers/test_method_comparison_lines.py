"""Limits of agreement and lines between methods: exact laws, scipy, brute force, properties."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from proctor_workers.metrics.method_comparison import (
    deming,
    weighted_deming,
    weighted_deming_resampled,
)
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.limits_of_agreement import (
    LimitsMethod,
    limits_of_agreement,
    linked_replicates,
    unlinked_replicates,
)
from proctor_workers.statistics.lines import INTERCEPT, SLOPE
from proctor_workers.statistics.passing_bablok import (
    MOST_RESAMPLED,
    passing_bablok,
    passing_bablok_resampled,
)

Z = 1.959963984540054


def methods(seed: int, n: int = 60, *, rounded: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(10, 100, n)
    x, y = truth + 3 * rng.normal(size=n), 2 + 1.1 * truth + 3 * rng.normal(size=n)
    return (np.round(x / 5), np.round(y / 5)) if rounded else (x, y)


@pytest.mark.parametrize("n", [3, 10, 40])
def test_exact_limit_covers_exactly(n: int) -> None:
    """P(mean + k s < mu + z sigma), by integration over the chi distribution of s."""
    difference = np.random.default_rng(n).normal(size=n)
    found = limits_of_agreement(difference)
    for limit, share in zip(found.upper_limits, (0.025, 0.975), strict=True):
        k = (limit - found.bias) / found.sd

        def below(s: float, k: float = k) -> float:
            return (
                stats.norm.cdf(math.sqrt(n) * (Z - k * s))
                * stats.chi.pdf(s * math.sqrt(n - 1), n - 1)
                * math.sqrt(n - 1)
            )

        chance, _ = integrate.quad(below, 0, np.inf, epsabs=1e-12)
        assert 1 - chance == pytest.approx(share, abs=1e-7)


def test_approximate_limits_near_the_exact_ones_in_large_samples() -> None:
    difference = np.random.default_rng(1).normal(size=5000)
    exact = limits_of_agreement(difference)
    near = limits_of_agreement(difference, method=LimitsMethod.APPROXIMATE)
    assert exact.upper_limits == pytest.approx(near.upper_limits, abs=2e-3)


@given(st.floats(-100, 100), st.floats(0.1, 50), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_limits_of_agreement_follow_shift_and_scale(shift: float, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    difference, subject = rng.normal(size=30), np.arange(30) // 3
    for estimate in (limits_of_agreement, lambda d: linked_replicates(d, subject)):
        before, after = estimate(difference), estimate(scale * difference + shift)
        assert after.lower == pytest.approx(scale * before.lower + shift, rel=1e-9, abs=1e-9)
        assert after.upper_limits[1] == pytest.approx(
            scale * before.upper_limits[1] + shift, rel=1e-9, abs=1e-9
        )
        mirrored = estimate(-difference)
        assert mirrored.lower == pytest.approx(-before.upper, rel=1e-9)


def test_names_of_subjects_and_order_of_rows_change_nothing() -> None:
    rng = np.random.default_rng(2)
    difference, subject = rng.normal(size=30), rng.integers(0, 9, 30)
    order = rng.permutation(30)
    first = linked_replicates(difference, subject)
    second = linked_replicates(difference[order], 100 - subject[order])
    assert first.upper_limits == pytest.approx(second.upper_limits, rel=1e-12)


def test_linked_and_unlinked_replicates_agree_where_one_method_never_errs() -> None:
    rng = np.random.default_rng(3)
    subject = np.repeat(np.arange(12), 3)
    value = rng.normal(size=12)[subject] + rng.normal(size=36)
    linked = linked_replicates(value, subject)
    unlinked = unlinked_replicates(value, subject, np.zeros(12), np.arange(12))
    assert linked.upper_limits == pytest.approx(unlinked.upper_limits, rel=1e-12)


def test_limits_of_replicates_cover() -> None:
    """1,000 cohorts of 20 patients with 1 to 4 rows; each upper limit's interval."""
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(1000):
        subject = np.repeat(np.arange(20), np.r_[2, rng.integers(1, 5, 19)])
        value = 0.8 * rng.normal(size=20)[subject] + 0.6 * rng.normal(size=len(subject))
        low, high = linked_replicates(value, subject).upper_limits
        inside += low <= Z <= high
    assert 0.93 <= inside / 1000 <= 0.98


@pytest.mark.parametrize(
    ("difference", "sentence"), [([1.0, 2.0], "at least 3"), ([2.0] * 5, "are equal")]
)
def test_limits_that_do_not_exist_say_why(difference: list[float], sentence: str) -> None:
    with pytest.raises(NotEstimableError, match=sentence):
        limits_of_agreement(np.array(difference))


def test_replicates_that_do_not_fit_are_named() -> None:
    with pytest.raises(NotEstimableError, match="no subject is repeated"):
        linked_replicates(np.arange(5.0), np.arange(5))
    with pytest.raises(ValueError, match="same subjects"):
        unlinked_replicates(np.arange(4.0), np.arange(4), np.arange(4.0), np.arange(1, 5))
    with pytest.raises(ValueError, match="NaN"):
        linked_replicates(np.array([1, np.nan, 2.0]), np.array([1, 1, 2]))


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
def test_deming_has_the_least_weighted_distance(ratio: float) -> None:
    """The line of least squares perpendicular in units of each method's error."""
    x, y = methods(1)

    def distance(line: np.ndarray) -> float:
        return float(np.sum((y - line[1] - line[0] * x) ** 2) / (1 + ratio * line[0] ** 2))

    start = np.polyfit(x, y, 1)
    options = {"xatol": 1e-12, "fatol": 1e-12, "maxiter": 10_000, "maxfev": 10_000}
    least = optimize.minimize(distance, start, method="Nelder-Mead", options=options).x
    found = deming(x, y, np.arange(60), ratio=ratio)
    assert (found.slope, found.intercept) == pytest.approx(tuple(least), rel=1e-5)


@pytest.mark.parametrize("fit", [deming, weighted_deming])
def test_exchanged_methods_have_the_inverse_line(fit: object) -> None:
    x, y = methods(2)
    there, back = fit(x, y, np.arange(60), ratio=2.0), fit(y, x, np.arange(60), ratio=0.5)
    assert back.slope == pytest.approx(1 / there.slope, rel=1e-9)
    assert back.intercept == pytest.approx(-there.intercept / there.slope, rel=1e-8)


@pytest.mark.parametrize("fit", [deming, weighted_deming])
def test_unit_of_both_methods_leaves_the_slope(fit: object) -> None:
    x, y = methods(3)
    before, after = fit(x, y, np.arange(60)), fit(1000 * x, 1000 * y, np.arange(60))
    assert after.slope == pytest.approx(before.slope, rel=1e-9)
    assert after.intercept_limits == pytest.approx(
        tuple(1000 * limit for limit in before.intercept_limits), rel=1e-6
    )


def test_a_large_mean_costs_deming_no_digits() -> None:
    x, y = methods(4)
    before, after = deming(x, y, np.arange(60)), deming(x + 1e6, y + 1e6, np.arange(60))
    assert after.slope == pytest.approx(before.slope, rel=1e-8)


def test_deming_leaves_patients_out_not_rows() -> None:
    x, y = methods(5, 30)
    once = deming(x, y, np.arange(30))
    twice = deming(np.repeat(x, 2), np.repeat(y, 2), np.repeat(np.arange(30), 2))
    assert twice.slope_error == pytest.approx(once.slope_error, rel=1e-9)


def test_weighted_deming_is_its_own_fixed_point() -> None:
    x, y = methods(6)
    found = weighted_deming(x, y, np.arange(60))
    residual = y - found.intercept - found.slope * x
    scale = 1 + found.slope**2
    weight = ((x + found.slope * residual / scale + y - residual / scale) / 2) ** -2
    mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
    xx, yy = weight @ (x - mean_x) ** 2, weight @ (y - mean_y) ** 2
    xy = weight @ ((x - mean_x) * (y - mean_y))
    slope = (yy - xx + math.sqrt((yy - xx) ** 2 + 4 * xy**2)) / (2 * xy)
    assert found.slope == pytest.approx(slope, rel=1e-9)


def test_drawn_weighted_deming_equals_that_of_the_repeated_rows() -> None:
    x, y = methods(7, 20)
    times = np.random.default_rng(1).integers(0, 3, (1, 20))
    rows = np.repeat(np.arange(20), times[0])
    expected = weighted_deming(x[rows], y[rows], np.arange(len(rows)))
    for part, value in ((SLOPE, expected.slope), (INTERCEPT, expected.intercept)):
        drawn = np.empty(1)
        weighted_deming_resampled(x, y, np.arange(20), ratio=1.0, part=part)(times, drawn)
        assert drawn[0] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("fit", [deming, weighted_deming])
def test_lines_that_do_not_exist_say_why(fit: object) -> None:
    x, y = methods(8)
    with pytest.raises(NotEstimableError, match="all reference values are equal"):
        fit(np.full(60, 5.0), y, np.arange(60))
    with pytest.raises(NotEstimableError, match="at least 3"):
        fit(x, y, np.zeros(60, dtype=np.int64))
    with pytest.raises(ValueError, match="ratio"):
        fit(x, y, np.arange(60), ratio=0.0)
    with pytest.raises(ValueError, match="NaN"):
        fit(np.r_[np.nan, x[1:]], y, np.arange(60))


def test_weighted_deming_of_negative_values_says_why() -> None:
    x, y = methods(8)
    with pytest.raises(NotEstimableError, match="positive"):
        weighted_deming(x - 50, y, np.arange(60))


def test_values_that_do_not_vary_have_a_flat_line() -> None:
    x, _ = methods(9)
    assert deming(x, np.full(60, 7.0), np.arange(60)).slope == 0


def sorted_slopes(x: np.ndarray, y: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Passing and Bablok's definition, slope by slope."""
    n = len(x)
    first, second = np.triu_indices(n, 1)
    rise, run = y[second] - y[first], x[second] - x[first]
    kept = ((rise != 0) | (run != 0)) & (np.abs(rise + run) > 1e-10)
    with np.errstate(divide="ignore"):
        slopes = np.sort(np.where(run[kept] != 0, rise[kept] / run[kept], np.inf))
    count, shift = len(slopes), int((slopes < -1).sum())
    slope = (slopes[(count + 1) // 2 + shift - 1] + slopes[(count + 2) // 2 + shift - 1]) / 2
    spread = Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = math.floor((count - spread) / 2 + 0.5)
    return slope, (slopes[low + shift - 1], slopes[count - low + 1 + shift - 1])


@given(st.integers(0, 10_000), st.integers(20, 120), st.booleans())
@settings(max_examples=40, deadline=None)
def test_passing_bablok_equals_all_slopes_sorted(seed: int, n: int, rounded: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    x, y = methods(seed, n, rounded=rounded)
    slope, limits = sorted_slopes(x, y)
    found = passing_bablok(x, y)
    assert found.slope == pytest.approx(slope, rel=1e-12)
    assert found.slope_limits == pytest.approx(limits, rel=1e-12)
    drawn = np.empty(1)
    passing_bablok_resampled(x, y, np.arange(n))(np.ones((1, n), dtype=np.int64), drawn)
    assert drawn[0] == pytest.approx(slope, rel=1e-12)


def test_passing_bablok_selects_among_many_slopes() -> None:
    """Above 2,000 rows the slopes are found by narrowing, not held."""
    x, y = methods(11, 3000)
    slope, limits = sorted_slopes(x, y)
    found = passing_bablok(x, y)
    assert found.slope == slope
    assert found.slope_limits == limits


@pytest.mark.parametrize("part", [SLOPE, INTERCEPT])
def test_drawn_passing_bablok_equals_that_of_the_repeated_rows(part: int) -> None:
    x, y = methods(12, 40)
    patient = np.arange(40) // 2
    times = np.random.default_rng(2).integers(0, 4, (3, 20))
    drawn = np.empty(3)
    passing_bablok_resampled(x, y, patient, part=part)(times, drawn)
    for repeat in range(3):
        rows = np.repeat(np.arange(40), times[repeat, patient])
        expected = passing_bablok(x[rows], y[rows])
        value = expected.slope if part == SLOPE else expected.intercept
        assert drawn[repeat] == pytest.approx(value, rel=1e-12)


def test_exchanged_methods_have_the_inverse_passing_bablok_slope() -> None:
    x, y = methods(13, 41)  # an odd number of slopes has one in the middle
    there, back = passing_bablok(x, y), passing_bablok(y, x)
    assert back.slope == pytest.approx(1 / there.slope, rel=1e-3)
    assert back.slope_limits[0] == pytest.approx(1 / there.slope_limits[1], rel=1e-2)


def test_order_of_rows_leaves_passing_bablok_to_the_last_bit() -> None:
    x, y = methods(14, rounded=True)
    order = np.random.default_rng(3).permutation(60)
    assert passing_bablok(x, y) == passing_bablok(x[order], y[order])


def test_passing_bablok_that_does_not_exist_says_why() -> None:
    x, y = methods(15)
    with pytest.raises(NotEstimableError, match="all reference values are equal"):
        passing_bablok(np.full(60, 1.0), y)
    with pytest.raises(NotEstimableError, match="vertical"):
        passing_bablok(np.r_[np.full(58, 1.0), 2.0, 3.0], y)
    with pytest.raises(NotEstimableError, match="at least 3"):
        passing_bablok(x[:2], y[:2])
    many = np.arange(MOST_RESAMPLED + 1.0)
    with pytest.raises(ValueError, match="up to 2,000 rows"):
        passing_bablok_resampled(many, many, np.arange(len(many)))
    assert passing_bablok(x[:4], y[:4]).reason == "too few slopes for an interval at this level"
