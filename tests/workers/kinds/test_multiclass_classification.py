import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import SquareTable
from tests.workers.kinds.made_categories import GRADES, endpoint, graded, manifest, protocol

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.result import Conclusion, Measurement, Result
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure
from proctor_workers.statistics.categories import UnknownCategoryError

TASK = "multiclass_classification"
MANIFEST = manifest(TASK, [("is-severe", "severe")])
ENDPOINTS = [
    endpoint(
        "kappa",
        role="primary",
        criterion={"bound": "lower", "comparator": ">=", "value": 0.2},
    ),
    endpoint("category_accuracy"),
    endpoint("macro_f1"),
    endpoint("hand_till_auc"),
    endpoint("top_k_accuracy", parameters={"k": 2}),
    endpoint("auroc", target="severe"),
    endpoint("sensitivity", operating_point="is-severe"),
    endpoint("class_recall", target="mild"),
]


def measured(
    data: tuple[pa.Table, pa.Table] | None = None, **changes: Any
) -> tuple[Measurement, dict[str, Result]]:
    found = measure(protocol(TASK, ENDPOINTS, **changes), MANIFEST, *(data or graded()))
    return found, {result.id: result for result in found.results}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return measured()[1]


def test_every_endpoint_has_an_interval(results: dict[str, Result]) -> None:
    for one in ENDPOINTS:
        point = one.get("operating_point")
        result = results[f"{one['id']}.{point}" if point else one["id"]]
        assert result.estimate is not None
        assert result.interval is not None
        assert result.interval.lower is not None
        assert result.interval.upper is not None
        assert result.interval.lower < result.estimate < result.interval.upper, one["id"]


def test_complete_cases_equal_scikit_learn() -> None:
    observations, reference = graded(failing=0)
    _, results = measured((observations, reference))
    truth = np.array([GRADES.index(one) for one in reference["reference_value"].to_pylist()])
    rows = observations.to_pandas().pivot_table(index="case", columns="category", values="score")
    score = rows[list(GRADES)].to_numpy()
    expected = {
        "kappa": sk.cohen_kappa_score(truth, score.argmax(axis=1)),
        "category_accuracy": sk.accuracy_score(truth, score.argmax(axis=1)),
        "macro_f1": sk.f1_score(truth, score.argmax(axis=1), average="macro"),
        "hand_till_auc": sk.roc_auc_score(truth, score, multi_class="ovo"),
        "top_k_accuracy": sk.top_k_accuracy_score(truth, score, k=2),
        "auroc": sk.roc_auc_score(truth == 2, score[:, 2]),
        "class_recall": sk.recall_score(truth == 1, score.argmax(axis=1) == 1),
        "sensitivity.is-severe": sk.recall_score(truth == 2, score[:, 2] >= 0.5),
    }
    for name, value in expected.items():
        assert results[name].estimate == pytest.approx(value), name


def test_failed_output_is_the_worst_case_everywhere(results: dict[str, Result]) -> None:
    for name in ("kappa", "category_accuracy", "hand_till_auc", "top_k_accuracy", "auroc"):
        excluded = results[f"{name}@excluded"].estimate
        estimate = results[name].estimate
        assert estimate is not None
        assert excluded is not None
        assert estimate < excluded, name
    assert results["kappa"].n == 240
    assert results["kappa@excluded"].n == 236


def test_criterion_is_judged_by_the_bound(results: dict[str, Result]) -> None:
    assert results["kappa"].conclusion is Conclusion.CRITERION_MET


def test_subgroups_are_estimated_tested_and_contrasted(results: dict[str, Result]) -> None:
    for name in ("kappa", "hand_till_auc", "category_accuracy"):
        assert results[f"{name}.sex.F"].estimate is not None
        assert results[f"{name}.sex.heterogeneity"].p_value is not None
        assert results[f"{name}.sex.F-vs-M"].interval is not None


def test_every_category_is_described(results: dict[str, Result]) -> None:
    for grade in GRADES:
        assert results[f"class_precision.{grade}"].estimate is not None
    assert results["class_recall.severe"].extra["target"] == "severe"


