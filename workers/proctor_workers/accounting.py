"""Who was enrolled, excluded, run and analysed, and what they were like."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.result import ACQUISITION
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import FAILED, INDETERMINATE, OK, Texts
from proctor_workers.endpoints import Study
from proctor_workers.missing_outputs import apply_rule, failed_units
from proctor_workers.statistics.arrays import Bools
from proctor_workers.subgroups.levels import Factor, build_factors

_MOST_LEVELS = 20  # an attribute with more values is summarised only where it is numeric


def accountability(study: Study, analysis: AnalysisSet) -> dict[str, Any]:
    """Return the flow from enrolled to analysed, in cases and patients."""
    flow: dict[str, Any] = {
        "enrolled": dict(analysis.enrolled),
        "excluded": [dict(one) for one in analysis.excluded],
        "run": _counts(analysis, np.ones(len(analysis), dtype=np.bool_)),
    }
    failed = failed_units(study, analysis)
    flow[OK] = _counts(analysis, ((analysis.status == OK) & ~failed).astype(np.bool_))
    flow[INDETERMINATE] = _counts(analysis, (analysis.status == INDETERMINATE).astype(np.bool_))
    flow[FAILED] = _counts(analysis, failed)
    flow["analysed"] = {
        endpoint.result_id: _counts(
            analysis,
            apply_rule(study, analysis, endpoint, endpoint.rule).kept,
        )
        for endpoint in study.endpoints
    }
    return flow


def _counts(analysis: AnalysisSet, rows: Bools) -> dict[str, int | None]:
    return {
        "cases": int(rows.sum()),
        "patients": len(np.unique(analysis.patient[rows])),
        "positive": _positive(analysis, rows),
    }


def _positive(analysis: AnalysisSet, rows: Bools) -> int | None:
    return None if analysis.positive is None else int(analysis.positive[rows].sum())


def baseline(analysis: AnalysisSet, factors: Sequence[Factor]) -> list[dict[str, Any]]:
    """Describe the analysis set: n, share and prevalence by level, quartiles of numbers."""
    named = {factor.name: factor for factor in factors if not factor.intersection}
    rows = []
    for name, values in sorted(analysis.attributes.items()):
        if name == "imaging_study" or name.startswith(ACQUISITION):
            continue
        numeric = _numbers(values)
        factor = named.get(name)
        if factor is None and (numeric is None or len(set(values)) <= _MOST_LEVELS):
            factor = build_factors([{"attribute": name}], analysis.attributes)[0]
        if factor is not None and len(factor.levels) <= _MOST_LEVELS:
            rows += _levels(analysis, factor)
        if numeric is not None and len(numeric) and len(set(values)) > _MOST_LEVELS:
            rows.append(_quartiles(name, numeric))
    return rows


def _numbers(values: Texts) -> list[float] | None:
    try:
        return [float(value) for value in values if value not in {None, ""}]
    except ValueError:
        return None


def _quartiles(name: str, numbers: Sequence[float]) -> dict[str, Any]:
    q1, median, q3 = (float(value) for value in np.quantile(numbers, (0.25, 0.5, 0.75)))
    return {
        "attribute": name,
        "kind": "number",
        "n": len(numbers),
        "mean": float(np.mean(numbers)),
        "q1": q1,
        "median": median,
        "q3": q3,
    }


def _levels(analysis: AnalysisSet, factor: Factor) -> list[dict[str, Any]]:
    groups = [(level.name, level.rows) for level in factor.levels]
    if factor.unknown.any():
        groups.append(("unknown", factor.unknown))
    found = []
    for name, rows in groups:
        n, positive = int(rows.sum()), _positive(analysis, rows)
        found.append(
            {
                "attribute": factor.name,
                "kind": "level",
                "level": name,
                "n": n,
                "patients": len(np.unique(analysis.patient[rows])),
                "share": n / len(analysis),
                "positive": positive,
                "prevalence": positive / n if n and positive is not None else None,
            }
        )
    return found


def rate_groups(
    analysis: AnalysisSet, factors: Sequence[Factor]
) -> dict[str, tuple[Mapping[str, str] | None, Bools]]:
    """Return the groups whose failure rates are shown: all, by reference status, by level."""
    groups: dict[str, tuple[Mapping[str, str] | None, Bools]] = {
        "": (None, np.ones(len(analysis), dtype=np.bool_)),
    }
    if (positive := analysis.positive) is not None:
        for name, rows in (("positive", positive), ("negative", ~positive)):
            groups[f".reference.{name}"] = ({"factor": "reference", "level": name}, rows)
    for factor in factors:
        for level in factor.levels:
            group = {"factor": factor.name, "level": level.name}
            groups[f".{factor.name}.{level.name}"] = (group, level.rows)
    return groups
