"""The device beside other raters of the same cases: an earlier version, a cleared device, a reader.

Both arms answer the same cases under the same rule for missing outputs; differences are device
minus rater, over pairs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.domain.result import Conclusion, Interval, Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import Cases
from proctor_workers.endpoints import Endpoint, Study, as_result
from proctor_workers.kinds.base import BEST, WORST, Kind, Setting
from proctor_workers.metrics.case_values import CaseMean, CaseMedian
from proctor_workers.metrics.forecast_tests import compare_losses
from proctor_workers.metrics.forecasting_quantities import ForecastFormula
from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.multiclass import Kappa, called_by_both, category_tests
from proctor_workers.metrics.sample import Sample
from proctor_workers.metrics.segmentation.signed_ranks import patient_differences, signed_ranks
from proctor_workers.missing_outputs import apply_rule, missing
from proctor_workers.statistics.bootstrap import acceleration, bca_limits
from proctor_workers.statistics.checks import NotEstimableError
from proctor_workers.statistics.paired import (
    Aim,
    compare_areas,
    compare_shares,
    equivalent_tests,
    judge_difference,
    newcombe_paired,
    relative_predictive_value,
    weighted_score_test,
)
from proctor_workers.statistics.shared import Difference
from proctor_workers.units import to_units

# Which calls and which reference a predictive value counts: as they are, or their complements.
_PREDICTIVE = {"ppv": True, "npv": False}
_FIRST_P = ("McNemar exact", "Durkalski")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A paired difference with its method, p values by test, and what else belongs beside it.

    `pairs` are the rows that count: a share's denominator, else all.
    """

    pairs: Sample
    difference: Difference
    method: str
    p_values: Mapping[str, float]
    reference_test: str | None = None
    extra: Mapping[str, Any] | None = None


def arms(kind: Kind, setting: Setting, cases: Cases, device: AnalysisSet) -> dict[str, AnalysisSet]:
    """Read every rater that an endpoint is compared with, in the device's own units of analysis.

    `device` is the analysis set before cases are collapsed to units.

    Raises:
        InvalidInputError: the cohort has no such rater.
    """
    protocol = setting.protocol
    beside = (protocol.get("comparator") or {}).get("rater")
    named = {(one.get("comparison") or {}).get("against") for one in protocol["endpoints"]}
    found = {}
    for name in sorted(named | {beside} - {None}, key=str):
        if name is None:
            continue
        answers = cases.rater(name)
        columns = kind.read(setting, cases, answers)
        other = replace(device, status=answers.status, columns=columns)
        found[name] = to_units(kind, setting, other)
    return found


def comparison_results(
    study: Study, device: AnalysisSet, others: Mapping[str, AnalysisSet]
) -> list[Result]:
    """Compare the device with another rater for every endpoint that names one."""
    results: list[Result] = []
    for endpoint in study.endpoints:
        if endpoint.comparison is not None:
            rater = str(endpoint.comparison["against"])
            results += _compared(study, endpoint, device, others[rater])
    return results


def _compared(
    study: Study, endpoint: Endpoint, device: AnalysisSet, other: AnalysisSet
) -> Iterator[Result]:
    rules = (endpoint.rule, endpoint.rule)
    yield _alone(study, endpoint, other)
    yield _difference(study, endpoint, (device, other), rules)
    if endpoint.role is not Role.DESCRIPTIVE and _worst_exists(study, endpoint, device, other):
        yield _difference(study, endpoint, (device, other), ("worst_case", "best_case"))


def _worst_exists(
    study: Study, endpoint: Endpoint, device: AnalysisSet, other: AnalysisSet
) -> bool:
    """Whether outputs are missing and the kind says what is worst for one and best for the other.

    Where only the device lacks outputs, the worst for it is enough.
    """
    if endpoint.quantity.complete_cases or WORST not in study.view(device, endpoint).fills:
        return False
    lacking = [missing(study, analysis, endpoint) for analysis in (device, other)]
    return any(lacking) and (not lacking[1] or BEST in study.view(other, endpoint).fills)


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.result_id}~{(endpoint.comparison or {})['against']}"


def _alone(study: Study, endpoint: Endpoint, other: AnalysisSet) -> Result:
    """Return the rater's own value by the endpoint's rule and method."""
    sample = apply_rule(study, other, endpoint, endpoint.rule).sample
    found = endpoint.quantity.estimate(sample, study.plan(endpoint))
    result = as_result(endpoint, found, id_=f"{_name(endpoint)}.alone", role=Role.DESCRIPTIVE)
    said = {"against": (endpoint.comparison or {})["against"]}
    return replace(result, extra=dict(result.extra) | said)


