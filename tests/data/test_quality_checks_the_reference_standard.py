"""Labels, masks and boxes of the reference standard are checked case by case."""

from typing import Any

import pytest
from tests.data.quality_cases import case, found, severities

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.assessment import assess

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def mask(size: list[int] | None = None, **labels: list[int]) -> dict[str, Any]:
    return {"mask": {"labels": labels, "size": size or [10, 20]}}


def boxes(*box: float, category: str = "nodule") -> dict[str, Any]:
    return {"boxes": [{"box": list(box), "category": category}]}


@pytest.mark.parametrize(
    "outputs",
    [
        mask(tumour=[1, 2], spleen=[4, 1]),
        {"mask": {"instances": [{"category": "spleen", "runs": [1, 2]}], "size": [10, 20]}},
        boxes(1, 2, 3, 4, category="spleen"),
        {"category": "spleen"},
    ],
)
def test_a_label_outside_the_set_is_an_error(outputs: Any) -> None:
    cases = [case("odd", value=None, outputs=outputs), case("good", outputs=mask(tumour=[1, 2]))]

    findings = found(cases, labels=("tumour",))["reference.label"]

    assert severities(findings) == {ERROR}
    assert [finding.case for finding in findings] == ["odd"]


def test_without_a_set_any_label_is_right() -> None:
    assert "reference.label" not in found([case("one", outputs=mask(tumour=[1, 2]))])


def test_a_region_to_be_ignored_needs_no_label() -> None:
    cases = [case("one", outputs=boxes(1, 2, 3, 4, category="ignore"))]

    assert "reference.label" not in found(cases, labels=("nodule",))


def test_values_are_checked_where_they_are_written_in_labels() -> None:
    cases = [case("one", value="oedema|tumour"), case("two", value="none"),
             case("odd", value="tumor")]  # fmt: skip

    findings = found(cases, labels=("oedema", "tumour"))["reference.label"]

    assert [finding.case for finding in findings] == ["odd"]
    assert "reference.label" not in found(cases, labels=("left", "right"))


def test_a_label_that_never_occurs_is_named() -> None:
    cases = [case("one", outputs=mask(tumour=[1, 2]))]

    (finding,) = found(cases, labels=("tumour", "oedema"))["reference.label_unused"]

    assert "oedema" in finding.message


@pytest.mark.parametrize(
    ("size", "facts", "wrong"),
    [
        ([10, 20], {}, False),
        ([1, 10, 20], {}, False),
        ([20, 10], {}, True),
        ([5, 10, 20], {"slices": 5.0}, False),
        ([4, 10, 20], {"slices": 5.0}, True),
        ([10, 20], {"slices": 5.0}, True),
        ([20, 10], {"levels": 4.0}, False),  # a pyramid has several sizes
    ],
)
def test_a_mask_of_another_geometry_is_an_error(size: Any, facts: Any, wrong: bool) -> None:  # noqa: FBT001
    findings = found([case("one", facts=facts, outputs=mask(size, tumour=[1, 2]))])

    assert ("reference.geometry" in findings) is wrong
    if wrong:
        assert severities(findings["reference.geometry"]) == {ERROR}


def test_geometry_that_was_told_when_the_file_was_read_is_not_told_again() -> None:
    told = Finding(code="reference.geometry", severity=ERROR, message="It lies elsewhere.")

    findings = found([case("one", outputs=mask([20, 10], tumour=[1]), findings=[told])])

    assert len(findings["reference.geometry"]) == 1


@pytest.mark.parametrize(
    ("labels", "empty"),
    [({"tumour": []}, True), ({}, True), ({"a": [], "tumour": [3, 1]}, False)],
)
def test_an_empty_mask_is_named(labels: Any, empty: bool) -> None:  # noqa: FBT001
    assert ("reference.empty" in found([case("one", outputs=mask(**labels))])) is empty


def test_an_empty_list_of_instances_says_that_there_is_none() -> None:
    outputs = {"mask": {"instances": [], "size": [10, 20]}}

    assert "reference.empty" not in found([case("one", outputs=outputs)])


def test_names_with_brackets_and_quotes_are_read_as_they_are() -> None:
    labels = {'a"]:[': [1, 2], "size": [4, 1], "ü": []}

    outputs = {"mask": {"labels": labels, "size": [10, 20]}}

    findings = found([case("one", outputs=outputs)], labels=tuple(labels))

    assert not [code for code in findings if code.startswith("reference.")]


@pytest.mark.parametrize(
    ("outputs", "facts", "severity"),
    [
        (boxes(2, 3, 19, 10), {}, None),
        (boxes(2, 3, 24, 10), {}, WARNING),
        (boxes(21, 3, 24, 10), {}, ERROR),
        (boxes(2, 3, 4, 19, 9, 6), {"slices": 5.0}, WARNING),
        (boxes(2, 3, 6, 19, 9, 8), {"slices": 5.0}, ERROR),
        ({"points": [{"point": [19, 9]}]}, {}, None),
        ({"points": [{"point": [9, 19]}]}, {}, ERROR),
    ],
)
def test_boxes_and_points_outside_the_picture_are_named(
    outputs: Any, facts: Any, severity: Severity | None
) -> None:
    findings = found([case("one", outputs=outputs, facts=facts)])

    assert severities(findings.get("reference.outside", [])) == ({severity} - {None})


@pytest.mark.parametrize("status", ["missing", "equivocal"])
@pytest.mark.parametrize(("number", "severity"), [(1, NOTE), (30, WARNING)])
def test_cases_without_a_sure_truth_are_counted(
    status: str, number: int, severity: Severity
) -> None:
    cases = [case(f"c{n}", value=str(n % 2)) for n in range(100)]
    cases += [case(f"m{n}", value=None, reference_status=status) for n in range(number)]

    (finding,) = found(cases)[f"reference.{status}"]

    assert finding.severity is severity
    assert f"{number} of {100 + number}" in finding.message


def test_a_truth_whose_method_is_not_told_is_counted() -> None:
    (finding,) = found([case("one", reference_method=""), case("two")])["reference.method_missing"]

    assert finding.severity is NOTE


def test_a_value_in_two_spellings_is_named() -> None:
    assert "reference.spelling" in found([case("one", value="Yes"), case("two", value="yes")])


def test_a_truth_that_is_given_in_two_ways_is_named() -> None:
    cases = [case("one", outputs=mask(tumour=[1, 2])), case("two", outputs=boxes(1, 2, 3, 4))]

    assert severities(found(cases)["reference.mixed"]) == {NOTE}


def test_a_truth_that_is_missing_is_no_other_way() -> None:
    cases = [case("one", outputs=mask(tumour=[1, 2])), case("two", value=None)]

    assert "reference.mixed" not in found(cases)


def test_large_masks_are_looked_at_without_being_parsed() -> None:
    runs = [number for start in range(0, 4_000_000, 4) for number in (start, 2)]
    one = case("one", facts={"rows": 2048.0, "columns": 2048.0},
               outputs=mask([2048, 2048], tumour=runs))  # fmt: skip

    import time

    before = time.process_time()
    report = assess([one], labels=("tumour",))

    assert time.process_time() - before < 0.1
    assert not [finding for finding in report.findings if finding.severity is ERROR]
