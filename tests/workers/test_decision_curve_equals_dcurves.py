"""Net benefit: dcurves 1.1.7 says the same; bands follow their resamples."""

import itertools

import numpy as np
import pandas as pd
import pytest
from dcurves import dca

from proctor_workers.kinds.score_figures import apart
from proctor_workers.metrics.calibration import risks
from proctor_workers.metrics.decision_curve import decision_curve, net_benefit
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.draws import Stream

THRESHOLDS = np.arange(1, 100) / 100
RNG = np.random.default_rng(8)
POSITIVE = RNG.random(400) < 0.35
RISK = np.round(1 / (1 + np.exp(-(1.2 * POSITIVE - 1 + RNG.normal(size=400)))), 2)
PATIENT = np.arange(400) // 2
PLAN = Resampling(300, np.zeros(200, dtype=np.int64), Stream(3, "test"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_points_equal_dcurves(prevalence) -> None:
    frame = pd.DataFrame({"outcome": POSITIVE.astype(int), "model": RISK})
    more = {} if prevalence is None else {"prevalence": prevalence}
    theirs = dca(data=frame, outcome="outcome", modelnames=["model"], thresholds=THRESHOLDS, **more)
    data = risks(RISK, POSITIVE, PATIENT, prevalence=prevalence)
    model, everybody = net_benefit(data, THRESHOLDS)
    for name, ours in (("model", model), ("all", everybody)):
        found = theirs[theirs["model"] == name]["net_benefit"].to_numpy()
        assert ours == pytest.approx(found, abs=1e-12)


def test_standardised_is_divided_by_the_prevalence() -> None:
    data = risks(RISK, POSITIVE, PATIENT)
    plain, _ = net_benefit(data, THRESHOLDS)
    standardised, _ = net_benefit(data, THRESHOLDS, standardised=True)
    assert standardised == pytest.approx(plain / POSITIVE.mean(), abs=1e-12)


def test_band_holds_the_curve_and_widens_with_clustering() -> None:
    thresholds = np.array([0.1, 0.3, 0.5])
    found = decision_curve(risks(RISK, POSITIVE, PATIENT), thresholds, PLAN)
    assert np.all(found.model.lower < found.model.value)
    assert np.all(found.model.value < found.model.upper)
    assert np.all(found.treat_all.lower < found.treat_all.upper)


def test_treating_everybody_at_a_declared_prevalence_is_no_estimate() -> None:
    data = risks(RISK, POSITIVE, PATIENT, prevalence=0.2)
    found = decision_curve(data, np.array([0.1, 0.3]), PLAN).treat_all
    assert found.lower == pytest.approx(found.value)
    assert found.value == pytest.approx([0.2 - 0.8 / 9, 0.2 - 0.8 * 3 / 7])


def test_influence_of_each_threshold_gives_the_spread_of_resamples() -> None:
    from proctor_workers.metrics.decision_curve import _fill, _influences

    thresholds = np.array([0.2, 0.4])
    for prevalence, standardised in ((None, False), (None, True), (0.2, False)):
        data = risks(RISK, POSITIVE, PATIENT, prevalence=prevalence)
        values = np.empty((2000, 4))
        times = np.random.default_rng(1).poisson(1, (2000, 200))
        _fill(data, thresholds, standardised=standardised)(times, values)
        parts = list(_influences(data, thresholds, standardised=standardised))
        errors = [np.sqrt(np.sum(part**2)) for part in parts]
        assert errors == pytest.approx(values.std(axis=0), rel=0.08, abs=1e-9)


def test_public_thresholds_have_enough_patients_between_them() -> None:
    kept = apart(THRESHOLDS, RISK, PATIENT, 11)
    edges = [-np.inf, *THRESHOLDS[kept], np.inf]
    held = [
        len(np.unique(PATIENT[(low <= RISK) & (high > RISK)]))
        for low, high in itertools.pairwise(edges)
    ]
    assert min(held) >= 11


@pytest.mark.parametrize("wrong", [[], [0.0, 0.5], [0.5, 1.0], [0.5, 0.3]])
def test_impossible_thresholds(wrong) -> None:
    with pytest.raises(ValueError, match="threshold"):
        net_benefit(risks(RISK, POSITIVE, PATIENT), np.array(wrong))


def test_one_class_only() -> None:
    with pytest.raises(NotEstimableError, match="classes"):
        net_benefit(risks(RISK, np.ones(400, dtype=bool), PATIENT), THRESHOLDS)
