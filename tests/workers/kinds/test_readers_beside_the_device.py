import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
from tests.golden.vandyke import dissected, ratings
from tests.workers.kinds.made_categories import GRADES, endpoint, graded, manifest
from tests.workers.kinds.made_categories import protocol as made_protocol

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Conclusion, Result, Role
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure
from proctor_workers.observations import observations_from_predictions
from proctor_workers.statistics.categories import UnknownCategoryError

TASK = "binary_classification"
ARMS = ("cine", "spin-echo")
MANIFEST: dict[str, Any] = {
    "task": {"kind": TASK, "positive": "dissection", "negative": "none"},
    "operating_points": [{"id": "main", "threshold": 3, "comparator": ">="}],
}


def protocol(*endpoints: dict[str, Any]) -> dict[str, Any]:
    standard = {"positive": "1", "equivocal_rule": "exclude"}
    return made_protocol(TASK, list(endpoints), reference_standard=standard)


def said(case: int, *, arms: bool) -> str:
    """Return what the readers said of a case: ratings in two arms, or of the first with calls."""
    rating = ratings()
    raters = {}
    for reader in range(5):
        for place, arm in enumerate(ARMS if arms else ("",)):
            score = rating[place, reader, case]
            outputs = {"scores": {"dissection": score}, "category": str(int(score >= 3))}
            name = f"R{reader}@{arm}" if arm else f"R{reader}"
            raters[name] = {"kind": "reader", "outputs": outputs}
    return json.dumps(raters | {"predicate": {"kind": "device", "outputs": {"category": "1"}}})


def van_dyke(*, arms: bool) -> tuple[pa.Table, pa.Table]:
    """Return (observations, reference); the device's score is the first reader's second rating."""
    positive, score = dissected(), ratings()[1, 0]
    n = len(positive)
    reference = pa.table(
        {
            "case": [f"cas_{index:03d}" for index in range(n)],
            "patient": [f"pat_{index:03d}" for index in range(n)],
            "site": ["site"] * n,
            "reference_value": ["1" if one else "0" for one in positive],
            "reference_status": ["verified"] * n,
            "raters": [said(index, arms=arms) for index in range(n)],
            "attr.sex": ["FM"[index % 2] for index in range(n)],
        }
    )
    predictions = [
        {"case": case, "status": "ok", "outputs": {"scores": {"dissection": float(one)}}}
        for case, one in zip(reference["case"].to_pylist(), score, strict=True)
    ]
    names = {case: case for case in reference["case"].to_pylist()}
    return observations_from_predictions(predictions, names, reference), reference


def measured(*endpoints: dict[str, Any], arms: bool = False, data: Any = None) -> dict[str, Result]:
    tables = data or van_dyke(arms=arms)
    found = measure(protocol(*endpoints), MANIFEST, *tables)
    return {result.id: result for result in found.results}


def test_r04_comes_out_of_a_measurement() -> None:
    arms = {"arm": "cine", "against": "spin-echo"}
    margin = {"bound": "lower", "comparator": ">=", "value": -0.1}
    one = endpoint("reader_arm_gain", parameters=arms, role="primary", criterion=margin)
    found = measured(one, arms=True)["reader_arm_gain"]
    assert found.estimate == pytest.approx(-0.0438003220612, abs=1e-8)
    assert found.interval is not None
    limits = (found.interval.lower, found.interval.upper)
    assert limits == pytest.approx((-0.0879594985666, 0.0003588544442), abs=1e-8)
    assert found.extra["p_value"] == pytest.approx(0.05166568582, abs=1e-8)
    assert found.extra["df"] == pytest.approx(15.25967459, abs=1e-7)
    assert found.conclusion is Conclusion.CRITERION_MET


@pytest.mark.parametrize(
    ("covariance", "lower"), [("delong", -0.0878671960201), ("unbiased", -0.0878519409003)]
)
def test_r04_with_other_covariances(covariance: str, lower: float) -> None:
    parameters = {"arm": "cine", "against": "spin-echo", "covariance": covariance}
    one = endpoint("reader_arm_gain", parameters=parameters)
    found = measured(one, arms=True)["reader_arm_gain"]
    assert found.interval is not None
    assert found.interval.lower == pytest.approx(lower, abs=1e-8)


