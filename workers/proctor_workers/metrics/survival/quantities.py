"""The quantities of survival tasks as a protocol names them.

Columns: `time`, `event` (also as `positive`), and as the quantity needs it `risk` (rows,) or
(rows, times), `survival` (rows, times), `high` (rows,).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.of_statistic import OfStatistic, Scale
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.metrics.statistic import Statistic
from proctor_workers.metrics.survival.at_time import brier_at, integrated_brier, mean_auc
from proctor_workers.metrics.survival.calibration import observed_to_expected, recalibrated
from proctor_workers.metrics.survival.concordance import harrell, uno
from proctor_workers.metrics.survival.curves import restricted_mean
from proctor_workers.metrics.survival.follow_up import FollowUp, follow_up
from proctor_workers.metrics.survival.rank_test import LogRank, chi_squared, score_columns
from proctor_workers.statistics.arrays import Bools, Floats, Ints
from proctor_workers.statistics.checks import NotEstimableError

RISK, SURVIVAL, HIGH = "risk", "survival", "high"
_SHIFTED = "refused: sampling was not consecutive, and no weights are given"


def rows_of(sample: Sample) -> FollowUp:
    """Return a sample's follow-up; its patients have the sample's codes."""
    return follow_up(sample["time"], sample["event"], sample.patient, sample.weight)


def _refused(metric: Metric, sample: Sample, design: Design) -> str | None:
    """Refuse what a sampling by outcome shifts; no prevalence re-weights follow-up."""
    if metric.prevalence_bound and not design.represents_prevalence:
        return _SHIFTED
    return None if sample["event"].any() else "not estimable: there is no event"


def _noted(metric: Metric, sample: Sample, design: Design) -> tuple[str, ...]:
    del metric, design
    return ("weighted by the sampling weights",) if sample.weighted else ()


def _with_events(sample: Sample) -> int:
    return len(np.unique(sample.patient[sample["event"]]))


def _metric(
    name: str,
    make: Callable[[Sample], Statistic],
    needs: str,
    *,
    scale: Scale | None = None,
    **more: Any,
) -> Metric:
    def made(sample: Sample, design: Design) -> Statistic:
        del design
        return make(sample)

    return OfStatistic(
        name=name,
        family=f"survival.{name}",
        needs=needs,
        make=made,
        refused=_refused,
        least=_with_events,
        noted=_noted,
        scale=scale,
        logit_scale=scale == "logit",
        **more,
    )


def _harrell(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    return _metric(name, lambda one: harrell(rows_of(one), one[RISK]), RISK, scale="logit")


def _uno(name: str, parameters: Mapping[str, Any]) -> Metric:
    horizon = float(parameters["horizon"])
    return _metric(name, lambda one: uno(rows_of(one), one[RISK], horizon), RISK, scale="logit")


def _auc(name: str, parameters: Mapping[str, Any]) -> Metric:
    times = times_of(parameters)

    def make(one: Sample) -> Statistic:
        return mean_auc(rows_of(one), one[RISK], times)

    return _metric(name, make, RISK, scale="logit")


def _brier(name: str, parameters: Mapping[str, Any]) -> Metric:
    times = times_of(parameters)

    def make(one: Sample) -> Statistic:
        if len(times) == 1:
            return brier_at(rows_of(one), one[SURVIVAL][:, 0], times[0])
        return integrated_brier(rows_of(one), one[SURVIVAL], times)

    return _metric(name, make, SURVIVAL, prevalence_bound=True)


def _ratio(name: str, parameters: Mapping[str, Any]) -> Metric:
    time = times_of(parameters)[0]

    def make(one: Sample) -> Statistic:
        found = observed_to_expected(rows_of(one), 1 - one[SURVIVAL][:, 0], time)
        if found.value <= 0:
            raise NotEstimableError("there is no event by the time of evaluation")
        return found

    return _metric(
        name,
        make,
        SURVIVAL,
        scale="log",
        unit_scale=False,
        complete_cases=True,
        prevalence_bound=True,
    )


def _recalibration(name: str, parameters: Mapping[str, Any], *, slope: bool) -> Metric:
    time = times_of(parameters)[0]

    def make(one: Sample) -> Statistic:
        return recalibrated(rows_of(one), 1 - one[SURVIVAL][:, 0], time, slope=slope)

    return _metric(
        name,
        make,
        SURVIVAL,
        unit_scale=False,
        complete_cases=True,
        prevalence_bound=not slope,
    )


def _restricted_mean_difference(name: str, parameters: Mapping[str, Any]) -> Metric:
    horizon = float(parameters["horizon"])

    def make(one: Sample) -> Statistic:
        low, high = (_mean_of(one, rows, horizon) for rows in (~one[HIGH], one[HIGH]))

        def loop(times: Ints, values: Floats) -> None:
            beside = np.empty(len(values))
            low.loop(times, values)
            high.loop(times, beside)
            values -= beside

        return Statistic(
            value=low.value - high.value, loop=loop, influence=low.influence - high.influence
        )

    return _metric(name, make, HIGH, scale="plain", unit_scale=False)


def _mean_of(sample: Sample, rows: Bools, horizon: float) -> Statistic:
    """Return the restricted mean of some rows as a statistic of all of the sample's patients."""
    if not rows.any():
        raise NotEstimableError("one of the two risk groups is empty")
    part = sample.take(rows)
    found = restricted_mean(rows_of(part), horizon)
    patients, _ = sample.codes()
    own = np.unique(patients[rows])
    influence = np.zeros(sample.patients)
    influence[own] = found.influence

    def loop(times: Ints, values: Floats) -> None:
        found.loop(np.ascontiguousarray(times[:, own]), values)

    return Statistic(value=found.value, loop=loop, influence=influence)


def _log_rank(name: str, parameters: Mapping[str, Any]) -> Metric:
    del parameters
    return LogRank(
        name=name, needs=HIGH, unit_scale=False, columns=score_columns, formula=chi_squared
    )


def times_of(parameters: Mapping[str, Any]) -> list[float]:
    """Return the times at which predicted survival is read: `times`, `time` or `horizon`."""
    given = parameters.get("times") or [parameters.get("time") or parameters.get("horizon")]
    return [float(time) for time in given if time is not None]


MAKERS: Mapping[str, Callable[[str, Mapping[str, Any]], Metric]] = {
    "harrell_c": _harrell,
    "uno_c": _uno,
    "auc_at_time": _auc,
    "mean_auc_over_time": _auc,
    "brier_at_time": _brier,
    "integrated_brier": _brier,
    "oe_ratio_at_time": _ratio,
    "calibration_intercept_at_time": partial(_recalibration, slope=False),
    "calibration_slope_at_time": partial(_recalibration, slope=True),
    "restricted_mean_difference": _restricted_mean_difference,
    "log_rank": _log_rank,
}
