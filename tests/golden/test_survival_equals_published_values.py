"""R 4.2.2 with survival 3.5-3 on its `lung` data (228 patients, 165 deaths), rerun."""

import numpy as np
import pytest
from lifelines.datasets import load_lung

from proctor_workers.metrics.survival.at_time import brier_at
from proctor_workers.metrics.survival.calibration import recalibrated
from proctor_workers.metrics.survival.concordance import difference, harrell, standard_error, uno
from proctor_workers.metrics.survival.curves import (
    log_rank,
    restricted_mean,
    restricted_mean_difference,
    survival_curve,
)
from proctor_workers.metrics.survival.follow_up import follow_up

LUNG = load_lung()
TIME = LUNG["time"].to_numpy(float)
DIED = LUNG["status"].to_numpy() == 1
AGE = LUNG["age"].to_numpy(float)
SEX = LUNG["sex"].to_numpy()
WHOLE = follow_up(TIME, DIED, np.arange(len(TIME)))
KNOWN = LUNG["inst"].notna().to_numpy()  # one patient's institution is missing
BY_INSTITUTION = follow_up(TIME[KNOWN], DIED[KNOWN], LUNG["inst"][KNOWN].to_numpy().astype(int))
RISK = 1 / (1 + np.exp(-(AGE - 62) / 20))
EXACT = 1e-12


@pytest.mark.parametrize(
    ("risk", "value", "error"),
    [(AGE, 0.5502398321175177, 0.0251421115943329), (-SEX, 0.5786449485360248, 0.0206647217050626)],
    ids=["age", "sex"],
)
def test_harrell_and_its_standard_error(risk, value, error) -> None:
    found = harrell(WHOLE, risk)
    assert found.value == pytest.approx(value, abs=EXACT)
    assert standard_error(found) == pytest.approx(error, abs=EXACT)


def test_harrells_standard_error_clustered_by_institution() -> None:
    found = harrell(BY_INSTITUTION, AGE[KNOWN])
    assert found.value == pytest.approx(0.5507414506203975, abs=EXACT)
    assert standard_error(found) == pytest.approx(0.0249800054184709, abs=EXACT)


def test_two_concordances_of_the_same_patients() -> None:
    found = difference(harrell(WHOLE, AGE), harrell(WHOLE, -SEX))
    variance = 6.32125775421889e-4 + 4.27030723147684e-4 - 2 * 8.12091880434769e-5
    gap = 0.550239832117518 - 0.578644948536025
    assert found.statistic == pytest.approx(gap / np.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize(
    ("risk", "value"),
    [(AGE, 0.5492307257466758), (-SEX, 0.5719321679334688)],
    ids=["age", "sex"],
)
def test_uno(risk, value) -> None:
    assert uno(WHOLE, risk).value == pytest.approx(value, abs=EXACT)


def test_kaplan_meier_with_log_log_limits() -> None:
    found = survival_curve(WHOLE, np.array([100.0, 310.0, 500.0]))
    survival = [0.863968967645244, 0.495024293180913, 0.293269193711569]
    assert found.survival == pytest.approx(survival, abs=EXACT)
    lower = [0.812222319753539, 0.424244072784757, 0.226503677118074]
    assert found.lower == pytest.approx(lower, abs=EXACT)
    upper = [0.902310180515044, 0.561795979140734, 0.363028599684183]
    assert found.upper == pytest.approx(upper, abs=EXACT)


def test_kaplan_meier_limits_clustered_by_institution() -> None:
    found = survival_curve(BY_INSTITUTION, np.array([100.0, 310.0, 500.0]))
    lower = [0.814993538142356, 0.439448774140853, 0.242057593115492]
    assert found.lower == pytest.approx(lower, abs=EXACT)


def test_log_rank_of_two_and_of_four_groups() -> None:
    assert log_rank(WHOLE, SEX).statistic == pytest.approx(10.3267419548856, rel=EXACT)
    graded = LUNG["ph.ecog"].notna().to_numpy()
    part = follow_up(TIME[graded], DIED[graded], np.arange(graded.sum()))
    found = log_rank(part, LUNG["ph.ecog"][graded].to_numpy().astype(int))
    assert found.statistic == pytest.approx(21.962131682476, rel=1e-11)
    assert found.df == 3


def test_log_rank_robust_by_institution() -> None:
    found = log_rank(BY_INSTITUTION, SEX[KNOWN])
    assert found.statistic == pytest.approx(6.83011121703937, rel=EXACT)


def test_restricted_means_to_a_year() -> None:
    men, women = (
        follow_up(TIME[sex == SEX], DIED[sex == SEX], np.arange((sex == SEX).sum()))
        for sex in (1, 2)
    )
    assert restricted_mean(men, 365).value == pytest.approx(241.4950851920570, rel=EXACT)
    assert restricted_mean(women, 365).value == pytest.approx(297.4654095320368, rel=EXACT)
    found = restricted_mean_difference(men, women, 365)
    error = np.hypot(10.3582264910969, 10.7913239788001)
    assert found.estimate / found.statistic == pytest.approx(error, rel=EXACT)


def test_brier_score_with_weights_for_censoring() -> None:
    found = [brier_at(WHOLE, 1 - RISK, time).value * 228 for time in (200, 400)]
    assert found == pytest.approx([58.8276466310533, 58.4922492930592], rel=EXACT)


def test_calibration_intercept_at_a_time() -> None:
    found = recalibrated(WHOLE, RISK, 400, slope=False)
    assert found.value == pytest.approx(0.473328486918963, abs=1e-8)