@pytest.mark.parametrize(
    ("more", "lower", "upper", "p_value"),
    [
        ({"figure": "sensitivity"}, -0.1780370532044, -0.0175185023511, 0.0200882200811),
        ({"inference": "cases"}, -0.08048591385526, -0.00711473026712, 0.0192798430708),
        ({"inference": "readers"}, -0.08502022396233, -0.00258042016006, 0.0419587524946),
    ],
)
def test_r04_of_calls_and_for_other_inferences(
    more: dict[str, str], lower: float, upper: float, p_value: float
) -> None:
    one = endpoint("reader_arm_gain", parameters={"arm": "cine", "against": "spin-echo"} | more)
    found = measured(one, arms=True)["reader_arm_gain"]
    assert found.interval is not None
    limits = (found.interval.lower, found.interval.upper)
    assert limits == pytest.approx((lower, upper), abs=1e-8)
    assert found.extra["p_value"] == pytest.approx(p_value, abs=1e-8)


def test_non_inferiority_by_a_margin_has_its_p_value() -> None:
    parameters = {"arm": "cine", "against": "spin-echo", "margin": 0.0879594985666}
    found = measured(endpoint("reader_arm_gain", parameters=parameters), arms=True)
    assert found["reader_arm_gain"].extra["p_beyond_margin"] == pytest.approx(0.025, abs=1e-8)


def test_device_stands_beside_the_mean_reader() -> None:
    found = measured(
        endpoint("auroc_minus_readers"),
        endpoint("sensitivity_minus_readers", operating_point="main"),
        endpoint("specificity_minus_readers", operating_point="main"),
    )
    assert found["auroc_minus_readers"].estimate == pytest.approx(0.947826086957 - 0.897037037037)
    positive, rating = dissected(), ratings()
    called = rating[0][:, positive] >= 3
    own = (rating[1, 0][positive] >= 3).mean()
    sensitivity = found["sensitivity_minus_readers.main"]
    assert sensitivity.estimate == pytest.approx(own - called.mean())
    for result in (sensitivity, found["auroc_minus_readers"]):
        assert result.interval is not None
        assert result.interval.lower is not None
        assert result.interval.lower < (result.estimate or 0)
        assert result.extra["readers"] == 5
    assert found["specificity_minus_readers.main"].estimate is not None
    assert found["auroc_minus_readers.sex.F-vs-M"].estimate is not None


def test_devices_of_the_cohort_are_no_readers() -> None:
    one = endpoint("reader_agreement", parameters={"coefficient": "fleiss_kappa"})
    found = measured(one)["reader_agreement"]
    called = (ratings()[0] >= 3).astype(int).T
    expected = fleiss_kappa(aggregate_raters(called, n_cat=2)[0])
    assert found.estimate == pytest.approx(expected)
    assert found.interval is not None


def test_agreement_of_two_is_refused_for_five() -> None:
    one = endpoint("reader_agreement", parameters={"coefficient": "cohen_kappa"})
    found = measured(one)["reader_agreement"]
    assert found.estimate is None
    assert any("more than two" in flag for flag in found.flags)


def test_cohort_without_readers_says_so() -> None:
    observations, reference = van_dyke(arms=False)
    found = measured(
        endpoint("auroc_minus_readers"),
        endpoint("reader_agreement", parameters={"coefficient": "gwet_ac1"}),
        data=(observations, reference.drop_columns(["raters"])),
    )
    for name in ("auroc_minus_readers", "reader_agreement"):
        assert any("fewer than two readers" in flag for flag in found[name].flags)


