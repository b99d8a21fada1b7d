"""One endpoint planned on one group of cases: the width of its interval, its criterion's power."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from proctor_backend.domain.quantities import Quantity
from proctor_backend.planning import (
    comparisons,
    means,
    proportions,
    ranking,
    risk_models,
    survival,
)
from proctor_backend.planning.clusters import effective_size
from proctor_backend.planning.distributions import two_sided_quantile

_OF_POSITIVES = frozenset({"sensitivity", "class_recall"})
_OF_NEGATIVES = frozenset({"specificity", "class_specificity"})
_OF_CALLS = frozenset({"ppv", "npv", "class_precision", "class_npv", "cutoff_ppv", "cutoff_npv"})
# Lesions, and cases at or above a category: no cohort counts them beforehand.
_UNCOUNTED = frozenset({"lesion_sensitivity", "llf", "cutoff_sensitivity", "cutoff_specificity"})
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
class PlannedCase:
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
        """Return how many independent rows carry what these do."""
        return effective_size(rows, self.effect)

    @property
    def criterion(self) -> Document | None:
        """The endpoint's acceptance criterion."""
        found: Document | None = self.endpoint.get("criterion")
        return found


class MissingError(ValueError):
    """Something that the plan needs and the protocol does not say."""


def planner(case: PlannedCase) -> Callable[[PlannedCase], dict[str, Any]]:
    """Return how this endpoint is planned; what has no way of its own is planned as a mean."""
    if "clopper_pearson" in case.quantity.methods:
        return _share
    return _PLANNERS.get(case.quantity.name, _mean)


def _share(case: PlannedCase) -> dict[str, Any]:
    size = denominator(case.quantity.name, case.counts) or _called(case)
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


def denominator(metric: str, counts: Counts) -> float | None:
    """Return how many cases a share is taken over; None where it depends on the calls.

    Raises:
        MissingError: the positive cases are not counted, or none counts.
    """
    if metric in _UNCOUNTED:
        raise MissingError("what counts in its denominator is not counted beforehand")
    if metric in _OF_CALLS:
        return None
    if metric not in _OF_POSITIVES | _OF_NEGATIVES:
        return float(counts.cases)
    if counts.positives is None:
        raise MissingError("the number of positive cases is not known")
    size = counts.positives if metric in _OF_POSITIVES else counts.cases - counts.positives
    if not size:
        raise MissingError("no case counts in its denominator")
    return float(size)


def _called(case: PlannedCase) -> float:
    """Return how many cases a PPV or NPV is expected to be taken over."""
    if case.quantity.name not in {"ppv", "npv"}:
        raise MissingError("its denominator depends on the calls: plan the rates it is made from")
    point, counts = case.endpoint.get("operating_point"), case.counts
    rates = [case.rates.get((name, point)) for name in ("sensitivity", "specificity")]
    if counts.positives is None or rates[0] is None or rates[1] is None:
        raise MissingError("needs planned sensitivity and specificity at its operating point")
    negatives = counts.cases - counts.positives
    called = counts.positives * rates[0] + negatives * (1 - rates[1])
    return called if case.quantity.name == "ppv" else counts.cases - called


def _area(case: PlannedCase) -> dict[str, Any]:
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


def _classes(case: PlannedCase) -> tuple[int, int]:
    positives = case.counts.positives
    if not positives or positives == case.counts.cases:
        raise MissingError("needs cases of both classes, and their numbers")
    return positives, case.counts.cases - positives


def _concordance(case: PlannedCase) -> dict[str, Any]:
    if not case.counts.positives:
        raise MissingError("the number of events is not known")
    events = case.counts.positives / case.counts.cases
    n = case.effective(case.counts.cases)
    width = survival.concordance_width(case.assumed, events, n, level=case.level)
    found: dict[str, Any] = {"n": case.counts.cases, "effective_n": n, "width": width}
    if case.criterion is not None and case.criterion["bound"] == "lower":
        found["power"] = survival.concordance_power(
            case.assumed, events, n, case.criterion["value"], level=case.level
        )
    return found


