"""Bland-Altman limits of agreement with intervals: single pairs, linked and unlinked replicates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.checks import (
    NotEstimableError,
    require_finite,
    require_fraction,
    require_rows,
)
from proctor_workers.statistics.components import one_way
from proctor_workers.statistics.proportions import Limits, normal_quantile, student_quantile


class LimitsMethod(StrEnum):
    """How the interval of each limit is found.

    EXACT: noncentral t (Carkeet, Optom Vis Sci 2015;92:e71). APPROXIMATE: the delta method
    (Bland & Altman, Stat Methods Med Res 1999;8:135). LANCET_1986: two standard deviations with
    the standard error s sqrt(3 / n) (Bland & Altman, Lancet 1986;1:307; R14).
    """

    EXACT = "exact"
    APPROXIMATE = "approximate"
    LANCET_1986 = "lancet_1986"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsOfAgreement:
    """Bias and limits of agreement with the interval of each, in the values' unit.

    `sd` is the standard deviation of a difference between single values. `bias` is the mean of
    the subjects' mean differences.
    """

    bias: float
    bias_limits: Limits
    sd: float
    lower: float
    lower_limits: Limits
    upper: float
    upper_limits: Limits
    subjects: int
    method: str


def limits_of_agreement(
    difference: Floats,
    *,
    share: float = 0.95,
    level: float = 0.95,
    method: LimitsMethod = LimitsMethod.EXACT,
) -> LimitsOfAgreement:
    """Estimate the limits within which a share of differences (n,) lies, one per subject.

    Raises:
        ValueError: NaN, an infinity, a level outside (0, 1).
        NotEstimableError: fewer than 3 differences, or all of them equal.
    """
    require_finite(difference=difference)
    _check(share, level)
    n = len(difference)
    require_rows(n, 3, "limits of agreement of differences")
    bias, sd = float(np.mean(difference)), float(np.std(difference, ddof=1))
    if sd == 0:
        raise NotEstimableError("all differences are equal: they have no limits of agreement")
    half = student_quantile(n - 1, level) * sd / math.sqrt(n)
    z = 2.0 if method is LimitsMethod.LANCET_1986 else normal_quantile(share)
    near, far = _limit_factors(n, z, level, method)
    return LimitsOfAgreement(
        bias=bias,
        bias_limits=(bias - half, bias + half),
        sd=sd,
        lower=bias - z * sd,
        lower_limits=(bias - far * sd, bias - near * sd),
        upper=bias + z * sd,
        upper_limits=(bias + near * sd, bias + far * sd),
        subjects=n,
        method=_NAMES[method],
    )


_NAMES = {
    LimitsMethod.EXACT: "exact (noncentral t)",
    LimitsMethod.APPROXIMATE: "Bland-Altman 1999",
    LimitsMethod.LANCET_1986: "Bland-Altman 1986",
}


def _limit_factors(n: int, z: float, level: float, method: LimitsMethod) -> Limits:
    """Return how many standard deviations from the bias a limit's interval begins and ends."""
    if method is LimitsMethod.EXACT:
        tail = (1 - level) / 2
        root = math.sqrt(n)
        near, far = (float(special.nctdtrit(n - 1, z * root, p)) / root for p in (tail, 1 - tail))
        return near, far
    error = math.sqrt(1 / n + z * z / (2 * (n - 1)))
    if method is LimitsMethod.LANCET_1986:
        error = math.sqrt(3 / n)
    half = student_quantile(n - 1, level) * error
    return z - half, z + half


def linked_replicates(
    difference: Floats, subject: Ints, *, share: float = 0.95, level: float = 0.95
) -> LimitsOfAgreement:
    """Estimate limits of agreement of pairs (n,) repeated while the subject's value varies.

    Variance of a single difference and its interval by MOVER (Zou, Stat Methods Med Res
    2013;22:630); the subjects weigh equally. Without a repeated subject use
    `limits_of_agreement`, which is exact.

    Raises:
        ValueError: NaN, an infinity, a level outside (0, 1).
        NotEstimableError: fewer than 3 subjects, none repeated, or no variation.
    """
    _check(share, level)
    parts = one_way(difference, subject)
    require_rows(parts.subjects, 3, "limits of agreement of subjects")
    if not parts.df_within:
        raise NotEstimableError("no subject is repeated")
    within = _Component((1 - 1 / parts.harmonic) * parts.within, parts.df_within)
    return _recovered(parts.mean, [within], share, level)


def unlinked_replicates(
    first: Floats,
    first_subject: Ints,
    second: Floats,
    second_subject: Ints,
    *,
    share: float = 0.95,
    level: float = 0.95,
) -> LimitsOfAgreement:
    """Estimate limits of first - second where each method repeats an unchanging value.

    The rows of the two methods, (n,) and (m,), need not pair or be equally many. Variance:
    Bland & Altman, J Biopharm Stat 2007;17:571, section 3; interval: Zou 2013, as above.

    Raises:
        ValueError: NaN, an infinity, a level outside (0, 1), or the methods' subjects differ.
        NotEstimableError: fewer than 3 subjects, or no variation.
    """
    _check(share, level)
    if not np.array_equal(np.unique(first_subject), np.unique(second_subject)):
        raise ValueError("the two methods did not measure the same subjects")
    one, two = one_way(first, first_subject), one_way(second, second_subject)
    require_rows(one.subjects, 3, "limits of agreement of subjects")
    within = [
        _Component((1 - 1 / part.harmonic) * part.within, part.df_within)
        for part in (one, two)
        if part.df_within
    ]
    return _recovered(one.mean - two.mean, within, share, level)


@dataclass(frozen=True, slots=True)
class _Component:
    """A part of a variance and its degrees of freedom."""

    variance: float
    df: int

    def slack(self, share: float) -> float:
        """Return how far the part's chi-squared limit lies from it."""
        return self.variance * (1 - self.df / float(special.chdtri(self.df, 1 - share)))


def _recovered(
    mean: Floats, within: Sequence[_Component], share: float, level: float
) -> LimitsOfAgreement:
    """Recover the limits' intervals from those of the bias and of each variance (MOVER)."""
    n = len(mean)
    bias = float(np.mean(mean))
    means = float(np.var(mean, ddof=1))
    parts = [_Component(means, n - 1), *within]
    variance = sum(part.variance for part in parts)
    if variance <= 0:
        raise NotEstimableError("all differences are equal: they have no limits of agreement")
    tail = (1 - level) / 2
    low = variance - math.hypot(*(part.slack(1 - tail) for part in parts))
    high = variance + math.hypot(*(part.slack(tail) for part in parts))
    sd, z, error = math.sqrt(variance), normal_quantile(share), math.sqrt(means / n)
    # The published interval takes the normal quantile for the bias's part of a limit.
    part = normal_quantile(level) * error
    outward = math.hypot(part, z * (math.sqrt(high) - sd))
    inward = math.hypot(part, z * (sd - math.sqrt(max(low, 0.0))))
    half = student_quantile(n - 1, level) * error
    return LimitsOfAgreement(
        bias=bias,
        bias_limits=(bias - half, bias + half),
        sd=sd,
        lower=bias - z * sd,
        lower_limits=(bias - z * sd - outward, bias - z * sd + inward),
        upper=bias + z * sd,
        upper_limits=(bias + z * sd - inward, bias + z * sd + outward),
        subjects=n,
        method="MOVER (Zou 2013)",
    )


def _check(share: float, level: float) -> None:
    require_fraction(share, "share")
    require_fraction(level, "level")
