"""Quantities of time-to-event predictions; a time is in the reference standard's unit."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import Parameter, Quantity, tasks

_TIME = Parameter(
    meaning="a time of follow-up, in the unit of the reference standard, such as 365.", low=0
)
_TIMES = replace(
    _TIME, meaning="rising times of follow-up, in the unit of the reference standard.", several=True
)
_RANK = Quantity(name="", label="", definition="", tasks=tasks("survival"))
_ERROR = replace(_RANK, better="lower", prevalence_bound=True)
_CALIBRATION = replace(
    _RANK,
    better="target",
    written="ratio",
    bounds=(None, None),
    complete_cases=True,
    parameters={"time": _TIME},
)

QUANTITIES = (
    replace(
        _RANK,
        name="harrell_c",
        label="Harrell's C",
        definition="Share of comparable pairs in which the earlier event has the higher emitted "
        "risk; equal risks half. An event and a censoring at one time are comparable, two events "
        "at one time are not.",
    ),
    replace(
        _RANK,
        name="uno_c",
        label="Uno's C up to {horizon}",
        definition="Concordance of risk and time for events before the horizon, each weighted by "
        "1 / G(t-)^2, where G is the Kaplan-Meier estimate of the censoring times.",
        parameters={"horizon": _TIME},
    ),
    replace(
        _RANK,
        name="auc_at_time",
        label="AUC at {time}",
        definition="Chance that a case with an event by the time has a higher risk than one still "
        "followed after it; equal risks half; cases weighted for censoring (cumulative/dynamic).",
        parameters={"time": _TIME},
    ),
    replace(
        _RANK,
        name="mean_auc_over_time",
        label="Mean AUC over {times}",
        definition="Mean of the AUC at the times, weighted by the fall of the Kaplan-Meier curve.",
        parameters={"times": _TIMES},
    ),
    replace(
        _ERROR,
        name="brier_at_time",
        label="Brier score at {time}",
        definition="Mean squared distance of predicted survival at the time from the outcome, "
        "weighted for censoring.",
        parameters={"time": _TIME},
    ),
    replace(
        _ERROR,
        name="integrated_brier",
        label="Integrated Brier score over {times}",
        definition="Brier score averaged over the times' range by the trapezoidal rule.",
        parameters={"times": _TIMES},
    ),
    replace(
        _CALIBRATION,
        name="oe_ratio_at_time",
        label="Observed to expected ratio at {time}",
        definition="Kaplan-Meier risk at the time divided by the mean predicted risk.",
        bounds=(0, None),
        prevalence_bound=True,
    ),
    replace(
        _CALIBRATION,
        name="calibration_intercept_at_time",
        label="Calibration intercept at {time}",
        definition="Intercept of a logistic model for an event by the time with the predicted "
        "risk's logit as offset, weighted for censoring.",
        prevalence_bound=True,
    ),
    replace(
        _CALIBRATION,
        name="calibration_slope_at_time",
        label="Calibration slope at {time}",
        definition="Slope of a logistic model for an event by the time on the predicted risk's "
        "logit, weighted for censoring.",
    ),
    replace(
        _RANK,
        name="restricted_mean_difference",
        label="Difference in restricted mean time to {horizon}",
        definition="Mean time without event up to the horizon of cases below the operating point's "
        "threshold, less that of cases at or above it.",
        at_operating_point=True,
        bounds=(None, None),
        parameters={"horizon": _TIME},
    ),
    replace(
        _RANK,
        name="log_rank",
        label="Log-rank test of the risk groups",
        definition="Chi-squared of the log-rank test (Mantel 1966) of cases at or above the "
        "operating point's threshold against those below it, with its p value.",
        at_operating_point=True,
        written="ratio",
        bounds=(0, None),
        methods=frozenset({"auto"}),
        decides=False,
    ),
)
