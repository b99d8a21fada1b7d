"""What a cohort's sizes promise for each endpoint and subgroup of a protocol.

Widths are those of the method that the protocol takes; the power is that of its criterion.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

from proctor_backend.domain.quantities import QUANTITIES, Quantity
from proctor_backend.planning import means, proportions, ranking, risk_models, survival
from proctor_backend.planning.clusters import design_effect, effective_size
from proctor_backend.planning.comparisons import difference_power
from proctor_backend.planning.distributions import normal_cdf, normal_quantile

ASSUMED_CORRELATION = 0.5
COARSE = 0.05
DEFAULT_CHANCE = 0.8
_CONCORDANCE = frozenset({"harrell_c", "uno_c"})
_CALIBRATION = frozenset({"oe_ratio", "calibration_slope", "calibration_intercept"})
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A cohort's sizes: cases, patients, positives (or events).

    `values` are the cases by reference value, `levels` those by level of an attribute.
    """

    cases: int
    patients: int
    positives: int | None = None
    values: Mapping[str, int] = field(default_factory=dict)
    levels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be.

        Raises:
            ValueError: they contradict each other.
        """
        if not 0 < self.patients <= self.cases:
            raise ValueError("there are more patients than cases, or none")
        if self.positives is not None and not 0 <= self.positives <= self.cases:
            raise ValueError("there are more positive cases than cases")

    def share(self, cases: int) -> "Counts":
        """Return the sizes of so many of the cases, alike in everything else."""
        part = cases / self.cases
        return Counts(
            cases=cases,
            patients=max(1, round(self.patients * part)),
            positives=None if self.positives is None else round(self.positives * part),
            values={value: round(n * part) for value, n in self.values.items()},
        )

    def against(self, target: str | None) -> "Counts":
        """Return the sizes with the cases of one target as the positives."""
        if target is None or target not in self.values:
            return self
        return replace(self, positives=min(self.cases, self.values[target]))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One endpoint on one group of cases, ready to be planned."""

    endpoint: Document
    quantity: Quantity
    counts: Counts
    assumed: float
    sd: float | None
    effect: float
    level: float
    chance: float
    rates: Mapping[tuple[str, str | None], float]  # assumed rates by (metric, operating point)

    def effective(self, rows: float) -> int:
        return effective_size(rows, self.effect)

    @property
    def criterion(self) -> Document | None:
        found: Document | None = self.endpoint.get("criterion")
        return found


class _MissingError(ValueError):
    """Something that the plan needs and the protocol does not say."""


