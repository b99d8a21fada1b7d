"""Proportions, their differences and predictive values: every sample enumerated, none drawn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from scipy import stats
from tests.simulation.coverage import Case, Limits, Row, enumerated

from proctor_workers.statistics import paired, predictive
from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.proportions import (
    clopper_pearson,
    miettinen_nurminen,
    newcombe_independent,
    wilson,
)

_NEGLIGIBLE = 1e-8
_TRUTHS = 24
# Additive recurrences that fill a line, a square: steps of the golden and the plastic number.
_STEPS = np.array([0.6180339887498949, 0.7548776662466927, 0.5698402909980532])

ONE = [(n, p) for n in (20, 50, 150, 500) for p in (0.02, 0.5, 0.8, 0.9, 0.95, 0.99)]
TWO = [
    (20, 0.9, 20, 0.8), (20, 0.95, 60, 0.95), (50, 0.9, 50, 0.9), (15, 0.98, 120, 0.9),
    (100, 0.6, 40, 0.4), (30, 0.99, 30, 0.99),
]  # fmt: skip
# Pairs, the share right by the first only, and by the second only: equal, at the margin of
# non-inferiority (the first is worse), and with the first better.
PAIRS = [
    (30, 0.10, 0.10), (60, 0.03, 0.03), (100, 0.05, 0.05), (300, 0.05, 0.05),
    (60, 0.05, 0.10), (100, 0.02, 0.05), (300, 0.02, 0.07),
    (60, 0.10, 0.05), (100, 0.05, 0.01), (400, 0.05, 0.02),
]  # fmt: skip
# Positives, negatives, sensitivity, specificity, prevalence.
TABLES = [
    (30, 30, 0.85, 0.85, 0.2), (50, 150, 0.90, 0.90, 0.05), (100, 100, 0.95, 0.98, 0.01),
    (40, 40, 0.98, 0.70, 0.1), (20, 200, 0.80, 0.95, 0.1),
]  # fmt: skip
BAND = "averaged over truths within 1/n of"


def one_proportion() -> Iterator[Row]:
    """Clopper-Pearson at the truth itself, Wilson over the truths around it."""
    for n, p in ONE:
        exact = np.array([clopper_pearson(float(x), n) for x in range(n + 1)])
        case = Case(method="Clopper-Pearson", kind="exact", scenario=f"p {p:g}", n=n, clusters=n)
        yield enumerated(case, exact, np.array([p]), _binomial(n, np.array([p])))
        score = np.array([wilson(float(x), n) for x in range(n + 1)])
        truths = _around(p, n, 0)
        # Near 0 and 1 a criterion lies between the rate and the far end.
        case = Case(method="Wilson", kind="approximate", scenario=f"p {p:g}", n=n, clusters=n)
        yield enumerated(case, score, truths, _binomial(n, truths))


def least_coverage(n: int, interval: Callable[[float, float], Limits]) -> float:
    """Return the smallest coverage over a fine grid of truths."""
    lower, upper = np.array([interval(float(x), n) for x in range(n + 1)]).T
    truths = np.arange(0.001, 1, 0.001)
    held = (lower[None, :] <= truths[:, None]) & (truths[:, None] <= upper[None, :])
    return float(np.min(np.sum(_binomial(n, truths) * held, axis=1)))


def two_proportions() -> Iterator[Row]:
    """Miettinen-Nurminen and Newcombe's hybrid limits of an independent difference."""
    methods = (
        ("Miettinen-Nurminen", miettinen_nurminen),
        ("square-and-add of Wilson limits", newcombe_independent),
    )
    for (name, interval), (n1, p1, n2, p2) in product(methods, TWO):
        first, second = _around(p1, n1, 1), _around(p2, n2, 2)
        grid = _grid((n1, first), (n2, second))
        found = np.array([interval(x1, n1, x2, n2) for x1, x2 in grid.counts])
        scenario = f"p {p1:g} of {n1}, {p2:g} of {n2}"
        case = Case(  # a subgroup's conclusion also needs its adjusted test: no limit decides
            method=name,
            kind="approximate",
            scenario=scenario,
            n=n1 + n2,
            clusters=n1 + n2,
            decides="",
        )
        yield enumerated(case, found, first - second, grid.weight)


def paired_proportions() -> Iterator[Row]:
    """Tango and Newcombe's paired limits; nine in ten cases that agree are right by both."""
    for (name, interval), (n, b, c) in product(
        (("Tango", paired.tango), ("Newcombe paired", paired.newcombe_paired)), PAIRS
    ):
        first, second = _around(b, n, 1), _around(c, n, 2)
        found, counts = [], []
        for x, y in product(_likely(n, first), _likely(n, second)):
            if x + y <= n:
                both = round(0.9 * (n - x - y))
                found.append(interval(both, x, y, n - x - y - both))
                counts.append((x, y))
        x, y = np.array(counts).T
        weight = _binomial(n, first)[:, x] * stats.binom.pmf(
            y[None, :], (n - x)[None, :], (second / (1 - first))[:, None]
        )
        case = Case(
            method=name,
            kind="approximate",
            scenario=f"first right only {b:g}, second right only {c:g}",
            n=n,
            clusters=n,
        )
        yield enumerated(case, np.array(found), first - second, weight)


