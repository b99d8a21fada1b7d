"""How well paired or repeated values agree: correlations of agreement, and repeatability."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from proctor_workers.metrics.method_comparison import centre_of
from proctor_workers.metrics.regression import FORMULAS, columns
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.checks import (
    NotEstimableError,
    require_finite,
    require_fraction,
    require_rows,
)
from proctor_workers.statistics.components import OneWay, one_way
from proctor_workers.statistics.proportions import Limits, normal_quantile


class Form(StrEnum):
    """Forms of the intraclass correlation, by Shrout & Fleiss (Psychol Bull 1979;86:420).

    1: each subject by other raters; 2: raters drawn from many, absolute agreement; 3: these
    raters, consistency. A single rating, or the mean of the k ratings.
    """

    ONE_SINGLE = "ICC(1,1)"
    TWO_SINGLE = "ICC(2,1)"
    THREE_SINGLE = "ICC(3,1)"
    ONE_MEAN = "ICC(1,k)"
    TWO_MEAN = "ICC(2,k)"
    THREE_MEAN = "ICC(3,k)"


_SINGLE = {
    Form.ONE_MEAN: Form.ONE_SINGLE,
    Form.TWO_MEAN: Form.TWO_SINGLE,
    Form.THREE_MEAN: Form.THREE_SINGLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A coefficient with its limits; without limits, `reason` says why."""

    estimate: float
    lower: float | None
    upper: float | None
    method: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TwoWay:
    """Mean squares of subjects (n) by raters (k); each may be an array over resamples.

    `within` pools raters and residual.
    """

    subjects: Floats
    raters: Floats
    residual: Floats
    within: Floats
    n: Floats
    k: int


def rating_columns(ratings: Floats) -> Floats:
    """Return what subjects (n, k) add to the sums that the mean squares take, (n, k + 3).

    A one, the rating of each rater, the subject's sum of squares and squared sum. Ratings should
    lie about a constant of their size, which no form of the coefficient minds.
    """
    total = ratings.sum(axis=1)
    return np.column_stack([np.ones(len(ratings)), ratings, np.sum(ratings**2, axis=1), total**2])


def two_way(sums: Floats) -> TwoWay:
    """Turn sums (..., k + 3) of `rating_columns` into mean squares; NaN below two subjects."""
    k = sums.shape[-1] - 3
    n = np.where(sums[..., 0] > 1, sums[..., 0], np.nan)
    by_rater = sums[..., 1 : k + 1]
    correction = by_rater.sum(axis=-1) ** 2 / (n * k)
    total = _clear(sums[..., k + 1] - correction, sums[..., k + 1])
    between = _clear(sums[..., k + 2] / k - correction, sums[..., k + 1])
    raters = _clear((by_rater**2).sum(axis=-1) / n - correction, sums[..., k + 1])
    residual = _clear(total - between - raters, sums[..., k + 1])
    return TwoWay(
        subjects=between / (n - 1),
        raters=raters / (k - 1),
        residual=residual / ((n - 1) * (k - 1)),
        within=(raters + residual) / (n * (k - 1)),
        n=n,
        k=k,
    )


def _clear(squares: Floats, size: Floats) -> Floats:
    """Set a sum of squares to 0 where it is no more than the rounding of what it is made from."""
    cleared: Floats = np.where(squares > 1e-13 * size, squares, 0.0)
    return cleared


def intraclass_formula(sums: Floats, form: Form) -> Floats:
    """Return a form of the coefficient from sums (..., k + 3); NaN where nothing varies."""
    part = two_way(sums)
    k = part.k
    single = _SINGLE.get(form, form)
    if single is Form.ONE_SINGLE:
        error, size = part.within, part.subjects + (k - 1) * part.within
    elif single is Form.TWO_SINGLE:
        error = part.residual
        size = part.subjects + (k - 1) * error + k * (part.raters - error) / part.n
    else:
        error, size = part.residual, part.subjects + (k - 1) * part.residual
    with np.errstate(divide="ignore", invalid="ignore"):
        value: Floats = np.where(size > 0, (part.subjects - error) / size, np.nan)
        if form is not single:
            value = k * value / (1 + (k - 1) * value)
    return value


