"""R02, R12 and R13 at full precision, and what R computes where Python has nothing."""

import numpy as np
import pytest
from asah import NDKA, POOR, S100B, WFNS
from statsmodels.stats import proportion
from statsmodels.stats.contingency_tables import mcnemar as theirs

from proctor_workers.statistics.auc import delong_unpaired, patient_auc
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.hypotheses import durkalski, mcnemar, mcnemar_exact, mcnemar_mid_p
from proctor_workers.statistics.paired import (
    compare_areas,
    compare_shares,
    newcombe_paired,
    relative_predictive_value,
    tango,
    weighted_score_test,
)
from proctor_workers.statistics.proportions import miettinen_nurminen, newcombe_independent

Table = tuple[int, int, int, int]
POSITIVE = np.array(POOR, dtype=bool)
SCORES = {
    "s100b": np.array(S100B, dtype=float),
    "ndka": np.array(NDKA, dtype=float),
    "wfns": np.array(WFNS, dtype=float),
}


def plan(patients: int) -> Resampling:
    return Resampling(500, np.zeros(patients, dtype=np.int64), Stream(7, "golden"))


def hits(table: Table) -> tuple[np.ndarray, np.ndarray]:
    first = np.repeat([True, True, False, False], table)
    return first, np.repeat([True, False, True, False], table)


@pytest.mark.parametrize(
    ("pair", "z", "p", "limits"),
    [
        (
            ("s100b", "wfns"),
            -2.208983591441,
            0.0271757822291882,
            (-0.1742144192494776, -0.0104061769564846),
        ),
        (
            ("s100b", "ndka"),
            1.39077002573558,
            0.164295175223054,
            (-0.0488706064228, 0.2876917446342),
        ),
        (
            ("ndka", "wfns"),
            -2.797775919,
            0.00514557970691098,
            (-0.360040563483, -0.063401170934),
        ),
    ],
)
def test_r02_two_scores_of_the_same_patients(
    pair: tuple[str, str], z: float, p: float, limits: tuple[float, float]
) -> None:
    first, second = (SCORES[name] for name in pair)
    found = compare_areas(first, second, POSITIVE, np.arange(len(POOR)), level=0.95)
    assert (found.statistic, found.p_value) == pytest.approx((z, p), abs=1e-9)
    assert (found.difference.lower, found.difference.upper) == pytest.approx(limits, abs=1e-9)


def test_r02_two_scores_of_different_patients() -> None:
    patient = np.arange(len(POOR))
    areas = [patient_auc(SCORES[n], POSITIVE, patient, len(patient)) for n in ("s100b", "ndka")]
    found = delong_unpaired(*areas)
    assert (found.statistic, found.p_value) == pytest.approx((1.559957434, 0.120192832), abs=1e-9)
    assert found.df == pytest.approx(222.235396, abs=1e-6)


@pytest.mark.parametrize(
    ("counts", "published", "newcombe"),
    [
        ((56, 70, 48, 80), (0.0528, 0.3382), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1700, 0.8406), (0.1705, 0.8090)),
        ((5, 56, 0, 29), (-0.0326, 0.1933), (-0.0381, 0.1926)),
    ],
)
def test_r12_independent_difference(
    counts: Table, published: tuple[float, float], newcombe: tuple[float, float]
) -> None:
    assert miettinen_nurminen(*counts) == pytest.approx(published, abs=5e-5)
    assert newcombe_independent(*counts) == pytest.approx(newcombe, abs=5e-5)


def test_statsmodels_score_interval_of_a_difference_is_not_the_published_one() -> None:
    """statsmodels issue 10269: count0 stands for nobs0. When this fails, look at theirs again."""
    wrong = proportion.confint_proportions_2indep(56, 70, 48, 80, method="score", compare="diff")
    assert wrong == pytest.approx((0.0526, 0.3440), abs=5e-5)
    assert abs(wrong[1] - miettinen_nurminen(56, 70, 48, 80)[1]) > 0.005


@pytest.mark.parametrize("counts", [(9, 10, 3, 10), (5, 56, 0, 29)])
@pytest.mark.filterwarnings("ignore")
def test_statsmodels_score_interval_of_a_difference_has_none_where_ours_has_one(
    counts: Table,
) -> None:
    with pytest.raises(ValueError):
        proportion.confint_proportions_2indep(*counts, method="score", compare="diff")
    lower, upper = miettinen_nurminen(*counts)
    assert -1 < lower < counts[0] / counts[1] - counts[2] / counts[3] < upper < 1


def test_statsmodels_test_against_a_margin_contradicts_the_published_interval() -> None:
    """The bound 0.3382 is where the one-sided p value is 0.025; theirs is not there."""
    upper = miettinen_nurminen(56, 70, 48, 80)[1]
    found = proportion.test_proportions_2indep(
        56, 70, 48, 80, value=upper, method="score", compare="diff", alternative="smaller"
    )
    assert abs(found.pvalue - 0.025) > 0.001
    tost = proportion.tost_proportions_2indep(
        56, 70, 48, 80, low=-0.5, upp=upper, method="score", compare="diff"
    )
    assert abs(tost.pvalue - 0.025) > 0.001


