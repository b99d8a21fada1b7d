"""Means, differences of measurements and agreement planned, given their standard deviation."""

import math
from collections.abc import Callable

from proctor_backend.planning.distributions import (
    average_over_deviation,
    mean_deviation,
    noncentral_student_cdf,
    noncentral_student_quantile,
    normal_cdf,
    student_quantile,
    two_sided_quantile,
)

LARGEST_N = 10_000_000


def mean_width(sd: float, n: int, *, level: float = 0.95) -> float:
    """Return the mean width of a t interval for a mean of n patients."""
    _check(sd, n)
    return 2 * student_quantile(0.5 + level / 2, n - 1) * sd * mean_deviation(n - 1) / math.sqrt(n)


def mean_required_n(sd: float, width: float, *, level: float = 0.95) -> int:
    """Return the fewest patients whose t interval is expected to be at most so wide."""
    if width <= 0:
        raise ValueError("a width is above 0")
    return _smallest(lambda n: mean_width(sd, n, level=level) <= width)


def mean_power(
    difference: float,
    sd: float,
    n: int,
    *,
    level: float = 0.95,
    samples: int = 1,
) -> float:
    """Return the chance that the t interval's near limit lies beyond the compared value, exactly.

    `difference` is the assumed mean less that value (or of two groups of n each, `samples=2`); its
    sign says on which side it lies (noncentral t).
    """
    _check(sd, n)
    df = samples * (n - 1)
    shift = abs(difference) / sd * math.sqrt(n / samples)
    return 1 - noncentral_student_cdf(student_quantile(0.5 + level / 2, df), df, shift)


def mean_power_n(difference: float, sd: float, *, chance: float = 0.8, level: float = 0.95) -> int:
    """Return the fewest patients with that power."""
    if difference == 0:
        raise ValueError("no sample tells equal means apart")
    return _smallest(lambda n: mean_power(difference, sd, n, level=level) >= chance)


def equivalence_power(
    difference: float, sd: float, n: int, margin: float, *, level: float = 0.95
) -> float:
    """Return the chance that the whole t interval of a mean lies inside (-margin, margin)."""
    _check(sd, n)
    error = sd / math.sqrt(n)
    t = student_quantile(0.5 + level / 2, n - 1)

    def inside(ratio: float) -> float:
        room = margin - t * ratio * error
        if room <= 0:
            return 0.0
        return normal_cdf((room - difference) / error) - normal_cdf((-room - difference) / error)

    return average_over_deviation(n - 1, inside)


def limits_of_agreement_width(sd: float, n: int, *, level: float = 0.95) -> float:
    """Return the mean width of the exact interval of one 95 % limit of agreement.

    (Carkeet, Optom Vis Sci 2015;92:e71: quantiles of the noncentral t distribution.)
    """
    _check(sd, n)
    shift = two_sided_quantile(0.95) * math.sqrt(n)
    low, high = (
        noncentral_student_quantile(p, n - 1, shift) for p in (0.5 - level / 2, 0.5 + level / 2)
    )
    return (high - low) / math.sqrt(n) * sd * mean_deviation(n - 1)


def icc_width(icc: float, raters: int, n: int, *, level: float = 0.95) -> float:
    """Return the width to expect of an intraclass correlation's interval (Bonett 2002)."""
    if not -1 < icc < 1 or raters < 2 or n < 2:
        raise ValueError("an ICC lies in (-1, 1) and needs two raters and two subjects")
    spread = 8 * ((1 - icc) * (1 + (raters - 1) * icc)) ** 2 / (raters * (raters - 1) * (n - 1))
    return two_sided_quantile(level) * math.sqrt(spread)


def icc_required_n(icc: float, raters: int, width: float, *, level: float = 0.95) -> int:
    """Return the subjects for that width (Bonett, Stat Med 2002;21:1331)."""
    one = icc_width(icc, raters, 2, level=level)
    return math.ceil((one / width) ** 2 + 1)


def kappa_width(kappa: float, share: float, n: int, *, level: float = 0.95) -> float:
    """Return the width to expect of Cohen's kappa between two raters with the same marginals.

    `share` is the share that either calls positive (Fleiss, Cohen & Everitt, Psychol Bull
    1969;72:323; two categories).
    """
    if not 0 < share < 1 or not -1 < kappa < 1 or n < 1:
        raise ValueError("kappa lies in (-1, 1), the share in (0, 1)")
    chance = share**2 + (1 - share) ** 2
    observed = kappa * (1 - chance) + chance
    off = (1 - observed) / 2
    total = 0.0
    for first in (share, 1 - share):
        agree = first - off
        total += agree * ((1 - chance) - 2 * first * (1 - observed)) ** 2
    # Every discordant cell has the marginals `share` and `1 - share`, whose sum is 1.
    total += (1 - observed) ** 2 * 2 * off
    total -= (observed * chance - 2 * chance + observed) ** 2
    return 2 * two_sided_quantile(level) * math.sqrt(max(total, 0.0) / n) / (1 - chance) ** 2


def _smallest(enough: Callable[[int], bool]) -> int:
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if high > LARGEST_N:
            raise ValueError("no practical sample is large enough")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(sd: float, n: int) -> None:
    if sd <= 0 or n < 2:
        raise ValueError("a mean needs a standard deviation above 0 and two patients")
