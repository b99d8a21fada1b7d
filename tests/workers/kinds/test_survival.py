"""Survival through the whole measurement, on made follow-up whose rates are known."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
import pyarrow as pa
import pytest
from made_survival import MANIFEST, OF_RISK_GROUPS, PARAMETERS, endpoint, made_cohort, protocol

from proctor_backend.domain.errors import DataError, InvalidInputError
from proctor_backend.domain.quantities import quantities_of
from proctor_backend.domain.result import Conclusion
from proctor_backend.reporting.figures import draw
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure


@pytest.fixture(scope="module")
def measured():
    return measure(protocol(), MANIFEST, *made_cohort())


def result(measured, id_):
    return next(one for one in measured.results if one.id == id_)


@pytest.mark.parametrize("name", [one for one in quantities_of("survival") if one != "log_rank"])
def test_every_quantity_has_an_interval_that_holds_it(measured, name) -> None:
    suffix = ".main" if name in OF_RISK_GROUPS else ""
    one = result(measured, name + suffix)
    assert one.estimate is not None
    assert one.interval is not None
    assert one.interval.lower < one.estimate < one.interval.upper
    assert one.n_positive is not None


def test_risk_groups_are_tested_as_the_figure_tests_them() -> None:
    found = measure(protocol(), MANIFEST, *made_cohort(failures=0))
    one = result(found, "log_rank.main")
    curves = next(figure for figure in found.figures if figure.kind == "survival_curves")
    tested = curves.data["log_rank"]
    assert (one.estimate, one.p_value, one.extra["df"]) == (
        tested["statistic"], tested["p_value"], 1,
    )  # fmt: skip
    assert one.interval is None
    assert one.flags[0] == "a test: no interval"


def test_criterion_is_judged_by_the_lower_bound(measured) -> None:
    one = result(measured, "harrell_c")
    assert one.conclusion is (
        Conclusion.CRITERION_MET if one.interval.lower >= 0.6 else Conclusion.CRITERION_NOT_MET
    )


def test_missing_outputs_at_worst_lower_the_concordance(measured) -> None:
    worst, excluded = (
        result(measured, f"harrell_c@{name}").estimate for name in ("worst_case", "excluded")
    )
    assert worst == result(measured, "harrell_c").estimate < excluded


def test_calibration_leaves_missing_outputs_out(measured) -> None:
    assert result(measured, "calibration_slope_at_time").n < result(measured, "harrell_c").n


def test_groups_are_compared(measured) -> None:
    for name in ("harrell_c", "brier_at_time"):
        assert result(measured, f"{name}.sex.heterogeneity").p_value is not None
        assert result(measured, f"{name}.sex.F-vs-M").interval is not None


def test_order_of_rows_changes_no_byte(measured) -> None:
    again = measure(protocol(), MANIFEST, *made_cohort(order=7))
    assert canonical_bytes(again.as_dict()) == canonical_bytes(measured.as_dict())


def test_figures_are_drawn_in_both_forms(measured) -> None:
    figures = [figure for figure in measured.figures if figure.kind.startswith("survival")]
    assert {figure.kind for figure in figures} == {"survival_curves", "survival_calibration"}
    for form in ("exact", "public"):
        shown = []
        for figure in figures:
            data = dict(figure.data)
            public = data.pop("public")
            shown.append(
                {
                    "id": figure.id,
                    "kind": figure.kind,
                    "title": figure.title,
                    "data": data if form == "exact" else public,
                }
            )
        drawn = draw({"results": [], "figures": json.loads(json.dumps(shown))})
        assert {figure.id for figure in figures} <= drawn.keys()


def test_public_curves_step_only_where_eleven_have_left(measured) -> None:
    curves = next(figure for figure in measured.figures if figure.kind == "survival_curves")
    for group in curves.data["public"]["groups"]:
        counts = [one["n"] for one in group["followed"]]
        assert min(-np.diff([*counts, 0])) >= 11
    for figure in measured.figures:
        if figure.kind == "survival_calibration":
            assert min(one["patients"] for one in figure.data["public"]["groups"]) >= 11


def test_surprising_cases_are_listed_for_the_reviewer(measured) -> None:
    words = {one["outcome"] for one in measured.errors}
    assert words == {"event_at_low_risk", "survival_at_high_risk"}
    assert all(one["case"].startswith("cas_") for one in measured.errors)


def test_without_a_risk_the_predicted_one_at_the_time_ranks(measured) -> None:
    names = ("auc_at_time", "uno_c")
    asked = protocol(endpoints=[endpoint(name) for name in names], subgroups=[])
    found = measure(asked, MANIFEST, *made_cohort(with_risk=False))
    for name in names:
        assert result(found, name).estimate == pytest.approx(
            result(measured, name).estimate, abs=1e-3
        )


def test_without_a_curve_its_quantities_count_as_failed() -> None:
    only = endpoint("brier_at_time", role="primary", itd_rule="exclude")
    asked = protocol(endpoints=[only], subgroups=[])
    found = measure(asked, MANIFEST, *made_cohort(with_curve=False))
    assert result(found, "brier_at_time").flags == ("not estimable: no cases",)


def test_enriched_sampling_refuses_what_it_shifts() -> None:
    asked = protocol(sampling_design={"kind": "case_control"}, subgroups=[])
    found = measure(asked, MANIFEST, *made_cohort())
    assert "refused" in result(found, "brier_at_time").flags[0]
    assert result(found, "harrell_c").estimate is not None


def test_time_beyond_follow_up_has_its_reason() -> None:
    late = endpoint("auc_at_time", role="primary", parameters={"time": 99_999})
    found = measure(protocol(endpoints=[late], subgroups=[]), MANIFEST, *made_cohort())
    assert "nobody is followed beyond" in result(found, "auc_at_time").flags[0]


def test_no_event_has_its_reason() -> None:
    observations, reference = made_cohort(60)
    texts = [
        json.dumps({"event": {"time": 100.0 + place, "observed": False}}) for place in range(60)
    ]
    place = reference.column_names.index("reference_outputs")
    quiet = reference.set_column(place, "reference_outputs", pa.array(texts))
    found = measure(protocol(subgroups=[]), MANIFEST, observations, quiet)
    for name in ("harrell_c", *PARAMETERS):
        suffix = ".main" if name in OF_RISK_GROUPS else ""
        assert result(found, name + suffix).flags == ("not estimable: there is no event",)


@pytest.mark.parametrize("event", [{"value": {"days": 3}}, {"category": "dead"}])
def test_reference_without_an_event_is_the_partners_fault(event) -> None:
    observations, reference = made_cohort(30)
    place = reference.column_names.index("reference_outputs")
    texts = reference["reference_outputs"].to_pylist()
    texts[4] = json.dumps(event)
    wrong = reference.set_column(place, "reference_outputs", pa.array(texts))
    with pytest.raises(DataError, match="no event"):
        measure(protocol(), MANIFEST, observations, wrong)


def test_protocol_that_names_impossible_times_is_refused() -> None:
    wrong = endpoint("integrated_brier", role="primary", parameters={"times": [200, 100]})
    with pytest.raises(InvalidInputError, match="do not rise"):
        measure(protocol(endpoints=[wrong], subgroups=[]), MANIFEST, *made_cohort(30))
