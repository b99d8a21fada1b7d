"""Alerts made of forecasts: a forecast that goes beyond a threshold alerts at its origin.

An event begins where the observed series goes beyond the threshold; one that several origins see is
one event. Columns: `point` and `observed` (forecasts, steps), `last` observed value before them,
`time` of the origin in days.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from proctor_workers.metrics.alerts import ALERTS, Window, match
from proctor_workers.metrics.metric import FormulaOfSums, Metric
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums

_SAME_TIME = 1e-6  # days: onsets nearer than this are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """What alerts and events are: the threshold, its side, and the length of a step in days."""

    threshold: float
    above: bool
    step_days: float
    silence_days: float

    def beyond(self, series: Floats) -> Bools:
        """Return where a series lies at the threshold or beyond; nowhere where it is unknown."""
        crossed: Bools = series >= self.threshold if self.above else series <= self.threshold
        return crossed

    def onset(self, last: Floats, series: Floats) -> Floats:
        """Return when each series (forecasts, steps) first goes beyond, in days; NaN for never.

        `last` is the value before the first step, (forecasts,); NaN if it is not known, which
        counts as not beyond.
        """
        crossed = self.beyond(np.column_stack([last, series]))
        begins = crossed[:, 1:] & ~crossed[:, :-1]
        ahead: Floats = (np.argmax(begins, axis=1) + 1) * self.step_days
        return np.where(begins.any(axis=1), ahead, np.nan)


def alert_sums(crossing: Crossing, sample: Sample) -> Floats:
    """Return each forecast's part of the patients' sums that ALERTS take, (forecasts, 6).

    A patient's days under watch, and every event, stand with the first origin that has them.
    """
    time, (code, stratum) = sample["time"], sample.codes()
    horizon = sample["observed"].shape[1] * crossing.step_days
    alerting = np.isfinite(crossing.onset(sample["last"], sample["point"]))
    ahead = crossing.onset(sample["last"], sample["observed"])
    first_seen = _first_seen(time + ahead, code)
    event, event_patient = (time + ahead)[first_seen], code[first_seen]
    window = Window(latest=horizon + _SAME_TIME, silence=crossing.silence_days)
    found = match(time[alerting], code[alerting], event, event_patient, window)
    counted, right = np.zeros(len(sample)), np.zeros(len(sample))
    counted[alerting], right[alerting] = found.counted, found.right
    lead = np.full(len(sample), np.nan)
    lead[first_seen] = found.lead
    events = np.zeros(len(sample))
    events[first_seen] = 1.0
    columns = np.column_stack(
        [
            _days(time, code, len(stratum), horizon),
            counted,
            right,
            events,
            np.isfinite(lead),
            np.nan_to_num(lead),
        ]
    )
    weighted: Floats = columns * sample.weight[:, None]
    return weighted


def _first_seen(onset: Floats, patient: Ints) -> Ints:
    """Return the first row of every event; NaN is none."""
    order = np.lexsort((onset, patient))
    order = order[np.isfinite(onset[order])]
    if not len(order):
        return order
    new = (np.diff(patient[order]) != 0) | (np.diff(onset[order]) > _SAME_TIME)
    rows: Ints = order[np.concatenate([[True], new])]
    return rows


def _days(time: Floats, patient: Ints, patients: int, horizon: float) -> Floats:
    """Return each patient's days under watch with its first row, 0 with the others.

    Stretches between origins that no horizon reaches are not under watch.
    """
    order = np.lexsort((time, patient))
    gap = np.diff(time[order], append=np.inf)
    last = np.concatenate([np.diff(patient[order]) != 0, [True]])
    watched = np.empty(len(time))
    watched[order] = np.where(last, horizon, np.minimum(gap, horizon))
    days = group_sums(watched, patient, patients)[:, 0]
    _, first = np.unique(patient, return_index=True)
    found = np.zeros(len(time))
    found[first] = days
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFormula(FormulaOfSums):
    """A formula of alerts, events and days; complete cases but for the events foreseen."""

    needs: str = "alert"
    family: str = "alerts"
    unit_scale: bool = False

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse a sample without forecasts."""
        del design
        return None if len(sample) else "not estimable: no cases"


_ALERTS = {
    "alerts_per_patient_day": "alerts_per_patient_day",
    "ppv_per_alert": "ppv_per_alert",
    "events_foreseen": "events_foreseen",
    "alert_lead_time": "mean_lead_time",
}


def _alert(name: str, parameters: Mapping[str, Any]) -> Metric:
    crossing = Crossing(
        threshold=float(parameters["threshold"]),
        above=parameters["side"] == "above",
        step_days=float(parameters["step_days"]),
        silence_days=float(parameters["silence_days"]),
    )
    return AlertFormula(
        name=name,
        columns=partial(alert_sums, crossing),
        formula=ALERTS[_ALERTS[name]],
        complete_cases=name != "events_foreseen",
        unit_scale=name in {"ppv_per_alert", "events_foreseen"},
    )


MAKERS: Mapping[str, Callable[[str, Mapping[str, Any]], Metric]] = dict.fromkeys(_ALERTS, _alert)
"""What makes each quantity from its parameters, by its name."""