def predictive_values() -> Iterator[Row]:
    """PPV and NPV at a declared prevalence, and likelihood ratios."""
    for m, n, se, sp, prevalence in TABLES:
        sensitivity, specificity = _around(se, m, 1), _around(sp, n, 2)
        grid = _grid((m, sensitivity), (n, specificity))
        pairs = [predictive.Accuracy(tp / m, tn / n, m, n) for tp, tn in grid.counts]
        for one in _predictive(prevalence):
            truth = np.array(
                [one.truth(*rates) for rates in zip(sensitivity, specificity, strict=True)]
            )
            scenario = f"Se {se:g} of {m}, Sp {sp:g} of {n}, prevalence {prevalence:g}"
            case = Case(
                method=one.name,
                kind="approximate",
                scenario=scenario,
                n=m + n,
                clusters=m + n,
                decides=one.decides,
            )
            yield enumerated(
                case, np.array([one.limits(pair) for pair in pairs]), truth, grid.weight
            )


@dataclass(frozen=True, slots=True)
class _Predictive:
    name: str
    decides: str
    truth: Callable[[float, float], float]
    limits: Callable[[predictive.Accuracy], Limits]


def _predictive(prevalence: float) -> tuple[_Predictive, ...]:
    return (
        _Predictive(
            "Mercaldo, PPV",
            "lower",
            lambda se, sp: predictive.ppv(se, sp, prevalence),
            lambda pair: _predicted(pair, prevalence, positive=True),
        ),
        _Predictive(
            "Mercaldo, NPV",
            "lower",
            lambda se, sp: predictive.npv(se, sp, prevalence),
            lambda pair: _predicted(pair, prevalence, positive=False),
        ),
        _Predictive(
            "log ratio, LR+",
            "lower",
            lambda se, sp: se / (1 - sp),
            lambda pair: predictive.likelihood_ratio_limits(pair, positive=True)[1:],
        ),
        _Predictive(  # a small LR- is good, so its upper limit decides
            "log ratio, LR-",
            "upper",
            lambda se, sp: (1 - se) / sp,
            lambda pair: predictive.likelihood_ratio_limits(pair, positive=False)[1:],
        ),
    )


def _predicted(pair: predictive.Accuracy, prevalence: float, *, positive: bool) -> Limits:
    """Return Mercaldo's limits with the estimate inside, as a report prints them."""
    formula = predictive.ppv if positive else predictive.npv
    value = formula(pair.sensitivity, pair.specificity, prevalence)
    lower, upper = predictive.mercaldo(pair, prevalence, positive=positive)
    return min(lower, value), max(upper, value)


@dataclass(frozen=True, slots=True)
class _Grid:
    counts: list[tuple[int, int]]
    weight: Floats


def _grid(first: tuple[int, Floats], second: tuple[int, Floats]) -> _Grid:
    """Return every likely pair of counts with its chance under each pair of truths."""
    (n1, p1), (n2, p2) = first, second
    one, two = _likely(n1, p1), _likely(n2, p2)
    w1, w2 = _binomial(n1, p1)[:, one], _binomial(n2, p2)[:, two]
    weight = (w1[:, :, None] * w2[:, None, :]).reshape(len(p1), -1)
    return _Grid(list(product(one, two)), weight)


def _around(p: float, n: int, dimension: int) -> Floats:
    """Return truths spread evenly within 1/n of p, and within (0, 1)."""
    reach = min(1 / n, 0.9 * p, 0.9 * (1 - p))
    place = np.mod(0.5 + np.arange(1, _TRUTHS + 1) * _STEPS[dimension], 1.0)
    truths: Floats = p + reach * (2 * place - 1)
    return truths


def _likely(n: int, truths: Floats) -> Sequence[int]:
    chance = _binomial(n, truths).max(axis=0)
    return [int(x) for x in np.flatnonzero(chance > _NEGLIGIBLE)]


def _binomial(n: int, truths: Floats) -> Floats:
    return _chances(n, tuple(float(truth) for truth in truths))


@lru_cache(maxsize=64)
def _chances(n: int, truths: tuple[float, ...]) -> Floats:
    chances: Floats = stats.binom.pmf(np.arange(n + 1)[None, :], n, np.array(truths)[:, None])
    return chances
