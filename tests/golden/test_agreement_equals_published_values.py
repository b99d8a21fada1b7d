"""Rater agreement: published tables of Gwet (2014) and Krippendorff (2011), and Fleiss (1971)."""

import numpy as np
import pytest

from proctor_workers.metrics.agreement import COEFFICIENTS, Ratings
from proctor_workers.statistics.contingency import (
    agreement_weights,
    bowker,
    kappa_estimate,
    stuart_maxwell,
)

# Krippendorff, "Computing Krippendorff's alpha-reliability", 2011, section C; 0 is not rated.
FOUR_OBSERVERS = ("123321412000", "123322412503", "033323422510", "123324412510")
# Gwet, Handbook of Inter-Rater Reliability, 4th ed. 2014: 100 pregnancies, two abstractors.
ABSTRACTORS = ((13, 0, 0), (0, 20, 7), (0, 4, 56))
# Fleiss, Psychol Bull 1971;76:378, table 1: 30 patients, 6 psychiatrists, 5 diagnoses; how many
# chose each. Kappa .430.
PSYCHIATRISTS = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)


def value(name: str, ratings: Ratings) -> float:
    one = COEFFICIENTS[name]
    return float(one.formula(one.columns(ratings).sum(axis=0)))


@pytest.fixture(scope="module")
def observers() -> Ratings:
    codes = np.array([[int(code) - 1 for code in row] for row in FOUR_OBSERVERS]).T
    return Ratings(codes=codes, categories=5)


@pytest.fixture(scope="module")
def abstractors() -> Ratings:
    cells = np.repeat(np.arange(9), np.ravel(ABSTRACTORS))
    return Ratings(codes=np.column_stack(np.divmod(cells, 3)), categories=3)


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        ("krippendorff_nominal", 0.743, 5e-4),
        ("krippendorff_ordinal", 0.815, 5e-4),
        ("krippendorff_interval", 0.849, 5e-4),
        ("percent_agreement", 0.8181818, 5e-8),
        ("gwet_ac1", 0.77544, 5e-6),
        ("fleiss_kappa", 0.76117, 5e-6),
    ],
)
def test_four_observers_with_missing_ratings(
    observers: Ratings, name: str, expected: float, tolerance: float
) -> None:
    assert value(name, observers) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cohen_kappa", 0.7964094),
        ("fleiss_kappa", 0.7962397),  # of two raters: Scott's pi
        ("gwet_ac1", 0.8493305),
        ("krippendorff_nominal", 0.7972585),
        ("percent_agreement", 0.89),
    ],
)
def test_two_abstractors(abstractors: Ratings, name: str, expected: float) -> None:
    assert value(name, abstractors) == pytest.approx(expected, abs=5e-8)


def test_standard_error_of_kappa(abstractors: Ratings) -> None:
    by_patient = COEFFICIENTS["cohen_kappa"].columns(abstractors).reshape(-1, 3, 3)
    found = kappa_estimate(by_patient, agreement_weights(3, "identity"))
    assert found.error == pytest.approx(0.05891072, abs=5e-9)
    assert (found.lower, found.upper) == pytest.approx((0.681, 0.912), abs=5e-4)


def test_fleiss_psychiatrists() -> None:
    counts = [[int(one) for one in row] for row in PSYCHIATRISTS.split()]
    codes = np.array([np.repeat(np.arange(5), row) for row in counts])
    assert value("fleiss_kappa", Ratings(codes=codes, categories=5)) == pytest.approx(
        0.430, abs=5e-4
    )


def test_unaided_vision_of_women() -> None:
    # Stuart, Biometrika 1955;42:412: grades of right and left eye, chi-squared 11.96 with 3 df;
    # Bowker's test of the same table 19.11 with 6 df (Bishop, Fienberg & Holland 1975, p. 284).
    counts = ((1520, 266, 124, 66), (234, 1512, 432, 78), (117, 362, 1772, 205), (36, 82, 179, 492))
    cells = np.repeat(np.arange(16), np.ravel(counts))
    by_patient = np.eye(16)[cells].reshape(-1, 4, 4)
    margins, symmetry = stuart_maxwell(by_patient), bowker(by_patient)
    assert (margins.statistic, margins.df) == pytest.approx((11.96, 3), abs=5e-3)
    assert (symmetry.statistic, symmetry.df) == pytest.approx((19.11, 6), abs=5e-3)