def _difference(
    study: Study,
    endpoint: Endpoint,
    both: tuple[AnalysisSet, AnalysisSet],
    rules: tuple[str, str],
) -> Result:
    ruled = [
        apply_rule(study, analysis, endpoint, rule)
        for analysis, rule in zip(both, rules, strict=True)
    ]
    paired = ruled[0].kept & ruled[1].kept
    first, second = (one.sample.take(paired[one.kept]) for one in ruled)
    sensitivity = rules[0] != endpoint.rule or rules[1] != endpoint.rule
    plan = study.plan(endpoint, group="/paired")
    found = compare(endpoint, first, second, plan)
    worst = " The device's missing outputs count at their worst, the rater's at their best."
    rule = worst if sensitivity else " Missing outputs: the endpoint's rule in both arms."
    unpaired = int(np.sum(ruled[0].kept ^ ruled[1].kept))
    flags = [found.difference.reason] if found.difference.reason else []
    if unpaired:
        flags.append(f"{unpaired} cases left out: the rule keeps them in one arm only")
    result = Result(
        id=_name(endpoint) + ("@worst_case" if sensitivity else ""),
        quantity=f"{endpoint.metric}_difference",
        role=Role.SENSITIVITY if sensitivity else Role.DESCRIPTIVE,
        estimate=_finite(found.difference.estimate),
        interval=_interval(found, endpoint),
        n=len(found.pairs),
        patients=found.pairs.patients,
        n_positive=found.pairs.n_positive,
        method=found.method,
        definition=f"{endpoint.definition} Device minus {_rater(endpoint)} on the same cases."
        + rule,
        reference_test=found.reference_test,
        p_value=next((p for name, p in found.p_values.items() if _leads(name)), None),
        scenario="worst_case" if sensitivity else None,
        flags=tuple(flags),
        extra={"against": _rater(endpoint), "p_values": dict(found.p_values)}
        | dict(found.extra or {})
        | endpoint.said,
    )
    return result if sensitivity else _judged(endpoint, result, found.difference)


def _rater(endpoint: Endpoint) -> str:
    return str((endpoint.comparison or {})["against"])


def _leads(name: str) -> bool:
    """Whether a test's p value stands beside the difference; the others stand in its extras."""
    return name in _FIRST_P or not name.startswith("McNemar")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _interval(found: Compared, endpoint: Endpoint) -> Interval | None:
    lower, upper = found.difference.lower, found.difference.upper
    if lower is None or upper is None:
        return None
    return Interval(lower=lower, upper=upper, level=endpoint.level, method=found.method)


def _judged(endpoint: Endpoint, result: Result, found: Difference) -> Result:
    """Judge the declared hypothesis by the interval's bound; without one nothing is concluded."""
    declared = endpoint.comparison or {}
    if declared.get("hypothesis") is None:
        return result
    aim = Aim(declared["hypothesis"])
    margin = float(declared.get("margin") or 0.0)
    larger = QUANTITIES[endpoint.metric].better != "lower"
    conclusion: Conclusion = judge_difference(found, aim, margin=margin, larger_is_better=larger)
    return replace(
        result,
        role=endpoint.role,
        conclusion=conclusion,
        criterion=_criterion(aim, margin, larger=larger),
        extra=dict(result.extra)
        | {
            "hypothesis": str(aim),
            "margin": margin,
            "reason": declared.get("reason"),
            "amounts_to": equivalent_tests(aim, endpoint.level),
        },
    )


def _criterion(aim: Aim, margin: float, *, larger: bool) -> dict[str, Any]:
    if aim is Aim.EQUIVALENCE:
        return {"hypothesis": str(aim), "margin": margin}
    edge = margin if aim is Aim.SUPERIORITY else -margin
    if larger:
        return {"hypothesis": str(aim), "bound": "lower", "comparator": ">", "value": edge}
    return {"hypothesis": str(aim), "bound": "upper", "comparator": "<", "value": -edge + 0.0}


def compare(endpoint: Endpoint, first: Sample, second: Sample, plan: Plan) -> Compared:
    """Compare one quantity of two raters on the same rows.

    Shares of the same rows: Tango and McNemar, clustered Durkalski and patient bootstrap. Areas
    under the ROC curve: paired DeLong. Everything else: patient bootstrap over the same draws,
    beside it Wilcoxon's signed ranks where every case has a value, Diebold and Mariano's test
    where every forecast has a loss.
    """
    metric, design = endpoint.quantity, plan.design
    refused = metric.refusal(first, design) or metric.refusal(second, design)
    if refused:
        nothing = Difference(estimate=float("nan"), reason=refused)
        return Compared(pairs=first, difference=nothing, method="none", p_values={})
    counted = (metric.share_of(first, design), metric.share_of(second, design))
    if counted[0] is not None and counted[1] is not None:
        if np.array_equal(counted[0].inside, counted[1].inside):
            inside = counted[0].inside
            hits = (counted[0].hit[inside], counted[1].hit[inside])
            return _shares(first.take(inside), hits, plan)
        return _with_ratio(endpoint, first, second, plan)
    if metric.family == "auroc" and not first.weighted:
        found = compare_areas(
            first.score, second.score, first.positive, first.patient, level=plan.level
        )
        p_values = {} if found.p_value is None else {"DeLong": found.p_value}
        return Compared(
            pairs=first,
            difference=found.difference,
            method=found.method,
            p_values=p_values,
            reference_test="R02",
        )
    if isinstance(metric, CaseMean | CaseMedian):
        return _with_signed_ranks(endpoint, first, second, plan)
    return _resampled(endpoint, first, second, plan)


