"""A protocol's problems: all at once, each with its line and its cure."""

from pathlib import Path

import pytest

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.services.protocol_reference import reference_page
from proctor_backend.services.protocols import check_protocol, completed, parse_protocol

EXAMPLES = Path(__file__).parents[2] / "docs/examples/protocols"


@pytest.fixture
def table() -> str:
    return (EXAMPLES / "binary-table.yaml").read_text("utf-8")


@pytest.fixture
def dicom() -> str:
    return (EXAMPLES / "binary-dicom.yaml").read_text("utf-8")


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_example_is_valid(path: Path) -> None:
    assert check_protocol(path.read_text("utf-8")) == []


def test_a_misspelt_field_is_named_with_its_line_and_the_right_spelling(table: str) -> None:
    text = table.replace("intended_use:", "intended_uses:")
    problem = check_protocol(text)[0]
    assert problem["line"] == line_of(text, "intended_uses:")
    assert problem["field"] == "intended_uses"
    assert problem["cure"] == "Did you mean 'intended_use'?"


def test_a_misspelt_field_is_one_problem_not_two(table: str) -> None:
    assert len(check_protocol(table.replace("intended_use:", "intended_uses:"))) == 1


def test_all_problems_come_at_once_in_the_order_of_the_text(table: str) -> None:
    text = table.replace("metric: brier", "metric: brierr").replace("unit: patient", "unit: person")
    found = check_protocol(text.replace("sites: fixed", "sites: some"))
    assert [one["field"] for one in found] == ["estimand.unit", "endpoints[3].metric", "sites"]


def test_a_field_written_twice_is_refused(table: str) -> None:
    found = check_protocol(table + "alpha: 0.1\n")
    assert found[0]["what"] == "The field 'alpha' is written twice."
    assert found[0]["line"] == table.count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("id: brier\n", "id: auroc\n", "endpoints[0].id"),
        ("    operating_point: main\n", "", "endpoints[1].metric"),
        ("metric: brier\n", "metric: brier\n    operating_point: main\n", "endpoints[3].operating"),
        ("endpoints: [auroc, sensitivity, specificity]", "endpoints: [nothing]", "subgroups[0]"),
        ("margin: 0.05, family: bias}", "family: bias}", "subgroups[0]"),
        ("{id: bias, method: holm}", "{id: other, method: holm}", "subgroups[0].family"),
        ("method: logit_delong", "method: wilson", "endpoints[0].interval.method"),
        ('comparator: ">="', 'comparator: "<="', "endpoints[0].criterion.comparator"),
        ("value: 0.70", "value: 70", "endpoints[0].criterion.value"),
        ("bands: [50, 65, 80]", "bands: [65, 50]", "subgroups[2].bands"),
        ("bands: [50, 65, 80]", "bands: [50, 95]", "subgroups[2].bands"),
        ("window: 1\n", "window: 16\n", "window"),
        ("window: 1\nisolation: run", "window: 2\nwindow_reason: r\nisolation: case", "isolation"),
        ("gpu: false", "gpu: true", "runtime"),
        ("prevalence_low: 0.20", "prevalence_low: 0.40", "target_population.prevalence_low"),
        ("planned_positive: 500", "planned_positive: 5000", "sample_size.planned_positive"),
        ("aggregation_to_patient: none", "aggregation_to_patient: max", "estimand.aggregation"),
        ("kind: table\n", "kind: table\n  headers: [PixelSpacing]\n", "input_profile.headers"),
        ("role: primary", "role: exploratory", "endpoints"),
    ],
)
def test_a_broken_rule_is_named_with_its_field(table: str, old: str, new: str, field: str) -> None:
    text = table.replace(old, new, 1)
    assert text != table
    if field == "runtime":
        text = text.replace("runtime: any", "runtime: runsc")
    if field == "estimand.aggregation":
        text = text.replace("unit: patient", "unit: image")
    found = check_protocol(text)
    assert found
    assert found[0]["field"].startswith(field)
    assert found[0]["line"]
    assert found[0]["cure"]


