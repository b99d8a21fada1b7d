from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk
from tests.workers.kinds.made_categories import LABELS, endpoint, labelled, manifest, protocol

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.result import Conclusion, Measurement, Result
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure
from proctor_workers.statistics.categories import UnknownCategoryError

TASK = "multilabel_classification"
POINTS = [(f"has-{label}", label) for label in LABELS]
MANIFEST = manifest(TASK, POINTS)
DECIDED = ("subset_accuracy", "hamming_loss", "label_macro_f1", "label_micro_f1")
ENDPOINTS = [
    *(endpoint(name) for name in DECIDED),
    endpoint("label_macro_auroc"),
    endpoint("label_micro_auroc"),
    endpoint("auroc", target="nodule"),
    endpoint("sensitivity", operating_point="has-edema"),
]


def measured(
    data: tuple[pa.Table, pa.Table] | None = None,
    *,
    under: dict[str, Any] = MANIFEST,
    endpoints: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> tuple[Measurement, dict[str, Result]]:
    document = protocol(TASK, endpoints or ENDPOINTS, **changes)
    found = measure(document, under, *(data or labelled()))
    return found, {result.id: result for result in found.results}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return measured()[1]


def truth_and_scores(observations: pa.Table, reference: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    value = reference["reference_value"].to_pylist()
    truth = np.array([[label in one.split("|") for label in LABELS] for one in value])
    rows = observations.to_pandas().pivot_table(index="case", columns="category", values="score")
    return truth, rows[list(LABELS)].to_numpy()


def test_complete_cases_equal_scikit_learn() -> None:
    data = labelled(failing=0)
    _, results = measured(data)
    truth, score = truth_and_scores(*data)
    called = score >= 0.5
    expected = {
        "subset_accuracy": sk.accuracy_score(truth, called),
        "hamming_loss": sk.hamming_loss(truth, called),
        "label_macro_f1": sk.f1_score(truth, called, average="macro"),
        "label_micro_f1": sk.f1_score(truth, called, average="micro"),
        "label_macro_auroc": sk.roc_auc_score(truth, score, average="macro"),
        "label_micro_auroc": sk.roc_auc_score(truth, score, average="micro"),
        "auroc": sk.roc_auc_score(truth[:, 2], score[:, 2]),
        "sensitivity.has-edema": sk.recall_score(truth[:, 0], called[:, 0]),
    }
    for name, value in expected.items():
        assert results[name].estimate == pytest.approx(value), name
        interval = results[name].interval
        assert interval is not None
        assert interval.lower is not None
        assert interval.lower < value


def test_failed_output_is_wrong_in_every_label(results: dict[str, Result]) -> None:
    for name in (*DECIDED, "label_macro_auroc", "label_micro_auroc"):
        first, second = results[name].estimate, results[f"{name}@excluded"].estimate
        assert first is not None
        assert second is not None
        assert (first > second) is (name == "hamming_loss"), name


def test_labels_of_one_case_are_one_cluster(results: dict[str, Result]) -> None:
    pooled = results["label_micro_auroc"]
    assert (pooled.n, pooled.patients) == (240, 240)
    assert "Obuchowski" in pooled.method


def test_claims_on_labels_are_judged_by_holm() -> None:
    criterion = {"bound": "lower", "comparator": ">=", "value": 0.7}
    claims = [
        endpoint("auroc", id=f"auroc-{label}", target=label, role="primary", criterion=criterion)
        for label in LABELS
    ]
    _, results = measured(
        endpoints=claims,
        multiplicity={"primary": "holm", "families": [{"id": "bias", "method": "holm"}]},
    )
    for label in LABELS:
        found = results[f"auroc-{label}"]
        assert found.conclusion is Conclusion.CRITERION_MET
        assert any("Holm" in flag for flag in found.flags)


def test_rich_reference_says_the_same_as_the_plain_one() -> None:
    observations, reference = labelled()
    truth, _ = truth_and_scores(*labelled(failing=0))
    rich = [
        "{" + '"scores":{' + ",".join(
            f'"{label}":{int(present)}' for label, present in zip(LABELS, row, strict=True)
        ) + "}}"
        for row in truth
    ]  # fmt: skip
    more = reference.append_column("reference_outputs", pa.array(rich))
    first, second = measured((observations, reference))[0], measured((observations, more))[0]
    assert canonical_bytes(first.as_dict()) == canonical_bytes(second.as_dict())


def test_order_of_rows_changes_no_byte() -> None:
    observations, reference = labelled(patients=120)
    rows = np.random.default_rng(1).permutation(observations.num_rows)
    shuffled = (observations.take(pa.array(rows)), reference)
    first, second = measured((observations, reference))[0], measured(shuffled)[0]
    assert canonical_bytes(first.as_dict()) == canonical_bytes(second.as_dict())


def test_false_calls_are_listed_with_their_label() -> None:
    measurement, results = measured(labelled(failing=0))
    missed = [
        one
        for one in measurement.errors
        if one["outcome"] == "false_negative" and one["target"] == "edema"
    ]
    found = results["sensitivity.has-edema"]
    assert found.denominator is not None
    assert found.numerator is not None
    assert len(missed) == found.denominator - found.numerator


def test_two_operating_points_of_a_label_must_be_chosen_from() -> None:
    several = manifest(TASK, [*POINTS, ("sensitive-edema", "edema")])
    with pytest.raises(InvalidInputError, match="one operating point for each label"):
        measured(under=several)
    named = {"points": ["sensitive-edema", "has-effusion", "has-nodule"]}
    _, results = measured(under=several, endpoints=[endpoint("subset_accuracy", parameters=named)])
    assert results["subset_accuracy"].estimate is not None


def test_label_that_is_not_decided_is_a_named_error() -> None:
    with pytest.raises(InvalidInputError, match="one operating point for each label"):
        measured(under=manifest(TASK, POINTS[:2]))


def with_first(reference: pa.Table, column: str, value: str) -> pa.Table:
    if column not in reference.column_names:
        empty = pa.array([None] * reference.num_rows, type=pa.string())
        reference = reference.append_column(column, empty)
    values = reference[column].to_pylist()
    place = reference.column_names.index(column)
    return reference.set_column(place, column, pa.array([value, *values[1:]], type=pa.string()))


def test_unknown_label_is_a_named_error() -> None:
    observations, reference = labelled()
    broken = with_first(reference, "reference_value", "edema|hernia")
    with pytest.raises(UnknownCategoryError):
        measured((observations, broken))


@pytest.mark.parametrize(
    "rich", ['{"scores":{"edema":1}}', '{"scores":{"edema":1,"effusion":0.5,"nodule":0}}']
)
def test_reference_that_leaves_a_label_open_is_a_named_error(rich: str) -> None:
    observations, reference = labelled()
    with pytest.raises(DataError, match="0 or 1 for every label"):
        measured((observations, with_first(reference, "reference_outputs", rich)))
