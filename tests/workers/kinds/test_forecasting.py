"""Forecasting through the whole measurement, on made series whose noise is known."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from proctor_backend.domain.errors import DataError
from proctor_backend.domain.quantities import quantities_of
from proctor_backend.domain.result import Conclusion, Measurement
from proctor_sdk.canonical import canonical_bytes
from proctor_sdk.outputs import MOST_LEVELS
from proctor_workers.answers import Answers, Cases
from proctor_workers.kinds.base import Setting
from proctor_workers.kinds.registry import kind_of
from proctor_workers.measurement import measure
from proctor_workers.observations import observations_from_predictions
from proctor_workers.statistics.forecast_comparison import diebold_mariano

MANIFEST = {"task": {"kind": "forecasting", "targets": []}, "operating_points": []}
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
HORIZON = 6
ALERTS = ("alerts_per_patient_day", "ppv_per_alert", "events_foreseen", "alert_lead_time")
SCORES = tuple(name for name in quantities_of("forecasting") if name not in ALERTS)


def endpoint(metric: str, *, role: str = "secondary", **more: Any) -> dict[str, Any]:
    return {
        "id": more.pop("id", metric),
        "metric": metric,
        "role": role,
        "definition": f"The study's {metric}.",
        "interval": {"method": "auto", "level": 0.95},
        "itd_rule": "failed_as_error",
        "criterion": None,
        "parameters": {},
    } | more


def protocol(**changes: Any) -> dict[str, Any]:
    goal = {"bound": "upper", "comparator": "<", "value": 1.0}
    document = {
        "task": "forecasting",
        "target_population": {},
        "estimand": {"unit": "case", "aggregation_to_patient": "none"},
        "endpoints": [
            endpoint("mase", role="primary", criterion=goal),
            *(endpoint(name) for name in SCORES if name != "mase"),
            endpoint("forecast_mae", id="mae_at_last_step", parameters={"step": HORIZON}),
        ],
        "alpha": 0.05,
        "multiplicity": {"primary": "co_primary", "families": [{"id": "bias", "method": "holm"}]},
        "sampling_design": {"kind": "consecutive"},
        "reference_standard": {"equivocal_rule": "exclude"},
        "subgroups": [
            {
                "attribute": "sex",
                "endpoints": ["forecast_mae", "forecast_coverage"],
                "margin": 1.0,
                "family": "bias",
            }
        ],
        "seeds": {"bootstrap": 3, "permutation": 4},
        "resamples": 200,
    }
    return document | changes


def made(n: int = 60, *, origins: int = 2, failures: int = 0) -> tuple[pa.Table, pa.Table]:
    """Random walks of step 2; forecast by the last value and nearly true quantiles."""
    rng = np.random.default_rng(6)
    patient = np.arange(n) // origins
    walk = 100 + np.cumsum(2 * rng.normal(size=(n, 30 + HORIZON)), axis=1)
    steps = np.sqrt(np.arange(1, HORIZON + 1))
    sizes = rng.uniform(1.9, 2.1, n)
    case = [f"cas_{index:04d}" for index in range(n)]
    series = [
        {"series": {"history": row[:30].tolist(), "values": row[30:].tolist()}} for row in walk
    ]
    reference = pa.table(
        {
            "case": case,
            "patient": [f"pat_{index:04d}" for index in patient],
            "reference_outputs": [json.dumps(one) for one in series],
            "reference_value": pa.nulls(n, pa.string()),
            "reference_status": ["verified"] * n,
            "attr.sex": np.where(patient % 2, "F", "M").tolist(),
        }
    )
    predictions = []
    for place, name in enumerate(case):
        last, spread = walk[place, 29], sizes[place] * steps
        quantiles = {
            str(level): (last + stats.norm.ppf(level) * spread).tolist() for level in LEVELS
        }
        predictions.append(
            {"case": name, "status": "failed", "reason": "none", "outputs": {}}
            if place < failures
            else {
                "case": name,
                "status": "ok",
                "reason": None,
                "outputs": {"forecast": {"quantiles": quantiles}},
            }
        )
    names = {name: name for name in case}
    return observations_from_predictions(predictions, names, reference), reference


@pytest.fixture(scope="module")
def measured() -> Measurement:
    return measure(protocol(), MANIFEST, *made())


def overall(found: Measurement) -> dict[str, Any]:
    return {one.id: one for one in found.results if one.group is None and not one.scenario}


def test_every_quantity_is_measured_with_its_interval(measured: Measurement) -> None:
    results = overall(measured)
    for name in (*SCORES, "mae_at_last_step"):
        interval = results[name].interval
        assert interval.lower < results[name].estimate < interval.upper, name


def test_true_quantiles_cover_as_they_say(measured: Measurement) -> None:
    found = overall(measured)["forecast_coverage"]
    assert found.method == "Korn-Graubard"
    assert found.denominator == 60 * HORIZON
    assert found.interval.lower < 0.9 < found.interval.upper


def test_error_grows_with_the_step(measured: Measurement) -> None:
    results = overall(measured)
    expected = 2 * np.sqrt(np.arange(1, HORIZON + 1)) * np.sqrt(2 / np.pi)
    for name, size in (("mae_at_last_step", expected[-1]), ("forecast_mae", expected.mean())):
        interval = results[name].interval
        assert interval.lower < size < interval.upper


def test_naive_forecast_of_a_walk_is_no_better_than_naive(measured: Measurement) -> None:
    results = overall(measured)
    assert results["mase"].estimate > 1
    assert results["mase"].conclusion is Conclusion.CRITERION_NOT_MET


def test_median_stands_for_a_mean_that_was_not_emitted(measured: Measurement) -> None:
    assert overall(measured)["forecast_mae"].n == 60


def test_missing_forecast_covers_nothing_and_leaves_the_errors() -> None:
    results = overall(measure(protocol(subgroups=[]), MANIFEST, *made(failures=6)))
    assert results["forecast_coverage"].denominator == 60 * HORIZON
    assert results["forecast_coverage"].estimate < 0.86
    assert results["forecast_mae"].n == 54


def test_level_that_was_not_emitted_covers_nothing() -> None:
    one = endpoint("forecast_coverage", role="primary", parameters={"level": 0.8})
    results = overall(measure(protocol(endpoints=[one], subgroups=[]), MANIFEST, *made()))
    assert results["forecast_coverage"].estimate == 0


def test_step_that_no_case_has_is_not_estimable() -> None:
    one = endpoint("forecast_mae", role="primary", parameters={"step": 99})
    results = overall(measure(protocol(endpoints=[one], subgroups=[]), MANIFEST, *made()))
    assert results["forecast_mae"].flags == ("not estimable: no case has this step",)


def test_forecast_shorter_than_what_was_observed_counts_as_failed() -> None:
    _, reference = made(12)
    names = {name: name for name in reference["case"].to_pylist()}
    predictions = [
        {"case": name, "status": "ok", "reason": None, "outputs": {"forecast": {"mean": [1.0]}}}
        for name in names
    ]
    observations = observations_from_predictions(predictions, names, reference)
    results = overall(measure(protocol(subgroups=[]), MANIFEST, observations, reference))
    assert results["forecast_mae"].estimate is None
    assert results["forecast_coverage"].estimate == 0


def test_history_that_never_changes_has_no_scaled_error() -> None:
    observations, reference = made(12)
    still = json.dumps({"series": {"history": [5.0] * 10, "values": [5.0] * HORIZON}})
    place = reference.column_names.index("reference_outputs")
    changed = reference.set_column(place, "reference_outputs", pa.array([still] * 12))
    results = overall(measure(protocol(subgroups=[]), MANIFEST, observations, changed))
    assert results["mase"].estimate is None
    assert results["forecast_mae"].estimate is not None


def test_reference_without_a_series_is_named() -> None:
    observations, reference = made(12)
    place = reference.column_names.index("reference_outputs")
    rich = pa.array([json.dumps({"value": {"x": 1.0}})] * 12)
    with pytest.raises(DataError, match="no observed series"):
        measure(
            protocol(),
            MANIFEST,
            observations,
            reference.set_column(place, "reference_outputs", rich),
        )


def test_fan_has_a_form_without_cases(measured: Measurement) -> None:
    fan = next(one for one in measured.figures if one.id == "forecast_fan")
    assert [case["error"] for case in fan.data["cases"]] == ["least", "median", "largest"]
    assert set(fan.data["public"]) == {"steps"}
    assert len(fan.data["public"]["steps"]) == HORIZON


def test_steps_of_few_patients_are_not_published() -> None:
    found = measure(protocol(subgroups=[]), MANIFEST, *made(20, origins=2))
    fan = next(one for one in found.figures if one.id == "forecast_fan")
    assert fan.data["public"]["steps"] == []


def test_reviewer_gets_the_farthest_forecasts(measured: Measurement) -> None:
    assert len(measured.errors) == 3
    sizes = [error["score"] for error in measured.errors]
    assert sizes == sorted(sizes, reverse=True)


def test_rows_in_any_order_give_the_same_bytes() -> None:
    observations, reference = made(40)
    rng = np.random.default_rng(1)
    shuffled = [table.take(rng.permutation(table.num_rows)) for table in (observations, reference)]
    first = measure(protocol(), MANIFEST, observations, reference)
    assert canonical_bytes(first.as_dict()) == canonical_bytes(
        measure(protocol(), MANIFEST, *shuffled).as_dict()
    )


@pytest.mark.parametrize(("n", "failures"), [(2, 0), (4, 0), (12, 12), (12, 10)])
def test_tiny_or_failed_cohorts_end_in_flags_never_in_an_error(n: int, failures: int) -> None:
    found = measure(protocol(), MANIFEST, *made(n, failures=failures))
    assert all(one.estimate is not None or one.flags for one in found.results)


def beside_another(*, origins: int, n: int = 60) -> dict[str, Any]:
    """Set the device's forecasts beside a rater's, which are the same with noise."""
    observations, reference = made(n, origins=origins)
    rng = np.random.default_rng(9)
    history = [json.loads(one)["series"] for one in reference["reference_outputs"].to_pylist()]
    said = [(one["history"][-1] + 2 * rng.normal(size=HORIZON)).tolist() for one in history]
    raters = [
        json.dumps({"older": {"kind": "device", "outputs": {"forecast": {"mean": one}}}})
        for one in said
    ]
    reference = reference.append_column("raters", pa.array(raters))
    reference = reference.append_column(
        "attr.time", pa.array([str(place % origins) for place in range(n)])
    )
    ends = [
        endpoint("forecast_mae", role="primary", comparison={"against": "older"}),
        endpoint("forecast_bias", comparison={"against": "older"}),
    ]
    by_origin = [{"attribute": "time", "endpoints": ["forecast_mae"]}]
    found = measure(
        protocol(endpoints=ends, subgroups=by_origin if origins == 2 else []),
        MANIFEST, observations, reference,
    )  # fmt: skip
    last = np.array([one["history"][-1] for one in history])[:, None]
    truth = np.array([one["values"] for one in history])
    losses = [np.abs(forecast - truth).mean(axis=1) for forecast in (last, np.array(said))]
    return {one.id: one for one in found.results} | {"losses": losses}


def test_forecasts_of_patients_are_tested_by_their_mean_losses() -> None:
    results = beside_another(origins=2)
    one = results["forecast_mae~older"]
    means = [loss.reshape(-1, 2).mean(axis=1) for loss in results["losses"]]
    assert one.extra["diebold_mariano"]["horizon"] == 1
    assert one.p_value == pytest.approx(stats.ttest_rel(*means).pvalue, rel=1e-9)
    assert one.extra["p_values"] == {"Diebold-Mariano, HLN": one.p_value}
    assert results["forecast_bias~older"].p_value is None


def test_forecasts_of_one_series_are_tested_in_the_order_of_their_origins() -> None:
    results = beside_another(origins=60)
    one = results["forecast_mae~older"]
    expected = diebold_mariano(*results["losses"], horizon=HORIZON)
    assert one.extra["diebold_mariano"] == {
        "statistic": pytest.approx(expected.statistic), "horizon": HORIZON, "df": 59,
    }  # fmt: skip
    assert one.p_value == pytest.approx(expected.p_value)


def test_error_is_shown_by_rolling_origin() -> None:
    results = beside_another(origins=2)
    losses = results["losses"][0]
    for origin in (0, 1):
        shown = results[f"forecast_mae.time.{origin}"]
        assert shown.estimate == pytest.approx(losses[origin::2].mean())
        assert shown.interval is not None


# What an origin sees: patient, day, history, observed, forecast; the threshold is 5.
WATCH = (
    ("a", 0, [1.0], [1, 2, 6, 6], [1, 3, 5, 6]),  # foreseen three quarters of a day before
    ("a", 1, [6.0], [2, 2, 2, 2], [2, 2, 2, 7]),  # a false alert
    ("b", 0, [1.0], [1, 1, 1, 9], [1, 1, 1, 1]),  # missed
    ("b", 0.5, [1.0], [1, 9, 9, 9], [9, 9, 9, 9]),  # the same event, foreseen half a day before
    ("c", 0, [7.0], [7, 7, 7, 7], [8, 8, 8, 8]),  # beyond already: neither event nor alert
)


def watched(copies: int = 10, *, failed: int = -1) -> tuple[pa.Table, pa.Table]:
    rows = [(f"{patient}{copy:02d}", *rest) for copy in range(copies) for patient, *rest in WATCH]
    case = [f"cas_{index:04d}" for index in range(len(rows))]
    reference = pa.table(
        {
            "case": case,
            "patient": [row[0] for row in rows],
            "reference_outputs": [
                json.dumps({"series": {"history": row[2], "values": row[3]}}) for row in rows
            ],
            "reference_status": ["verified"] * len(rows),
            "attr.time": [str(row[1]) for row in rows],
        }
    )
    predictions = [
        {"case": name, "status": "failed", "reason": "none", "outputs": {}}
        if place == failed
        else {
            "case": name,
            "status": "ok",
            "reason": None,
            "outputs": {"forecast": {"mean": [float(value) for value in row[4]]}},
        }
        for place, (name, row) in enumerate(zip(case, rows, strict=True))
    ]
    names = {name: name for name in case}
    return observations_from_predictions(predictions, names, reference), reference


def alert_protocol(**parameters: Any) -> dict[str, Any]:
    given = {"threshold": 5.0, "step_days": 0.25} | parameters
    ends = [endpoint(name, parameters=given) for name in ALERTS]
    ends[0]["role"] = "primary"
    return protocol(endpoints=ends, subgroups=[])


def test_alerts_and_lead_times_are_those_of_the_hand() -> None:
    results = overall(measure(alert_protocol(), MANIFEST, *watched()))
    assert results["alerts_per_patient_day"].estimate == pytest.approx(3 / (2 + 1.5 + 1))
    assert results["ppv_per_alert"].estimate == pytest.approx(2 / 3)
    assert results["events_foreseen"].estimate == 1
    assert results["alert_lead_time"].estimate == pytest.approx((0.75 + 0.5) / 2)
    interval = results["alerts_per_patient_day"].interval
    assert interval.lower < results["alerts_per_patient_day"].estimate < interval.upper


def test_failed_forecast_foresees_nothing() -> None:
    results = overall(measure(alert_protocol(), MANIFEST, *watched(failed=0)))
    assert results["events_foreseen"].estimate == pytest.approx(19 / 20)


def test_events_below_a_threshold_are_found() -> None:
    results = overall(measure(alert_protocol(side="below"), MANIFEST, *watched()))
    assert results["events_foreseen"].estimate == 1  # the fall after a's first event, foreseen
    assert results["ppv_per_alert"].estimate == 1


def test_cohort_without_origins_is_named() -> None:
    observations, reference = watched()
    with pytest.raises(DataError, match="does not hold every case's origin"):
        measure(alert_protocol(), MANIFEST, observations, reference.drop_columns(["attr.time"]))


def test_levels_that_each_case_makes_up_do_not_add_up() -> None:
    _, reference = made(n=60)
    cases = reference["case"].to_pylist()
    predictions = [
        {
            "case": name,
            "status": "ok",
            "outputs": {
                "forecast": {
                    "quantiles": {f"0.{place:03d}{level:03d}1": [1.0] * 6 for level in range(150)}
                    | {"0.5": [1.0] * 6}
                }
            },
        }
        for place, name in enumerate(cases, start=1)
    ]
    observations = observations_from_predictions(
        predictions, {name: name for name in cases}, reference
    )
    columns = kind_of({"task": "forecasting"}).read(
        Setting(protocol(), MANIFEST), *_answered(observations, reference)
    )
    assert columns["quantiles"].shape == (60, MOST_LEVELS, HORIZON)
    assert 0.5 in columns["levels"][0]


def _answered(observations: pa.Table, reference: pa.Table) -> tuple[Cases, Answers]:
    cases = Cases(case=np.array(reference["case"].to_pylist(), dtype=object), reference=reference)
    return cases, Answers(cases, observations)