def intraclass(ratings: Floats, form: Form, *, level: float = 0.95) -> Agreement:
    """Estimate an intraclass correlation of ratings (subjects, raters), complete, with F limits.

    McGraw & Wong, Psychol Methods 1996;1:30, tables 4 and 7 (R15). Subjects are taken to be
    independent: where patients bring several, bootstrap `intraclass_formula` over patients.

    Raises:
        ValueError: NaN, an infinity, fewer than two raters.
        NotEstimableError: fewer than 3 subjects, or nothing varies.
    """
    if ratings.ndim != 2 or ratings.shape[1] < 2:
        raise ValueError("ratings need a row a subject and at least two raters")
    require_finite(ratings=ratings.ravel())
    require_fraction(level, "level")
    require_rows(len(ratings), 3, "an intraclass correlation of subjects")
    sums = rating_columns(ratings - np.median(ratings)).sum(axis=0)
    value = float(intraclass_formula(sums, form))
    if not math.isfinite(value):
        raise NotEstimableError("the ratings do not vary")
    part = two_way(sums)
    error = part.within if _SINGLE.get(form, form) is Form.ONE_SINGLE else part.residual
    if error == 0:
        reason = "the raters agree without any residual: no interval"
        return Agreement(estimate=value, lower=None, upper=None, method="F", reason=reason)
    low, high = _single_limits(
        part,
        _SINGLE.get(form, form),
        value if form not in _SINGLE else float(intraclass_formula(sums, _SINGLE[form])),
        1 - (1 - level) / 2,
    )
    if form in _SINGLE:
        low, high = (part.k * one / (1 + (part.k - 1) * one) for one in (low, high))
    return Agreement(estimate=value, lower=low, upper=high, method="F (McGraw-Wong)")


def _single_limits(part: TwoWay, form: Form, value: float, share: float) -> Limits:
    """Limits of a single rating's coefficient."""
    n, k = float(part.n), part.k
    subjects, raters, residual = float(part.subjects), float(part.raters), float(part.residual)
    if form is Form.TWO_SINGLE:
        return _absolute_limits(n, k, (subjects, raters, residual), value, share)
    within = float(part.within)
    ratio, df = (
        (subjects / within, n * (k - 1))
        if form is Form.ONE_SINGLE
        else (subjects / residual, (n - 1) * (k - 1))
    )
    low = ratio / _f_quantile(n - 1, df, share)
    high = ratio * _f_quantile(df, n - 1, share)
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _absolute_limits(
    n: float, k: int, squares: tuple[float, float, float], value: float, share: float
) -> Limits:
    """Limits of ICC(2,1): F with Satterthwaite's degrees of freedom (Shrout & Fleiss, p 424)."""
    subjects, raters, residual = squares
    a = k * value * raters / residual
    b = n * (1 + (k - 1) * value) - k * value
    df = (k - 1) * (n - 1) * (a + b) ** 2 / ((n - 1) * a**2 + b**2)
    above, below = _f_quantile(n - 1, df, share), _f_quantile(df, n - 1, share)
    rest = k * raters + (k * n - k - n) * residual
    low = n * (subjects - above * residual) / (above * rest + n * subjects)
    high = n * (below * subjects - residual) / (rest + n * below * subjects)
    return low, high


def _f_quantile(first: float, second: float, share: float) -> float:
    return float(special.fdtri(first, second, share))


