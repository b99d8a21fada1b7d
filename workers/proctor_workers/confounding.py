"""Primary endpoints by what the leak audit found to go with the truth: the acquisition's facts.

Where slice count or maker goes with the reference standard, a model may have used it instead of
the disease. Within one level of the fact it cannot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from proctor_backend.domain.result import ACQUISITION, Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Endpoint, Study, as_result
from proctor_workers.missing_outputs import Ruled, apply_rule
from proctor_workers.subgroups.levels import Level, attribute_levels

MOST_LEVELS = 8  # the largest ones; the rest of a long list of models or views says little
FLAG = "exploratory: within one level of a fact that goes with the reference standard"


def confounding_results(
    study: Study, analysis: AnalysisSet, confounders: Sequence[str]
) -> list[Result]:
    """Return every primary endpoint within the levels of each confounder that the cohort keeps.

    Sites have results of their own.
    """
    names = [ACQUISITION + name for name in confounders]
    results: list[Result] = []
    for endpoint in study.endpoints:
        if endpoint.role is not Role.PRIMARY:
            continue
        ruled = apply_rule(study, analysis, endpoint, endpoint.rule)
        for name in names:
            if name in analysis.attributes:
                results += _by_level(study, analysis, endpoint, ruled, name)
    return results


def _by_level(
    study: Study, analysis: AnalysisSet, endpoint: Endpoint, ruled: Ruled, name: str
) -> Iterator[Result]:
    kept = [
        Level(level.name, level.rows[ruled.kept])
        for level in attribute_levels(name, (), analysis.attributes)
    ]
    largest = sorted(kept, key=lambda level: -int(level.rows.sum()))[:MOST_LEVELS]
    plan = study.plan(endpoint, group=f"/{name}")
    # A level's name is the cohort's own, and an id stays when the result is withheld: it counts.
    for number, level in enumerate((one for one in kept if one in largest), start=1):
        found = as_result(
            endpoint,
            endpoint.quantity.estimate(ruled.sample.take(level.rows), plan),
            id_=f"{endpoint.result_id}.{name}.{number}",
            role=Role.DESCRIPTIVE,
            group={"factor": name, "level": level.name},
        )
        yield replace(found, flags=(*found.flags, FLAG))
