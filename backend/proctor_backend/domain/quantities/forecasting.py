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
)
