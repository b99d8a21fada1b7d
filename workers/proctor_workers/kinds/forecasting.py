"""Forecasting: the coming steps of a case's series, as a point forecast, as quantiles, or both.

A case is one origin of one patient's series; several origins of a patient are several cases.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.result import Figure, Result
from proctor_sdk.outputs import MOST_LEVELS
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK, Answer, Answers, Cases
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds.base import WORST, Columns, Described, Kind, Setting, View
from proctor_workers.kinds.forecasting_figures import forecast_fan
from proctor_workers.metrics import alert_quantities, forecasting_quantities
from proctor_workers.metrics.forecasting import seasonal_naive_scale
from proctor_workers.metrics.metric import Metric
from proctor_workers.statistics.arrays import Bools, Floats
from proctor_workers.statistics.checks import NotEstimableError

_SHOWN = ("forecast_bias", "forecast_mae", "forecast_rmse")
_MAKERS = {**forecasting_quantities.MAKERS, **alert_quantities.MAKERS}
_MEDIAN = 0.5
_SAME_LEVEL = 1e-9
_WORST_SHARE = 0.05  # of the forecasts, for a reviewer to look at


class Forecasting(Kind):
    """Columns: `point`, `observed` (cases, steps), `quantiles` (cases, levels, steps), `levels`.

    And `history`, an array a case. NaN stands for steps that a series or forecast does not have.
    Without a mean the median quantile is the point forecast. A forecast that is shorter than what
    was observed counts as none; steps beyond what was observed are not looked at.
    """

    name = "forecasting"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity of forecasts."""
        if name not in _MAKERS:
            raise InvalidInputError(
                f"The task {self.name} has no quantity '{name}'.",
                cure="Use one of: " + ", ".join(sorted(_MAKERS)) + ".",
            )
        return _MAKERS[name](name, parameters)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Read what was observed, its history, and what was forecast of it."""
        del setting
        series = [_series(parts) for parts in cases.truth()]
        if len(series) != len(cases):
            raise _NO_SERIES
        horizon = max(len(values) for values, _ in series)
        observed = np.full((len(cases), horizon), np.nan)
        history = np.empty(len(cases), dtype=object)
        for row, (values, before) in enumerate(series):
            observed[row, : len(values)] = values
            history[row] = before
        return {"observed": observed, "history": history, **_forecasts(answers, observed)}

    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return observations and forecasts; the worst case covers nothing."""
        del setting
        observed: Floats = analysis["observed"]
        wanted = np.isfinite(observed)
        needs = endpoint.quantity.needs
        if needs == "quantiles":
            quantiles: Floats = analysis["quantiles"]
            missing = _anywhere(np.isnan(quantiles))
            columns: dict[str, Any] = {
                "observed": observed,
                "quantiles": quantiles,
                "levels": analysis["levels"],
                "time": _known_times(analysis),
            }
            if not quantiles.shape[1]:
                missing = wanted
            return View(columns=columns, lacking=_anywhere(missing & wanted))
        if needs == "interval":
            lower, upper = _interval(analysis, float(endpoint.parameters["level"]))
            return View(
                columns={
                    "observed": observed,
                    "lower": lower,
                    "upper": upper,
                    "time": _known_times(analysis),
                },
                lacking=_anywhere((np.isnan(lower) | np.isnan(upper)) & wanted),
                fills={
                    WORST: {
                        "lower": np.full_like(lower, np.inf),
                        "upper": np.full_like(upper, -np.inf),
                    }
                },
            )
        lacking = _anywhere(np.isnan(analysis["point"]) & wanted)
        if needs == "alert":
            return _alert_view(analysis, endpoint, lacking)
        columns = {
            "observed": observed,
            "point": analysis["point"],
            "time": _known_times(analysis),
        }
        if needs == "scale":
            columns["scale"] = _scales(analysis, int(endpoint.parameters["season"]))
            lacking |= np.isnan(columns["scale"])
        return View(columns=columns, lacking=lacking)

    def described(self, setting: Setting) -> Iterable[Described]:
        """Show bias and errors over all steps."""
        del setting
        for metric in _SHOWN:
            yield Described(metric=metric)

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return the forecast fan."""
        del study, results
        figure = forecast_fan(analysis)
        return [] if figure is None else [figure]

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List the twentieth of the forecasts that are farthest from what was observed."""
        del study
        size = case_errors(analysis)
        answered = np.flatnonzero((analysis.status == OK) & np.isfinite(size))
        order = answered[np.argsort(-size[answered], kind="stable")]
        shown = order[: max(1, round(_WORST_SHARE * len(answered)))]
        return [
            {
                "case": analysis.case[row],
                "outcome": "large_error",
                "score": float(size[row]),
                "reference": "mean absolute error over the steps",
            }
            for row in shown.tolist()
        ]


