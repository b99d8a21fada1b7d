"""One proportion planned exactly: what a binomial sample of n can be expected to show."""

import math
from collections.abc import Callable

from proctor_backend.planning.distributions import (
    beta_quantile,
    binomial_above,
    binomial_terms,
    two_sided_quantile,
)

Limits = tuple[float, float]
LARGEST_N = 1_000_000


def clopper_pearson(x: int, n: int, level: float = 0.95) -> Limits:
    """Return the exact limits (Clopper & Pearson, Biometrika 1934;26:404)."""
    tail = (1 - level) / 2
    lower = beta_quantile(tail, x, n - x + 1) if x else 0.0
    upper = beta_quantile(1 - tail, x + 1, n - x) if x < n else 1.0
    return lower, upper


def wilson(x: int, n: int, level: float = 0.95) -> Limits:
    """Return the score limits (Wilson, JASA 1927;22:209)."""
    z = two_sided_quantile(level)
    centre = (x + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(x * (n - x) / n + z * z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


METHODS: dict[str, Callable[[int, int, float], Limits]] = {
    "clopper_pearson": clopper_pearson,
    "wilson": wilson,
}


def expected_width(
    p: float, n: int, *, level: float = 0.95, method: str = "clopper_pearson"
) -> float:
    """Return the mean width of the interval over all samples of size n, by enumeration."""
    _check(p, n)
    interval = METHODS[method]
    total = 0.0
    for x, weight in binomial_terms(n, p):
        lower, upper = interval(x, n, level)
        total += weight * (upper - lower)
    return total


def power(
    p: float,
    n: int,
    goal: float,
    *,
    level: float = 0.95,
    bound: str = "lower",
    method: str = "clopper_pearson",
) -> float:
    """Return the chance that the lower (upper) limit is at or above (below) the goal, exactly.

    p is the assumed truth. An upper bound is the lower bound of the complement.
    """
    _check(p, n)
    _check(goal, n)
    if bound == "upper":
        p, goal = 1 - p, 1 - goal
    return binomial_above(_critical(n, goal, level, method), n, p)


def _critical(n: int, goal: float, level: float, method: str) -> int:
    """Return the fewest successes whose lower limit reaches the goal; n + 1 if none does."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if _reaches(middle, n, goal, level, method) else (middle + 1, high)
        )
    return low


def _reaches(x: int, n: int, goal: float, level: float, method: str) -> bool:
    if method == "clopper_pearson":
        return binomial_above(x, n, goal) <= (1 - level) / 2
    return wilson(x, n, level)[0] >= goal


def required_n(
    p: float,
    goal: float,
    *,
    chance: float = 0.8,
    level: float = 0.95,
    bound: str = "lower",
    method: str = "clopper_pearson",
) -> int:
    """Return the smallest n from which on the power never falls below `chance` again.

    Power rises in a saw-tooth, so the first n that reaches it is not enough (Chernick & Liu,
    Am Stat 2002;56:149).

    Raises:
        ValueError: the truth lies on the wrong side of the goal.
    """
    if bound == "upper":
        p, goal = 1 - p, 1 - goal
    _check(p, 1)
    if p <= goal:
        raise ValueError("no sample reaches a goal that the assumed truth does not exceed")
    z, z_chance = two_sided_quantile(level), two_sided_quantile(2 * chance - 1)
    gap = (z * math.sqrt(goal * (1 - goal)) + z_chance * math.sqrt(p * (1 - p))) / (p - goal)
    # From here on the approximation is exceeded with room for every tooth of the saw.
    n = int(1.3 * gap * gap + 8 / (p - goal) + 30)
    if n > LARGEST_N:
        raise ValueError("the goal lies too near the assumed truth to be planned for")
    critical = _critical(n, goal, level, method)
    while n >= 1 and binomial_above(critical, n, p) >= chance:
        n -= 1
        while critical > 0 and _reaches(critical - 1, n, goal, level, method):
            critical -= 1
    return n + 1


def required_n_for_width(
    p: float, width: float, *, level: float = 0.95, method: str = "clopper_pearson"
) -> int:
    """Return the smallest n whose mean interval width is at most `width`, by bisection."""
    if not 0 < width < 1:
        raise ValueError("a width lies between 0 and 1")
    low, high = 0, 8
    while expected_width(p, high, level=level, method=method) > width:
        low, high = high, 2 * high
        if high > LARGEST_N:
            raise ValueError("no practical sample gives so narrow an interval")
    while high - low > 1:
        middle = (low + high) // 2
        wide = expected_width(p, middle, level=level, method=method) > width
        low, high = (middle, high) if wide else (low, middle)
    return high


def buderer_n(rate: float, share: float, half_width: float, *, level: float = 0.95) -> int:
    """Return how many subjects must be enrolled to see a rate with a given half width.

    `share` of them count in the rate's denominator: the prevalence for a sensitivity, one minus it
    for a specificity (Buderer, Acad Emerg Med 1996;3:895, normal approximation).
    """
    if not 0 < share <= 1 or half_width <= 0:
        raise ValueError("a share lies in (0, 1] and a half width above 0")
    z = two_sided_quantile(level)
    return math.ceil(z * z * rate * (1 - rate) / half_width**2 / share - 1e-9)


def _check(p: float, n: int) -> None:
    if not 0 <= p <= 1 or n < 1:
        raise ValueError("a proportion lies in [0, 1] and its sample is at least 1")