def test_prevalence_bound_quantities_are_refused_where_the_cohort_was_enriched(dicom: str) -> None:
    text = dicom.replace(
        "  prevalence: 0.05\n  prevalence_low: 0.02\n  prevalence_high: 0.10\n", ""
    )
    assert [one["field"] for one in check_protocol(text)] == ["endpoints[3].metric"]


def test_they_are_allowed_with_sampling_weights(dicom: str) -> None:
    text = dicom.replace(
        "  prevalence: 0.05\n  prevalence_low: 0.02\n  prevalence_high: 0.10\n", ""
    )
    assert check_protocol(text.replace("kind: case_control", "kind: weighted")) == []


def test_defaults_are_filled_in_before_the_digest(dicom: str) -> None:
    document = parse_protocol(dicom).document
    assert document["window"] == 1
    assert document["disclosure"]["public"]["min_patients"] == 11
    assert document["endpoints"][2]["interval"] == {"method": "auto", "level": 0.95}
    assert completed(document) == document


def test_layout_of_the_text_does_not_change_the_digest(table: str) -> None:
    other = "# another comment\n" + table.replace("sites: fixed", "sites:   'fixed'")
    assert parse_protocol(other).digest == parse_protocol(table).digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "a: [1",
        "a: &anchor 1\nb: *anchor",
        "a: !!python/object/apply:os.system [id]",
        "\x00",
        "a: " + "[" * 500,
        "a: .nan",
        "? [1, 2]\n: 3",
        "a: x" * 200_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_text_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_protocol(text)
    assert all(one["what"] and one["cure"] for one in caught.value.problems)


def test_reference_page_equals_the_schema() -> None:
    page = EXAMPLES.parents[1] / "reference/protocol.md"
    cure = "python -m proctor_backend.services.protocol_reference > docs/reference/protocol.md"
    assert page.read_text("utf-8") == reference_page(), f"run: {cure}"


def test_a_margin_as_wide_as_the_quantitys_whole_range_is_refused(table: str) -> None:
    text = table.replace("specificity], margin: 0.05", "specificity], margin: 1.5")
    assert [one["field"] for one in check_protocol(text)] == ["subgroups[0].margin"]


def test_a_margin_of_several_units_of_a_value_is_allowed() -> None:
    text = (EXAMPLES / "regression.yaml").read_text("utf-8")
    assert "endpoints: [bias], margin: 3" in text
    assert check_protocol(text) == []


def test_several_categories_have_no_single_prevalence() -> None:
    text = (EXAMPLES / "multiclass_classification.yaml").read_text("utf-8")
    stated = text.replace(
        "target_population:\n", "target_population:\n  prevalence: 0.2\n  source: A registry.\n"
    )
    assert [one["field"] for one in check_protocol(stated)] == ["target_population.prevalence"]


def test_quantity_of_one_category_names_it() -> None:
    text = (EXAMPLES / "multiclass_classification.yaml").read_text("utf-8")
    for metric in ("auroc", "class_recall"):
        broken = text.replace(
            f"    metric: {metric}\n    target: melanoma\n", f"    metric: {metric}\n"
        )
        found = check_protocol(broken)
        assert [one["what"] for one in found] == [f"{metric} is taken for one target."]


def test_two_classes_have_no_targets(table: str) -> None:
    broken = table.replace("    metric: auroc\n", "    metric: auroc\n    target: died\n")
    assert [one["what"] for one in check_protocol(broken)] == ["auroc is not taken for a target."]


def test_criterion_is_judged_at_a_level_that_alpha_allows(table: str) -> None:
    text = table.replace("alpha: 0.05", "alpha: 0.01")
    assert any("interval.level" in one["field"] for one in check_protocol(text))
    assert not check_protocol(table)