_NO_SERIES = DataError(
    "A case has no observed series.",
    cure='Give every verified case the reference output "series" with its values.',
)


def _alert_view(analysis: AnalysisSet, endpoint: Endpoint, lacking: Bools) -> View:
    """Return forecasts, observations and origins; the worst case raises no alert."""
    point: Floats = analysis["point"]
    silent = -np.inf if endpoint.parameters["side"] == "above" else np.inf
    columns = {
        "observed": analysis["observed"],
        "point": point,
        "last": np.array([past[-1] if len(past) else np.nan for past in analysis["history"]]),
        "time": _origins(analysis, str(endpoint.parameters["time"])),
    }
    return View(
        columns=columns,
        lacking=lacking,
        fills={WORST: {"point": np.full_like(point, silent)}},
    )


def _origins(analysis: AnalysisSet, attribute: str) -> Floats:
    """Return each case's origin in days.

    Raises:
        DataError: the cohort does not say it as a number.
    """
    try:
        time = np.array([float(one) for one in analysis.attributes[attribute]])
    except (KeyError, TypeError, ValueError):
        time = np.array([np.nan])
    if not np.all(np.isfinite(time)):
        raise DataError(
            f"The attribute '{attribute}' does not hold every case's origin.",
            cure="Give each case's origin as a number of days since the patient's first.",
        )
    return time


def _known_times(analysis: AnalysisSet) -> Floats:
    """Return each case's origin, by which one patient's origins are put in order; NaN if unsaid."""
    try:
        return _origins(analysis, "time")
    except DataError:
        return np.full(len(analysis), np.nan)


def _anywhere(steps: Bools) -> Bools:
    """Return which cases (cases, steps) have any such step."""
    found: Bools = np.any(steps, axis=1)
    return found


def case_errors(analysis: AnalysisSet) -> Floats:
    """Return each forecast's mean absolute error, NaN without a forecast."""
    gap = np.abs(analysis["point"] - analysis["observed"])
    known = np.isfinite(analysis["observed"])
    size: Floats = np.where(known, gap, 0.0).sum(axis=1) / known.sum(axis=1)
    return size


def _series(parts: Sequence[Answer]) -> tuple[Floats, Floats]:
    """Return what was observed of a case, and its history.

    Raises:
        DataError: there is none.
    """
    found = {part.unit: part.location for part in parts if part.output == "series"}
    values, history = found.get("values"), found.get("history")
    if values is None or not len(values):
        raise _NO_SERIES
    return values, np.array([]) if history is None else history


def _forecasts(answers: Answers, observed: Floats) -> Columns:
    """Return point forecasts, quantiles and their levels, over the steps that were observed."""
    emitted = [
        {str(part.unit): part.location for part in parts if part.output == "forecast"}
        for parts in answers
    ]
    times = Counter(float(name) for one in emitted for name in one if name != "mean")
    # Cases that each name other levels would fill the memory: those given most often count.
    kept = sorted(sorted(times, key=lambda level: (-times[level], level))[:MOST_LEVELS])
    place = {level: index for index, level in enumerate(kept)}
    levels = np.array(kept, dtype=np.float64)
    point = np.full(observed.shape, np.nan)
    quantiles = np.full((len(observed), len(kept), observed.shape[1]), np.nan)
    lengths = np.isfinite(observed).sum(axis=1)
    for row, one in enumerate(emitted):
        length = int(lengths[row])
        for name, forecast in one.items():
            if forecast is None or len(forecast) < length:
                continue
            if name == "mean":
                point[row, :length] = forecast[:length]
            elif float(name) in place:
                quantiles[row, place[float(name)], :length] = forecast[:length]
        if "mean" not in one and _MEDIAN in levels:
            point[row] = quantiles[row, levels.tolist().index(_MEDIAN)]
    return {
        "point": point,
        "quantiles": quantiles,
        "levels": np.broadcast_to(levels, (len(observed), len(levels))),
    }


def _interval(analysis: AnalysisSet, level: float) -> tuple[Floats, Floats]:
    """Return the quantiles at the ends of the central interval, NaN if they were not emitted."""
    quantiles, levels = analysis["quantiles"], analysis["levels"][0]
    ends = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        at = np.flatnonzero(np.abs(levels - share) < _SAME_LEVEL)
        none = np.full(analysis["observed"].shape, np.nan)
        ends.append(quantiles[:, at[0]] if len(at) else none)
    return ends[0], np.maximum(ends[0], ends[1])


def _scales(analysis: AnalysisSet, season: int) -> Floats:
    """Return each case's seasonal naive error, NaN where its history is too short or still."""
    scales = np.full(len(analysis), np.nan)
    for row, history in enumerate(analysis["history"]):
        try:
            scales[row] = seasonal_naive_scale(history, season)
        except NotEstimableError:
            continue
    return scales