def _shares(inside: Sample, hits: tuple[Any, Any], plan: Plan) -> Compared:
    _, stratum = inside.codes()
    found = compare_shares(
        *hits,
        patient=inside.patient,
        weight=inside.weight,
        plan=plan.resampling(stratum),
        level=plan.level,
    )
    counts = found.counts
    cells = (counts.both, counts.first_only, counts.second_only, counts.neither)
    extra: dict[str, Any] = {
        "both": cells[0],
        "device_only": cells[1],
        "rater_only": cells[2],
        "neither": cells[3],
    }
    if found.method == "Tango":
        extra["newcombe"] = list(newcombe_paired(*cells, plan.level))
    return Compared(
        pairs=inside,
        difference=found.difference,
        method=found.method,
        p_values=found.p_values,
        reference_test="R13" if found.method == "Tango" else None,
        extra=extra,
    )


def _resampled(endpoint: Endpoint, first: Sample, second: Sample, plan: Plan) -> Compared:
    """Return the difference with BCa limits: both arms see the same draws of patients."""
    metric, design = endpoint.quantity, plan.design
    _, stratum = first.codes()
    draws = plan.resampling(stratum)
    gap = metric.point(first, design) - metric.point(second, design)
    method = f"patient bootstrap of pairs, BCa, {plan.resamples} resamples"
    if not np.isfinite(gap):
        found = Difference(estimate=gap, reason="not estimable: the quantity is undefined here")
        return Compared(pairs=first, difference=found, method=method, p_values={})
    replicates = metric.replicate(first, design, draws) - metric.replicate(second, design, draws)
    pull = metric.influence(first, design) - metric.influence(second, design)
    limits = bca_limits(gap, replicates, acceleration(pull, stratum), plan.level)
    difference = Difference(
        estimate=gap,
        lower=limits.lower,
        upper=limits.upper,
        reason=limits.reason,
    )
    extra: dict[str, Any] = {}
    if isinstance(metric, Kappa):  # of what both called, whatever the reference standard
        extra = category_tests(called_by_both(first, second))
    p_values: dict[str, float] = {}
    if isinstance(metric, ForecastFormula) and metric.loss is not None and not first.weighted:
        p_values, extra = _losses_tested(metric, (first, second), plan.level)
    return Compared(
        pairs=first, difference=difference, method=method, p_values=p_values, extra=extra
    )


def _with_signed_ranks(endpoint: Endpoint, first: Sample, second: Sample, plan: Plan) -> Compared:
    """Compare the cases that have a value in both arms; add Wilcoxon's test and its limits."""
    both = ~np.isnan(first["value"]) & ~np.isnan(second["value"])
    if not both.any():
        nothing = Difference(estimate=float("nan"), reason="not estimable: no case has both values")
        return Compared(pairs=first, difference=nothing, method="none", p_values={})
    first, second = first.take(both), second.take(both)
    found = _resampled(endpoint, first, second, plan)
    if first.weighted:
        return found
    code, _ = first.codes()
    ranks = signed_ranks(
        patient_differences(first["value"], second["value"], code), level=plan.level
    )
    extra = {
        "hodges_lehmann": ranks.middle,
        "hodges_lehmann_lower": ranks.lower,
        "hodges_lehmann_upper": ranks.upper,
    }
    return replace(found, p_values={"Wilcoxon signed-rank": ranks.p_value}, extra=extra)


def _losses_tested(
    metric: ForecastFormula, both: tuple[Sample, Sample], level: float
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the p value of the test of the forecasts' losses, and what it is, or why not."""
    try:
        test, horizon = compare_losses(metric, *both, level)
    except NotEstimableError as error:
        return {}, {"diebold_mariano": {"reason": f"not estimable: {error}"}}
    said = {"statistic": test.statistic, "horizon": horizon, "df": test.df}
    return {test.method: test.p_value}, {"diebold_mariano": said}


def _with_ratio(endpoint: Endpoint, first: Sample, second: Sample, plan: Plan) -> Compared:
    """Add the ratio of two predictive values, whose denominators the raters themselves choose."""
    found = _resampled(endpoint, first, second, plan)
    if endpoint.metric not in _PREDICTIVE or first.weighted:
        return found
    calls, positive = (first.call, second.call), first.positive
    if not _PREDICTIVE[endpoint.metric]:
        calls, positive = (~first.call, ~second.call), ~positive
    ratio = relative_predictive_value(*calls, positive, first.patient, level=plan.level)
    p_values = {} if ratio.p_value is None else {"Moskowitz-Pepe": ratio.p_value}
    if not first.clustered and ratio.ratio is not None:
        test = weighted_score_test(*calls, positive)
        p_values = {test.method: test.p_value} | p_values
    extra = {"ratio": ratio.ratio, "ratio_lower": ratio.lower, "ratio_upper": ratio.upper}
    return replace(found, p_values=p_values, extra=extra)