def _calibration(case: PlannedCase) -> dict[str, Any]:
    """Plan O/E, slope and intercept from the planned area and the prevalence (Riley 2021)."""
    positives, _ = _classes(case)
    prevalence, n = positives / case.counts.cases, case.effective(case.counts.cases)
    if case.quantity.name == "oe_ratio":
        width = risk_models.oe_width(prevalence, n, level=case.level)
    else:
        area = case.rates.get(("auroc", None))
        if area is None:
            raise MissingError("needs a planned auroc, which gives the spread of the risks")
        logits = risk_models.predictor_of(area, prevalence)
        of_slope = case.quantity.name == "calibration_slope"
        plan = risk_models.slope_width if of_slope else risk_models.intercept_width
        width = plan(logits, n, level=case.level)
    return {"n": case.counts.cases, "effective_n": n, "width": width}


def _mean(case: PlannedCase) -> dict[str, Any]:
    """Plan any other quantity as a mean over patients with the stated standard deviation."""
    sd = _deviation(case)
    n = case.effective(case.counts.cases)
    found: dict[str, Any] = {
        "n": case.counts.cases,
        "effective_n": n,
        "width": means.mean_width(sd, n, level=case.level),
    }
    if case.criterion is not None:
        gap = case.assumed - case.criterion["value"]
        gap = gap if case.criterion["bound"] == "lower" else -gap
        found["power"] = means.mean_power(gap, sd, n, level=case.level) if gap > 0 else None
        if gap > 0:
            found["required_n"] = means.mean_power_n(gap, sd, chance=case.chance, level=case.level)
    return found


def _limits_of_agreement(case: PlannedCase) -> dict[str, Any]:
    """Plan one limit of agreement by its exact interval."""
    n = case.effective(case.counts.cases)
    width = means.limits_of_agreement_width(_deviation(case), n, level=case.level)
    return {"n": case.counts.cases, "effective_n": n, "width": width}


def _intraclass(case: PlannedCase) -> dict[str, Any]:
    """Plan an intraclass correlation of device and reference."""
    n = case.counts.patients
    width = means.icc_width(case.assumed, 2, n, level=case.level)
    return {"n": case.counts.cases, "effective_n": n, "width": width}


def _deviation(case: PlannedCase) -> float:
    if case.sd is None:
        raise MissingError("state planned.sd: the standard deviation of the cases' values")
    return case.sd


_PLANNERS: Mapping[str, Callable[[PlannedCase], dict[str, Any]]] = {
    "auroc": _area,
    **dict.fromkeys(("harrell_c", "uno_c"), _concordance),
    **dict.fromkeys(("oe_ratio", "calibration_slope", "calibration_intercept"), _calibration),
    **dict.fromkeys(("loa_lower", "loa_upper"), _limits_of_agreement),
    **dict.fromkeys(("icc_2_1", "icc_3_1"), _intraclass),
}


def compared(case: PlannedCase) -> dict[str, Any]:
    """Plan a comparison of two shares of the same cases: its width, and its hypothesis' power.

    Raises:
        MissingError: the plan lacks something, or the quantity is no share.
    """
    planned, aim = case.endpoint.get("planned") or {}, case.endpoint["comparison"]
    apart = planned.get("disagreement")
    size = denominator(case.quantity.name, case.counts)
    if apart is None or size is None or "clopper_pearson" not in case.quantity.methods:
        raise MissingError("state planned.disagreement; a comparison is planned for shares")
    gap, n = planned.get("difference", 0.0), case.effective(size)
    if abs(gap) > apart:
        raise MissingError("planned.difference exceeds planned.disagreement")
    first, second = (apart + gap) / 2, (apart - gap) / 2
    half = two_sided_quantile(case.level) * math.sqrt((apart - gap * gap) / n)
    found: dict[str, Any] = {"n": round(size), "effective_n": n, "width": 2 * half}
    tail, margin = (1 - case.level) / 2, aim.get("margin")
    if aim.get("hypothesis") == "superiority" and margin is None:
        found["power"] = comparisons.mcnemar_power(first, second, n, alpha=2 * tail)
    if aim.get("hypothesis") == "non_inferiority":
        found["power"] = comparisons.noninferiority_power(first, second, n, margin, alpha=tail)
        found["required_n"] = comparisons.noninferiority_pairs(
            first, second, margin, chance=case.chance, alpha=tail
        )
    return found