def test_confusion_matrix_counts_every_case_once() -> None:
    measurement, _ = measured()
    figures = {figure.kind: figure for figure in measurement.figures}
    data = figures["confusion_matrix"].data
    assert data["categories"] == list(GRADES)
    assert sum(map(sum, data["cells"])) == data["n"] == 240
    assert [one["target"] for one in figures["roc_by_target"].data["curves"]] == list(GRADES)


def test_wrong_cases_are_listed_for_the_reviewer() -> None:
    measurement, results = measured(graded(failing=0))
    accuracy = results["category_accuracy"]
    assert accuracy.numerator is not None
    assert len(measurement.errors) == 240 - accuracy.numerator
    assert all(one["reference"] != one["called"] for one in measurement.errors)


def test_order_of_rows_changes_no_byte() -> None:
    observations, reference = graded(patients=120)
    rows = np.random.default_rng(1).permutation(observations.num_rows)
    cases = np.random.default_rng(2).permutation(reference.num_rows)
    shuffled = (observations.take(pa.array(rows)), reference.take(pa.array(cases)))
    first, second = measured((observations, reference))[0], measured(shuffled)[0]
    assert canonical_bytes(first.as_dict()) == canonical_bytes(second.as_dict())


def test_patients_with_several_cases_widen_the_area() -> None:
    method = measured(graded(patients=80))[1]["hand_till_auc"].method
    assert method == "influence on the logit, Satterthwaite df, patient-clustered"


def test_order_of_the_targets_changes_no_unordered_quantity() -> None:
    reversed_manifest = MANIFEST | {"task": MANIFEST["task"] | {"targets": list(GRADES[::-1])}}
    document = protocol(TASK, ENDPOINTS)
    first = {one.id: one for one in measure(document, MANIFEST, *graded(failing=0)).results}
    second = {
        one.id: one for one in measure(document, reversed_manifest, *graded(failing=0)).results
    }
    for name in ("kappa", "macro_f1", "hand_till_auc", "auroc", "class_recall"):
        assert second[name].estimate == pytest.approx(first[name].estimate)


def test_category_alone_leaves_quantities_of_scores_to_the_rule() -> None:
    data = graded(scores=False, failing=0)
    _, results = measured(data)
    assert results["kappa"].estimate is not None
    assert results["hand_till_auc"].estimate == 0.0  # every case lacks what is asked: all failed


def test_devices_own_category_outranks_its_scores() -> None:
    observations, reference = graded(failing=0)
    table = observations.to_pandas()
    own = table.drop_duplicates("case").assign(
        output="category", category="none", score=float("nan")
    )
    both = pa.Table.from_pandas(
        __import__("pandas").concat([table, own]), schema=observations.schema, preserve_index=False
    )
    _, results = measured((both, reference))
    assert results["class_recall"].estimate == 0.0  # of "mild": all are called "none"


def test_reference_outside_the_categories_is_a_named_error() -> None:
    observations, reference = graded()
    values = reference["reference_value"].to_pylist()
    place = reference.column_names.index("reference_value")
    broken = reference.set_column(place, "reference_value", pa.array(["odd", *values[1:]]))
    with pytest.raises(UnknownCategoryError):
        measured((observations, broken))


def test_rich_reference_that_is_no_category_is_a_named_error() -> None:
    observations, reference = graded()
    rich = pa.array(['{"scores":{"none":1}}'] + [None] * 239, type=pa.string())
    with pytest.raises(DataError, match="not one category"):
        measured((observations, reference.append_column("reference_outputs", rich)))


@pytest.mark.parametrize("target", [None, "other"])
def test_quantity_of_one_category_needs_one_of_them(target: str | None) -> None:
    document = protocol(TASK, [endpoint("class_recall", target=target)])
    with pytest.raises(InvalidInputError, match="names no target"):
        measure(document, MANIFEST, *graded())


def test_target_that_contradicts_the_operating_point_is_refused() -> None:
    wrong = endpoint("sensitivity", operating_point="is-severe", target="mild")
    with pytest.raises(InvalidInputError, match="another target"):
        measure(protocol(TASK, [wrong]), MANIFEST, *graded())


