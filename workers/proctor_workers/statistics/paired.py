"""Intervals for the difference of two proportions seen on the same units."""

import math

from proctor_workers.statistics.proportions import (
    Limits,
    normal_quantile,
    root,
    square_and_add,
    wilson,
)


def tango(
    both: int, first_only: int, second_only: int, neither: int, level: float = 0.95
) -> Limits:
    """Score limits of p1 - p2 on paired units (R13; Tango, Stat Med 1998;17:891)."""
    n = both + first_only + second_only + neither
    z = normal_quantile(level)
    difference = (first_only - second_only) / n

    def score(delta: float) -> float:
        a = 2 * n
        b = -first_only - second_only + (2 * n - first_only + second_only) * delta
        c = -second_only * delta * (1 - delta)
        q21 = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = n * (2 * q21 + delta * (1 - delta))
        numerator = first_only - second_only - n * delta
        if variance <= 0:
            return 0.0 if numerator == 0 else math.copysign(math.inf, numerator)
        return numerator / math.sqrt(variance)

    lower = -1.0 if difference <= -1 else root(lambda d: score(d) - z, -1.0, difference)
    upper = 1.0 if difference >= 1 else root(lambda d: score(d) + z, difference, 1.0)
    return lower, upper


def newcombe_paired(
    both: int, first_only: int, second_only: int, neither: int, level: float = 0.95
) -> Limits:
    """Hybrid score limits of p1 - p2 on paired units (R13; Newcombe 1998c, method 10)."""
    n = both + first_only + second_only + neither
    x1, x2 = both + first_only, both + second_only
    margins = x1 * (n - x1) * x2 * (n - x2)
    product = both * neither - first_only * second_only
    correlation = 0.0
    if margins > 0:
        corrected = max(product - n / 2, 0) if product > 0 else product
        correlation = corrected / math.sqrt(margins)
    return square_and_add(
        x1 / n, wilson(x1, n, level), x2 / n, wilson(x2, n, level), correlation=correlation
    )
