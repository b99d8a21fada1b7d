"""R04: Van Dyke's reader study, MRMCaov 0.3 and the Iowa OR-DBM MRMC 2.51 program."""

import numpy as np
import pytest
from vandyke import dissected, ratings

from proctor_workers.metrics.readers import (
    ReaderStudy,
    analyse,
    auc_figures,
    sensitivity_figures,
)
from proctor_workers.statistics.obuchowski_rockette import (
    CASES,
    READERS,
    Contrast,
    beyond_margin,
    dbm_components,
)
from proctor_workers.statistics.reader_covariance import Reading

PATIENT = np.arange(114)
EXACT = {"abs": 1e-8, "rel": 1e-8}


@pytest.fixture(scope="module")
def reading() -> Reading:
    return Reading(rating=ratings(), positive=dissected(), patient=PATIENT)


def only(study: ReaderStudy) -> Contrast:
    assert study.comparison is not None
    (contrast,) = study.comparison.contrasts
    return contrast


def test_r04_auc_of_every_reader(reading: Reading) -> None:
    study = analyse(auc_figures(reading))
    assert study.parts.values[0] == pytest.approx(
        [0.919645732689, 0.858776167472, 0.9038647343, 0.973107890499, 0.829790660225], abs=1e-11
    )
    assert study.parts.values[1] == pytest.approx(
        [0.947826086957, 0.905314009662, 0.921739130435, 0.999355877617, 0.929951690821], abs=1e-11
    )
    assert [mean.value for mean in study.means] == pytest.approx(
        [0.897037037037, 0.940837359098], abs=1e-11
    )
    assert only(study).value == pytest.approx(-0.0438003220612, **EXACT)


def test_r04_mean_squares(reading: Reading) -> None:
    parts = analyse(auc_figures(reading)).parts
    assert parts.ms_t == pytest.approx(0.004796170532, **EXACT)
    assert parts.ms_r == pytest.approx(0.003836199989, **EXACT)
    assert parts.ms_tr == pytest.approx(0.000551030622, **EXACT)


@pytest.mark.parametrize(
    ("method", "error", "cov1", "cov2", "cov3"),
    [
        ("jackknife", 0.000802288265572, 0.000346613709441, 0.000344074828861, 0.000239028370892),
        ("delong", 0.000792132453077, 0.000342008957737, 0.000339526530986, 0.000235849653234),
        ("unbiased", 0.000788392511699, 0.000341670556641, 0.000339064979573, 0.000235614845549),
    ],
)
def test_r04_covariances(
    reading: Reading, method: str, error: float, cov1: float, cov2: float, cov3: float
) -> None:
    parts = analyse(auc_figures(reading, method)).parts
    found = (parts.error, parts.cov1, parts.cov2, parts.cov3)
    assert found == pytest.approx((error, cov1, cov2, cov3), abs=1e-14)


@pytest.mark.parametrize(
    ("method", "f", "ddf", "p", "se", "lower", "upper"),
    [
        (
            "jackknife",
            4.456318693,
            15.25967459,
            0.05166568582,
            0.02074861838,
            -0.0879594985666,
            0.0003588544442,
        ),
        (
            "delong",
            4.484854322,
            15.06610794,
            0.05123303082,
            0.02068250479,
            -0.0878671960201,
            0.0002665518977,
        ),
        (
            "unbiased",
            4.489613895,
            15.03418081,
            0.05116180235,
            0.02067153881,
            -0.0878519409003,
            0.0002512967779,
        ),
    ],
)
def test_r04_random_readers_and_cases(
    reading: Reading, method: str, f: float, ddf: float, p: float, se: float, lower: float,
    upper: float,
) -> None:  # fmt: skip
    study = analyse(auc_figures(reading, method))
    assert study.comparison is not None
    assert study.comparison.statistic == pytest.approx(f, **EXACT)
    assert study.comparison.denominator_df == pytest.approx(ddf, **EXACT)
    assert study.comparison.p_value == pytest.approx(p, **EXACT)
    contrast = only(study)
    assert (contrast.error, contrast.lower, contrast.upper, contrast.p_value) == pytest.approx(
        (se, lower, upper, p), **EXACT
    )


@pytest.mark.parametrize(
    ("modality", "se", "df", "lower", "upper"),
    [
        (0, 0.03317359696, 12.7446476, 0.8252235975, 0.9688504765),
        (1, 0.02156636837, 12.71018964, 0.8941378312, 0.987536887),
    ],
)
def test_r04_single_modality(
    reading: Reading, modality: int, se: float, df: float, lower: float, upper: float
) -> None:
    mean = analyse(auc_figures(reading)).means[modality]
    assert (mean.error, mean.df, mean.lower, mean.upper) == pytest.approx(
        (se, df, lower, upper), **EXACT
    )


def test_r04_fixed_readers(reading: Reading) -> None:
    study = analyse(auc_figures(reading), CASES)
    assert study.comparison is not None
    found = only(study)
    assert study.comparison.statistic == pytest.approx(5.47595324248, **EXACT)
    assert (found.p_value, found.error, found.lower, found.upper) == pytest.approx(
        (0.0192798430708, 0.0187174826086, -0.08048591385526, -0.00711473026712), **EXACT
    )


def test_r04_fixed_cases(reading: Reading) -> None:
    study = analyse(auc_figures(reading), READERS)
    assert study.comparison is not None
    found = only(study)
    assert study.comparison.statistic == pytest.approx(8.704, abs=5e-4)
    assert (study.comparison.df, study.comparison.denominator_df) == pytest.approx((1, 4))
    assert (found.p_value, found.lower, found.upper) == pytest.approx(
        (0.0419587524946, -0.08502022396233, -0.00258042016006), **EXACT
    )


def test_r04_dbm_components_of_the_iowa_program(reading: Reading) -> None:
    found = dbm_components(analyse(auc_figures(reading)).parts)
    assert found.reader == pytest.approx(0.001535, abs=5e-7)
    assert found.case == pytest.approx(0.02724923, abs=5e-9)
    assert found.modality_reader == pytest.approx(0.0002004, abs=5e-8)
    assert found.modality_case == pytest.approx(0.0119753, abs=5e-9)
    assert found.reader_case == pytest.approx(0.01226473, abs=5e-9)
    assert found.rest == pytest.approx(0.0399716, abs=5e-9)


def test_r04_sensitivity_at_rating_three(reading: Reading) -> None:
    figures = sensitivity_figures(reading.rating >= 3, reading.positive, PATIENT)
    study = analyse(figures)
    assert study.comparison is not None
    found = only(study)
    assert figures.values.mean(axis=1) == pytest.approx([0.822222222222, 0.92], abs=1e-11)
    assert study.comparison.statistic == pytest.approx(6.68949269672, **EXACT)
    assert study.comparison.denominator_df == pytest.approx(15.7173244325, **EXACT)
    assert (found.value, found.p_value, found.lower, found.upper) == pytest.approx(
        (-0.0977777777778, 0.0200882200811, -0.1780370532044, -0.0175185023511), **EXACT
    )


def test_r04_margin_at_the_intervals_bound_is_met_at_half_alpha(reading: Reading) -> None:
    found = only(analyse(auc_figures(reading)))
    assert beyond_margin(found, 0.0879594985666) == pytest.approx(0.025, abs=1e-8)
    assert beyond_margin(found, 0.0) == pytest.approx(1 - 0.05166568582 / 2, abs=1e-8)
