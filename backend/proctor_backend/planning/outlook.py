"""What a cohort's sizes promise for each endpoint and subgroup of a protocol.

Widths are those of the method that the protocol takes; the power is that of its criterion.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.planning import ranking
from proctor_backend.planning.clusters import design_effect
from proctor_backend.planning.comparisons import difference_power
from proctor_backend.planning.distributions import normal_cdf, normal_quantile
from proctor_backend.planning.endpoint import (
    Counts,
    Document,
    PlannedCase,
    compared,
    denominator,
    planner,
)

__all__ = ["Counts", "Outlook", "outlooks"]

ASSUMED_CORRELATION = 0.5
COARSE = 0.05
DEFAULT_CHANCE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What one endpoint can be expected to show; `reason` says what is missing for it.

    `n` cases count in its denominator and carry the information of `effective_n` independent ones.
    `power` is the chance that the criterion is met, or that a subgroup's gap of its margin is
    found; `required_n` the independent cases for the planned power.
    """

    endpoint: str
    metric: str
    group: str | None = None
    n: int | None = None
    effective_n: int | None = None
    assumed: float | None = None
    goal: float | None = None
    width: float | None = None
    power: float | None = None
    required_n: int | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the exact form."""
        return asdict(self)

    def coarse(self) -> dict[str, Any]:
        """Return what others may know: the width, to the nearest 0.05."""
        width = None if self.width is None else max(COARSE, round(self.width / COARSE) * COARSE)
        return {
            "endpoint": self.endpoint,
            "metric": self.metric,
            "group": self.group,
            "width": None if width is None else round(width, 2),
        }


def outlooks(document: Document, counts: Counts) -> list[Outlook]:
    """Plan every endpoint of a completed protocol, overall and in each known level."""
    assumed = {
        endpoint["id"]: (endpoint.get("planned") or {}).get("value")
        for endpoint in document["endpoints"]
    }
    found = [
        _outlook(document, endpoint, counts, assumed, None) for endpoint in document["endpoints"]
    ]
    found += [
        _comparison(document, endpoint, counts, assumed)
        for endpoint in document["endpoints"]
        if endpoint.get("comparison")
    ]
    for subgroup in document["subgroups"]:
        found += _subgroup(document, subgroup, counts, assumed)
    return found


def _subgroup(
    document: Document, subgroup: Document, counts: Counts, assumed: Mapping[str, float | None]
) -> Iterator[Outlook]:
    factor = subgroup["attribute"]
    if not isinstance(factor, str):
        return
    endpoints = {endpoint["id"]: endpoint for endpoint in document["endpoints"]}
    levels = _banded(counts.levels.get(factor, {}), subgroup.get("bands"))
    for name in subgroup["endpoints"]:
        for level, cases in levels.items():
            own = counts.share(min(cases, counts.cases))
            found = _outlook(document, endpoints[name], own, assumed, f"{factor} {level}")
            rest = counts.cases - own.cases
            margin = subgroup.get("margin")
            power = None
            if margin is not None and rest > 0:
                power = _gap_power(
                    document, endpoints[name], own, counts.share(rest), margin, found
                )
            yield Outlook(**(asdict(found) | {"power": power, "goal": margin, "required_n": None}))


def _banded(cases: Mapping[str, int], bands: list[float] | None) -> dict[str, int]:
    """Return the cases of each level, numeric values gathered into their bands."""
    if not bands:
        every: dict[str, int] = {}
        for value, n in cases.items():
            for level in filter(None, value.split("|")):  # a case may stand in several levels
                every[level] = every.get(level, 0) + n
        return every
    edges = [-math.inf, *bands, math.inf]
    found = dict.fromkeys(pairwise(edges), 0)
    for value, n in cases.items():
        try:
            number = float(value)
        except ValueError:
            continue
        for low, high in found:
            if low <= number < high:
                found[low, high] += n
    return {_band_name(low, high): n for (low, high), n in found.items() if n}


def _band_name(low: float, high: float) -> str:
    if low == -math.inf:
        return f"<{high:g}"
    return f"{low:g}+" if high == math.inf else f"{low:g} to <{high:g}"


def _gap_power(
    document: Document,
    endpoint: Document,
    own: Counts,
    rest: Counts,
    margin: float,
    found: Outlook,
) -> float | None:
    """Return the chance that a level worse by the margin is told from the rest, unadjusted."""
    value, metric = found.assumed, endpoint["metric"]
    if value is None or found.reason is not None or not 0 < value - margin < 1:
        return None
    effect = _effect(document, own)
    try:
        if metric == "auroc":
            spread = effect * (_area_spread(value - margin, own) + _area_spread(value, rest))
            z = normal_quantile(1 - document["alpha"] / 2)
            return normal_cdf(margin / math.sqrt(spread) - z)
        sizes = [denominator(metric, part) for part in (own, rest)]
    except ValueError:  # a class is empty or not counted on one of the two sides
        return None
    if "clopper_pearson" not in QUANTITIES[metric].methods or None in sizes:
        return None
    n1, n2 = (max(1.0, float(size or 0) / effect) for size in sizes)
    return difference_power(value - margin, n1, value, n2, alpha=document["alpha"])


def _area_spread(area: float, counts: Counts) -> float:
    positives = counts.positives or 0
    return ranking.hanley_mcneil_variance(area, positives, counts.cases - positives)


def _effect(document: Document, counts: Counts) -> float:
    if document["estimand"]["unit"] == "patient":
        return 1.0
    correlation = document["sample_size"].get("correlation", ASSUMED_CORRELATION)
    return design_effect(counts.cases / counts.patients, correlation)


def _outlook(
    document: Document,
    endpoint: Document,
    counts: Counts,
    assumed: Mapping[str, float | None],
    group: str | None,
) -> Outlook:
    names = {"endpoint": endpoint["id"], "metric": endpoint["metric"], "group": group}
    case, goal = _case(document, endpoint, counts, assumed), _goal(endpoint)
    value = assumed[endpoint["id"]] if assumed[endpoint["id"]] is not None else goal
    if value is None and case.sd is None:
        return Outlook(**names, reason="no planned value: state planned.value")
    return _told(planner(case), case, names | {"assumed": value, "goal": goal})


def _comparison(
    document: Document, endpoint: Document, counts: Counts, assumed: Mapping[str, float | None]
) -> Outlook:
    against = endpoint["comparison"]
    names = {
        "endpoint": endpoint["id"],
        "metric": endpoint["metric"],
        "group": f"against {against['against']}",
        "assumed": (endpoint.get("planned") or {}).get("difference", 0.0),
        "goal": against.get("margin"),
    }
    return _told(compared, _case(document, endpoint, counts, assumed), names)


def _told(
    plan: Callable[[PlannedCase], dict[str, Any]], case: PlannedCase, names: Mapping[str, Any]
) -> Outlook:
    try:
        return Outlook(**names, **plan(case))
    except (ValueError, ZeroDivisionError) as error:
        return Outlook(**names, reason=str(error))


def _case(
    document: Document, endpoint: Document, counts: Counts, assumed: Mapping[str, float | None]
) -> PlannedCase:
    own, value = counts.against(endpoint.get("target")), assumed[endpoint["id"]]
    value = _goal(endpoint) if value is None else value
    return PlannedCase(
        endpoint=endpoint,
        quantity=QUANTITIES[endpoint["metric"]],
        counts=own,
        assumed=0.0 if value is None else float(value),
        sd=(endpoint.get("planned") or {}).get("sd"),
        effect=_effect(document, own),
        level=endpoint["interval"]["level"],
        chance=document["sample_size"].get("power", DEFAULT_CHANCE),
        rates=_rates(document, assumed),
    )


def _goal(endpoint: Document) -> float | None:
    criterion = endpoint.get("criterion")
    return None if criterion is None else float(criterion["value"])


def _rates(
    document: Document, assumed: Mapping[str, float | None]
) -> dict[tuple[str, str | None], float]:
    return {
        (endpoint["metric"], endpoint.get("operating_point")): float(value)
        for endpoint in document["endpoints"]
        if (value := assumed[endpoint["id"]]) is not None
    }