def test_case_that_a_reader_has_not_read_is_said() -> None:
    observations, reference = van_dyke(arms=False)
    texts = reference["raters"].to_pylist()
    place = reference.column_names.index("raters")
    gap = json.loads(texts[0])
    del gap["R1"]
    broken = reference.set_column(place, "raters", pa.array([json.dumps(gap), *texts[1:]]))
    found = measured(endpoint("auroc_minus_readers"), data=(observations, broken))
    flags = found["auroc_minus_readers"].flags
    assert any("has not read every case" in flag for flag in flags)


def test_arms_of_other_readers_are_refused() -> None:
    one = endpoint("reader_arm_gain", parameters={"arm": "cine", "against": "ct"})
    with pytest.raises(InvalidInputError, match="not the same readers"):
        measured(one, arms=True)


def test_order_of_rows_changes_no_byte() -> None:
    observations, reference = van_dyke(arms=True)
    rows = pa.array(np.random.default_rng(1).permutation(reference.num_rows))
    one = endpoint("reader_arm_gain", parameters={"arm": "cine", "against": "spin-echo"})
    first, second = (
        measure(protocol(one), MANIFEST, observations.take(order), reference.take(order))
        for order in (pa.array(range(reference.num_rows)), rows)
    )
    assert canonical_bytes(first.as_dict()) == canonical_bytes(second.as_dict())


@pytest.mark.parametrize("task", ["multiclass_classification", "ordinal_classification"])
def test_readers_of_several_categories_agree(task: str) -> None:
    observations, reference = graded(failing=0)
    given = ["mild" if index % 5 == 0 else value for index, value in
             enumerate(reference["reference_value"].to_pylist())]  # fmt: skip
    raters = [
        json.dumps(
            {
                "A": {"kind": "reader", "outputs": {"category": truth}},
                "B": {"kind": "reader", "outputs": {"category": other}},
            }
        )
        for truth, other in zip(reference["reference_value"].to_pylist(), given, strict=True)
    ]
    one = endpoint("reader_agreement", parameters={"coefficient": "krippendorff_nominal"})
    document = made_protocol(task, [one])
    table = reference.append_column("raters", pa.array(raters))
    results = {r.id: r for r in measure(document, manifest(task), observations, table).results}
    assert 0.7 < (results["reader_agreement"].estimate or 0) < 1
    wrong = [raters[0].replace(f'"{GRADES[0]}"', '"odd"').replace(f'"{GRADES[1]}"', '"odd"')
             .replace(f'"{GRADES[2]}"', '"odd"'), *raters[1:]]  # fmt: skip
    broken = reference.append_column("raters", pa.array(wrong))
    with pytest.raises(UnknownCategoryError):
        measure(document, manifest(task), observations, broken)


def test_endpoints_are_also_given_against_other_readings() -> None:
    found = measured(endpoint("sensitivity", operating_point="main"), endpoint("auroc"))
    called = ratings()[0] >= 3
    device = ratings()[1, 0] >= 3
    votes = called.sum(axis=0)
    expected = {
        "R0": device[called[0]].mean(),
        "unanimous": device[votes == 5].mean(),
        "majority": device[votes >= 3].mean(),
    }
    for name, value in expected.items():
        result = found[f"sensitivity.main@reference.{name}"]
        assert result.estimate == pytest.approx(value)
        assert result.role is Role.SENSITIVITY
        assert result.conclusion is None
    assert found["auroc@reference.unanimous"].n == int(np.isin(votes, (0, 5)).sum())
    assert found["auroc@reference.R3"].n == 114


def test_other_readings_of_categories_take_their_place() -> None:
    observations, reference = graded(failing=0)
    truth = reference["reference_value"].to_pylist()
    raters = [
        json.dumps({"A": {"kind": "reader", "outputs": {"category": value}}}) for value in truth
    ]
    document = made_protocol("ordinal_classification", [endpoint("kappa_quadratic")])
    table = reference.append_column("raters", pa.array(raters))
    measurement = measure(document, manifest("ordinal_classification"), observations, table)
    results = {one.id: one for one in measurement.results}
    same = results["kappa_quadratic@reference.A"]
    assert same.estimate == results["kappa_quadratic"].estimate
    assert "kappa_quadratic@reference.unanimous" not in results
