"""Two proportions planned: of different patients, or on the same cases."""

import math

from proctor_backend.planning.distributions import (
    binomial_above,
    binomial_terms,
    normal_cdf,
    normal_quantile,
    two_sided_quantile,
)
from proctor_backend.planning.proportions import LARGEST_N


def difference_width(p1: float, n1: int, p2: float, n2: int, *, level: float = 0.95) -> float:
    """Return the width to expect of a score interval for p1 - p2 of different patients.

    The hybrid score limits at the expected counts (Newcombe, Stat Med 1998;17:873, method 10),
    which lie within a few per cent of Miettinen and Nurminen's.
    """
    z = two_sided_quantile(level)
    (l1, u1), (l2, u2) = _score_limits(p1, n1, z), _score_limits(p2, n2, z)
    return math.hypot(p1 - l1, u2 - p2) + math.hypot(u1 - p1, p2 - l2)


def _score_limits(p: float, n: float, z: float) -> tuple[float, float]:
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def difference_power(p1: float, n1: float, p2: float, n2: float, *, alpha: float = 0.05) -> float:
    """Return the power of the two-sided comparison of two proportions of different patients.

    Normal approximation with the pooled proportion under equality (Fleiss 1981, section 3.2).
    """
    pooled = (p1 * n1 + p2 * n2) / (n1 + n2)
    null = math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    alternative = math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    z = normal_quantile(1 - alpha / 2)
    if alternative == 0:
        return float(abs(p1 - p2) > z * null)
    return normal_cdf((abs(p1 - p2) - z * null) / alternative)


def difference_required_n(
    p1: float, p2: float, *, chance: float = 0.8, alpha: float = 0.05
) -> float:
    """Return the size of each of two equal groups, not rounded."""
    if p1 == p2:
        raise ValueError("equal proportions cannot be told apart")
    pooled = (p1 + p2) / 2
    z = normal_quantile(1 - alpha / 2) * math.sqrt(2 * pooled * (1 - pooled))
    z += normal_quantile(chance) * math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    return (z / (p1 - p2)) ** 2


def mcnemar_power(
    first_only: float, second_only: float, n: int, *, alpha: float = 0.05, mid_p: bool = False
) -> float:
    """Return the exact power of the two-sided exact (or mid-P) test on the discordant pairs.

    `first_only` and `second_only` are the chances of either kind of discordance; the number of
    discordant pairs is binomial (Fagerland, BMC Med Res Methodol 2013;13:91).
    """
    discordant = first_only + second_only
    if not 0 <= discordant <= 1:
        raise ValueError("the two discordant shares lie in [0, 1] together")
    if discordant == 0:
        return 0.0
    share = first_only / discordant
    total = 0.0
    for pairs, weight in binomial_terms(n, discordant):
        fewest = _fewest_to_reject(pairs, alpha, mid_p=mid_p)
        inside = binomial_above(fewest, pairs, share) + binomial_above(fewest, pairs, 1 - share)
        total += weight * inside
    return min(1.0, total)


def _fewest_to_reject(pairs: int, alpha: float, *, mid_p: bool) -> int:
    """Return the smallest majority among the discordant pairs that is significant."""
    low, high = pairs // 2 + 1, pairs + 1
    while low < high:
        middle = (low + high) // 2
        p_value = 2 * binomial_above(middle, pairs, 0.5)
        if mid_p:
            p_value -= binomial_above(middle, pairs, 0.5) - binomial_above(middle + 1, pairs, 0.5)
        low, high = (low, middle) if p_value <= alpha else (middle + 1, high)
    return low


def connor_pairs(
    first_only: float, second_only: float, *, chance: float = 0.8, alpha: float = 0.05
) -> float:
    """Return the pairs for a two-sided McNemar test, not rounded.

    (Connor, Biometrics 1987;43:207.)
    """
    gap, discordant = first_only - second_only, first_only + second_only
    if gap == 0:
        raise ValueError("equal discordant shares cannot be told apart")
    z = normal_quantile(1 - alpha / 2) * math.sqrt(discordant)
    z += normal_quantile(chance) * math.sqrt(discordant - gap * gap)
    return (z / gap) ** 2


def mcnemar_required_pairs(
    first_only: float, second_only: float, *, chance: float = 0.8, alpha: float = 0.05
) -> int:
    """Return the pairs from which on the exact test keeps its power."""
    start = connor_pairs(first_only, second_only, chance=chance, alpha=alpha)
    n = int(1.15 * start + 4 / abs(first_only - second_only) + 10)
    if n > LARGEST_N:
        raise ValueError("so small a difference cannot be planned for")
    while n > 1 and mcnemar_power(first_only, second_only, n - 1, alpha=alpha) >= chance:
        n -= 1
    return n


def noninferiority_power(
    first_only: float, second_only: float, n: int, margin: float, *, alpha: float = 0.025
) -> float:
    """Return the power to show first - second > -margin on n pairs by the paired score test.

    Normal approximation with the score variance at the margin (Nam, Biometrics 1997;53:1422).
    """
    gap = first_only - second_only
    null = math.sqrt(_score_variance(first_only, second_only, margin))
    alternative = math.sqrt(max(first_only + second_only - gap * gap, 1e-12))
    z = normal_quantile(1 - alpha)
    return normal_cdf(((gap + margin) * math.sqrt(n) - z * null) / alternative)


def noninferiority_pairs(
    first_only: float,
    second_only: float,
    margin: float,
    *,
    chance: float = 0.8,
    alpha: float = 0.025,
) -> int:
    """Return the pairs with which non-inferiority is shown with the wanted chance."""
    gap = first_only - second_only
    if gap + margin <= 0:
        raise ValueError("the assumed difference lies beyond the margin")
    null = math.sqrt(_score_variance(first_only, second_only, margin))
    alternative = math.sqrt(max(first_only + second_only - gap * gap, 0.0))
    z = normal_quantile(1 - alpha) * null + normal_quantile(chance) * alternative
    return math.ceil((z / (gap + margin)) ** 2)


def _score_variance(first_only: float, second_only: float, margin: float) -> float:
    """Return n times the variance of the difference, constrained to equal -margin."""
    b = -(first_only + second_only) - (2 - first_only + second_only) * margin
    c = second_only * margin * (1 + margin)
    second = (math.sqrt(max(b * b - 8 * c, 0.0)) - b) / 4
    return 2 * second - margin - margin * margin
