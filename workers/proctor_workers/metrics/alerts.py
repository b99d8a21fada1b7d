"""Alerts of a monitor set against events: lead time, alerts per patient-day, value of an alert."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.checks import require_finite

Formula = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When an alert is right, in the unit of the times.

    An event must follow it by at least `earliest` and at most `latest`; alerts within `silence`
    after one that was counted are the same alert.
    """

    latest: float
    earliest: float = 0.0
    silence: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a window that no event can lie in."""
        if not (0 <= self.earliest <= self.latest < np.inf and 0 <= self.silence < np.inf):
            raise ValueError("an alert's window needs 0 <= earliest <= latest and a silence >= 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Which alerts count and which are right; each event's lead time, NaN where it was missed.

    In the order of the arrays given.
    """

    counted: Bools
    right: Bools
    lead: Floats


def match(
    alert: Floats, alert_patient: Ints, event: Floats, event_patient: Ints, window: Window
) -> Matched:
    """Set alert times (a,) against event times (e,) of the same patients.

    The lead time is from the earliest counted alert within the window to the event.

    Raises:
        ValueError: NaN or an infinity.
    """
    require_finite(alert=alert)
    require_finite(event=event)
    by_alert, by_event = np.lexsort((alert, alert_patient)), np.lexsort((event, event_patient))
    counted = np.zeros(len(alert), dtype=np.bool_)
    right = np.zeros(len(alert), dtype=np.bool_)
    lead = np.full(len(event), np.nan)
    found = (np.zeros_like(counted), np.zeros_like(right), np.full(len(event), np.nan))
    _match(
        alert[by_alert],
        alert_patient[by_alert].astype(np.int64),
        event[by_event],
        event_patient[by_event].astype(np.int64),
        np.array([window.earliest, window.latest, window.silence]),
        *found,
    )
    counted[by_alert], right[by_alert], lead[by_event] = found
    return Matched(counted=counted, right=right, lead=lead)


def patient_columns(
    matched: Matched, alert_patient: Ints, event_patient: Ints, days: Floats
) -> Floats:
    """Return each patient's sums that ALERTS take, (patients, 6).

    Days under watch, alerts, right alerts, events, events foreseen, sum of lead times. Patients are
    codes 0..patients-1 into `days`.

    Raises:
        ValueError: a patient was watched for no time.
    """
    require_finite(days=days)
    if np.any(days <= 0):
        raise ValueError("a patient was watched for no time")
    foreseen = np.isfinite(matched.lead)
    alerts = np.column_stack([matched.counted, matched.right]).astype(np.float64)
    events = np.column_stack([np.ones(len(foreseen)), foreseen, np.nan_to_num(matched.lead)])
    return np.column_stack(
        [
            days,
            group_sums(alerts, alert_patient, len(days)),
            group_sums(events, event_patient, len(days)),
        ]
    )


def _ratio(top: int, bottom: int) -> Formula:
    def formula(sums: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: Floats = np.where(
                sums[..., bottom] > 0, sums[..., top] / sums[..., bottom], np.nan
            )
        return ratio

    return formula


ALERTS: Mapping[str, Formula] = {
    "alerts_per_patient_day": _ratio(1, 0),
    "ppv_per_alert": _ratio(2, 1),
    "events_foreseen": _ratio(4, 3),
    "mean_lead_time": _ratio(5, 4),
}
"""Formulas of sums (..., 6) of `patient_columns`; a median lead time is a resampled quantile."""


@compiled
def _match(
    alert: Floats,
    alert_patient: Ints,
    event: Floats,
    event_patient: Ints,
    window: Floats,
    counted: Bools,
    right: Bools,
    lead: Floats,
) -> None:
    start, last, last_patient = 0, 0.0, -1
    for place in range(len(alert)):
        patient, time = alert_patient[place], alert[place]
        if place and patient == last_patient and time - last <= window[2] and window[2] > 0:
            continue
        counted[place] = True
        last, last_patient = time, patient
        while start < len(event) and event_patient[start] < patient:
            start += 1
        row = start
        while row < len(event) and event_patient[row] == patient:
            gap = event[row] - time
            if window[0] <= gap <= window[1]:
                right[place] = True
                if not lead[row] >= gap:
                    lead[row] = gap
            row += 1
