"""What a measurement says beside a crude gap: adjusted gaps, sites, candidate causes."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made_cohort import MANIFEST, endpoint, made_cohort, protocol

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Conclusion, Result
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure

SEX = {
    "attribute": "sex", "endpoints": ["sensitivity"], "margin": 0.1, "family": "bias",
    "adjust_for": ["scanner", "age"],
}  # fmt: skip


def columns(reference: pa.Table, **added: list[Any]) -> pa.Table:
    for name, values in added.items():
        reference = reference.append_column(name.replace("__", "."), pa.array(values))
    return reference


def measured(
    subgroups: list[dict[str, Any]], *, n: int = 1500, gap: float = 1.5, sites: int = 3,
    readers: bool = False, rows_per_patient: int = 1, **changes: Any,
) -> dict[str, Result]:  # fmt: skip
    chosen = [
        endpoint("sensitivity", point="main", role="primary"),
        endpoint("specificity", point="main"),
    ]
    observations, reference = made_cohort(n, gap=gap, rows_per_patient=rows_per_patient)
    rng = np.random.default_rng(8)
    place = np.arange(len(reference))
    reference = reference.set_column(
        reference.column_names.index("site"), "site",
        pa.array([f"site {index % sites}" for index in place]),
    )  # fmt: skip
    reference = columns(
        reference,
        attr__scanner=rng.choice(["one", "two"], len(reference)).tolist(),
        attr__stamp=rng.choice(["yes", "no"], len(reference)).tolist(),
    )
    if readers:
        truth = reference["reference_value"].to_pylist()
        said = [
            json.dumps(
                {f"reader{one}": {"kind": "reader", "outputs": {"category": value}}
                 for one in range(3)},
                sort_keys=True,
            )
            for value in truth
        ]  # fmt: skip
        reference = columns(reference, raters=said)
    document = protocol(endpoints=chosen, subgroups=subgroups, **changes)
    return {one.id: one for one in measure(document, MANIFEST, observations, reference).results}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return measured([SEX], readers=True, markers=[{"attribute": "stamp", "present": "yes"}])


CRUDE = "sensitivity.main.sex.F-vs-M"


def causes(results: dict[str, Result], crude: str = CRUDE) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, one in results.items():
        if name.startswith(f"{crude}.cause."):
            found.setdefault(one.extra["cause"], []).append(one.extra["verdict"])
    return found


def test_crude_adjusted_and_their_difference_stand_together(results: dict[str, Result]) -> None:
    crude = results[CRUDE]
    for name in ("scanner", "age"):
        adjusted = results[f"{CRUDE}.adjusted-for-{name}"]
        explained = results[f"{CRUDE}.explained-by-{name}"]
        assert crude.estimate - adjusted.estimate == pytest.approx(explained.estimate, abs=1e-9)
        assert adjusted.interval.lower < adjusted.estimate < adjusted.interval.upper
        assert "not caused by" in adjusted.definition
        assert adjusted.conclusion is None


def test_cause_of_a_lower_curve_is_named_and_the_others_are_not(
    results: dict[str, Result],
) -> None:
    assert results[CRUDE].conclusion is Conclusion.DIFFERENCE_SHOWN
    found = causes(results)
    assert found["weaker signal"] == ["candidate cause"]
    assert found["mix of another attribute"] == ["not supported", "not supported"]
    assert found["noise in the reference standard"] == ["not supported"]
    assert found["shortcut"] == ["not supported"]


def test_noise_cannot_be_separated_without_readers() -> None:
    assert causes(measured([SEX]))["noise in the reference standard"] == ["cannot be separated"]


def test_cause_carries_its_numbers_and_no_estimate_of_its_own(results: dict[str, Result]) -> None:
    one = next(
        one
        for name, one in results.items()
        if name.startswith(f"{CRUDE}.cause.") and one.extra["cause"] == "weaker signal"
    )
    assert one.estimate is None
    assert one.extra["evidence"]["area"]["upper"] < 0


def test_descriptive_factor_has_adjusted_gaps_and_no_causes() -> None:
    found = measured([{name: SEX[name] for name in ("attribute", "endpoints", "adjust_for")}])
    assert f"{CRUDE}.adjusted-for-scanner" in found
    assert not causes(found)


def test_intersection_is_told_from_its_attributes() -> None:
    groups = [
        {name: SEX[name] for name in ("attribute", "endpoints", "margin", "family")},
        {"attribute": "scanner", "endpoints": ["sensitivity"]},
        {"attribute": ["sex", "scanner"], "endpoints": ["sensitivity"], "margin": 0.1,
         "family": "bias"},
    ]  # fmt: skip
    found = measured(groups, n=2500)
    crude = "sensitivity.main.sex+scanner.F+one-vs-rest"
    assert causes(found, crude)["intersection only"] == ["not supported"]


def test_fixed_sites_stand_side_by_side_with_a_test(results: dict[str, Result]) -> None:
    assert {f"specificity.main.site.site {index}" for index in range(3)} <= results.keys()
    test = results["specificity.main.site.heterogeneity"]
    assert 0 < test.p_value <= 1
    assert "specificity.main.site.random-effects" not in results


def test_random_sites_get_a_mean_and_a_prediction() -> None:
    found = measured_with_random_sites(7)
    mean, prediction = (
        found[f"specificity.main.site.{name}"] for name in ("random-effects", "prediction")
    )
    assert mean.interval.lower < mean.estimate < mean.interval.upper
    assert prediction.interval.lower < mean.interval.lower
    assert mean.extra["sites"] == 7


def measured_with_random_sites(sites: int) -> dict[str, Result]:
    observations, reference = made_cohort(800)
    reference = reference.set_column(
        reference.column_names.index("site"), "site",
        pa.array([f"site {index % sites}" for index in range(len(reference))]),
    )  # fmt: skip
    document = protocol(
        endpoints=[endpoint("specificity", point="main", role="primary")],
        subgroups=[], sites="random",
    )  # fmt: skip
    return {one.id: one for one in measure(document, MANIFEST, observations, reference).results}


def test_few_random_sites_are_a_limitation() -> None:
    one = measured_with_random_sites(4)["specificity.main.site.random-effects"]
    assert one.estimate is None
    assert "random effects need 5 sites" in one.flags[0]


def test_order_of_rows_changes_no_byte_of_it() -> None:
    observations, reference = made_cohort(300, gap=1.5, rows_per_patient=2)
    scanner = ["one" if index % 3 else "two" for index in range(len(reference))]
    reference = columns(reference, attr__scanner=scanner)
    document = protocol(
        endpoints=[endpoint("sensitivity", point="main", role="primary")],
        subgroups=[SEX | {"adjust_for": ["scanner"]}],
    )
    order = np.random.default_rng(1).permutation(len(reference))
    first = measure(document, MANIFEST, observations, reference)
    second = measure(
        document, MANIFEST, observations.take(pa.array(order)), reference.take(pa.array(order))
    )
    assert canonical_bytes(first.as_dict()) == canonical_bytes(second.as_dict())


@pytest.mark.parametrize("sites_are", ["fixed", "random"])
@pytest.mark.parametrize(("n", "failures"), [(12, 0.03), (25, 0.5), (60, 1.0)])
def test_tiny_or_failed_cohorts_end_in_flags(n: int, failures: float, sites_are: str) -> None:
    observations, reference = made_cohort(n, failures=failures)
    reference = columns(reference, attr__scanner=(["one", "two", None] * n)[:n])
    document = protocol(
        endpoints=[
            endpoint("sensitivity", point="main", role="primary") | {"comparison": {"against": "r"}}
        ],
        subgroups=[SEX, SEX | {"attribute": ["sex", "race"], "adjust_for": ["scanner"]}],
        sites=sites_are,
        markers=[{"attribute": "scanner", "present": "one"}],
    )
    said = json.dumps({"r": {"kind": "device", "outputs": {"scores": {"died": 0.7}}}})
    reference = columns(reference, raters=[said] * n)
    found = measure(document, MANIFEST, observations, reference)
    assert all(one.estimate is not None or one.flags for one in found.results)
    assert canonical_bytes(found.as_dict())


def test_attribute_that_the_cohort_lacks_is_named() -> None:
    with pytest.raises(InvalidInputError, match="no attribute 'kernel'"):
        measured([SEX | {"adjust_for": ["kernel"]}], n=60)
