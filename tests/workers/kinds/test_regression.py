"""Regression through the whole measurement, on made values whose errors are known."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.quantities import QUANTITIES, quantities_of
from proctor_backend.domain.result import Conclusion, Measurement
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure
from proctor_workers.observations import observations_from_predictions
from proctor_workers.statistics.limits_of_agreement import unlinked_replicates

MANIFEST = {"task": {"kind": "regression", "targets": ["ef"]}, "operating_points": []}
ALLOWED = {"absolute": 5.0, "relative": 0.0}


def endpoint(metric: str, *, role: str = "secondary", **more: Any) -> dict[str, Any]:
    return {
        "id": more.pop("id", metric),
        "metric": metric,
        "role": role,
        "definition": f"The study's {metric}.",
        "interval": {"method": "auto", "level": 0.95},
        "itd_rule": "failed_as_error",
        "target": "ef",
        "criterion": None,
        "parameters": {},
    } | more


def protocol(**changes: Any) -> dict[str, Any]:
    given: dict[str, dict[str, Any]] = {
        "within_allowance": {"parameters": ALLOWED},
        "mean_difference": {"parameters": {"margin": 3.0}},
        "within_subject_cv": {"parameters": {"subject": "part"}},
        "repeatability_coefficient": {"parameters": {"subject": "part"}},
    }
    goal = {"bound": "lower", "comparator": ">=", "value": 0.7}
    document = {
        "task": "regression",
        "target_population": {},
        "estimand": {"unit": "case", "aggregation_to_patient": "none"},
        "endpoints": [
            endpoint("ccc", role="primary", criterion=goal),
            *(
                endpoint(name, **given.get(name, {}))
                for name in quantities_of("regression")
                if name != "ccc"
            ),
        ],
        "alpha": 0.05,
        "multiplicity": {"primary": "co_primary", "families": [{"id": "bias", "method": "holm"}]},
        "sampling_design": {"kind": "consecutive"},
        "reference_standard": {"equivocal_rule": "exclude"},
        "subgroups": [
            {
                "attribute": "sex",
                "endpoints": ["mean_difference", "mae", "within_allowance", "loa_upper"],
                "margin": 2.0,
                "family": "bias",
            }
        ],
        "seeds": {"bootstrap": 3, "permutation": 4},
        "resamples": 200,
    }
    return document | changes


def made(
    n: int = 120, *, rows: int = 1, failures: int = 0, gap: float = 0.0
) -> tuple[pa.Table, pa.Table]:
    """Values with bias 1 and spread 3 about the truth; `gap` is added for sex F."""
    rng = np.random.default_rng(8)
    patient = np.arange(n) // rows
    sex = np.where(patient % 2, "F", "M")
    truth = np.round(rng.normal(55, 10, n // rows + 1)[patient], 1)
    value = truth + 1 + 3 * rng.normal(size=n) + gap * (sex == "F")
    case = [f"cas_{index:04d}" for index in range(n)]
    reference = pa.table(
        {
            "case": case,
            "patient": [f"pat_{index:04d}" for index in patient],
            "reference_value": [f"{one:.1f}" for one in truth],
            "reference_status": ["verified"] * n,
            "attr.sex": sex.tolist(),
            "attr.part": [f"{index % 2}" for index in range(n)],
        }
    )
    predictions = [
        {"case": name, "status": "failed", "reason": "none", "outputs": {}}
        if place < failures
        else {
            "case": name,
            "status": "ok",
            "reason": None,
            "outputs": {
                "value": {"ef": float(value[place])},
                "interval": {"ef": [float(value[place] - 8), float(value[place] + 6)]},
            },
        }
        for place, name in enumerate(case)
    ]
    names = {name: name for name in case}
    return observations_from_predictions(predictions, names, reference), reference


@pytest.fixture(scope="module")
def measured() -> Measurement:
    return measure(protocol(), MANIFEST, *made(failures=3))


def overall(found: Measurement) -> dict[str, Any]:
    return {one.id: one for one in found.results if one.group is None and not one.scenario}


def test_every_quantity_is_measured_with_its_interval(measured: Measurement) -> None:
    results = overall(measured)
    for name in quantities_of("regression"):
        if name in {"within_subject_cv", "repeatability_coefficient"}:
            assert results[name].flags == ("not estimable: no measurement is repeated",)
            continue
        interval = results[name].interval
        assert interval.lower < results[name].estimate < interval.upper, name


def test_known_errors_are_found(measured: Measurement) -> None:
    results = overall(measured)
    assert results["mean_difference"].estimate == pytest.approx(1, abs=0.8)
    assert results["loa_upper"].estimate == pytest.approx(1 + 1.96 * 3, abs=1.5)
    assert results["deming_slope"].interval.lower < 1 < results["deming_slope"].interval.upper
    assert results["ccc"].conclusion is Conclusion.CRITERION_MET


def test_methods_follow_from_one_row_a_patient(measured: Measurement) -> None:
    method = {name: one.method for name, one in overall(measured).items()}
    assert method["loa_lower"] == "exact (noncentral t)"
    assert method["mean_difference"] == "Student t"
    assert method["within_allowance"] == "Clopper-Pearson"
    assert method["ccc"] == "Lin z"
    assert method["passing_bablok_slope"] == "Passing-Bablok 1983"
    assert method["mae"].startswith("patient bootstrap, BCa")


def test_repeated_patients_get_clustered_methods() -> None:
    method = {
        name: one.method
        for name, one in overall(measure(protocol(), MANIFEST, *made(rows=4))).items()
    }
    assert method["loa_lower"] == "MOVER (Zou 2013)"
    assert method["mean_difference"] == "Student t, patient-clustered"
    assert method["within_allowance"] == "Korn-Graubard"
    assert method["ccc"].startswith("patient bootstrap, BCa")
    assert method["passing_bablok_slope"].startswith("patient bootstrap, BCa")
    assert method["within_subject_cv"].startswith("patient bootstrap, BCa")


@pytest.mark.parametrize("method", ["auto", "bootstrap_bca"])
def test_repeats_of_an_unchanging_value_have_the_limits_of_unlinked_ones(method: str) -> None:
    observations, reference = made(rows=3)
    place = reference.column_names.index("reference_value")
    noise = np.random.default_rng(4).normal(size=120)
    truth = [
        float(one) + more
        for one, more in zip(reference["reference_value"].to_pylist(), noise, strict=True)
    ]
    reference = reference.set_column(
        place, "reference_value", pa.array([f"{t:.3f}" for t in truth])
    )
    wanted = {"method": method, "level": 0.95}
    ends = [
        endpoint("loa_upper", role="primary", interval=wanted, parameters={"repeats": "unlinked"}),
        endpoint("loa_upper", id="linked", interval=wanted),
    ]
    found = overall(
        measure(protocol(endpoints=ends, subgroups=[]), MANIFEST, observations, reference)
    )
    patient = np.arange(120) // 3
    answers = zip(
        observations["output"].to_pylist(), observations["value"].to_pylist(), strict=True
    )
    value = np.array([one for output, one in answers if output == "value"])
    expected = unlinked_replicates(value, patient, np.round(truth, 3), patient)
    assert found["loa_upper"].estimate == pytest.approx(expected.upper, rel=1e-9)
    assert found["loa_upper"].estimate != pytest.approx(found["linked"].estimate, rel=1e-6)
    if method == "auto":
        limits = (found["loa_upper"].interval.lower, found["loa_upper"].interval.upper)
        assert limits == pytest.approx(expected.upper_limits, rel=1e-9)


def test_repeats_of_patients_themselves_have_chi_squared_limits() -> None:
    one = endpoint("repeatability_coefficient", role="primary", parameters={"subject": "patient"})
    found = overall(measure(protocol(endpoints=[one], subgroups=[]), MANIFEST, *made(rows=3)))
    assert found["repeatability_coefficient"].method == "chi-squared"
    assert found["repeatability_coefficient"].estimate == pytest.approx(2.77 * 3, rel=0.15)


def test_failed_case_lies_outside_the_allowance_and_out_of_the_bias(measured: Measurement) -> None:
    results = overall(measured)
    assert results["within_allowance"].n == 120
    assert results["mean_difference"].n == 117
    by_id = {one.id: one for one in measured.results}
    excluded = by_id["within_allowance@excluded"]
    assert results["within_allowance"].numerator == excluded.numerator
    assert excluded.denominator == 117


def test_equivalence_of_the_bias_is_tested_against_the_margin(measured: Measurement) -> None:
    test = overall(measured)["mean_difference"].extra["equivalence"]
    assert test["margin"] == 3.0
    assert test["shown"]
    assert test["p_value"] < 0.05


def test_planted_bias_of_a_group_is_shown() -> None:
    found = {one.id: one for one in measure(protocol(), MANIFEST, *made(400, gap=5.0)).results}
    contrast = found["mean_difference.sex.F-vs-M"]
    assert contrast.conclusion is Conclusion.DIFFERENCE_SHOWN
    assert contrast.interval.lower < 5 < contrast.interval.upper


def test_bland_altman_figure_has_a_form_without_cases(measured: Measurement) -> None:
    figure = next(one for one in measured.figures if one.id == "bland_altman.ef")
    assert len(figure.data["difference"]) == 117
    public = figure.data["public"]
    assert "difference" not in public
    assert len(public["steps"]) == 10
    assert public["bias"] == figure.data["bias"]


def test_reviewer_gets_the_cases_outside_the_allowance(measured: Measurement) -> None:
    share = overall(measured)["within_allowance"]
    assert len(measured.errors) == share.denominator - share.numerator - 3
    assert {error["outcome"] for error in measured.errors} == {"large_error"}


def test_rows_in_any_order_give_the_same_bytes() -> None:
    observations, reference = made(60, rows=2)
    rng = np.random.default_rng(1)
    shuffled = [table.take(rng.permutation(table.num_rows)) for table in (observations, reference)]
    first = measure(protocol(), MANIFEST, observations, reference)
    assert canonical_bytes(first.as_dict()) == canonical_bytes(
        measure(protocol(), MANIFEST, *shuffled).as_dict()
    )


def test_reference_that_is_no_number_is_named() -> None:
    observations, reference = made(12)
    place = reference.column_names.index("reference_value")
    changed = reference.set_column(place, "reference_value", pa.array(["high"] * 12))
    with pytest.raises(DataError, match="not a finite number"):
        measure(protocol(), MANIFEST, observations, changed)


def test_reference_without_a_quantity_is_named() -> None:
    observations, reference = made(12)
    rich = pa.array([json.dumps({"value": {"other": 1.0}})] * 12)
    place = reference.column_names.index("reference_value")
    changed = reference.set_column(place, "reference_outputs", rich)
    with pytest.raises(DataError, match="no reference value of 'ef'"):
        measure(protocol(), MANIFEST, observations, changed)


def test_endpoint_for_an_unknown_quantity_is_named() -> None:
    one = endpoint("mae", role="primary", target="volume")
    with pytest.raises(InvalidInputError, match="no quantity of the manifest"):
        measure(protocol(endpoints=[one], subgroups=[]), MANIFEST, *made(12))


def test_allowance_that_allows_nothing_is_named() -> None:
    one = endpoint("within_allowance", role="primary")
    with pytest.raises(InvalidInputError, match="must be positive"):
        measure(protocol(endpoints=[one], subgroups=[]), MANIFEST, *made(12))


@pytest.mark.parametrize(("n", "failures"), [(2, 0), (4, 0), (12, 12), (12, 10)])
def test_tiny_or_failed_cohorts_end_in_flags_never_in_an_error(n: int, failures: int) -> None:
    found = measure(protocol(), MANIFEST, *made(n, failures=failures))
    assert all(one.estimate is not None or one.flags for one in found.results)


def test_constant_values_end_in_flags_never_in_an_error() -> None:
    _, reference = made(20)
    names = {name: name for name in reference["case"].to_pylist()}
    predictions = [
        {"case": name, "status": "ok", "reason": None, "outputs": {"value": {"ef": 50.0}}}
        for name in names
    ]
    observations = observations_from_predictions(predictions, names, reference)
    found = overall(measure(protocol(), MANIFEST, observations, reference))
    assert found["pearson"].estimate is None
    assert found["interval_coverage"].estimate == 0
    assert found["mae"].estimate > 0


def test_every_quantity_of_the_vocabulary_says_what_it_is() -> None:
    for name in quantities_of("regression"):
        assert QUANTITIES[name].target == "must"
