"""Subgroups as results: levels, tests, contrasts, one adjustment over each declared family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.result import Conclusion, Interval, Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Endpoint, Study, as_result
from proctor_workers.explanations import Background, Contrasted, explained
from proctor_workers.metrics.metric import Estimate
from proctor_workers.metrics.sample import Sample
from proctor_workers.missing_outputs import Ruled, apply_rule
from proctor_workers.statistics.arrays import Bools
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.multiplicity import holm
from proctor_workers.subgroups.contrast import (
    Contrast,
    conclude,
    contrast,
    draw_together,
    opposing,
)
from proctor_workers.subgroups.equality import EqualityTest, equality_test
from proctor_workers.subgroups.fairness import fairness_measures
from proctor_workers.subgroups.levels import (
    UNKNOWN,
    Factor,
    Level,
    UnknownAttributeError,
    build_factors,
)

_FAIRNESS_FLAGS = ("no interval, no conclusion: at least 0 or at most 1 by construction",)
_UNDEFINED = "not estimable: a ratio of two zeros"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A level against the others, with its own test."""

    level: Level
    other: Level
    found: Contrast
    test: EqualityTest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """One factor for one endpoint, before any adjustment."""

    factor: Factor
    endpoint: Endpoint
    shown: tuple[Result, ...]
    test: EqualityTest
    pairs: tuple[_Pair, ...]
    ruled: Ruled

    @property
    def sample(self) -> Sample:
        return self.ruled.sample

    @property
    def base(self) -> str:
        return f"{self.endpoint.result_id}.{self.factor.name}"


def factors_of(protocol: Mapping[str, Any], analysis: AnalysisSet) -> list[Factor]:
    """Build the protocol's factors over the analysis set.

    Raises:
        InvalidInputError: the cohort lacks an attribute that the protocol names.
    """
    try:
        return build_factors(protocol.get("subgroups") or (), analysis.attributes)
    except UnknownAttributeError as error:
        raise InvalidInputError(
            f"The cohort has no attribute '{error.args[0]}' that a subgroup names.",
            cure="Correct the protocol by an amendment, or add the attribute to the cohort.",
        ) from error


def subgroup_results(study: Study, analysis: AnalysisSet, known: Background) -> list[Result]:
    """Estimate, test and contrast every factor and endpoint; adjust over each family.

    Behind each contrast stands what remains of it within other attributes, and what the data say
    of its causes.
    """
    endpoints = {endpoint.id: endpoint for endpoint in study.endpoints}
    compared = []
    for factor in known.factors:
        for name in factor.endpoints:
            if name not in endpoints:
                raise InvalidInputError(f"A subgroup names the unknown endpoint '{name}'.")
            compared.append(_compare(study, analysis, factor, endpoints[name]))
    adjusted = _adjusted(compared)
    results: list[Result] = []
    for one, p_adjusted in zip(compared, adjusted, strict=True):
        results += [*one.shown, _heterogeneity(one, p_adjusted)]
        for pair, result in _contrasts(one, p_adjusted, study.alpha):
            contrasted = Contrasted(result=result, level=pair.level, other=pair.other)
            results.append(result)
            results += explained(
                study, analysis, one.ruled, one.factor, one.endpoint, contrasted, known
            )
    return results


def _compare(study: Study, analysis: AnalysisSet, factor: Factor, endpoint: Endpoint) -> _Compared:
    ruled = apply_rule(study, analysis, endpoint, endpoint.rule)
    levels = [Level(level.name, level.rows[ruled.kept]) for level in factor.levels]
    opponents = _opponents(levels)
    own = {level.name: _estimate(study, ruled, factor, endpoint, level) for level in levels}
    estimates: dict[str, tuple[Estimate, Estimate | None]] = {}
    for name, value in own.items():
        other = opponents.get(name)
        against = None
        if other is not None:
            known = own.get(other.name) if len(levels) == 2 else None
            plan = study.plan(endpoint, group=f"/{factor.name}")
            rest = ruled.sample.take(other.rows)
            against = known or opposing(endpoint.quantity, rest, value, plan)
        estimates[name] = (value, against)
    return _Compared(
        factor=factor,
        endpoint=endpoint,
        shown=tuple(_shown(study, ruled, factor, endpoint, estimates)),
        test=_test(study, ruled, factor, endpoint, levels),
        pairs=tuple(_pairs(study, ruled, factor, endpoint, levels, estimates)),
        ruled=ruled,
    )


