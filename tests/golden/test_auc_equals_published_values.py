"""R01, R02 (pROC 1.18) and R16 (Hanley & McNeil 1982)."""

import numpy as np
import pytest
from asah import NDKA, POOR, S100B, WFNS

from proctor_workers.statistics.auc import (
    PatientAuc,
    delong_limits,
    delong_paired,
    delong_unpaired,
    hanley_mcneil_error,
    patient_auc,
    patient_parts,
    placements,
)

POSITIVE = np.array(POOR, dtype=bool)
PATIENT = np.arange(len(POOR))
SCORES = {
    "s100b": np.array(S100B, dtype=float),
    "ndka": np.array(NDKA, dtype=float),
    "wfns": np.array(WFNS, dtype=float),
}


def asah(name: str) -> PatientAuc:
    return patient_auc(SCORES[name], POSITIVE, PATIENT, len(PATIENT))


@pytest.mark.parametrize(
    ("name", "auc", "lower", "upper"),
    [
        ("s100b", 0.731368563685637, 0.630118211761623, 0.832618915609651),
        ("ndka", 0.611957994579946, 0.501244999271703, 0.722670989888189),
        ("wfns", 0.823678861788618, 0.748534887819453, 0.898822835757783),
    ],
)
def test_r01_auc_and_delong_limits(name: str, auc: float, lower: float, upper: float) -> None:
    found = asah(name)
    assert found.auc == pytest.approx(auc, abs=1e-9)
    assert delong_limits(found.auc, found.variance) == pytest.approx((lower, upper), abs=1e-9)


def test_r01_variance_and_covariance() -> None:
    first, second = (placements(SCORES[name], POSITIVE) for name in ("s100b", "wfns"))
    parts = [patient_parts(one, PATIENT, len(PATIENT)) for one in (first, second)]
    factors = np.array([41 / 40, 72 / 71])
    covariance = float(np.sum(parts[0] * parts[1] * factors))
    assert asah("s100b").variance == pytest.approx(0.00266868245717244, abs=1e-9)
    assert asah("wfns").variance == pytest.approx(0.00146991470882, abs=1e-9)
    assert covariance == pytest.approx(0.00119615567376754, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "z", "p", "lower", "upper"),
    [
        ("s100b", "wfns", -2.208983591441, 0.0271757822291882, -0.1742144192495, -0.01040617695648),
        ("s100b", "ndka", 1.39077002573558, 0.164295175223054, -0.0488706064228, 0.2876917446342),
        ("ndka", "wfns", -2.797775919, 0.00514557970691098, -0.360040563483, -0.063401170934),
    ],
)
def test_r02_paired_delong(
    first: str, second: str, z: float, p: float, lower: float, upper: float
) -> None:
    found = delong_paired(SCORES[first], SCORES[second], POSITIVE, PATIENT)
    assert (found.statistic, found.p_value) == pytest.approx((z, p), abs=1e-8)
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=1e-9)


def test_r02_unpaired_delong() -> None:
    found = delong_unpaired(asah("s100b"), asah("ndka"))
    assert found.statistic == pytest.approx(1.559957434, abs=1e-8)
    assert found.df == pytest.approx(222.235396, abs=1e-5)
    assert found.p_value == pytest.approx(0.120192832, abs=1e-8)


def test_r16_hanley_mcneil_ratings() -> None:
    negative, positive = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    score = np.repeat(np.tile(np.arange(1.0, 6.0), 2), negative + positive)
    truth = np.repeat([False, True], [sum(negative), sum(positive)])
    found = patient_auc(score, truth, np.arange(len(score)), len(score))
    assert found.auc == pytest.approx(0.893171061528, abs=1e-9)
    assert np.sqrt(found.variance) == pytest.approx(0.0307244084, abs=1e-9)
    assert hanley_mcneil_error(found.auc, found.m, found.n) == pytest.approx(0.0324865796, abs=1e-9)
