"""Every declared endpoint by site: fixed sites side by side, random ones as a sample of sites."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from proctor_backend.domain.result import Interval, Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Endpoint, Study, as_result
from proctor_workers.missing_outputs import Ruled, apply_rule
from proctor_workers.subgroups.equality import equality_test
from proctor_workers.subgroups.levels import Factor, Level, attribute_levels
from proctor_workers.subgroups.sites import Sites, SitesTogether, together

SITE = "site"
_FEWEST = 2  # sites below which there is nothing to compare
_ALL = {"factor": SITE, "level": "all"}
_MANY = 20  # sites below which simulated predictions held a further site less often than stated
_FEW = "few sites: a prediction holds a further site less often than its level says"
_UNADJUSTED = "not adjusted for other tests: descriptive"


def site_results(study: Study, analysis: AnalysisSet, factors: Sequence[Factor]) -> list[Result]:
    """Return each site's value, and the test or the random effects over sites.

    Where the protocol compares sites as a subgroup, its own estimates and tests stand for fixed
    sites.
    """
    if SITE not in analysis.attributes:
        return []
    groups = study.setting.protocol.get("subgroups") or ()
    sites = attribute_levels(SITE, groups, analysis.attributes)
    if len(sites) < _FEWEST:
        return []
    compared = {name for one in factors if one.name == SITE for name in one.endpoints}
    taken_as = Sites(study.setting.protocol.get("sites", "fixed"))
    results: list[Result] = []
    for endpoint in study.endpoints:
        if endpoint.role is Role.DESCRIPTIVE:
            continue
        ruled = apply_rule(study, analysis, endpoint, endpoint.rule)
        levels = [Level(site.name, site.rows[ruled.kept]) for site in sites]
        if endpoint.id not in compared:
            results += _by_site(study, endpoint, ruled, levels)
            if taken_as is Sites.FIXED:
                results.append(_equality(study, endpoint, ruled, levels))
        if taken_as is Sites.RANDOM:
            results += _random(study, endpoint, ruled, levels)
    return results


def _by_site(
    study: Study, endpoint: Endpoint, ruled: Ruled, levels: Sequence[Level]
) -> Iterator[Result]:
    for site in levels:
        plan = study.plan(endpoint, group=f"/{SITE}")
        found = endpoint.quantity.estimate(ruled.sample.take(site.rows), plan)
        yield as_result(
            endpoint,
            found,
            id_=f"{endpoint.result_id}.{SITE}.{site.name}",
            role=Role.DESCRIPTIVE,
            group={"factor": SITE, "level": site.name},
        )


def _equality(study: Study, endpoint: Endpoint, ruled: Ruled, levels: Sequence[Level]) -> Result:
    plan = replace(study.plan(endpoint, group=f"/{SITE}"), seed=study.permutation_seed)
    test = equality_test(
        endpoint.quantity, ruled.sample, [(one.name, one.rows) for one in levels], plan
    )
    return Result(
        **_common(endpoint, ruled, "heterogeneity"),
        method=test.method,
        definition=f"Test that {endpoint.metric} is equal at all sites.",
        p_value=test.p_value,
        flags=(test.reason or "a test without an estimate of its own", _UNADJUSTED),
        extra={"statistic": test.statistic, "df": test.df, "levels_tested": list(test.levels)}
        | endpoint.said,
    )


def _random(
    study: Study, endpoint: Endpoint, ruled: Ruled, levels: Sequence[Level]
) -> Iterator[Result]:
    plan = study.plan(endpoint, group=f"/{SITE}")
    found = together(endpoint.quantity, ruled.sample, levels, plan)
    text = f"{endpoint.definition} Mean over sites taken as a sample of sites"
    if found.effects is None:
        yield Result(
            **_common(endpoint, ruled, "random-effects"),
            method="none",
            definition=f"{text}.",
            flags=(f"limitation: {found.reason}",),
        )
        return
    extra = _effects(found) | endpoint.said
    flags = (_FEW,) if found.effects.sites < _MANY else ()
    method = f"REML, Hartung-Knapp, {found.scale} scale"
    yield Result(
        **_common(endpoint, ruled, "random-effects"),
        method=method,
        definition=f"{text}; the interval is for the mean of all such sites.",
        estimate=found.mean,
        interval=_interval(found.limits, endpoint, method),
        flags=flags,
        extra=extra,
    )
    method = f"prediction by REML, t with {found.effects.sites - 2} df, {found.scale} scale"
    yield Result(
        **_common(endpoint, ruled, "prediction"),
        method=method,
        definition=f"{text}; the interval is where a site not seen is expected.",
        estimate=found.mean,
        interval=_interval(found.prediction, endpoint, method),
        flags=flags,
        extra=extra,
    )


def _effects(found: SitesTogether) -> dict[str, Any]:
    effects = found.effects
    if effects is None:
        return {}
    return {
        "sites": effects.sites,
        "tau2": effects.tau2,
        "i2": effects.i2,
        "q": effects.q.statistic,
        "q_p_value": effects.q.p_value,
        "scale": found.scale,
        "weights": {
            site.site: float(weight)
            for site, weight in zip(found.pooled, effects.weights, strict=True)
        },
    }


def _common(endpoint: Endpoint, ruled: Ruled, suffix: str) -> dict[str, Any]:
    sample = ruled.sample
    return {
        "id": f"{endpoint.result_id}.{SITE}.{suffix}",
        "quantity": endpoint.metric,
        "role": Role.DESCRIPTIVE,
        "group": _ALL,
        "n": len(sample),
        "patients": sample.patients,
        "n_positive": sample.n_positive,
    }


def _interval(
    limits: tuple[float, float] | None, endpoint: Endpoint, method: str
) -> Interval | None:
    if limits is None:
        return None
    return Interval(lower=limits[0], upper=limits[1], level=endpoint.level, method=method)
