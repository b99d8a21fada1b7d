"""R08 (Newcombe 1998a), R12 (1998b), R13 (1998c, R's mcnemar.test, PropCIs)."""

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from proctor_workers.statistics.hypotheses import mcnemar, mcnemar_exact
from proctor_workers.statistics.paired import newcombe_paired, tango
from proctor_workers.statistics.proportions import (
    clopper_pearson,
    miettinen_nurminen,
    newcombe_independent,
    wilson,
)


@pytest.mark.parametrize(
    ("x", "n", "score", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_r08_one_proportion(
    x: int, n: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    assert wilson(x, n) == pytest.approx(score, abs=5e-5)
    assert clopper_pearson(x, n) == pytest.approx(exact, abs=5e-5)


@pytest.mark.parametrize(("x", "n", "percent"), [(44, 51, (74.3, 93.2)), (168, 169, (96.7, 99.9))])
def test_r08_fda_2007_examples(x: int, n: int, percent: tuple[float, float]) -> None:
    assert [round(100 * limit, 1) for limit in wilson(x, n)] == list(percent)


@pytest.mark.parametrize(
    ("counts", "mee", "published"),
    [
        ((56, 70, 48, 80), (0.0533, 0.3377), (0.0528, 0.3382)),
        ((9, 10, 3, 10), (0.1821, 0.8370), (0.1700, 0.8406)),
        ((5, 56, 0, 29), (-0.0313, 0.1926), (-0.0326, 0.1933)),
    ],
)
def test_r12_miettinen_nurminen(
    counts: tuple[int, int, int, int], mee: tuple[float, float], published: tuple[float, float]
) -> None:
    assert miettinen_nurminen(*counts) == pytest.approx(published, abs=5e-5)
    assert miettinen_nurminen(*counts, corrected=False) == pytest.approx(mee, abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "published"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_r12_newcombe(counts: tuple[int, int, int, int], published: tuple[float, float]) -> None:
    assert newcombe_independent(*counts) == pytest.approx(published, abs=5e-5)


def test_statsmodels_score_interval_is_not_miettinen_nurminen() -> None:
    """The reason for our own (statsmodels issue 10269); when this fails, look at theirs again."""
    theirs = confint_proportions_2indep(56, 70, 48, 80, method="score", compare="diff")
    assert theirs == pytest.approx((0.0526, 0.3440), abs=5e-5)


def test_r13_paired_proportions() -> None:
    corrected, plain = mcnemar(150, 86, corrected=True), mcnemar(150, 86, corrected=False)
    assert corrected.statistic == pytest.approx(16.81779661, abs=1e-6)
    assert corrected.p_value == pytest.approx(4.11456228e-5, abs=1e-9)
    assert plain.statistic == pytest.approx(17.3559322, abs=1e-6)
    assert plain.p_value == pytest.approx(3.09929344e-5, abs=1e-9)
    assert mcnemar_exact(150, 86) == pytest.approx(3.71593613957e-5, abs=1e-12)
    assert tango(794, 150, 86, 570) == pytest.approx((0.02136157, 0.05899805), abs=1e-6)
    assert newcombe_paired(794, 150, 86, 570) == pytest.approx((0.0212304, 0.0587039), abs=1e-6)


def test_r13_paired_proportions_with_an_empty_cell() -> None:
    assert tango(36, 12, 2, 0) == pytest.approx((0.0611124, 0.3447087), abs=1e-6)
    assert newcombe_paired(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)