def concordance(value: Floats, reference: Floats, *, level: float = 0.95) -> Agreement:
    """Estimate Lin's concordance correlation of rows (n,) with limits on the z scale (R14).

    Lin, Biometrics 1989;45:255, with the variance as corrected in 2000;56:324. Rows are taken to
    be independent: where patients repeat, bootstrap the formula "ccc" over patients.

    Raises:
        ValueError: NaN or an infinity.
        NotEstimableError: fewer than 3 rows, or one of the two does not vary.
    """
    require_finite(value=value, reference=reference)
    require_fraction(level, "level")
    n = len(value)
    require_rows(n, 3, "a concordance correlation of rows")
    sums = columns(value, reference, centre_of(reference, value)).sum(axis=0)
    found, r = float(FORMULAS["ccc"](sums)), float(FORMULAS["pearson"](sums))
    if not math.isfinite(r):
        raise NotEstimableError("values or reference values do not vary")
    if r == 0 or abs(found) >= 1:
        reason = "uncorrelated" if r == 0 else "perfect concordance"
        return Agreement(
            estimate=found, lower=None, upper=None, method="Lin z", reason=f"{reason}: no interval"
        )
    # u^2 = (difference of means)^2 / (s_x s_y), from rho_c = 2 r s_x s_y / (s_x^2 + s_y^2 + ...)
    bias = float(FORMULAS["bias"](sums))
    shift = bias**2 / float(np.std(value) * np.std(reference))
    rest = 1 - found**2
    variance = (
        (1 - r**2) * found**2 / (rest * r**2)
        + 2 * found**3 * (1 - found) * shift / (r * rest**2)
        - found**4 * shift**2 / (2 * r**2 * rest**2)
    ) / max(n - 2, 1)
    half = normal_quantile(level) * math.sqrt(max(variance, 0.0))
    centre = math.atanh(found)
    return Agreement(
        estimate=found,
        lower=math.tanh(centre - half),
        upper=math.tanh(centre + half),
        method="Lin z",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatability:
    """A measure of what varies within subjects, with its chi-squared limits."""

    estimate: float
    lower: float
    upper: float
    df: int
    subjects: int
    method: str = "chi-squared"


def within_subject_sd(value: Floats, subject: Ints, *, level: float = 0.95) -> Repeatability:
    """Estimate the standard deviation of repeats (n,) about their subject's mean.

    Raises:
        ValueError: NaN or an infinity.
        NotEstimableError: no subject is repeated.
    """
    parts = _repeated(value, subject, level)
    return _chi_squared(math.sqrt(parts.within), parts, level)


def repeatability_coefficient(
    value: Floats, subject: Ints, *, share: float = 0.95, level: float = 0.95
) -> Repeatability:
    """Estimate below what two repeats of a subject differ with a given probability.

    z sqrt(2) times the within-subject standard deviation, 2.77 of them at 0.95 (Bland & Altman,
    Stat Methods Med Res 1999;8:135; R14 has z = 2).

    Raises:
        ValueError: NaN or an infinity.
        NotEstimableError: no subject is repeated.
    """
    require_fraction(share, "share")
    parts = _repeated(value, subject, level)
    return _chi_squared(normal_quantile(share) * math.sqrt(2 * parts.within), parts, level)


def within_subject_cv(value: Floats, subject: Ints, *, level: float = 0.95) -> Repeatability:
    """Estimate the within-subject coefficient of variation as a share of the mean.

    The root of the mean squared coefficient of each subject's repeats, subjects weighing by their
    degrees of freedom (Raunig et al., Stat Methods Med Res 2015;24:27).

    Raises:
        ValueError: NaN or an infinity.
        NotEstimableError: no subject is repeated, or a repeated subject's mean is not positive.
    """
    parts = _repeated(value, subject, level)
    repeated = parts.size > 1
    if np.any(parts.mean[repeated] <= 0):
        raise NotEstimableError("a coefficient of variation needs subjects with positive means")
    squared = float(np.sum(parts.squares[repeated] / parts.mean[repeated] ** 2))
    return _chi_squared(math.sqrt(squared / parts.df_within), parts, level)


def _repeated(value: Floats, subject: Ints, level: float) -> OneWay:
    require_fraction(level, "level")
    parts = one_way(value, subject)
    if not parts.df_within:
        raise NotEstimableError("no subject is repeated")
    return parts


def _chi_squared(estimate: float, parts: OneWay, level: float) -> Repeatability:
    df, tail = parts.df_within, (1 - level) / 2
    return Repeatability(
        estimate=estimate,
        lower=estimate * math.sqrt(df / float(special.chdtri(df, tail))),
        upper=estimate * math.sqrt(df / float(special.chdtri(df, 1 - tail))),
        df=df,
        subjects=parts.subjects,
    )
