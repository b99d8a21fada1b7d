"""The numbers of the figures of survival tasks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.result import Figure
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK
from proctor_workers.endpoints import Study
from proctor_workers.metrics.binned import binned, range_of
from proctor_workers.metrics.survival.calibration import RiskGroup, calibration_groups
from proctor_workers.metrics.survival.curves import (
    SurvivalCurve,
    log_rank,
    risk_groups,
    survival_curve,
)
from proctor_workers.metrics.survival.follow_up import FollowUp, follow_up
from proctor_workers.metrics.survival.quantities import SURVIVAL, times_of
from proctor_workers.missing_outputs import apply_rule
from proctor_workers.statistics.arrays import Bools, Floats, Ints
from proctor_workers.statistics.checks import NotEstimableError

LEAST = 11  # patients that a step of a public figure holds
_GROUPS = 5
_COLUMNS = 5  # times at which those still followed are counted


def figures(study: Study, analysis: AnalysisSet) -> list[Figure]:
    """Return curves by risk group where a risk was emitted, and calibration at each time."""
    return [*_curves(study, analysis), *_calibrations(study, analysis)]


def _curves(study: Study, analysis: AnalysisSet) -> Iterator[Figure]:
    known = (analysis.status == OK) & ~np.isnan(analysis["risk"])
    risk = analysis["risk"][known]
    if not len(risk):
        return
    cuts, names = _cuts(study, risk)
    group = risk_groups(risk, cuts)
    data = _rows(analysis, known)
    parts = [
        (name, _rows(analysis, known, group == place))
        for place, name in enumerate(names)
        if np.any(group == place)
    ]
    counted = np.linspace(0, data.last, _COLUMNS)
    yield Figure(
        id="survival_curves",
        kind="survival_curves",
        title="Survival without event by predicted risk",
        data={
            "groups": [
                _group(name, part, None, counted=counted, until=part.last) for name, part in parts
            ],
            "log_rank": _tested(data, group),
            "public": _public_curves(parts, data, group),
        },
    )


def _rows(analysis: AnalysisSet, known: Bools, among: Bools | None = None) -> FollowUp:
    rows = np.flatnonzero(known) if among is None else np.flatnonzero(known)[among]
    return follow_up(
        analysis["time"][rows],
        analysis["event"][rows],
        analysis.patient[rows],
        analysis.weight[rows],
    )


def _cuts(study: Study, risk: Floats) -> tuple[list[float], list[str]]:
    """Return the thresholds of the operating points, else the thirds of the emitted risks."""
    points = [
        (float(point["threshold"]), str(point["id"]))
        for point in study.setting.manifest.get("operating_points") or ()
        if point.get("threshold") is not None
    ]
    if points:
        cuts = sorted(dict(points))
        named = dict(points)
        return cuts, [
            f"below \u201c{named[cuts[0]]}\u201d",
            *(f"\u201c{named[cut]}\u201d and above" for cut in cuts),
        ]
    thirds = np.unique(np.quantile(risk, [1 / 3, 2 / 3], method="inverted_cdf"))
    edges = [float(np.nextafter(cut, np.inf)) for cut in thirds]
    names = ["lowest", "middle", "highest"] if len(edges) == 2 else ["lower", "higher"]
    return edges, [f"{name} risk" for name in names]


def _group(
    name: str, data: FollowUp, at: Floats | None, *, counted: Floats, until: float
) -> dict[str, Any]:
    shown = survival_curve(data, at)
    return {
        "name": name,
        "n": len(data),
        "patients": data.patients,
        "until": until,
        "followed": [
            {"time": float(time), "n": int(np.sum(data.time > time) if time else len(data))}
            for time in counted
        ],
        "method": shown.method,
        **_drawn(shown),
    }


def _drawn(shown: SurvivalCurve) -> dict[str, list[float | None]]:
    return {
        "time": numbers(shown.time),
        "survival": numbers(shown.survival),
        "lower": numbers(shown.lower),
        "upper": numbers(shown.upper),
    }


def numbers(values: Floats) -> list[float | None]:
    """Return numbers as a document holds them: None for one that does not exist."""
    return [float(value) if math.isfinite(value) else None for value in values]


def _tested(data: FollowUp, group: Ints) -> dict[str, Any] | None:
    try:
        found = log_rank(data, group)
    except NotEstimableError:
        return None
    return {
        "statistic": found.statistic,
        "df": found.df,
        "p_value": found.p_value,
        "method": found.method,
    }


def _public_curves(
    parts: Sequence[tuple[str, FollowUp]], data: FollowUp, group: Ints
) -> dict[str, Any] | None:
    """Return the curves read only where at least 11 patients left since the time before.

    They end where at least 11 are still followed, so that nobody's own time is the last.
    """
    shown = []
    for name, part in parts:
        ends = binned(part.time, part.patient, LEAST)[:-1]
        if not len(ends):
            return None
        counted = np.concatenate(([0.0], ends))
        shown.append(_group(name, part, ends, counted=counted, until=float(ends[-1])))
    return {"groups": shown, "log_rank": _tested(data, group)}


def _calibrations(study: Study, analysis: AnalysisSet) -> Iterator[Figure]:
    done = set()
    for endpoint in study.endpoints:
        times = times_of(endpoint.parameters)
        if endpoint.quantity.needs != SURVIVAL or len(times) != 1 or times[0] in done:
            continue
        done.add(times[0])
        sample = apply_rule(study, analysis, endpoint, "exclude").sample
        if not len(sample):
            continue
        risk = 1 - sample[SURVIVAL][:, 0]
        data = follow_up(sample["time"], sample["event"], sample.patient, sample.weight)
        forms = [
            _calibration(data, risk, times[0], ends)
            for ends in (_fifths(risk), binned(risk, sample.patient, _least(sample.patients)))
        ]
        if forms[0] is None:
            continue
        yield Figure(
            id=f"survival_calibration.{times[0]:g}",
            kind="survival_calibration",
            title=f"Observed against predicted risk at {times[0]:g}",
            data=forms[0] | {"public": forms[1]},
        )


def _fifths(risk: Floats) -> Floats:
    share = np.arange(1, _GROUPS + 1) / _GROUPS
    return np.unique(np.quantile(risk, share, method="inverted_cdf"))


def _least(patients: int) -> int:
    return max(LEAST, -(-patients // _GROUPS))


def _calibration(data: FollowUp, risk: Floats, time: float, ends: Floats) -> dict[str, Any] | None:
    if not len(ends):
        return None
    try:
        found = calibration_groups(data, risk, time, range_of(risk, ends))
    except NotEstimableError:
        return None
    return {"time": time, "groups": [_risk_group(one) for one in found if one is not None]}


def _risk_group(one: RiskGroup) -> Mapping[str, Any]:
    observed, lower, upper = numbers(np.array([one.observed, one.lower, one.upper]))
    return {
        "n": one.n,
        "patients": one.patients,
        "predicted": one.predicted,
        "observed": observed,
        "lower": lower,
        "upper": upper,
        "method": one.method,
    }
