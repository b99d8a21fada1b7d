"""Every endpoint over the whole analysis set: results, scenarios, and the primary conclusion."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from proctor_backend.domain.result import Conclusion, Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Endpoint, Study, as_result, judged, scenario_rule
from proctor_workers.missing_outputs import apply_rule, missing, scenarios_of

_JUDGED = ("judged at", "not tested:")  # how flags on a judgement begin
_OBJECTIVE = {
    "co_primary": "all primary criteria must be met",
    "holm": "each primary criterion is judged at its Holm step",
    "fixed_sequence": "primary criteria are judged in order until one is not met",
    "gatekeeping": "all primary criteria must be met; only then are secondary ones judged, by Holm",
}


def overall_results(
    protocol: Mapping[str, Any],
    study: Study,
    analysis: AnalysisSet,
    compared: Sequence[Result] = (),
) -> list[Result]:
    """Estimate every endpoint by its rule and judge the criteria.

    `compared` are the comparisons with other raters: a primary one counts to the objective.
    """
    results = [_estimated(study, analysis, endpoint) for endpoint in study.endpoints]
    mode = (protocol.get("multiplicity") or {}).get("primary", "co_primary")
    conclusions = _conclusions(mode, study, analysis)
    for position, endpoint in enumerate(study.endpoints):
        if endpoint.criterion is not None:
            conclusion, flags = conclusions[endpoint.result_id]
            results[position] = replace(
                results[position],
                criterion=dict(endpoint.criterion),
                conclusion=conclusion,
                flags=results[position].flags + flags,
            )
    objective = _objective(mode, [*results, *compared])
    return results if objective is None else [objective, *results]


def _estimated(
    study: Study, analysis: AnalysisSet, endpoint: Endpoint, scenario: str | None = None
) -> Result:
    ruled = apply_rule(study, analysis, endpoint, scenario_rule(endpoint, scenario))
    found = endpoint.quantity.estimate(ruled.sample, study.plan(endpoint))
    if scenario is None:
        return as_result(endpoint, found)
    id_ = f"{endpoint.result_id}@{scenario}"
    return as_result(endpoint, found, id_=id_, role=Role.SENSITIVITY, scenario=scenario)


Judgement = tuple[Conclusion, tuple[str, ...]]


def _conclusions(mode: str, study: Study, analysis: AnalysisSet) -> dict[str, Judgement]:
    """Judge every criterion; several of them as the protocol's multiplicity has it."""
    decided = [endpoint for endpoint in study.endpoints if endpoint.criterion is not None]
    found: dict[str, Judgement] = {
        endpoint.result_id: (_judge(study, analysis, endpoint), ()) for endpoint in decided
    }
    primary = [endpoint for endpoint in decided if endpoint.role is Role.PRIMARY]
    if mode == "holm":
        found |= _holm(study, analysis, primary)
    if mode == "fixed_sequence":
        stopped = False
        for endpoint in primary:
            if stopped:
                flag = "not tested: an earlier endpoint of the fixed sequence was not met"
                found[endpoint.result_id] = (Conclusion.INCONCLUSIVE, (flag,))
            stopped |= found[endpoint.result_id][0] is not Conclusion.CRITERION_MET
    if mode == "gatekeeping":
        behind = [endpoint for endpoint in decided if endpoint.role is Role.SECONDARY]
        met = [found[one.result_id][0] is Conclusion.CRITERION_MET for one in primary]
        found |= _holm(study, analysis, behind) if met and all(met) else _closed(behind)
    return found


def _closed(behind: list[Endpoint]) -> dict[str, Judgement]:
    flag = "not tested: not all primary criteria were met"
    return {one.result_id: (Conclusion.INCONCLUSIVE, (flag,)) for one in behind}


def _judge(study: Study, analysis: AnalysisSet, endpoint: Endpoint) -> Conclusion:
    ruled = apply_rule(study, analysis, endpoint, endpoint.rule)
    found = endpoint.quantity.estimate(ruled.sample, study.plan(endpoint))
    return judged(endpoint.criterion or {}, found)


def _holm(study: Study, analysis: AnalysisSet, family: list[Endpoint]) -> dict[str, Judgement]:
    """Step down: judge all that are left at level 1 - alpha / (number left) until none passes."""
    left = list(family)
    found: dict[str, Judgement] = {}
    while left:
        level = 1 - study.alpha / len(left)
        flag = (f"judged at the {level:.4g} interval (Holm)",)
        step = {
            endpoint.result_id: _judge(study, analysis, replace(endpoint, level=level))
            for endpoint in left
        }
        found |= {id_: (conclusion, flag) for id_, conclusion in step.items()}
        met = {id_ for id_, conclusion in step.items() if conclusion is Conclusion.CRITERION_MET}
        if not met:
            break
        left = [endpoint for endpoint in left if endpoint.result_id not in met]
    return found


def _objective(mode: str, results: Sequence[Result]) -> Result | None:
    """Sum the primary criteria up in one conclusion."""
    primary = [one for one in results if one.role is Role.PRIMARY and one.criterion is not None]
    if not primary:
        return None
    met = [one.conclusion is Conclusion.CRITERION_MET for one in primary]
    conclusion = Conclusion.CRITERION_NOT_MET
    if any(met) if mode == "holm" else all(met):
        conclusion = Conclusion.CRITERION_MET
    elif all(one.conclusion is not Conclusion.CRITERION_NOT_MET for one in primary):
        conclusion = Conclusion.INCONCLUSIVE
    return Result(
        id="primary_objective",
        quantity="primary_objective",
        role=Role.PRIMARY,
        n=primary[0].n,
        patients=primary[0].patients,
        method=mode,
        definition="The study's primary objective: " + _OBJECTIVE[mode] + ".",
        conclusion=conclusion,
        flags=("a conclusion without a number of its own",),
        extra={"endpoints": [one.id for one in primary]},
    )


def scenario_results(
    study: Study, analysis: AnalysisSet, overall: Sequence[Result]
) -> list[Result]:
    """Estimate the declared endpoints with missing outputs excluded, as either, and at worst."""
    by_id = {result.id: result for result in overall}
    found = []
    for endpoint in study.endpoints:
        if endpoint.role is Role.DESCRIPTIVE:
            continue
        agree = endpoint.quantity.complete_cases or not missing(study, analysis, endpoint)
        for scenario in scenarios_of(study, analysis, endpoint):
            if agree or scenario_rule(endpoint, scenario) == endpoint.rule:  # already known
                found.append(_renamed(by_id[endpoint.result_id], endpoint, scenario))
            else:
                found.append(_estimated(study, analysis, endpoint, scenario))
    return found


def _renamed(result: Result, endpoint: Endpoint, scenario: str) -> Result:
    return replace(
        result,
        id=f"{endpoint.result_id}@{scenario}",
        role=Role.SENSITIVITY,
        scenario=scenario,
        criterion=None,
        conclusion=None,
        flags=tuple(flag for flag in result.flags if not flag.startswith(_JUDGED)),
    )
