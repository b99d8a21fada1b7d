"""Survival: a risk, a predicted survival curve, or both, against follow-up with censoring."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK, Answer, Answers, Cases
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds import survival_figures
from proctor_workers.kinds.base import BEST, WORST, Columns, Kind, Setting, View
from proctor_workers.metrics.metric import Metric
from proctor_workers.metrics.sample import Column
from proctor_workers.metrics.survival.concordance import surprises
from proctor_workers.metrics.survival.follow_up import follow_up
from proctor_workers.metrics.survival.predicted import survival_at
from proctor_workers.metrics.survival.quantities import HIGH, MAKERS, RISK, SURVIVAL, times_of
from proctor_workers.statistics.arrays import Bools, Floats

_MOST_SHOWN = 100  # cases a reviewer is shown of either kind


class Survival(Kind):
    """Columns: `time`, `event` and `positive` (the same), `risk` (NaN for none), `curve`.

    A curve is (times, probabilities), empty for none. Where a quantity ranks cases, the emitted
    risk is taken; without it the predicted risk at the quantity's time.
    """

    name = "survival"

    def metric(self, name: str, parameters: Mapping[str, Any]) -> Metric:
        """Return a quantity of follow-up."""
        if name not in MAKERS:
            raise InvalidInputError(
                f"The task {self.name} has no quantity '{name}'.",
                cure="Use one of: " + ", ".join(sorted(MAKERS)) + ".",
            )
        if any(left >= right for left, right in pairwise(times_of(parameters))):
            raise InvalidInputError(
                f"The times of {name} do not rise.", cure="Write each time once, smallest first."
            )
        return MAKERS[name](name, parameters)

    def read(self, setting: Setting, cases: Cases, answers: Answers) -> Columns:
        """Read the events, and each case's risk and curve."""
        del setting
        time, event = _events(cases)
        risk = np.full(len(cases), np.nan)
        curve = np.empty(len(cases), dtype=object)
        for place, case in enumerate(answers):
            curve[place] = np.empty((2, 0))
            for one in case:
                if one.output == "survival":
                    risk[place] = np.nan if one.score is None else one.score
                    if one.location is not None and len(one.location):
                        curve[place] = one.location.reshape(2, -1)
        return {"positive": event, "time": time, "event": event, "risk": risk, "curve": curve}

    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return follow-up with risks, survival at the endpoint's times, or risk groups.

        At worst a case with an event has the lowest risk, or certain survival, and a censored one
        the highest risk, or certain survival until its censoring.
        """
        base = {name: analysis[name] for name in ("positive", "time", "event")}
        event: Bools = base["event"]
        times = times_of(endpoint.parameters)
        if endpoint.quantity.needs == HIGH:
            high, lacking = risk_group(setting, analysis, endpoint)
            return _view(base, HIGH, high, lacking=lacking, worst=~event, best=event)
        if endpoint.quantity.needs == RISK:
            risk = ranking(analysis, times)
            low = np.where(event[:, None], -np.inf, np.inf) * np.ones((1, risk.shape[1]))
            if endpoint.metric in {"harrell_c", "uno_c"}:
                risk, low = risk[:, -1], low[:, -1]
            lacking = np.any(np.isnan(risk).reshape(len(analysis), -1), axis=1)
            return _view(base, RISK, risk, lacking=lacking, worst=low, best=-low)
        survival = predicted(analysis, times)
        gone = (event[:, None] & (base["time"][:, None] <= np.asarray(times)[None, :])) * 1.0
        lacking = np.any(np.isnan(survival), axis=1)
        return _view(base, SURVIVAL, survival, lacking=lacking, worst=gone, best=1 - gone)

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return Kaplan-Meier curves by risk group, and calibration at the endpoints' times."""
        del results
        return survival_figures.figures(study, analysis)

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List the cases that few comparable ones agree with: early events, late survivors."""
        del study
        known = (analysis.status == OK) & ~np.isnan(analysis["risk"])
        rows = np.flatnonzero(known)
        if not len(rows):
            return []
        data = follow_up(analysis["time"][rows], analysis["event"][rows], analysis.patient[rows])
        found = []
        for outcome, low in surprises(data, analysis["risk"][rows]).items():
            for place in low[:_MOST_SHOWN]:
                row = int(rows[place])
                found.append(
                    {
                        "case": analysis.case[row],
                        "outcome": outcome,
                        "score": float(analysis["risk"][row]),
                        "reference": "event" if analysis["event"][row] else "no event",
                        "operating_point": None,
                    }
                )
        return found


def _view(
    base: Columns, name: str, column: Column, *, lacking: Bools, worst: Column, best: Column
) -> View:
    return View(
        columns={**base, name: column},
        lacking=lacking,
        fills={WORST: {name: worst}, BEST: {name: best}},
    )


def _events(cases: Cases) -> tuple[Floats, Bools]:
    time, event = np.empty(len(cases)), np.empty(len(cases), dtype=np.bool_)
    for place, answer in enumerate(_event_rows(cases)):
        if answer is None or answer.value is None or not answer.value >= 0:
            raise DataError(
                "A reference standard holds no event with a time of follow-up of at least 0.",
                cure='Write {"event": {"time": 12.5, "observed": true}} for every case; '
                "observed is false where follow-up ended without the event.",
            )
        time[place], event[place] = answer.value, bool(answer.call)
    return time, event


def _event_rows(cases: Cases) -> Iterator[Answer | None]:
    for truth in cases.truth():
        yield next((one for one in truth if one.output == "event"), None)


def predicted(analysis: AnalysisSet, times: Sequence[float]) -> Floats:
    """Return each case's predicted survival (rows, times); NaN beyond or without its curve."""
    found = np.full((len(analysis), len(times)), np.nan)
    for row, (grid, chances) in enumerate(analysis["curve"]):
        inside = [place for place, time in enumerate(times) if len(grid) and time <= grid[-1]]
        if inside:
            at = np.array([times[place] for place in inside])
            found[row, inside] = survival_at(grid, chances[None, :], at)[0]
    return found


def ranking(analysis: AnalysisSet, times: Sequence[float]) -> Floats:
    """Return risks (rows, times): as emitted, else as predicted at the time; NaN for neither."""
    emitted = np.repeat(analysis["risk"][:, None], max(len(times), 1), axis=1)
    if not len(times):
        return emitted
    found: Floats = np.where(np.isnan(emitted), 1 - predicted(analysis, times), emitted)
    return found


def risk_group(setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> tuple[Bools, Bools]:
    """Return who is at or above the operating point's threshold, and who lacks a risk."""
    risk = ranking(analysis, times_of(endpoint.parameters))[:, -1]
    threshold = setting.operating_point(endpoint.operating_point).get("threshold")
    if threshold is None:
        raise InvalidInputError(
            "A risk group needs a threshold.", cure="Give the operating point one in the manifest."
        )
    return np.nan_to_num(risk, nan=-np.inf) >= float(threshold), np.isnan(risk)
