"""A protocol that sets the device beside another rater of the same cases."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made_cohort import MANIFEST, endpoint, made_cohort, protocol

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Conclusion, Result
from proctor_workers.measurement import measure

NON_INFERIOR = {
    "against": "predicate",
    "hypothesis": "non_inferiority",
    "margin": 0.1,
    "reason": "As for cleared devices.",
}


def with_rater(
    observations: pa.Table, reference: pa.Table, *, worse: float = 0.0, absent: int = 0
) -> pa.Table:
    """Add a predicate whose score is the device's with noise, less by `worse` for the diseased."""
    rng = np.random.default_rng(3)
    score = dict(
        zip(observations["case"].to_pylist(), observations["score"].to_pylist(), strict=True)
    )
    said = []
    cases, truth = reference["case"].to_pylist(), reference["reference_value"].to_pylist()
    for place, (case, value) in enumerate(zip(cases, truth, strict=True)):
        own = 0.5 if score[case] is None else score[case]
        given = min(max(own + 0.08 * rng.normal() - worse * (value == "1"), 0.0), 1.0)
        one = {"predicate": {"kind": "device", "outputs": {"scores": {"died": given}}}}
        said.append(json.dumps(one if place >= absent else {}, sort_keys=True))
    return reference.append_column("raters", pa.array(said))


def compared(
    comparison: dict[str, Any] | None = None, *, n: int = 500, worse: float = 0.0, absent: int = 0,
    rows_per_patient: int = 1, failures: float = 0.03, role: str = "secondary", **changes: Any,
) -> dict[str, Result]:  # fmt: skip
    chosen = [
        endpoint("auroc", role="primary", criterion={"bound": "lower", "comparator": ">=",
                                                     "value": 0.5}),
        endpoint("sensitivity", point="main", role=role),
        endpoint("ppv", point="main"),
        endpoint("f1", point="main"),
    ]  # fmt: skip
    for one in chosen:
        one["comparison"] = comparison or {"against": "predicate"}
    document = protocol(subgroups=[], endpoints=chosen, **changes)
    observations, reference = made_cohort(n, rows_per_patient=rows_per_patient, failures=failures)
    reference = with_rater(observations, reference, worse=worse, absent=absent)
    found = measure(document, MANIFEST, observations, reference)
    return {one.id: one for one in found.results}


@pytest.fixture(scope="module")
def described() -> dict[str, Result]:
    return compared()


def test_each_quantity_has_its_paired_method(described: dict[str, Result]) -> None:
    assert described["sensitivity.main~predicate"].method == "Tango"
    assert described["auroc~predicate"].method == "paired DeLong"
    for name in ("f1.main~predicate", "ppv.main~predicate"):
        assert described[name].method.startswith("patient bootstrap of pairs")


def test_difference_is_device_minus_rater(described: dict[str, Result]) -> None:
    for name in ("auroc", "sensitivity.main", "f1.main"):
        device, rater = described[name], described[f"{name}~predicate.alone"]
        gap = described[f"{name}~predicate"].estimate
        assert gap == pytest.approx(device.estimate - rater.estimate, abs=0.02), name


def test_every_test_of_discordant_pairs_stands_beside(described: dict[str, Result]) -> None:
    one = described["sensitivity.main~predicate"]
    assert set(one.extra["p_values"]) == {
        "McNemar exact", "McNemar mid-P", "McNemar", "McNemar, continuity corrected",
    }  # fmt: skip
    assert one.p_value == one.extra["p_values"]["McNemar exact"]
    table = [one.extra[name] for name in ("both", "device_only", "rater_only", "neither")]
    assert sum(table) == one.n


def test_predictive_values_are_compared_by_their_ratio_too(described: dict[str, Result]) -> None:
    one = described["ppv.main~predicate"]
    assert one.extra["ratio_lower"] < one.extra["ratio"] < one.extra["ratio_upper"]
    assert "Moskowitz-Pepe" in one.extra["p_values"]


def test_without_a_hypothesis_nothing_is_concluded(described: dict[str, Result]) -> None:
    assert described["auroc~predicate"].conclusion is None
    assert described["auroc~predicate"].criterion is None


def test_non_inferiority_is_judged_by_the_bound() -> None:
    better = compared(NON_INFERIOR, worse=0.2)
    assert better["sensitivity.main~predicate"].conclusion is Conclusion.CRITERION_MET
    worse = compared(NON_INFERIOR, worse=-0.3)
    one = worse["sensitivity.main~predicate"]
    assert one.interval.lower < -0.1
    assert one.conclusion is Conclusion.CRITERION_NOT_MET
    assert one.criterion["value"] == -0.1
    assert one.extra["amounts_to"] == "a one-sided test at 0.025"


def test_failed_primary_comparison_fails_the_objective() -> None:
    found = compared(NON_INFERIOR, worse=-0.3, role="primary")
    assert found["auroc"].conclusion is Conclusion.CRITERION_MET
    assert found["primary_objective"].conclusion is Conclusion.CRITERION_NOT_MET


def test_repeated_patients_are_compared_by_clustered_methods() -> None:
    found = compared(rows_per_patient=3)
    one = found["sensitivity.main~predicate"]
    assert one.method.startswith("patient bootstrap")
    assert list(one.extra["p_values"]) == ["Durkalski"]
    assert found["auroc~predicate"].method == "paired DeLong, patient-clustered"


def test_worst_for_the_device_and_best_for_the_rater_never_flatters() -> None:
    found = compared(failures=0.2, absent=40)
    for name in ("sensitivity.main", "auroc"):
        plain, worst = found[f"{name}~predicate"], found[f"{name}~predicate@worst_case"]
        assert worst.estimate < plain.estimate, name
        assert worst.conclusion is None


def test_a_comparator_of_the_study_stands_beside_every_endpoint() -> None:
    document = protocol(
        subgroups=[], comparator={"description": "Predicate device", "rater": "predicate"}
    )
    observations, reference = made_cohort(200)
    reference = with_rater(observations, reference)
    found = {one.id for one in measure(document, MANIFEST, observations, reference).results}
    assert {"auroc~predicate", "f1.main~predicate", "brier~predicate"} <= found


def test_unknown_rater_is_named() -> None:
    chosen = [endpoint("auroc", role="primary") | {"comparison": {"against": "nobody"}}]
    document = protocol(subgroups=[], endpoints=chosen)
    observations, reference = made_cohort(60)
    with pytest.raises(InvalidInputError, match="no rater 'nobody'"):
        measure(document, MANIFEST, observations, with_rater(observations, reference))


def test_readers_plain_words_are_calls_and_a_devices_plain_numbers_are_scores() -> None:
    document = protocol(
        subgroups=[],
        endpoints=[
            endpoint("sensitivity", point="main", role="primary")
            | {"comparison": {"against": "reader"}},
            endpoint("auroc") | {"comparison": {"against": "old"}},
        ],
    )
    observations, reference = made_cohort(200, failures=0.0)
    truth = reference["reference_value"].to_pylist()
    said = [
        json.dumps(
            {
                "old": {"kind": "device", "outputs": {"category": f"{0.3 + 0.4 * int(value)}"}},
                "reader": {"kind": "reader", "outputs": {"category": value}},
            }
        )
        for value in truth
    ]
    reference = reference.append_column("raters", pa.array(said))
    found = {one.id: one for one in measure(document, MANIFEST, observations, reference).results}
    assert found["sensitivity.main~reader.alone"].estimate == 1
    assert found["auroc~old.alone"].estimate == 1
