"""Kinds that give each case a value of its own: what their views, figures and worst cases share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.domain.result import Figure, Result, Role
from proctor_workers.analysis_set import AnalysisSet
from proctor_workers.answers import OK
from proctor_workers.endpoints import Endpoint, Study
from proctor_workers.kinds.base import BEST, WORST, Kind, Setting, View
from proctor_workers.metrics.case_values import CaseMean, CaseMedian
from proctor_workers.missing_outputs import apply_rule
from proctor_workers.statistics.arrays import Floats, Ints

LEAST_AGREEMENT = "least_agreement"
_WORST_CASES = 20
_NAMED = 5  # in a figure
_FEWEST = 11  # patients in a step of a public figure


class CaseValued(Kind):
    """A kind whose columns are values a case; `lacking` holds where an answer has none."""

    def column(self, metric: str, parameters: Mapping[str, Any], target: str | None) -> str:
        """Return the name of the column that a quantity is made from."""
        return column_name(metric, parameters, target)

    def ends(
        self, analysis: AnalysisSet, metric: str, parameters: Mapping[str, Any]
    ) -> tuple[Floats, Floats]:
        """Return what a case without an answer has where it counts as an error, and at best.

        Nothing right or all; where a goal is the largest error allowed, an error beyond any goal
        or none.
        """
        del metric
        worst, best = (np.inf, 0.0) if "goal" in parameters else (0.0, 1.0)
        return np.full(len(analysis), worst), np.full(len(analysis), best)

    def view(self, setting: Setting, analysis: AnalysisSet, endpoint: Endpoint) -> View:
        """Return the cases' values; a missing one at worst has nothing right."""
        del setting
        column = self.column(endpoint.metric, endpoint.parameters, endpoint.target)
        fills: dict[str, dict[str, Floats]] = {}
        if not endpoint.quantity.complete_cases:
            worst, best = self.ends(analysis, endpoint.metric, endpoint.parameters)
            fills = {WORST: {"value": worst}, BEST: {"value": best}}
        return View(columns={"value": analysis[column]}, lacking=analysis["lacking"], fills=fills)

    def figures(
        self, study: Study, analysis: AnalysisSet, results: Sequence[Result]
    ) -> Sequence[Figure]:
        """Return every declared mean's and median's values by case, with the worst cases."""
        del results
        return [
            _by_case(study, analysis, endpoint)
            for endpoint in study.endpoints
            if endpoint.role is not Role.DESCRIPTIVE
            and isinstance(endpoint.quantity, CaseMean | CaseMedian)
        ]

    def errors(self, study: Study, analysis: AnalysisSet) -> list[dict[str, Any]]:
        """List the cases furthest from their reference by the first endpoint with values."""
        for endpoint in study.endpoints:
            if isinstance(endpoint.quantity, CaseMean | CaseMedian):
                value = study.view(analysis, endpoint).columns["value"]
                known = np.flatnonzero((analysis.status == OK) & ~np.isnan(value))
                worst = known[_from_worst(value[known], endpoint.metric)][:_WORST_CASES]
                return [
                    {
                        "case": analysis.case[row],
                        "outcome": LEAST_AGREEMENT,
                        "score": float(value[row]),
                        "reference": endpoint.target or endpoint.metric,
                    }
                    for row in worst
                ]
        return []


Asked = tuple[str, Mapping[str, Any], str | None]


def asked(setting: Setting, kind: Kind) -> Iterator[Asked]:
    """Yield quantity, parameters and target of everything that will be estimated."""
    for endpoint in setting.protocol["endpoints"]:
        if (metric := endpoint["metric"]) in QUANTITIES:
            given = endpoint.get("parameters") or {}
            yield metric, QUANTITIES[metric].with_defaults(given), endpoint.get("target")
    for one in kind.described(setting):
        yield one.metric, QUANTITIES[one.metric].with_defaults(one.parameters), one.target


def place_of(target: str, targets: Sequence[str]) -> int:
    """Return which of the manifest's targets one is.

    Raises:
        InvalidInputError: it is none of them.
    """
    if target not in targets:
        raise InvalidInputError(
            f"The manifest has no target '{target}'.",
            cure="Use one of: " + (", ".join(targets) or "none") + ".",
        )
    return list(targets).index(target)


def column_name(metric: str, parameters: Mapping[str, Any], target: str | None) -> str:
    """Return the column that stands for a quantity, its parameters and a target."""
    said = [f"{name}={parameters[name]}" for name in sorted(parameters)]
    return "/".join([metric, *said, target or ""])


def _from_worst(value: Floats, metric: str) -> Ints:
    """Order values from the worst for the patient; ties stay in the order of cases."""
    better = QUANTITIES[metric].better
    key = {"higher": value, "lower": -value}.get(better, -np.abs(value))
    return np.argsort(key, kind="stable").astype(np.int64)


def _by_case(study: Study, analysis: AnalysisSet, endpoint: Endpoint) -> Figure:
    ruled = apply_rule(study, analysis, endpoint, "exclude")
    value, patient = ruled.sample["value"], ruled.sample.patient
    name = analysis.case[ruled.kept]
    known = ~np.isnan(value)
    value, patient, name = value[known], patient[known], name[known]
    order = _from_worst(value, endpoint.metric)
    shown = {"ref": endpoint.result_id, "better": QUANTITIES[endpoint.metric].better}
    return Figure(
        id=f"cases.{endpoint.result_id}",
        kind="case_values",
        title=f"{endpoint.result_id} by case",
        data=shown
        | {
            "missing": int((~ruled.kept).sum()),
            "left_out": int((~known).sum()),
            "values": [float(one) for one in value[order]],
            "worst": [{"case": name[row], "value": float(value[row])} for row in order[:_NAMED]],
            "public": shown | {"steps": _steps(value, patient)},
        },
    )


def _steps(value: Floats, patient: Ints) -> list[dict[str, Any]]:
    """Return the means of ordered values in steps of at least 11 patients; none of fewer."""
    order = np.argsort(value, kind="stable")
    steps: list[list[int]] = [[]]
    for row in order.tolist():
        current = steps[-1]
        if (
            len({int(patient[one]) for one in current}) >= _FEWEST
            and value[row] > value[current[-1]]
        ):
            steps.append(current := [])
        current.append(row)
    if len(steps) > 1 and len({int(patient[one]) for one in steps[-1]}) < _FEWEST:
        last = steps.pop()
        steps[-1].extend(last)
    if len({int(patient[one]) for one in steps[0]}) < _FEWEST:
        return []
    return [{"mean": float(value[rows].mean()), "cases": len(rows)} for rows in steps]