def test_r13_every_test_of_discordant_pairs() -> None:
    corrected, plain = mcnemar(150, 86, corrected=True), mcnemar(150, 86, corrected=False)
    assert corrected.statistic == pytest.approx(16.81779661, abs=1e-6)
    assert corrected.p_value == pytest.approx(4.11456228e-05, abs=1e-12)
    assert plain.statistic == pytest.approx(17.3559322, abs=1e-6)
    assert plain.p_value == pytest.approx(3.09929344e-05, abs=1e-12)
    assert mcnemar_exact(150, 86) == pytest.approx(3.71593613957e-05, abs=1e-15)


@pytest.mark.parametrize(
    ("table", "exact", "score"),
    [
        ((794, 150, 86, 570), (0.02136157, 0.05899805), (0.0212304, 0.0587039)),
        ((36, 12, 2, 0), (0.0611124, 0.3447087), (0.0569, 0.3404)),
    ],
)
def test_r13_intervals_of_a_paired_difference(
    table: Table, exact: tuple[float, float], score: tuple[float, float]
) -> None:
    assert tango(*table) == pytest.approx(exact, abs=1e-6)
    assert newcombe_paired(*table) == pytest.approx(score, abs=5e-5)


def test_r13_from_two_raters_hits() -> None:
    first, second = hits((794, 150, 86, 570))
    n = len(first)
    found = compare_shares(
        first, second, patient=np.arange(n), weight=np.ones(n), plan=plan(n), level=0.95
    )
    assert found.difference.estimate == pytest.approx(0.04, abs=1e-12)
    assert found.difference.lower == pytest.approx(0.02136157, abs=1e-6)
    assert found.p_values["McNemar exact"] == pytest.approx(3.71593613957e-05, abs=1e-15)


def test_mid_p_of_the_paper_that_introduced_it_here() -> None:
    """Fagerland 2013: airway hyper-responsiveness before and after transplantation."""
    assert mcnemar(1, 7, corrected=False).p_value == pytest.approx(0.034, abs=5e-4)
    assert mcnemar(1, 7, corrected=True).p_value == pytest.approx(0.077, abs=5e-4)
    assert mcnemar_exact(1, 7) == pytest.approx(0.070, abs=5e-4)
    assert mcnemar_mid_p(1, 7) == pytest.approx(0.039, abs=5e-4)
    # As many of either kind: exact 1, mid-P 1 less half the chance of exactly that.
    assert mcnemar_mid_p(3, 3) == pytest.approx(1 - 0.3125 / 2, abs=1e-12)


@pytest.mark.parametrize("pair", [(0, 5), (1, 7), (12, 30), (150, 86)])
def test_mcnemar_equals_statsmodels(pair: tuple[int, int]) -> None:
    table = [[11, pair[0]], [pair[1], 13]]
    assert mcnemar_exact(*pair) == pytest.approx(theirs(table, exact=True).pvalue, abs=1e-12)
    for corrected in (True, False):
        other = theirs(table, exact=False, correction=corrected)
        assert mcnemar(*pair, corrected=corrected).statistic == pytest.approx(other.statistic)


DISEASED, HEALTHY = (319, 78, 22, 32), (31, 53, 22, 155)  # both, first only, second only, neither


def predictive() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first = np.concatenate([hits(DISEASED)[0], hits(HEALTHY)[0]])
    second = np.concatenate([hits(DISEASED)[1], hits(HEALTHY)[1]])
    return first, second, np.repeat([True, False], [sum(DISEASED), sum(HEALTHY)])


def test_relative_predictive_values_equal_r() -> None:
    """The documentation of R's DTComPair 1.2.6: pv.rpv, by Moskowitz & Pepe; it has 2 over 1."""
    first, second, positive = predictive()
    patient = np.arange(len(first))
    ppv = relative_predictive_value(second, first, positive, patient)
    assert (ppv.second, ppv.first) == pytest.approx((0.82536383, 0.86548223), abs=1e-8)
    assert (ppv.ratio, ppv.error_of_log) == pytest.approx((1.04860694, 0.01991247), abs=1e-8)
    assert (ppv.lower, ppv.upper) == pytest.approx((1.00847050, 1.09034078), abs=1e-8)
    assert ppv.p_value == pytest.approx(0.01714612, abs=1e-8)
    npv = relative_predictive_value(~second, ~first, ~positive, patient)
    assert (npv.ratio, npv.error_of_log) == pytest.approx((0.8536403, 0.03783679), abs=1e-7)
    assert (npv.lower, npv.upper) == pytest.approx((0.7926258, 0.9193516), abs=1e-7)


def test_weighted_generalised_score_statistic_equals_r() -> None:
    """The documentation of R's DTComPair 1.2.6: pv.wgs, by Kosinski."""
    first, second, positive = predictive()
    ppv = weighted_score_test(first, second, positive)
    assert (ppv.statistic, ppv.p_value) == pytest.approx((5.46588745, 0.01939120), abs=1e-8)
    npv = weighted_score_test(~first, ~second, ~positive)
    assert (npv.statistic, npv.p_value) == pytest.approx((16.53540, 4.775012e-05), abs=1e-5)


def test_durkalski_is_mcnemar_where_no_patient_has_more_than_one_row() -> None:
    first, second = hits((40, 25, 11, 30))
    alone = mcnemar(25, 11, corrected=False)
    found = durkalski(first, second, np.arange(len(first)))
    assert found.statistic == pytest.approx(alone.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(alone.p_value, abs=1e-12)