def _opponents(levels: list[Level]) -> dict[str, Level]:
    """Return what each level is set against: the other of two, else its complement.

    Where rows stand in both of two levels, each is set against the rows that it lacks.
    """
    if len(levels) < 2:
        return {}
    if len(levels) == 2 and not np.any(levels[0].rows & levels[1].rows):
        return {levels[0].name: levels[1], levels[1].name: levels[0]}
    known = np.any([level.rows for level in levels], axis=0)
    return {level.name: Level("rest", known & ~level.rows) for level in levels}


def _estimate(
    study: Study, ruled: Ruled, factor: Factor, endpoint: Endpoint, level: Level
) -> Estimate:
    plan = study.plan(endpoint, group=f"/{factor.name}")
    return endpoint.quantity.estimate(ruled.sample.take(level.rows), plan)


def _shown(
    study: Study,
    ruled: Ruled,
    factor: Factor,
    endpoint: Endpoint,
    estimates: Mapping[str, tuple[Estimate, Estimate | None]],
) -> list[Result]:
    results = []
    for name, (own, other) in estimates.items():
        group = {"factor": factor.name, "level": name}
        id_ = f"{endpoint.result_id}.{factor.name}.{name}"
        result = as_result(endpoint, own, id_=id_, role=Role.DESCRIPTIVE, group=group)
        if own.value is not None and other is not None and other.value:
            ratio = {"ratio_to_others": own.value / other.value}
            result = replace(result, extra=dict(result.extra) | ratio)
        results.append(result)
    unknown = factor.unknown[ruled.kept]
    if unknown.any():
        own = _estimate(study, ruled, factor, endpoint, Level(UNKNOWN, unknown))
        group = {"factor": factor.name, "level": UNKNOWN}
        id_ = f"{endpoint.result_id}.{factor.name}.{UNKNOWN}"
        result = as_result(endpoint, own, id_=id_, role=Role.DESCRIPTIVE, group=group)
        results.append(replace(result, flags=(*result.flags, "unknown: shown, not tested")))
    return results


def _test(
    study: Study, ruled: Ruled, factor: Factor, endpoint: Endpoint, levels: list[Level]
) -> EqualityTest:
    plan = replace(study.plan(endpoint, group=f"/{factor.name}"), seed=study.permutation_seed)
    pairs = [(level.name, level.rows) for level in levels]
    return equality_test(endpoint.quantity, ruled.sample, pairs, plan)


def _pairs(
    study: Study,
    ruled: Ruled,
    factor: Factor,
    endpoint: Endpoint,
    levels: list[Level],
    estimates: Mapping[str, tuple[Estimate, Estimate | None]],
) -> list[_Pair]:
    opponents = _opponents(levels)
    found = []
    two = bool(opponents) and opponents[levels[0].name] is levels[-1]
    chosen = levels[:1] if two else levels
    plan = study.plan(endpoint, group=f"/{factor.name}")
    sets = [(level.rows, opponents[level.name].rows) for level in chosen if opponents]
    own = [estimates[level.name][0] for level in chosen]
    draw_together(endpoint.quantity, ruled.sample, sets, own, plan)
    for level in chosen:
        other, pair = opponents.get(level.name), estimates[level.name]
        if other is None or pair[1] is None:
            continue
        found.append(
            _Pair(
                level=level,
                other=other,
                found=contrast(
                    endpoint.quantity,
                    ruled.sample,
                    level.rows,
                    other.rows,
                    pair=(pair[0], pair[1]),
                    plan=plan,
                ),
                test=equality_test(
                    endpoint.quantity,
                    ruled.sample,
                    [(level.name, level.rows), (other.name, other.rows)],
                    replace(plan, seed=study.permutation_seed),
                ),
            )
        )
    return found


def _adjusted(compared: Sequence[_Compared]) -> list[float | None]:
    """Adjust by one Holm over every tested factor and endpoint; an untested one counts as p = 1.

    Families that are named apart are not adjusted apart: the error of the whole search grows with
    what is searched, whatever it is called.
    """
    adjusted: list[float | None] = [None] * len(compared)
    members = [index for index, one in enumerate(compared) if one.factor.family is not None]
    p_values = [compared[index].test.p_value for index in members]
    steps = holm([1.0 if p_value is None else p_value for p_value in p_values])
    for index, p_value, step in zip(members, p_values, steps, strict=True):
        adjusted[index] = None if p_value is None else step
    return adjusted


