import hashlib
import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from material import material, measurement, result

from proctor_backend.domain.cohort import CountScope
from proctor_backend.reporting import Rule, Withheld, build_context, cut_edition, released_cells
from proctor_backend.reporting.disclosure import WithheldValueError, withheld_ids

PUBLIC = Rule(min_patients=11, min_cell=11)


def shown_ids(document: dict) -> set[str]:
    return {entry["result"]["id"] for entry in document["results"]}


@pytest.mark.parametrize("use", [str, float, "{}".format, lambda w: f"{w:.2f}", "%s".__mod__])
def test_withheld_refuses_every_way_of_being_written(use: Callable[[Withheld], str]) -> None:
    with pytest.raises(WithheldValueError):
        use(Withheld())


def test_public_edition_holds_nothing_of_a_group_with_a_small_count(made: SimpleNamespace) -> None:
    # Asian: 19 patients, of whom 7 have the condition.
    assert not [name for name in shown_ids(made.editions["public"]) if ".asian" in name]


def test_public_edition_withholds_a_second_level_so_that_the_total_gives_nothing_away(
    made: SimpleNamespace,
) -> None:
    shown = shown_ids(made.editions["public"])
    assert "auroc.race.hispanic" not in shown
    assert "auroc.race.white" in shown


def test_public_edition_withholds_comparisons_with_the_rest_of_a_withheld_factor(
    made: SimpleNamespace,
) -> None:
    shown = shown_ids(made.editions["public"])
    assert "auroc.race.white-vs-rest" not in shown
    assert "auroc.race.heterogeneity" not in shown
    assert "fairlearn.main.race.selection_rate_ratio" not in shown


def test_public_edition_withholds_the_baseline_counts_of_a_withheld_group(
    made: SimpleNamespace,
) -> None:
    shown = shown_ids(made.editions["public"])
    assert "count.baseline.race.asian" not in shown
    assert "count.baseline.race.hispanic" not in shown
    assert "count.baseline.sex.F" in shown


def test_both_levels_of_a_pair_are_withheld_when_one_is() -> None:
    rows = [
        result("auroc.sex.F", "auroc", 0.8, 900, group={"factor": "sex", "level": "F"}),
        result("auroc.sex.M", "auroc", 0.8, 5, group={"factor": "sex", "level": "M"}),
        result("auroc", "auroc", 0.8, 905),
    ]
    assert withheld_ids(rows, PUBLIC) == {"auroc.sex.F", "auroc.sex.M"}


def test_an_intersection_is_withheld_whole_when_one_of_its_attributes_is() -> None:
    rows = [
        result(f"auroc.{f}.{level}", "auroc", 0.8, n, group={"factor": f, "level": level})
        for f, level, n in (
            ("sex", "F", 500), ("sex", "M", 505), ("race", "a", 5), ("race", "b", 1000),
            ("sex+race", "F+b", 498), ("sex+race", "M+b", 502),
        )
    ]  # fmt: skip
    assert {"auroc.sex+race.F+b", "auroc.sex+race.M+b"} <= withheld_ids(rows, PUBLIC)
    assert "auroc.sex.F" not in withheld_ids(rows, PUBLIC)


def test_small_error_cells_are_shown_where_the_terms_count_attributes_only() -> None:
    row = result("sensitivity.main", "sensitivity", 0.99, 300, numerator=297, denominator=300)
    assert withheld_ids([row], PUBLIC) == frozenset()


def test_small_error_cells_take_their_table_with_them_where_the_terms_count_all_cells() -> None:
    rows = [
        result("sensitivity.main", "sensitivity", 0.99, 300, numerator=297, denominator=300),
        result("ppv.main", "ppv", 0.5, 600, numerator=297, denominator=600),
        result("auroc", "auroc", 0.9, 900),
    ]
    strict = Rule(min_cell=11, applies_to=CountScope.ALL_CELLS)
    assert withheld_ids(rows, strict) == {"sensitivity.main", "ppv.main"}


def test_terms_tightened_before_clearing_withhold_more(made: SimpleNamespace) -> None:
    strict = Rule(min_patients=400)
    document = cut_edition(made.body, made.annex, made.salts, "public", strict)
    assert "auroc.age.80+" not in shown_ids(document)


def test_submission_edition_is_exact_by_default(made: SimpleNamespace) -> None:
    assert made.editions["submission"]["withheld"] == []


def test_withheld_leaves_tell_no_number(made: SimpleNamespace) -> None:
    for entry in made.editions["public"]["withheld"]:
        assert set(entry) == {"index", "leaf", "id", "quantity", "group", "factor"}


def test_context_puts_withheld_in_the_place_of_the_result() -> None:
    context = build_context(material(), "public")
    assert isinstance(context.results["auroc.race.asian"], Withheld)


def test_plugin_context_carries_no_withheld_number() -> None:
    document = build_context(material(), "public").as_plugin_context(["study", "cohort", "figures"])
    asian = next(r for r in measurement()["results"] if r["id"] == "auroc.race.asian")
    assert str(asian["interval"]["lower"]) not in json.dumps(document)
    assert "auroc.race.asian" in document["withheld"]


def test_released_cells_list_every_result_once(made: SimpleNamespace) -> None:
    cells = released_cells(made.editions["public"])
    assert len(cells) == len(made.body["results"])
    assert {"shown", "withheld"} == {cell["disclosed"] for cell in cells}


def test_public_edition_cannot_be_completed_to_the_body_that_was_signed(
    made: SimpleNamespace,
) -> None:
    public = made.editions["public"]
    assert public["withheld"]
    known = {entry["salt"] for entry in public["results"]}
    assert len(known) < len(made.salts)
    assert made.body["salt"] not in json.dumps(public)
    assert made.body["salt"] == hashlib.sha256("".join(made.salts).encode()).hexdigest()


def test_single_cases_are_marked_in_the_full_edition_only() -> None:
    made = material()
    steps = {"ref": "auroc", "steps": [{"mean": 0.5, "cases": 20}]}
    cases = {"ref": "auroc", "values": [0.1], "worst": [{"case": "cas_1", "value": 0.1}]}
    made.measurement["figures"] = [
        {"id": "cases.a", "kind": "case_values", "title": "", "data": cases | {"public": steps}},
        {"id": "fan", "kind": "forecast_fan", "title": "", "data": {"cases": [1]}},
    ]
    drawn = {
        edition: {one["id"]: one["data"] for one in build_context(made, edition).figures}
        for edition in ("full", "submission", "public")
    }
    assert drawn["full"]["cases.a"] == cases
    assert "fan" in drawn["full"]
    for edition in ("submission", "public"):
        assert drawn[edition]["cases.a"] == steps
        assert "fan" not in drawn[edition]
