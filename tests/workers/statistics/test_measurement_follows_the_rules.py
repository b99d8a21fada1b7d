import pytest
from made_cohort import MANIFEST, endpoint, made_cohort, protocol

from proctor_backend.domain.result import Conclusion, Measurement, Result
from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure

AT_LEAST = {"bound": "lower", "comparator": ">="}


@pytest.fixture(scope="module")
def measured() -> Measurement:
    return measure(protocol(), MANIFEST, *made_cohort(600))


@pytest.fixture(scope="module")
def results(measured: Measurement) -> dict[str, Result]:
    return {result.id: result for result in measured.results}


def test_every_case_is_accounted_for(measured: Measurement) -> None:
    flow = measured.accountability
    excluded = sum(one["cases"] for one in flow["excluded"])
    assert flow["enrolled"]["cases"] == flow["run"]["cases"] + excluded
    assert flow["run"]["cases"] == sum(flow[s]["cases"] for s in ("ok", "indeterminate", "failed"))
    ruled = flow["run"]["cases"] - flow["indeterminate"]["cases"]
    assert flow["analysed"]["sensitivity.main"]["cases"] == ruled


def test_criterion_is_judged_by_the_lower_limit(results: dict[str, Result]) -> None:
    assert results["auroc"].interval.lower >= 0.7
    assert results["auroc"].conclusion is Conclusion.CRITERION_MET
    assert results["primary_objective"].conclusion is Conclusion.CRITERION_MET


def test_estimate_above_a_goal_that_the_limit_misses_is_not_met() -> None:
    observations, reference = made_cohort(600)
    goal = measure(protocol(), MANIFEST, observations, reference).results[1].estimate - 0.001
    strict = endpoint(
        "auroc", role="primary", criterion={"bound": "lower", "comparator": ">=", "value": goal}
    )
    found = measure(protocol(endpoints=[strict], subgroups=[]), MANIFEST, observations, reference)
    assert found.results[1].conclusion is Conclusion.CRITERION_NOT_MET


def test_worst_case_never_flatters(results: dict[str, Result]) -> None:
    for name in ("sensitivity.main", "specificity.main", "auroc", "auprc"):
        worst = results[f"{name}@worst_case"].estimate
        others = [results[f"{name}@{other}"].estimate for other in ("excluded",)]
        assert worst < min(others), name


def test_failure_rate_is_shown_by_reference_status_and_group(results: dict[str, Result]) -> None:
    assert results["failure_rate"].interval.method == "Clopper-Pearson"
    assert {"failure_rate.reference.positive", "failure_rate.sex.F"} <= results.keys()


def test_unknown_level_is_shown_and_not_tested(results: dict[str, Result]) -> None:
    assert "unknown: shown, not tested" in results["auroc.race.unknown"].flags
    assert "unknown" not in results["auroc.race.heterogeneity"].extra["levels_tested"]


def test_case_of_two_races_counts_in_both(results: dict[str, Result]) -> None:
    black, white = (results[f"auroc.race.{name}"].n for name in ("black", "white"))
    assert black + white + results["auroc.race.unknown"].n > results["auroc"].n


def test_fairness_measures_carry_expectation_and_no_conclusion(results: dict[str, Result]) -> None:
    found = [result for id_, result in results.items() if id_.startswith("fairlearn.")]
    assert found
    for result in found:
        assert result.interval is None
        assert result.conclusion is None
        assert result.extra["expected_under_equality"] >= 0


def test_repeated_patients_get_clustered_methods() -> None:
    found = measure(protocol(), MANIFEST, *made_cohort(600, rows_per_patient=3))
    method = {result.id: result.method for result in found.results}
    assert method["sensitivity.main"] == "Korn-Graubard"
    assert method["auroc"] == "Obuchowski on the logit"


def test_case_control_refuses_what_depends_on_prevalence() -> None:
    document = protocol(sampling_design={"kind": "case_control"}, target_population={})
    found = {
        result.id: result
        for result in measure(document, MANIFEST, *made_cohort(300)).results
        if result.id in {"ppv.main", "accuracy.main", "f1.main", "nnp.main", "auprc", "brier"}
    }
    assert len(found) == 6
    for result in found.values():
        assert result.estimate is None
        assert result.flags[0].startswith("refused: sampling was not consecutive")


def test_case_control_states_predictive_values_at_the_declared_prevalence() -> None:
    document = protocol(sampling_design={"kind": "case_control"})
    found = measure(document, MANIFEST, *made_cohort(300))
    ppv = next(result for result in found.results if result.id == "ppv.main")
    assert ppv.method.startswith("Mercaldo")
    assert ppv.extra["prevalence"] == 0.3