def _heterogeneity(one: _Compared, p_adjusted: float | None) -> Result:
    in_family = one.factor.family is not None
    flags = [] if in_family else ["descriptive: not in a declared family"]
    flags.append(one.test.reason or "a test without an estimate of its own")
    return Result(
        id=f"{one.base}.heterogeneity",
        quantity=one.endpoint.metric,
        role=Role.BIAS if in_family else Role.DESCRIPTIVE,
        group={"factor": one.factor.name, "level": "all"},
        n=len(one.sample),
        patients=one.sample.patients,
        n_positive=one.sample.n_positive,
        method=one.test.method,
        definition=f"Test that {one.endpoint.metric} is equal over the levels of "
        f"{one.factor.name}.",
        p_value=one.test.p_value if in_family else None,
        p_adjusted=p_adjusted,
        flags=tuple(flags),
        extra={
            "statistic": one.test.statistic,
            "df": one.test.df,
            "levels_tested": list(one.test.levels),
            "family": one.factor.family,
            "margin": one.factor.margin,
        }
        | one.endpoint.said,
    )


def _contrasts(one: _Compared, p_factor: float | None, alpha: float) -> list[tuple[_Pair, Result]]:
    """Name levels only after their factor rejects: closed testing, Holm within the factor."""
    within = holm([1.0 if pair.test.p_value is None else pair.test.p_value for pair in one.pairs])
    in_family = one.factor.family is not None
    results = []
    for pair, step in zip(one.pairs, within, strict=True):
        p_adjusted = None
        if in_family and p_factor is not None and pair.test.p_value is not None:
            p_adjusted = max(p_factor, step)
        result = _contrast_result(one, pair, p_adjusted, alpha, in_family=in_family)
        results.append((pair, result))
    return results


def _contrast_result(
    one: _Compared, pair: _Pair, p_adjusted: float | None, alpha: float, *, in_family: bool
) -> Result:
    found, margin = pair.found, one.factor.margin
    flags = [] if found.reason is None else [found.reason]
    if pair.test.reason:
        flags.append(pair.test.reason)
    interval = None
    if found.lower is not None and found.upper is not None:
        interval = Interval(
            lower=found.lower, upper=found.upper, level=one.endpoint.level, method=found.method
        )
    conclusion: Conclusion | None = None
    if in_family:
        rejected = p_adjusted is not None and p_adjusted <= alpha
        conclusion = conclude(found, rejected=rejected, margin=margin)
    level, other = pair.level.name, pair.other.name
    group = {"factor": one.factor.name, "level": level, "versus": other}
    return Result(
        id=f"{one.base}.{level}-vs-{other}",
        quantity=f"{one.endpoint.metric}_difference",
        role=Role.BIAS if in_family else Role.DESCRIPTIVE,
        group=group,
        estimate=found.difference,
        interval=interval,
        n=found.n,
        patients=found.patients,
        n_positive=found.n_positive,
        method=found.method,
        definition=f"{one.endpoint.metric} in {level} minus {other}, crude.",
        reference_test="R12" if found.method == "Miettinen-Nurminen" else None,
        p_value=pair.test.p_value if in_family else None,
        p_adjusted=p_adjusted,
        conclusion=conclusion,
        flags=tuple(flags),
        extra={"margin": margin, "test": pair.test.method, "family": one.factor.family}
        | one.endpoint.said,
    )


def fairness_results(
    study: Study, analysis: AnalysisSet, factors: Sequence[Factor]
) -> list[Result]:
    """Put fairlearn's measures into the appendix: points beside their expectation, no more."""
    results = []
    for point, sample, kept in study.kind.decisions(study, analysis):
        for factor in factors:
            results += _fairness(study, sample, kept, point, factor)
    return list({result.id: result for result in results}.values())


def _fairness(
    study: Study, sample: Sample, kept: Bools, point: str, factor: Factor
) -> list[Result]:
    if not factor.levels:
        return []
    level = np.column_stack([level.rows[kept] for level in factor.levels])
    measures = fairness_measures(
        sample.positive,
        sample.call,
        level,
        sample.patient,
        names=[level.name for level in factor.levels],
        stream=Stream(study.permutation_seed, f"fairness/{point}/{factor.name}"),
    )
    depends = " It depends on prevalence."
    return [
        Result(
            id=f"fairlearn.{point}.{factor.name}.{measure.name}",
            quantity=measure.name,
            role=Role.APPENDIX,
            group={"factor": factor.name, "level": "all"},
            estimate=measure.value,
            n=len(sample),
            patients=sample.patients,
            n_positive=sample.n_positive,
            method="fairlearn MetricFrame, point estimate",
            definition=f"{measure.name.replace('_', ' ').capitalize()} over the levels of "
            f"{factor.name}." + (depends if measure.name.startswith("selection") else ""),
            reference_test="R22",
            flags=_FAIRNESS_FLAGS if measure.value is not None else (_UNDEFINED, *_FAIRNESS_FLAGS),
            extra={"expected_under_equality": measure.expected},
        )
        for measure in measures
    ]
