"""Random follow-up with ties and heavy censoring: scikit-survival and lifelines say the same."""

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from lifelines.utils import concordance_index, restricted_mean_survival_time
from sksurv.metrics import (
    brier_score,
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)

from proctor_workers.metrics.survival.at_time import auc_at, brier_at, integrated_brier, mean_auc
from proctor_workers.metrics.survival.concordance import harrell, uno
from proctor_workers.metrics.survival.curves import log_rank, restricted_mean, survival_curve
from proctor_workers.metrics.survival.follow_up import follow_up

pytestmark = pytest.mark.filterwarnings("ignore")
TIMES = [3.5, 7.5, 12.5]


class Drawn:
    """Whole-numbered times, so that events and censorings fall together; risks with ties."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        n = 250
        x = rng.normal(size=n)
        until = np.ceil(10 * rng.exponential(np.exp(-x)))
        censored = np.ceil(8 * rng.exponential(size=n))
        self.time, self.event = np.minimum(until, censored), until <= censored
        self.risk = np.round(x + rng.normal(size=n), 1)
        self.curves = np.exp(-np.outer(np.exp(self.risk / 2) / 12, TIMES))
        self.data = follow_up(self.time, self.event, np.arange(n))
        self.group = rng.integers(0, 3, n)
        # scikit-survival takes G(t); with censorings a moment later that is our G(t-).
        shifted = np.where(self.event, self.time, self.time + 0.25)
        self.surv = np.array(
            list(zip(self.event, shifted, strict=True)), dtype=[("event", bool), ("time", float)]
        )


@pytest.fixture(params=range(4), ids=lambda seed: f"seed{seed}")
def drawn(request):
    return Drawn(request.param)


def test_harrell(drawn) -> None:
    found = harrell(drawn.data, drawn.risk).value
    theirs = concordance_index_censored(drawn.event, drawn.time, drawn.risk)[0]
    assert found == pytest.approx(theirs, abs=1e-12)
    lifelines = concordance_index(drawn.time, -drawn.risk, drawn.event)
    assert found == pytest.approx(lifelines, abs=1e-12)


@pytest.mark.parametrize("horizon", [None, 12.5])
def test_uno(drawn, horizon) -> None:
    found = uno(drawn.data, drawn.risk, np.inf if horizon is None else horizon).value
    theirs = concordance_index_ipcw(drawn.surv, drawn.surv, drawn.risk, tau=horizon)[0]
    assert found == pytest.approx(theirs, abs=1e-12)


def test_uno_differs_where_an_event_and_a_censoring_fall_together() -> None:
    drawn = Drawn(0)
    plain = np.array(list(zip(drawn.event, drawn.time, strict=True)), dtype=drawn.surv.dtype)
    theirs = concordance_index_ipcw(plain, plain, drawn.risk, tau=12.5)[0]
    assert abs(uno(drawn.data, drawn.risk, 12.5).value - theirs) > 1e-4


def test_area_under_the_curve_at_times_and_its_mean(drawn) -> None:
    theirs, mean = cumulative_dynamic_auc(drawn.surv, drawn.surv, drawn.risk, TIMES)
    found = [auc_at(drawn.data, drawn.risk, time).value for time in TIMES]
    assert found == pytest.approx(theirs, abs=1e-12)
    risks = np.repeat(drawn.risk[:, None], len(TIMES), axis=1)
    assert mean_auc(drawn.data, risks, TIMES).value == pytest.approx(mean, abs=1e-12)


def test_brier_at_times_and_integrated(drawn) -> None:
    _, theirs = brier_score(drawn.surv, drawn.surv, drawn.curves, TIMES)
    found = [
        brier_at(drawn.data, drawn.curves[:, place], time).value for place, time in enumerate(TIMES)
    ]
    assert found == pytest.approx(theirs, abs=1e-12)
    integrated = integrated_brier_score(drawn.surv, drawn.surv, drawn.curves, TIMES)
    ours = integrated_brier(drawn.data, drawn.curves, TIMES).value
    assert ours == pytest.approx(integrated, abs=1e-12)


def test_kaplan_meier_and_its_band(drawn) -> None:
    fitted = KaplanMeierFitter().fit(drawn.time, drawn.event)
    found = survival_curve(drawn.data, np.array(TIMES))
    assert found.survival == pytest.approx(fitted.survival_function_at_times(TIMES), abs=1e-12)
    theirs = fitted.confidence_interval_.loc[[3.0, 7.0, 12.0]].to_numpy()
    assert np.column_stack([found.lower, found.upper]) == pytest.approx(theirs, abs=1e-9)


def test_log_rank(drawn) -> None:
    theirs = multivariate_logrank_test(drawn.time, drawn.group, drawn.event)
    found = log_rank(drawn.data, drawn.group)
    assert found.statistic == pytest.approx(theirs.test_statistic, rel=1e-9)
    assert found.p_value == pytest.approx(theirs.p_value, rel=1e-9)


def test_restricted_mean(drawn) -> None:
    fitted = KaplanMeierFitter().fit(drawn.time, drawn.event)
    theirs = restricted_mean_survival_time(fitted, t=9.5)
    assert restricted_mean(drawn.data, 9.5).value == pytest.approx(theirs, rel=1e-9)
