"""Partial areas, calibration distances and net benefit through the whole measurement."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "statistics"))
import numpy as np
import pytest
from made_cohort import MANIFEST, endpoint, made_cohort, protocol

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.quantities import risks
from proctor_backend.reporting.figures import draw
from proctor_backend.services.protocols import check_protocol
from proctor_workers.measurement import measure

GIVEN: dict[str, dict[str, Any]] = {
    "partial_auc": {"low": 0.8, "high": 1.0},
    "sensitivity_at_specificity": {"specificity": 0.8},
    "specificity_at_sensitivity": {"sensitivity": 0.8},
    "net_benefit": {"threshold": 0.3},
    "maximum_calibration_error": {"binning": "equal_mass", "of": "top_label"},
}
NAMES = [quantity.name for quantity in risks.QUANTITIES]
DISTANCES = [quantity.name for quantity in risks.QUANTITIES if not quantity.decides]


def asked(**changes: Any) -> dict[str, Any]:
    document = protocol(subgroups=[], **changes)
    document["endpoints"] += [
        endpoint(name) | {"parameters": GIVEN.get(name, {})} for name in NAMES
    ]
    return document


@pytest.fixture(scope="module")
def measured():
    return measure(asked(), MANIFEST, *made_cohort(300))


def result(measured, id_):
    return next(one for one in measured.results if one.id == id_)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DISTANCES])
def test_quantity_has_an_interval_that_holds_it(measured, name) -> None:
    one = result(measured, name)
    assert one.interval.lower < one.estimate < one.interval.upper


@pytest.mark.parametrize("name", [name for name in DISTANCES if name != "spiegelhalter_z"])
def test_distance_stands_beside_what_calibration_would_show(measured, name) -> None:
    one = result(measured, name)
    assert one.interval is None
    assert 0 < one.extra["mean_if_calibrated"] < one.extra["p95_if_calibrated"]
    assert any("no interval" in flag for flag in one.flags)


def test_distance_has_an_interval_where_the_protocol_asks_for_the_bootstrap() -> None:
    document = protocol(subgroups=[])
    wanted = {"method": "bootstrap_bca", "level": 0.95}
    document["endpoints"].append(endpoint("integrated_calibration_index") | {"interval": wanted})
    one = result(measure(document, MANIFEST, *made_cohort(300)), "integrated_calibration_index")
    assert one.interval is not None
    assert any("misses its level" in flag for flag in one.flags)


def test_test_of_the_brier_score_has_a_p_value_and_no_interval(measured) -> None:
    one = result(measured, "spiegelhalter_z")
    assert one.interval is None
    assert 0 <= one.p_value <= 1


def test_distances_are_shown_by_level_and_never_tested() -> None:
    names = ["spiegelhalter_z", "expected_calibration_error"]
    document = protocol(subgroups=[{"attribute": "sex", "endpoints": names}])
    document["endpoints"] = [endpoint(name) for name in names]
    found = measure(document, MANIFEST, *made_cohort(300))
    for name in names:
        assert result(found, f"{name}.sex.F").estimate is not None
        assert result(found, f"{name}.sex.heterogeneity").p_value is None


def test_enriched_sampling_is_standardised_or_refused() -> None:
    found = measure(asked(sampling_design={"kind": "case_control"}), MANIFEST, *made_cohort(300))
    assert "standardised to the declared prevalence 0.3" in result(found, "net_benefit").flags
    assert "refused" in result(found, "spiegelhalter_z").flags[0]
    bare = asked(sampling_design={"kind": "case_control"}, target_population={})
    without = measure(bare, MANIFEST, *made_cohort(300))
    for name in ("net_benefit", "scaled_brier", "integrated_calibration_index"):
        assert result(without, name).flags[0].startswith("refused")
    assert result(without, "partial_auc").estimate is not None


def test_range_that_does_not_rise_is_refused() -> None:
    document = protocol(subgroups=[])
    document["endpoints"].append(endpoint("partial_auc") | {"parameters": {"low": 1, "high": 0.8}})
    with pytest.raises(InvalidInputError, match="begins below"):
        measure(document, MANIFEST, *made_cohort(60))


def test_criterion_on_a_distance_is_refused_when_the_protocol_is_written() -> None:
    example = Path(__file__).parents[3] / "docs/examples/protocols/binary-table.yaml"
    text = example.read_text("utf-8").replace(
        "metric: brier", "metric: integrated_calibration_index"
    )
    assert check_protocol(text) == []
    judged = text.replace(
        "    role: exploratory\n    definition: Mean squared",
        '    role: secondary\n    criterion: {bound: upper, comparator: "<=", value: 0.05}\n'
        "    definition: Mean squared",
    )
    assert "no interval" in check_protocol(judged)[0]["what"]


def figure(measured, kind):
    return next(one for one in measured.figures if one.kind == kind).data


def test_curves_have_bands_and_public_forms(measured) -> None:
    area = figure(measured, "roc")
    assert len(area["band"]["lower"]) == len(area["band"]["false_positive_rate"])
    assert len(area["public"]["true_positive_rate"]) < len(area["true_positive_rate"])
    bins = figure(measured, "calibration")
    assert bins["curve"] is not None
    assert min(one["patients"] for one in bins["public"]["bins"]) >= 11
    benefit = figure(measured, "decision_curve")
    assert np.all(np.array(benefit["lower"][:20]) <= np.array(benefit["model"][:20]))
    assert len(benefit["public"]["threshold"]) <= len(benefit["threshold"])


def test_decision_curve_runs_over_the_declared_thresholds() -> None:
    document = protocol(subgroups=[])
    for place, threshold in enumerate((0.1, 0.4)):
        one = endpoint("net_benefit") | {"id": f"benefit{place}"}
        document["endpoints"].append(one | {"parameters": {"threshold": threshold}})
    shown = figure(measure(document, MANIFEST, *made_cohort(120)), "decision_curve")["threshold"]
    assert (shown[0], shown[-1]) == (0.1, 0.4)


@pytest.mark.parametrize("form", ["exact", "public"])
def test_figures_are_drawn(measured, form) -> None:
    shown = []
    for kind in ("roc", "calibration", "decision_curve"):
        data = dict(figure(measured, kind))
        public = data.pop("public")
        one = data if form == "exact" else public
        shown.append({"id": kind, "kind": kind, "title": kind, "data": one})
    assert {"roc", "calibration", "decision_curve"} <= draw(
        {"results": [], "figures": shown}
    ).keys()
