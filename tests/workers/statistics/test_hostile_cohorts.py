"""Cohorts and tables that once gave a wrong number or no number at all."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made_cohort import MANIFEST, endpoint, made_cohort, protocol
from tests.workers.kinds import made_categories, made_detection, made_spatial

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_workers.measurement import measure
from proctor_workers.statistics.passing_bablok import passing_bablok_resampled


def by_id(found: Any) -> dict[str, Any]:
    return {one.id: one for one in found.results}


@pytest.mark.parametrize(
    ("module", "task"), [(made_spatial, "segmentation"), (made_detection, "instance_segmentation")]
)
def test_parts_of_a_mask_may_lie_in_any_order(module: Any, task: str) -> None:
    manifest, observations, reference = module.made(task, 40)
    turned = observations.take(np.random.default_rng(1).permutation(observations.num_rows))
    document = module.protocol(task)
    first, second = (measure(document, manifest, one, reference) for one in (observations, turned))
    assert first.results == second.results


def weighted(**changes: Any) -> dict[str, Any]:
    observations, reference = made_cohort(300)
    place = reference.column_names.index("sampling_weight")
    weight = pa.array([20.0 if row % 5 == 0 else 0.2 for row in range(300)])
    reference = reference.set_column(place, "sampling_weight", weight)
    area = endpoint("auroc", role="primary")
    area["interval"] = {"method": "bootstrap_bca", "level": 0.95}
    group = {"attribute": "sex", "endpoints": ["auroc"], "margin": 0.1, "family": "bias"}
    design = {"endpoints": [area], "subgroups": [group], "sampling_design": {"kind": "weighted"}}
    return by_id(measure(protocol(**design | changes), MANIFEST, observations, reference))


def test_contrast_of_areas_is_of_the_same_areas_as_its_limits() -> None:
    found = weighted()
    gap = found["auroc.sex.F-vs-M"]
    assert gap.interval.lower < gap.estimate < gap.interval.upper
    assert "not weighted by the sampling weights" in found["auroc"].flags


def test_shares_with_bootstrap_limits_are_contrasted() -> None:
    rate = endpoint("sensitivity", role="primary", point="main")
    rate["interval"] = {"method": "bootstrap_bca", "level": 0.95}
    group = {"attribute": "sex", "endpoints": ["sensitivity"], "margin": 0.1, "family": "bias"}
    document = protocol(endpoints=[rate], subgroups=[group])
    gap = by_id(measure(document, MANIFEST, *made_cohort(300)))["sensitivity.main.sex.F-vs-M"]
    assert gap.method.startswith("patient bootstrap")
    assert gap.interval.lower < gap.estimate < gap.interval.upper


def test_top_k_accuracy_is_adjusted_for_another_attribute() -> None:
    task = "multiclass_classification"
    one = made_categories.endpoint("top_k_accuracy", role="primary", parameters={"k": 2})
    group = {"attribute": "sex", "endpoints": ["top_k_accuracy"], "margin": 0.1, "family": "bias"}
    document = made_categories.protocol(task, [one], subgroups=[group | {"adjust_for": ["site"]}])
    observations, reference = made_categories.graded(240)
    place = reference.column_names.index("site")
    site = pa.array([f"site {row % 3}" for row in range(240)])
    reference = reference.set_column(place, "site", site)
    found = by_id(measure(document, made_categories.manifest(task), observations, reference))
    assert found["top_k_accuracy.sex.F-vs-M.adjusted-for-site"].estimate is not None


def test_slopes_that_mostly_fall_have_no_shifted_median() -> None:
    x = np.arange(6.0)
    values = np.zeros(2)
    passing_bablok_resampled(x, -3 * x, np.arange(6))(np.ones((2, 6), dtype=np.int64), values)
    assert np.isnan(values).all()


def test_distance_from_calibration_of_few_cases_can_be_written() -> None:
    distance = endpoint("calibration_e90", role="primary")
    document = protocol(endpoints=[distance], subgroups=[], resamples=50)
    found = measure(document, MANIFEST, *made_cohort(12, failures=0, seed=2))
    assert found.as_dict()


def test_bands_of_an_attribute_without_numbers_are_refused() -> None:
    group = {"attribute": "race", "bands": [50], "endpoints": ["auroc"], "margin": 0.1}
    document = protocol(endpoints=[endpoint("auroc", role="primary")], subgroups=[group])
    with pytest.raises(InvalidInputError, match="race"):
        measure(document, MANIFEST, *made_cohort(60))


def test_weighted_sampling_without_strata_leaves_the_prevalence_free() -> None:
    rate = endpoint("ppv", role="primary", point="main")
    rate["interval"] = {"method": "bootstrap_bca", "level": 0.95}
    changes = {"endpoints": [rate], "subgroups": [], "target_population": {}}
    observations, reference = made_cohort(300, failures=0)
    place = reference.column_names.index("sampling_weight")
    weight = pa.array([1.0 + row % 3 for row in range(300)])
    reference = reference.set_column(place, "sampling_weight", weight)
    document = protocol(**changes, sampling_design={"kind": "weighted"})
    found = [
        by_id(measure(document, MANIFEST, observations, one))["ppv.main"].interval
        for one in (
            reference.append_column("sampling_stratum", pa.array([name] * 300))
            for name in ("", "one")
        )
    ]
    assert found[0] == found[1]


def test_answers_without_a_usable_score_are_told_as_failures() -> None:
    observations, reference = made_cohort(120, failures=0.0)
    scores = observations["score"].to_pylist()
    scores[:30] = [None] * 30
    place = observations.column_names.index("score")
    observations = observations.set_column(place, "score", pa.array(scores, pa.float64()))
    found = measure(protocol(), MANIFEST, observations, reference)
    rate = next(one for one in found.results if one.id == "failure_rate")
    assert rate.numerator == 30
    assert found.accountability["failed"]["cases"] == 30
    assert found.accountability["ok"]["cases"] == 90


def test_third_value_of_the_reference_is_refused_not_taken_for_a_negative() -> None:
    observations, reference = made_cohort(60)
    values = reference["reference_value"].to_pylist()
    values[values.index("1")] = "positive"
    place = reference.column_names.index("reference_value")
    reference = reference.set_column(place, "reference_value", pa.array(values))
    with pytest.raises(DataError, match="more than two values"):
        measure(protocol(), MANIFEST, observations, reference)


def test_families_of_other_names_are_adjusted_together() -> None:
    def adjusted(names: dict[str, str]) -> list[float | None]:
        groups = [
            {"attribute": name, "endpoints": ["auroc"], "margin": 0.1, "family": names[name]}
            for name in ("sex", "race", "site")
        ]
        found = measure(protocol(subgroups=groups), MANIFEST, *made_cohort(300))
        return [one.p_adjusted for one in found.results if one.id.endswith(".heterogeneity")]

    apart = {"sex": "one", "race": "two", "site": "three"}
    assert adjusted(apart) == adjusted(dict.fromkeys(apart, "bias"))


def test_small_level_without_a_permutation_is_not_tested() -> None:
    observations, reference = made_cohort(120)
    few = ["F"] * 14 + ["M"] * (reference.num_rows - 14)
    place = reference.column_names.index("attr.sex")
    reference = reference.set_column(place, "attr.sex", pa.array(few))
    group = {"attribute": "sex", "endpoints": ["auprc"], "margin": 0.1, "family": "bias"}
    found = measure(protocol(subgroups=[group]), MANIFEST, observations, reference)
    test = next(one for one in found.results if one.id == "auprc.sex.heterogeneity")
    assert test.p_value is None
    assert any("not tested" in flag for flag in test.flags)
