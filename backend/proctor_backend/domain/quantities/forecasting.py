"""Quantities of forecasts of a series: over all steps ahead, or at one of them."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import Parameter, Quantity, tasks

_STEP = {
    "step": Parameter(
        meaning="the step ahead that is looked at, from 1; 0 for all of them.",
        type=int,
        default=0,
        low=0,
        high=10_000,
    )
}
_LEVEL = {
    "level": Parameter(
        meaning="the share a prediction interval shall hold, from the quantiles at its ends.",
        default=0.9,
        low=0.01,
        high=0.999,
    )
}
_ALERT = {
    "threshold": Parameter(meaning="the value of the series at which an event begins."),
    "side": Parameter(
        meaning="above or below: the side of the threshold on which the event lies.",
        type=str,
        default="above",
        choices=("above", "below"),
    ),
    "step_days": Parameter(
        meaning="the length of one step in days, such as 0.003472 for five minutes.", low=1e-9
    ),
    "silence_days": Parameter(
        meaning="days after an alert in which further ones count as the same; 0 for none.",
        default=0.0,
        low=0,
    ),
    "time": Parameter(
        meaning="the attribute that holds each case's origin as a number of days.",
        type=str,
        default="time",
    ),
}
_ERROR = Quantity(
    name="",
    label="",
    definition="",
    tasks=tasks("forecasting"),
    better="lower",
    bounds=(0, None),
    complete_cases=True,
    parameters=_STEP,
)

QUANTITIES = (
    replace(
        _ERROR,
        name="forecast_bias",
        label="Forecast bias",
        definition="Mean of forecast minus observation; every step forecast weighs equally.",
        better="target",
        bounds=(None, None),
    ),
    replace(
        _ERROR,
        name="forecast_mae",
        label="Mean absolute error of the forecast",
        definition="Mean size of forecast minus observation; every step forecast weighs equally.",
    ),
    replace(
        _ERROR,
        name="forecast_rmse",
        label="Root mean square error of the forecast",
        definition="Root of the mean squared difference of forecast and observation.",
    ),
    replace(
        _ERROR,
        name="forecast_mape",
        label="Mean absolute relative error of the forecast",
        definition="Mean size of forecast minus observation as a share of the observation's size.",
        written="share",
    ),
    replace(
        _ERROR,
        name="mase",
        label="Mean absolute scaled error",
        definition="Mean size of the error over that of the seasonal naive forecast within the "
        "case's history (Hyndman & Koehler 2006).",
        written="ratio",
        parameters=_STEP
        | {
            "season": Parameter(
                meaning="the steps of one season; 1 for none.", type=int, default=1, low=1
            )
        },
    ),
    replace(
        _ERROR,
        name="pinball_loss",
        label="Pinball loss",
        definition="Mean pinball loss over all quantile levels emitted.",
    ),
    replace(
        _ERROR,
        name="crps",
        label="Continuous ranked probability score",
        definition="Twice the integral of the pinball loss over the quantile levels emitted.",
    ),
    replace(
        _ERROR,
        name="forecast_coverage",
        label="Coverage of the prediction interval",
        definition="Share of observations inside the prediction interval, limits included.",
        better="target",
        bounds=(0, 1),
        written="share",
        complete_cases=False,
        parameters=_STEP | _LEVEL,
    ),
    replace(
        _ERROR,
        name="forecast_interval_width",
        label="Width of the prediction interval",
        definition="Mean width of the prediction interval.",
        parameters=_STEP | _LEVEL,
    ),
    replace(
        _ERROR,
        name="forecast_interval_score",
        label="Interval score",
        definition="Mean width of the prediction interval plus 2 / (1 - level) times the distance "
        "by which an observation misses it (Winkler 1972).",
        parameters=_STEP | _LEVEL,
    ),
    replace(
        _ERROR,
        name="alerts_per_patient_day",
        label="Alerts per patient-day",
        definition="Origins whose point forecast goes beyond the threshold within the horizon, per "
        "day under watch.",
        written="ratio",
        parameters=_ALERT,
    ),
    replace(
        _ERROR,
        name="ppv_per_alert",
        label="Positive predictive value of an alert",
        definition="Share of alerts that an event follows within the horizon; an event begins "
        "where the observed series goes beyond the threshold.",
        better="higher",
        bounds=(0, 1),
        written="share",
        parameters=_ALERT,
    ),
    replace(
        _ERROR,
        name="events_foreseen",
        label="Events foreseen",
        definition="Share of events that an alert precedes by at most the horizon.",
        better="higher",
        bounds=(0, 1),
        written="share",
        complete_cases=False,
        parameters=_ALERT,
    ),
    replace(
        _ERROR,
        name="alert_lead_time",
        label="Lead time",
        definition="Mean days from the first alert within the horizon to the event, over events "
        "foreseen.",
        better="higher",
        unit="days",
        parameters=_ALERT,
    ),
)