def test_planted_difference_is_shown_and_named() -> None:
    found = measure(protocol(), MANIFEST, *made_cohort(2000, gap=2.0))
    results = {result.id: result for result in found.results}
    assert results["sensitivity.main.sex.heterogeneity"].p_adjusted < 0.05
    contrast = results["sensitivity.main.sex.F-vs-M"]
    assert contrast.conclusion is Conclusion.DIFFERENCE_SHOWN
    assert contrast.interval.upper < -0.1


def test_equality_is_concluded_by_the_interval_inside_the_margin() -> None:
    found = measure(protocol(), MANIFEST, *made_cohort(2000))
    contrast = next(one for one in found.results if one.id == "specificity.main.sex.F-vs-M")
    assert contrast.conclusion is Conclusion.NO_RELEVANT_DIFFERENCE


def test_wrong_cases_are_listed_as_many_as_the_confusion_matrix_has() -> None:
    found = measure(protocol(subgroups=[]), MANIFEST, *made_cohort(300, failures=0.0))
    cells = next(one for one in found.figures if one.id == "confusion.main").data
    outcomes = [error["outcome"] for error in found.errors]
    assert outcomes.count("false_positive") == cells["fp"]
    assert outcomes.count("false_negative") == cells["fn"]


@pytest.mark.parametrize("kind", ["consecutive", "case_control"])
@pytest.mark.parametrize(("n", "failures"), [(12, 0.03), (25, 0.5), (25, 1.0)])
def test_tiny_or_failed_cohorts_end_in_flags_never_in_an_error(
    kind: str, n: int, failures: float
) -> None:
    document = protocol(sampling_design={"kind": kind})
    found = measure(document, MANIFEST, *made_cohort(n, failures=failures))
    assert all(result.estimate is not None or result.flags for result in found.results)
    assert canonical_bytes(found.as_dict())


def test_levels_that_share_rows_are_set_against_the_rows_they_lack(
    results: dict[str, Result],
) -> None:
    race = {
        name for name in results if name.startswith("sensitivity.main.race.") and "-vs-" in name
    }
    assert {name.rsplit(".", 1)[1] for name in race} == {"black-vs-rest", "white-vs-rest"}
    for name in race:
        one = results[name]
        assert one.interval.lower < one.estimate < one.interval.upper


def test_a_sensitivity_analysis_carries_no_word_of_a_judgement() -> None:
    goal = {"bound": "lower", "comparator": ">=", "value": 0.7}
    primary = [endpoint("auroc", role="primary", criterion=goal)]
    changes = {"multiplicity": {"primary": "holm"}, "endpoints": primary, "subgroups": []}
    found = measure(protocol(**changes), MANIFEST, *made_cohort(300, failures=0))
    told = [flag for one in found.results if one.scenario for flag in one.flags]
    assert not any(flag.startswith("judged") for flag in told)


@pytest.mark.parametrize(("goal", "opens"), [(0.7, True), (0.99, False)])
def test_secondary_criteria_wait_behind_the_primary_ones(goal: float, *, opens: bool) -> None:
    primary, *behind = (
        endpoint(name, role=role, point=point, criterion={**AT_LEAST, "value": value})
        for name, role, point, value in (
            ("auroc", "primary", None, goal),
            ("sensitivity", "secondary", "main", 0.3),
            ("specificity", "secondary", "main", 0.99),
        )
    )
    changes = {
        "multiplicity": {"primary": "gatekeeping"}, "endpoints": [primary, *behind],
        "subgroups": [],
    }  # fmt: skip
    found = measure(protocol(**changes), MANIFEST, *made_cohort(600))
    results = {one.id: one for one in found.results}
    objective = results["primary_objective"]
    assert (objective.conclusion is Conclusion.CRITERION_MET) == opens
    met, missed = results["sensitivity.main"], results["specificity.main"]
    if opens:
        assert (met.conclusion, missed.conclusion) == (
            Conclusion.CRITERION_MET, Conclusion.CRITERION_NOT_MET,
        )  # fmt: skip
        assert any("0.95 interval (Holm)" in flag for flag in missed.flags)  # one is left
        assert any("0.975 interval (Holm)" in flag for flag in met.flags)
    else:
        assert {met.conclusion, missed.conclusion} == {Conclusion.INCONCLUSIVE}
        assert any(flag.startswith("not tested: not all primary") for flag in met.flags)