def outlooks(document: Document, counts: Counts) -> list[Outlook]:
    """Plan every endpoint of a completed protocol, overall and in each known level."""
    assumed = {
        endpoint["id"]: (endpoint.get("planned") or {}).get("value")
        for endpoint in document["endpoints"]
    }
    found = [
        _outlook(document, endpoint, counts, assumed, None) for endpoint in document["endpoints"]
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
    alpha, effect = document["alpha"], _effect(document, own)
    if metric == "auroc" and own.positives and rest.positives:
        spread = effect * (
            ranking.hanley_mcneil_variance(value - margin, own.positives, own.cases - own.positives)
            + ranking.hanley_mcneil_variance(value, rest.positives, rest.cases - rest.positives)
        )
        return normal_cdf(margin / math.sqrt(spread) - normal_quantile(1 - alpha / 2))
    quantity = QUANTITIES[metric]
    if "clopper_pearson" not in quantity.methods:
        return None
    sizes = [_denominator(metric, part) for part in (own, rest)]
    if None in sizes:
        return None
    n1, n2 = (max(1.0, float(size or 0) / effect) for size in sizes)
    return difference_power(value - margin, n1, value, n2, alpha=alpha)


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
    quantity, counts = QUANTITIES[endpoint["metric"]], counts.against(endpoint.get("target"))
    names = {"endpoint": endpoint["id"], "metric": quantity.name, "group": group}
    value = assumed[endpoint["id"]]
    if value is None:
        value = (endpoint.get("criterion") or {}).get("value")
    planned = endpoint.get("planned") or {}
    if value is None and planned.get("sd") is None:
        return Outlook(**names, reason="no planned value: state planned.value")
    case = _Case(
        endpoint=endpoint,
        quantity=quantity,
        counts=counts,
        assumed=float(value) if value is not None else 0.0,
        sd=planned.get("sd"),
        effect=_effect(document, counts),
        level=endpoint["interval"]["level"],
        chance=document["sample_size"].get("power", DEFAULT_CHANCE),
        rates=_rates(document, assumed),
    )
    try:
        found = _planner(case)(case)
    except (ValueError, ZeroDivisionError) as error:
        return Outlook(**names, assumed=value, reason=str(error))
    goal = (endpoint.get("criterion") or {}).get("value")
    return Outlook(**names, assumed=value, goal=goal, **found)


def _rates(
    document: Document, assumed: Mapping[str, float | None]
) -> dict[tuple[str, str | None], float]:
    return {
        (endpoint["metric"], endpoint.get("operating_point")): float(value)
        for endpoint in document["endpoints"]
        if (value := assumed[endpoint["id"]]) is not None
    }


def _planner(case: _Case) -> Callable[[_Case], dict[str, Any]]:
    if "clopper_pearson" in case.quantity.methods:
        return _share
    if case.quantity.name == "auroc":
        return _area
    if case.quantity.name in _CONCORDANCE:
        return _concordance
    if case.quantity.name in _CALIBRATION:
        return _calibration
    return _mean


def _share(case: _Case) -> dict[str, Any]:
    size = _denominator(case.quantity.name, case.counts) or _called(case)
    n = case.effective(size)
    method = "wilson" if case.endpoint["interval"]["method"] == "wilson" else "clopper_pearson"
    found: dict[str, Any] = {
        "n": round(size),
        "effective_n": n,
        "width": proportions.expected_width(case.assumed, n, level=case.level, method=method),
    }
    if case.criterion is not None:
        goal, bound = case.criterion["value"], case.criterion["bound"]
        settings: dict[str, Any] = {"level": case.level, "bound": bound, "method": method}
        found["power"] = proportions.power(case.assumed, n, goal, **settings)
        if (case.assumed > goal) == (bound == "lower") and case.assumed != goal:
            found["required_n"] = proportions.required_n(
                case.assumed, goal, chance=case.chance, **settings
            )
    return found


def _denominator(metric: str, counts: Counts) -> float | None:
    """Return how many cases a share is taken over; None where it depends on the calls."""
    if metric in {"ppv", "npv"}:
        return None
    if metric not in {"sensitivity", "specificity"}:
        return float(counts.cases)
    if counts.positives is None:
        raise _MissingError("the number of positive cases is not known")
    size = counts.positives if metric == "sensitivity" else counts.cases - counts.positives
    if not size:
        raise _MissingError("no case counts in its denominator")
    return float(size)


def _called(case: _Case) -> float:
    """Return how many cases a PPV or NPV is expected to be taken over."""
    point, counts = case.endpoint.get("operating_point"), case.counts
    rates = [case.rates.get((name, point)) for name in ("sensitivity", "specificity")]
    if counts.positives is None or rates[0] is None or rates[1] is None:
        raise _MissingError("needs planned sensitivity and specificity at its operating point")
    negatives = counts.cases - counts.positives
    called = counts.positives * rates[0] + negatives * (1 - rates[1])
    return called if case.quantity.name == "ppv" else counts.cases - called


def _area(case: _Case) -> dict[str, Any]:
    positives, negatives = _classes(case)
    sizes = (positives / case.effect, negatives / case.effect)
    found: dict[str, Any] = {
        "n": case.counts.cases,
        "effective_n": case.effective(case.counts.cases),
        "width": ranking.auc_width(case.assumed, *sizes, level=case.level),
    }
    if case.criterion is not None:
        goal, bound = case.criterion["value"], case.criterion["bound"]
        found["power"] = ranking.auc_power(
            case.assumed, *sizes, goal, level=case.level, bound=bound
        )
        if bound == "lower" and case.assumed > goal:
            ratio = negatives / positives
            needed = ranking.auc_required_positives(
                case.assumed, goal, ratio=ratio, chance=case.chance, level=case.level
            )
            found["required_n"] = math.ceil(needed * (1 + ratio))
    return found


def _classes(case: _Case) -> tuple[int, int]:
    positives = case.counts.positives
    if not positives or positives == case.counts.cases:
        raise _MissingError("needs cases of both classes, and their numbers")
    return positives, case.counts.cases - positives


def _concordance(case: _Case) -> dict[str, Any]:
    if not case.counts.positives:
        raise _MissingError("the number of events is not known")
    events = case.counts.positives / case.counts.cases
    n = case.effective(case.counts.cases)
    width = survival.concordance_width(case.assumed, events, n, level=case.level)
    found: dict[str, Any] = {"n": case.counts.cases, "effective_n": n, "width": width}
    if case.criterion is not None and case.criterion["bound"] == "lower":
        found["power"] = survival.concordance_power(
            case.assumed, events, n, case.criterion["value"], level=case.level
        )
    return found


def _calibration(case: _Case) -> dict[str, Any]:
    """Plan O/E, slope and intercept from the planned area and the prevalence (Riley 2021)."""
    positives, _ = _classes(case)
    prevalence, n = positives / case.counts.cases, case.effective(case.counts.cases)
    if case.quantity.name == "oe_ratio":
        width = risk_models.oe_width(prevalence, n, level=case.level)
    else:
        area = case.rates.get(("auroc", None))
        if area is None:
            raise _MissingError("needs a planned auroc, which gives the spread of the risks")
        logits = risk_models.predictor_of(area, prevalence)
        of_slope = case.quantity.name == "calibration_slope"
        plan = risk_models.slope_width if of_slope else risk_models.intercept_width
        width = plan(logits, n, level=case.level)
    return {"n": case.counts.cases, "effective_n": n, "width": width}


def _mean(case: _Case) -> dict[str, Any]:
    """Plan any other quantity as a mean over patients with the stated standard deviation."""
    if case.sd is None:
        raise _MissingError("state planned.sd: the standard deviation of the cases' values")
    n = case.effective(case.counts.cases)
    found: dict[str, Any] = {
        "n": case.counts.cases,
        "effective_n": n,
        "width": means.mean_width(case.sd, n, level=case.level),
    }
    if case.criterion is not None:
        gap = case.assumed - case.criterion["value"]
        gap = gap if case.criterion["bound"] == "lower" else -gap
        found["power"] = means.mean_power(gap, case.sd, n, level=case.level) if gap > 0 else None
        if gap > 0:
            found["required_n"] = means.mean_power_n(
                gap, case.sd, chance=case.chance, level=case.level
            )
    return found
