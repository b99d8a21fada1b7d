"""A risk model's validation planned: O/E, calibration slope and C-statistic by their precision.

Riley, Debray, Collins et al., Stat Med 2021;40:4230.
"""

import math
from dataclasses import dataclass

from proctor_backend.planning.distributions import normal_cdf, normal_quantile, two_sided_quantile

_NODES = 2_000
_REACH = 8.0  # standard deviations that the integrals cover


@dataclass(frozen=True, slots=True)
class LinearPredictor:
    """The expected normal distribution of the model's logits."""

    mean: float
    sd: float


def predictor_of(auc: float, prevalence: float) -> LinearPredictor:
    """Return the normal distribution of logits that gives this area and prevalence.

    Under a well calibrated model (Pavlou, Stat Methods Med Res 2021;30:2187, eq. 7 and 8).
    """
    if not 0.5 < auc < 1 or not 0 < prevalence < 1:
        raise ValueError("an area lies in (0.5, 1), a prevalence in (0, 1)")
    spread = 2 * normal_quantile(auc) ** 2
    mean = 0.5 * (2 * prevalence - 1) * spread + math.log(prevalence / (1 - prevalence))
    return LinearPredictor(mean, math.sqrt(spread * (1 + prevalence * (1 - prevalence) * spread)))


def oe_width(prevalence: float, n: float, *, oe: float = 1.0, level: float = 0.95) -> float:
    """Return the width to expect of the log interval of O/E."""
    half = two_sided_quantile(level) * math.sqrt((1 - prevalence) / (prevalence * n))
    return oe * (math.exp(half) - math.exp(-half))


def oe_required_n(prevalence: float, width: float, *, level: float = 0.95) -> int:
    """Return the cases for an O/E of 1 with an interval at most so wide."""
    # exp(h) - exp(-h) = 2 sinh(h)
    error = math.asinh(width / 2) / two_sided_quantile(level)
    return math.ceil((1 - prevalence) / (prevalence * error**2))


def slope_width(logits: LinearPredictor, n: float, *, level: float = 0.95) -> float:
    """Return the width to expect of the calibration slope's interval around 1."""
    return 2 * two_sided_quantile(level) * math.sqrt(_slope_spread(logits) / n)


def slope_required_n(logits: LinearPredictor, width: float, *, level: float = 0.95) -> int:
    """Return the cases for a slope of 1 with an interval at most so wide."""
    error = width / (2 * two_sided_quantile(level))
    return math.ceil(_slope_spread(logits) / error**2)


def intercept_width(logits: LinearPredictor, n: float, *, level: float = 0.95) -> float:
    """Return the width to expect of the interval of the calibration in the large."""
    return 2 * two_sided_quantile(level) / math.sqrt(n * _information(logits)[0])


def _slope_spread(logits: LinearPredictor) -> float:
    """Return n times the slope's variance, from the expected information."""
    i00, i01, i11 = _information(logits)
    return i00 / (i00 * i11 - i01 * i01)


def _information(logits: LinearPredictor) -> tuple[float, float, float]:
    """Return the expected information of (intercept, slope) a case."""
    i00, i01, i11 = 0.0, 0.0, 0.0
    width = 2 * _REACH / _NODES
    for index in range(_NODES):
        low = -_REACH + index * width
        x = logits.mean + logits.sd * (low + width / 2)
        weight = normal_cdf(low + width) - normal_cdf(low)
        p = 1 / (1 + math.exp(-x))
        spread = weight * p * (1 - p)
        i00 += spread
        i01 += spread * x
        i11 += spread * x * x
    return i00, i01, i11


def c_statistic_error(auc: float, prevalence: float, n: float) -> float:
    """Return the standard error of a C-statistic (Newcombe, Stat Med 2006;25:559, method 4)."""
    each = n / 2 - 1
    shape = 1 + each * (1 - auc) / (2 - auc) + each * auc / (1 + auc)
    return math.sqrt(auc * (1 - auc) * shape / (n * n * prevalence * (1 - prevalence)))


def c_statistic_required_n(
    auc: float, prevalence: float, width: float, *, level: float = 0.95
) -> int:
    """Return the cases for a C-statistic whose symmetric interval is at most so wide."""
    error = width / (2 * two_sided_quantile(level))
    low, high = 2, 4
    while c_statistic_error(auc, prevalence, high) > error:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        wide = c_statistic_error(auc, prevalence, middle) > error
        low, high = (middle, high) if wide else (low, middle)
    return high
