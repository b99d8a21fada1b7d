"""Intervals for one proportion and for the difference of two independent ones."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats, Ints, group_sums

Limits = tuple[float, float]


def normal_quantile(level: float) -> float:
    """Return z of a two-sided interval."""
    return float(special.ndtri(0.5 + level / 2))


def student_quantile(df: float, level: float) -> float:
    """Return t of a two-sided interval."""
    return float(special.stdtrit(df, 0.5 + level / 2))


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Limits:
    """Exact binomial limits; accepts fractional counts for effective sizes (R08).

    Clopper & Pearson, Biometrika 1934;26:404: beta quantiles.
    """
    _check_counts(successes, n)
    tail = (1 - level) / 2
    lower = 0.0 if successes <= 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    upper = (
        1.0 if successes >= n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    )
    return lower, upper


def wilson(successes: float, n: float, level: float = 0.95) -> Limits:
    """Score limits without continuity correction (R08; Newcombe, Stat Med 1998;17:857)."""
    _check_counts(successes, n)
    z = normal_quantile(level)
    p = successes / n
    centre = (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(n * p * (1 - p) + z * z / 4)
    lower = 0.0 if successes == 0 else max(0.0, centre - half)
    upper = 1.0 if successes == n else min(1.0, centre + half)
    return lower, upper


@dataclass(frozen=True, slots=True)
class ClusteredProportion:
    """A proportion over rows of several patients: estimate, limits, variance, effective size."""

    estimate: float
    lower: float
    upper: float
    variance: float
    effective_n: float
    patients: int


def korn_graubard(
    hit: Floats, patient: Ints, *, weight: Floats | None = None, level: float = 0.95
) -> ClusteredProportion:
    """Clopper-Pearson limits at the effective sample size, df = patients - 1.

    Korn & Graubard, Survey Methodology 1998;24:193: n* = p(1-p)/v, times (t_{n-1}/t_df)^2. The
    linearised variance is between patients. Without variance n* is the number of patients: rows
    that agree entirely within patients carry no more information than that.
    """
    n = len(hit)
    if n == 0:
        raise ValueError("a proportion needs at least one row")
    rows = np.ones(n) if weight is None else weight
    _, code = np.unique(patient, return_inverse=True)
    patients = int(code.max()) + 1
    estimate = float(np.sum(rows * hit) / np.sum(rows))
    residual = group_sums(rows * (hit - estimate) / np.sum(rows), code, patients)[:, 0]
    variance = float(np.sum(residual**2)) * patients / max(patients - 1, 1)
    effective = _effective_size(estimate, variance, n=n, patients=patients, level=level)
    lower, upper = clopper_pearson(estimate * effective, effective, level)
    return ClusteredProportion(estimate, lower, upper, variance, effective, patients)


def _effective_size(
    estimate: float, variance: float, *, n: int, patients: int, level: float
) -> float:
    if patients < 2 or variance <= 1e-15:
        return float(patients)
    ratio = student_quantile(n - 1, level) / student_quantile(patients - 1, level)
    return min(float(n), max(1.0, estimate * (1 - estimate) / variance * ratio**2))


def miettinen_nurminen(
    x1: int, n1: int, x2: int, n2: int, *, level: float = 0.95, corrected: bool = True
) -> Limits:
    """Score limits of p1 - p2 (R12; Miettinen & Nurminen, Stat Med 1985;4:213).

    `corrected=False` leaves the factor N/(N-1) out, which is Mee's interval.
    """
    _check_counts(x1, n1)
    _check_counts(x2, n2)
    difference = x1 / n1 - x2 / n2
    z = normal_quantile(level)
    factor = (n1 + n2) / (n1 + n2 - 1) if corrected else 1.0

    def score(delta: float) -> float:
        p1, p2 = _constrained(x1, n1, x2, n2, delta)
        variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * factor
        if variance <= 0:
            return 0.0 if difference == delta else math.copysign(math.inf, difference - delta)
        return (difference - delta) / math.sqrt(variance)

    lower = -1.0 if difference <= -1 else root(lambda d: score(d) - z, -1.0, difference)
    upper = 1.0 if difference >= 1 else root(lambda d: score(d) + z, difference, 1.0)
    return lower, upper


def _constrained(x1: int, n1: int, x2: int, n2: int, delta: float) -> Limits:
    """Maximum likelihood p1, p2 under p1 - p2 = delta: the cubic's trigonometric root."""
    n = n1 + n2
    a3 = float(n)
    a2 = (n1 + 2 * n2) * delta - n - x1 - x2
    a1 = (n2 * delta - n - 2 * x2) * delta + x1 + x2
    a0 = x2 * delta * (1 - delta)
    q = a2**3 / (3 * a3) ** 3 - a1 * a2 / (6 * a3**2) + a0 / (2 * a3)
    p = math.copysign(math.sqrt(max(a2**2 / (3 * a3) ** 2 - a1 / (3 * a3), 0.0)), q)
    cosine = q / p**3 if p else 0.0
    angle = (math.pi + math.acos(min(1.0, max(-1.0, cosine)))) / 3
    p2 = min(1.0, max(0.0, 2 * p * math.cos(angle) - a2 / (3 * a3)))
    return min(1.0, max(0.0, p2 + delta)), p2


def newcombe_independent(x1: int, n1: int, x2: int, n2: int, *, level: float = 0.95) -> Limits:
    """Hybrid score limits of p1 - p2 (R12; Newcombe, Stat Med 1998;17:873, method 10)."""
    return square_and_add(
        x1 / n1, wilson(x1, n1, level), x2 / n2, wilson(x2, n2, level), correlation=0.0
    )


def square_and_add(
    first: float, first_limits: Limits, second: float, second_limits: Limits, *, correlation: float
) -> Limits:
    """Limits of first - second from the limits of each (Zou & Donner, Stat Med 2008;27:1693)."""
    difference = first - second
    (l1, u1), (l2, u2) = first_limits, second_limits
    down = _hypotenuse(first - l1, u2 - second, correlation)
    up = _hypotenuse(u1 - first, second - l2, correlation)
    return difference - down, difference + up


def _hypotenuse(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(a * a - 2 * correlation * a * b + b * b, 0.0))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a decreasing function crosses zero, by bisection to machine precision."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _check_counts(successes: float, n: float) -> None:
    if n <= 0 or not 0 <= successes <= n * (1 + 1e-12):
        raise ValueError("a proportion needs 0 <= successes <= n and n > 0")
