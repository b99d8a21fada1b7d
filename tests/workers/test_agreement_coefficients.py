import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from proctor_workers.metrics.agreement import (
    COEFFICIENTS,
    Ratings,
    TooFewRatingsError,
)
from proctor_workers.statistics.categories import NONE, UnknownCategoryError


def rated(subjects: int, raters: int, seed: int, *, missing: float = 0.0) -> Ratings:
    """Return ratings around a hidden value, in four categories, some of them not given."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, subjects)[:, None]
    codes = np.clip(truth + rng.integers(-1, 2, (subjects, raters)), 0, 3)
    codes = np.where(rng.random((subjects, raters)) < missing, NONE, codes)
    codes[0], codes[1] = 0, 3
    return Ratings(codes=codes, categories=4)


def value(name: str, ratings: Ratings) -> float:
    one = COEFFICIENTS[name]
    return float(one.formula(one.columns(ratings).sum(axis=0)))


@given(st.integers(5, 40), st.integers(2, 5), st.integers(0, 500))
@settings(max_examples=25, deadline=None)
def test_alpha_equals_the_krippendorff_package(subjects: int, raters: int, seed: int) -> None:
    ratings = rated(subjects, raters, seed, missing=0.3)
    data = np.where(ratings.codes == NONE, np.nan, ratings.codes).T
    for level in ("nominal", "ordinal", "interval"):
        expected = krippendorff.alpha(
            data, value_domain=[0.0, 1.0, 2.0, 3.0], level_of_measurement=level
        )
        assert value(f"krippendorff_{level}", ratings) == pytest.approx(expected, abs=1e-12)


@given(st.integers(5, 40), st.integers(2, 6), st.integers(0, 500))
@settings(max_examples=20, deadline=None)
def test_fleiss_kappa_equals_statsmodels(subjects: int, raters: int, seed: int) -> None:
    ratings = rated(subjects, raters, seed)
    expected = fleiss_kappa(aggregate_raters(ratings.codes, n_cat=4)[0])
    assert value("fleiss_kappa", ratings) == pytest.approx(expected, abs=1e-12)


@given(st.integers(5, 40), st.integers(0, 500))
@settings(max_examples=20, deadline=None)
def test_cohen_kappa_equals_scikit_learn(subjects: int, seed: int) -> None:
    ratings = rated(subjects, 2, seed)
    first, second = ratings.codes.T
    for suffix, weights in (("", None), ("_linear", "linear"), ("_quadratic", "quadratic")):
        expected = cohen_kappa_score(first, second, labels=range(4), weights=weights)
        assert value(f"cohen_kappa{suffix}", ratings) == pytest.approx(expected, abs=1e-12)


def test_gwet_of_two_raters_and_categories_is_the_closed_form() -> None:
    codes = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], (118, 5, 2, 0), axis=0)
    share = (123 + 120) / 250  # Gwet, Br J Math Stat Psychol 2008;61:29: chance is 2 p (1 - p)
    chance = 2 * share * (1 - share)
    expected = (118 / 125 - chance) / (1 - chance)
    assert value("gwet_ac1", Ratings(codes=codes, categories=2)) == pytest.approx(expected)


def test_second_order_gwet_with_two_categories_is_the_first_order() -> None:
    codes = np.minimum(rated(30, 3, 5).codes, 1)
    ratings = Ratings(codes=codes, categories=2)
    for scheme in ("linear", "quadratic", "ordinal"):
        found = value(f"gwet_ac2_{scheme}", ratings)
        assert found == pytest.approx(value("gwet_ac1", ratings))


@given(st.permutations(range(4)), st.permutations(range(3)), st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_names_of_categories_and_raters_are_nothing(
    renamed: list[int], raters: list[int], seed: int
) -> None:
    before = rated(25, 3, seed, missing=0.2)
    place = np.array([*renamed, NONE])  # NONE is -1 and stays at the end
    after = Ratings(codes=place[before.codes][:, raters], categories=4)
    for name in ("percent_agreement", "fleiss_kappa", "gwet_ac1", "krippendorff_nominal"):
        assert value(name, after) == pytest.approx(value(name, before), abs=1e-12)


@pytest.mark.parametrize("name", sorted(set(COEFFICIENTS) - {"percent_agreement"}))
def test_complete_agreement_is_one(name: str) -> None:
    codes = np.repeat([[0], [1], [2], [3], [1]], 2, axis=1)
    assert value(name, Ratings(codes=codes, categories=4)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "name", ["cohen_kappa", "fleiss_kappa", "krippendorff_nominal", "krippendorff_ordinal"]
)
def test_one_category_only_leaves_agreement_beyond_chance_undefined(name: str) -> None:
    assert np.isnan(value(name, Ratings(codes=np.zeros((6, 2), dtype=np.int64), categories=3)))


def test_agreement_by_chance_alone_is_about_zero() -> None:
    codes = np.random.default_rng(3).integers(0, 3, (20_000, 3))
    ratings = Ratings(codes=codes, categories=3)
    for name in ("fleiss_kappa", "gwet_ac1", "gwet_ac2_linear", "krippendorff_ordinal"):
        assert value(name, ratings) == pytest.approx(0.0, abs=0.02), name


def test_subjects_rated_once_say_nothing_to_alpha() -> None:
    ratings = rated(20, 3, 9, missing=0.2)
    single = np.full((5, 3), NONE)
    single[:, 0] = 2
    more = Ratings(codes=np.vstack([ratings.codes, single]), categories=4)
    assert value("krippendorff_ordinal", more) == value("krippendorff_ordinal", ratings)


def test_rating_outside_the_categories_is_a_named_error() -> None:
    for bad in (4, -2):
        with pytest.raises(UnknownCategoryError):
            Ratings(codes=np.array([[0, bad], [1, 1]]), categories=4)


def test_agreement_without_repeated_ratings_is_a_named_error() -> None:
    with pytest.raises(TooFewRatingsError):
        Ratings(codes=np.array([[0, NONE], [NONE, 1]]), categories=2)


def test_cohen_kappa_of_three_raters_is_a_named_error() -> None:
    with pytest.raises(TooFewRatingsError, match="two raters"):
        value("cohen_kappa", rated(10, 3, 1))
