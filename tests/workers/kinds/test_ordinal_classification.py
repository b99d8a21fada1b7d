from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from tests.workers.kinds.made_categories import GRADES, endpoint, graded, manifest, protocol

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Result
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure

TASK = "ordinal_classification"
MANIFEST = manifest(TASK, [("reaches-mild", "mild")])
PROBABILITIES = {"by": "probabilities"}
ENDPOINTS = [
    endpoint("kappa_quadratic"),
    endpoint("mean_category_error"),
    endpoint("within_one"),
    endpoint("ordinal_auc", parameters=PROBABILITIES),
    endpoint("somers_d"),
    endpoint("kendall_tau_b"),
    endpoint("cutoff_sensitivity", target="severe"),
    endpoint("auroc", target="mild"),
    endpoint("specificity", operating_point="reaches-mild"),
]


def measured(
    data: tuple[pa.Table, pa.Table] | None = None, endpoints: list[dict[str, Any]] | None = None
) -> dict[str, Result]:
    found = measure(protocol(TASK, endpoints or ENDPOINTS), MANIFEST, *(data or graded()))
    return {result.id: result for result in found.results}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return measured()


def test_every_endpoint_has_an_interval(results: dict[str, Result]) -> None:
    for one in ENDPOINTS:
        point = one.get("operating_point")
        result = results[f"{one['id']}.{point}" if point else one["id"]]
        assert result.estimate is not None, one["id"]
        assert result.interval is not None
        assert result.interval.lower is not None
        assert result.interval.lower < result.estimate


def test_rank_measures_equal_scipy() -> None:
    observations, reference = graded(failing=0)
    results = measured((observations, reference))
    truth = np.array([GRADES.index(one) for one in reference["reference_value"].to_pylist()])
    rows = observations.to_pandas().pivot_table(index="case", columns="category", values="score")
    score = rows[list(GRADES)].to_numpy()
    called, mean = score.argmax(axis=1), score @ np.arange(3)
    expected = stats.somersd(truth, called).statistic
    assert results["somers_d"].estimate == pytest.approx(expected)
    expected = stats.kendalltau(truth, called).statistic
    assert results["kendall_tau_b"].estimate == pytest.approx(expected)
    expected = (stats.somersd(truth, mean).statistic + 1) / 2
    assert results["ordinal_auc"].estimate == pytest.approx(expected)


def test_failed_output_is_farthest_away(results: dict[str, Result]) -> None:
    worse = {"kappa_quadratic": -1, "mean_category_error": 1, "ordinal_auc": -1, "somers_d": -1}
    for name, sign in worse.items():
        first, second = results[name].estimate, results[f"{name}@excluded"].estimate
        assert first is not None
        assert second is not None
        assert (first - second) * sign > 0, name


def test_every_cutoff_is_described(results: dict[str, Result]) -> None:
    for grade in GRADES[1:]:
        assert results[f"cutoff_specificity.{grade}"].estimate is not None
    assert "cutoff_specificity.none" not in results


def test_cutoff_at_the_lowest_category_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="every case reaches"):
        measured(endpoints=[endpoint("cutoff_sensitivity", target="none")])


def test_scores_that_are_no_probabilities_are_not_ranked_by() -> None:
    observations, reference = graded(failing=0)
    place = observations.column_names.index("score")
    doubled = pa.array([2 * one for one in observations["score"].to_pylist()])
    results = measured((observations.set_column(place, "score", doubled), reference))
    ranked, called = results["ordinal_auc"].estimate, results["somers_d"].estimate
    assert ranked is not None
    assert called is not None
    assert ranked < 0.3  # every case lacks its rank, so that all have failed
    assert called > 0.2  # the highest score is still a category


def test_order_of_rows_changes_no_byte() -> None:
    observations, reference = graded(patients=120)
    rows = np.random.default_rng(1).permutation(observations.num_rows)
    document = protocol(TASK, ENDPOINTS)
    first, second = (
        measure(document, MANIFEST, table, reference)
        for table in (observations, observations.take(pa.array(rows)))
    )
    assert canonical_bytes(first.as_dict()) == canonical_bytes(second.as_dict())


def test_order_of_the_targets_is_the_order_of_the_categories() -> None:
    swapped = MANIFEST | {"task": MANIFEST["task"] | {"targets": ["mild", "none", "severe"]}}
    document = protocol(TASK, [endpoint("mean_category_error")])
    first, second = (
        measure(document, one, *graded(failing=0)).results for one in (MANIFEST, swapped)
    )
    values = [
        next(one.estimate for one in results if one.id == "mean_category_error")
        for results in (first, second)
    ]
    assert values[0] != values[1]


def test_farthest_errors_come_first() -> None:
    errors = measure(protocol(TASK, ENDPOINTS), MANIFEST, *graded()).errors
    gaps = [abs(GRADES.index(one["reference"]) - GRADES.index(one["called"])) for one in errors]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] == 2