def test_category_without_cases_is_said_and_not_invented() -> None:
    observations, reference = graded(failing=0)
    keep = [
        case
        for case, value in zip(
            reference["case"].to_pylist(), reference["reference_value"].to_pylist(), strict=True
        )
        if value != "mild"
    ]
    wanted = pa.array(keep)
    few = tuple(
        table.filter(pa.compute.is_in(table["case"], wanted)) for table in (observations, reference)
    )
    _, results = measured((few[0], few[1]))
    for name in ("hand_till_auc", "macro_f1", "class_recall"):
        assert results[name].estimate is None
        assert any("not estimable" in flag for flag in results[name].flags)
    assert results["category_accuracy"].estimate is not None


def test_enriched_sampling_refuses_what_it_shifts() -> None:
    _, results = measured(sampling_design={"kind": "case_control"})
    for name in ("kappa", "category_accuracy", "macro_f1"):
        assert any("refused" in flag for flag in results[name].flags), name
    for name in ("hand_till_auc", "class_recall", "auroc"):
        assert results[name].estimate is not None


def test_as_many_scores_as_categories_are_refused() -> None:
    every = endpoint("top_k_accuracy", parameters={"k": 3})
    with pytest.raises(InvalidInputError, match="as many scores"):
        measure(protocol(TASK, [every]), MANIFEST, *graded())


def test_answer_with_a_score_missing_has_failed_where_scores_count() -> None:
    observations, reference = graded(failing=0)
    few = observations.filter(
        pa.compute.invert(
            pa.compute.and_(
                pa.compute.equal(observations["case"], "cas_0000"),
                pa.compute.equal(observations["category"], "mild"),
            )
        )
    )
    whole, part = measured((observations, reference)), measured((few, reference))
    for name in ("kappa", "hand_till_auc"):
        assert part[1][f"{name}@excluded"].n == whole[1][f"{name}@excluded"].n - 1


def test_kappa_may_have_linearised_limits_and_brings_its_tests() -> None:
    linear = endpoint("kappa", interval={"method": "linearised", "level": 0.95})
    _, plain = measured()
    data = graded(failing=0)
    found = {one.id: one for one in measure(protocol(TASK, [linear]), MANIFEST, *data).results}[
        "kappa"
    ]
    assert found.method == "Fleiss-Cohen-Everitt"
    assert found.interval is not None
    assert plain["kappa"].method.startswith("patient bootstrap")
    truth = [GRADES.index(one) for one in data[1]["reference_value"].to_pylist()]
    rows = data[0].to_pandas().pivot_table(index="case", columns="category", values="score")
    called = rows[list(GRADES)].to_numpy().argmax(axis=1)
    table = SquareTable(sk.confusion_matrix(truth, called), shift_zeros=False)
    assert found.extra["bowker_p_value"] == pytest.approx(table.symmetry().pvalue)
    assert found.extra["stuart_maxwell_p_value"] == pytest.approx(table.homogeneity().pvalue)


def test_two_raters_are_compared_by_what_they_called() -> None:
    observations, reference = graded(failing=0)
    truth = reference["reference_value"].to_pylist()
    given = [{"predicate": {"kind": "device", "outputs": {"category": one}}} for one in truth]
    table = reference.append_column("raters", pa.array([json.dumps(one) for one in given]))
    compared = endpoint(
        "kappa", comparison={"against": "predicate", "hypothesis": "superiority", "reason": "-"}
    )
    document = protocol(TASK, [compared], comparator={"rater": "predicate"})
    results = {one.id: one for one in measure(document, MANIFEST, observations, table).results}
    difference = next(one for one in results.values() if one.id.startswith("kappa~predicate"))
    beside = [one for one in results.values() if "bowker_p_value" in one.extra and "~" in one.id]
    assert difference.estimate is not None
    assert beside


def test_high_area_with_a_small_class_is_decided_by_method_5() -> None:
    goal = {"bound": "lower", "comparator": ">=", "value": 0.95}
    decided = endpoint("hand_till_auc", role="primary", criterion=goal)
    results = {
        one.id: one for one in measure(protocol(TASK, [decided]), MANIFEST, *graded()).results
    }
    assert results["hand_till_auc"].method.startswith("Newcombe method 5")
