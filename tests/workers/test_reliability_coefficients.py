"""Intraclass and concordance correlation, repeatability: pingouin; properties; bad input."""

import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from proctor_workers.metrics.reliability import (
    Form,
    concordance,
    intraclass,
    intraclass_formula,
    rating_columns,
    repeatability_coefficient,
    within_subject_cv,
    within_subject_sd,
)
from proctor_workers.statistics.checks import NotEstimableError

PINGOUIN = {
    Form.ONE_SINGLE: 0,
    Form.TWO_SINGLE: 1,
    Form.THREE_SINGLE: 2,
    Form.ONE_MEAN: 3,
    Form.TWO_MEAN: 4,
    Form.THREE_MEAN: 5,
}


def ratings(seed: int, n: int = 20, k: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 50 + 8 * rng.normal(size=(n, 1)) + rng.normal(size=k) + 3 * rng.normal(size=(n, k))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [1, 2])
def test_intraclass_correlations_equal_pingouin(seed: int) -> None:
    table = ratings(seed)
    subject, rater = np.indices(table.shape)
    long = pd.DataFrame(
        {"subject": subject.ravel(), "rater": rater.ravel(), "rating": table.ravel()}
    )
    theirs = pingouin.intraclass_corr(long, targets="subject", raters="rater", ratings="rating")
    interval = next(name for name in theirs.columns if name.startswith("CI95"))
    for form, row in PINGOUIN.items():
        found = intraclass(table, form)
        assert found.estimate == pytest.approx(theirs["ICC"].iloc[row], rel=1e-9), form
        assert (found.lower, found.upper) == pytest.approx(
            tuple(theirs[interval].iloc[row]), abs=5.1e-3
        ), form  # pingouin rounds to two decimals


@given(st.floats(-1e6, 1e6), st.floats(0.01, 100), st.sampled_from(list(Form)))
@settings(max_examples=25, deadline=None)
def test_unit_of_ratings_leaves_intraclass_correlations(
    shift: float, scale: float, form: Form
) -> None:
    table = ratings(3)
    before, after = intraclass(table, form), intraclass(scale * table + shift, form)
    assert after.estimate == pytest.approx(before.estimate, rel=1e-6)
    assert after.lower == pytest.approx(before.lower, rel=1e-5)


@pytest.mark.parametrize("form", list(Form))
def test_order_of_subjects_and_of_raters_leaves_them_too(form: Form) -> None:
    table = ratings(4)
    rng = np.random.default_rng(1)
    shuffled = table[rng.permutation(20)][:, rng.permutation(3)]
    assert intraclass(shuffled, form).upper == pytest.approx(
        intraclass(table, form).upper, rel=1e-12
    )


def test_sums_of_subjects_give_the_coefficient_of_those_drawn() -> None:
    table = ratings(5) - 50
    drawn = np.array([0, 0, 3, 5, 5, 5, 7, 11, 12, 19])
    sums = rating_columns(table)[drawn].sum(axis=0)
    for form in Form:
        found = float(intraclass_formula(sums, form))
        assert found == pytest.approx(intraclass(table[drawn], form).estimate, rel=1e-9)


def test_raters_that_only_differ_by_a_constant_are_consistent_and_do_not_agree() -> None:
    base = ratings(6, k=1)
    table = np.hstack([base, base + 5])
    consistent = intraclass(table, Form.THREE_SINGLE)
    assert consistent.estimate == pytest.approx(1.0)
    assert consistent.reason == "the raters agree without any residual: no interval"
    assert intraclass(table, Form.TWO_SINGLE).estimate < 0.95


def test_ratings_without_variation_say_why() -> None:
    with pytest.raises(NotEstimableError, match="do not vary"):
        intraclass(np.full((5, 2), 3.0), Form.TWO_SINGLE)
    with pytest.raises(NotEstimableError, match="at least 3"):
        intraclass(ratings(1)[:2], Form.TWO_SINGLE)
    with pytest.raises(ValueError, match="two raters"):
        intraclass(ratings(1)[:, :1], Form.TWO_SINGLE)
    with pytest.raises(ValueError, match="NaN"):
        intraclass(np.array([[1, 2], [np.nan, 3], [2, 4.0]]), Form.TWO_SINGLE)


def test_concordance_is_mirrored_and_free_of_the_unit() -> None:
    table = ratings(7, k=2)
    one = concordance(table[:, 0], table[:, 1])
    two = concordance(1000 * table[:, 1] + 5, 1000 * table[:, 0] + 5)
    assert (two.estimate, two.lower, two.upper) == pytest.approx(
        (one.estimate, one.lower, one.upper), rel=1e-9
    )
    assert one.lower < one.estimate < one.upper


def test_concordance_covers() -> None:
    """1,000 samples of 40 pairs, correlation 0.8, means half a standard deviation apart."""
    rng = np.random.default_rng(8)
    truth = 2 * 0.8 / (2 + 0.5**2)
    inside = 0
    for _ in range(1000):
        x = rng.normal(size=40)
        y = 0.8 * x + 0.6 * rng.normal(size=40) + 0.5
        found = concordance(y, x)
        inside += found.lower <= truth <= found.upper
    assert 0.93 <= inside / 1000 <= 0.97


def test_concordance_that_has_no_interval_says_why() -> None:
    value = np.arange(5.0)
    assert concordance(value, value).reason == "perfect concordance: no interval"
    with pytest.raises(NotEstimableError, match="do not vary"):
        concordance(np.full(5, 2.0), value)
    with pytest.raises(NotEstimableError, match="at least 3"):
        concordance(value[:2], value[:2])


def test_within_subject_sd_is_the_root_of_the_anova_residual() -> None:
    rng = np.random.default_rng(9)
    subject = np.repeat(np.arange(8), rng.integers(1, 5, 8))
    value = rng.normal(size=8)[subject] + 0.3 * rng.normal(size=len(subject))
    groups = [value[subject == one] for one in range(8)]
    squares = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
    df = len(value) - 8
    found = within_subject_sd(value, subject)
    assert found.estimate == pytest.approx(np.sqrt(squares / df))
    low, high = stats.chi2.ppf([0.975, 0.025], df)
    assert (found.lower, found.upper) == pytest.approx(
        (np.sqrt(squares / low), np.sqrt(squares / high))
    )
    coefficient = repeatability_coefficient(value, subject)
    assert coefficient.estimate == pytest.approx(2.771807648 * found.estimate, rel=1e-8)


def test_within_subject_cv_by_hand_and_free_of_the_unit() -> None:
    value = np.array([9.0, 11, 20, 20, 28, 32])
    subject = np.array([1, 1, 2, 2, 3, 3])
    found = within_subject_cv(value, subject)
    assert found.estimate == pytest.approx(np.sqrt((2 / 100 + 0 + 8 / 900) / 3))
    assert within_subject_cv(7 * value, subject).estimate == pytest.approx(found.estimate)


def test_repeats_that_are_none_say_why() -> None:
    with pytest.raises(NotEstimableError, match="no subject is repeated"):
        within_subject_sd(np.arange(4.0), np.arange(4))
    with pytest.raises(NotEstimableError, match="positive means"):
        within_subject_cv(np.array([-1.0, 1.0]), np.array([1, 1]))
    with pytest.raises(ValueError, match="NaN"):
        within_subject_sd(np.array([np.nan, 1.0]), np.array([1, 1]))
