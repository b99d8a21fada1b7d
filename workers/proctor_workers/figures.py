"""The numbers of every figure of a measurement."""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.result import Figure, Result
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.endpoints import Endpoint, Study


def measurement_figures(
    study: Study, analysis: AnalysisSet, results: Sequence[Result], flow: Mapping[str, Any]
) -> list[Figure]:
    """Return the flow, what fits the kind of task, and a forest plot for each endpoint."""
    forests = (_forest(endpoint, results) for endpoint in study.endpoints)
    return [
        Figure(id="flow", kind="flow", title="Flow of cases", data=flow),
        *study.kind.figures(study, analysis, results),
        *(figure for figure in forests if figure is not None),
    ]


def _forest(endpoint: Endpoint, results: Sequence[Result]) -> Figure | None:
    rows = [
        _row(one)
        for one in results
        if one.group is not None
        and one.quantity == endpoint.metric
        and one.id.startswith(f"{endpoint.result_id}.")
        and one.estimate is not None
        and one.id == f"{endpoint.result_id}.{one.group['factor']}.{one.group['level']}"
    ]
    overall = next(one for one in results if one.id == endpoint.result_id)
    if not rows or overall.estimate is None:
        return None
    return Figure(
        id=f"forest.{endpoint.result_id}",
        kind="forest",
        title=f"{endpoint.result_id} by subgroup",
        data={"overall": _row(overall), "rows": rows, "quantity": endpoint.metric},
    )


def _row(result: Result) -> dict[str, Any]:
    interval = result.interval
    return {
        "result": result.id,
        "group": None if result.group is None else dict(result.group),
        "estimate": result.estimate,
        "lower": None if interval is None else interval.lower,
        "upper": None if interval is None else interval.upper,
        "n": result.n,
        "patients": result.patients,
        "flags": list(result.flags),
    }
