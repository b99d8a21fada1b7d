"""An area under the ROC curve planned: its variance, interval, power and required size."""

import math

from proctor_backend.planning.distributions import normal_cdf, normal_quantile, two_sided_quantile

LARGEST = 10_000_000.0


def hanley_mcneil_variance(auc: float, positives: float, negatives: float) -> float:
    """Return the variance under exponential scores (R16; Radiology 1982;143:29)."""
    _check(auc, positives, negatives)
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return spread / (positives * negatives)


def binormal_variance(auc: float, positives: float, negatives: float) -> float:
    """Return the variance under normal scores (Obuchowski, Clin Chem 2004;50:1118)."""
    _check(auc, positives, negatives)
    a = math.sqrt(2) * normal_quantile(auc)
    both = 5 * a * a + 8 + (a * a + 8) * positives / negatives
    return 0.0099 * math.exp(-a * a / 2) * both / positives


def auc_width(auc: float, positives: float, negatives: float, *, level: float = 0.95) -> float:
    """Return the width to expect of the logit interval, at Hanley and McNeil's variance."""
    half = two_sided_quantile(level) * _logit_error(auc, positives, negatives)
    centre = _logit(auc)
    return _expit(centre + half) - _expit(centre - half)


def auc_power(
    auc: float,
    positives: float,
    negatives: float,
    goal: float,
    *,
    level: float = 0.95,
    bound: str = "lower",
) -> float:
    """Return the chance that the logit interval's lower (upper) limit lies beyond the goal."""
    gap = _logit(auc) - _logit(goal)
    if bound == "upper":
        gap = -gap
    error = _logit_error(auc, positives, negatives)
    return normal_cdf(gap / error - two_sided_quantile(level))


def auc_required_positives(
    auc: float, goal: float, *, ratio: float = 1.0, chance: float = 0.8, level: float = 0.95
) -> int:
    """Return the positives needed when there are `ratio` negatives for each.

    Raises:
        ValueError: the assumed area does not exceed the goal.
    """
    if auc <= goal:
        raise ValueError("no sample reaches a goal that the assumed area does not exceed")

    def enough(positives: int) -> bool:
        return auc_power(auc, positives, positives * ratio, goal, level=level) >= chance

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if high > LARGEST:
            raise ValueError("the goal lies too near the assumed area to be planned for")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def auc_test_power(
    auc: float,
    positives: float,
    negatives: float,
    *,
    null: float = 0.5,
    alpha: float = 0.05,
    two_sided: bool = True,
) -> float:
    """Return the power of the test of an area against `null` under normal scores.

    The variance is taken at the null for the critical value and at the truth for the power
    (Obuchowski, Clin Chem 2004;50:1118).
    """
    z = normal_quantile(1 - alpha / 2 if two_sided else 1 - alpha)
    critical = z * math.sqrt(binormal_variance(null, positives, negatives))
    spread = math.sqrt(binormal_variance(auc, positives, negatives))
    return normal_cdf((abs(auc - null) - critical) / spread)


def auc_test_positives(
    auc: float,
    *,
    ratio: float = 1.0,
    null: float = 0.5,
    chance: float = 0.9,
    alpha: float = 0.05,
    two_sided: bool = True,
) -> float:
    """Return the positives for `auc_test_power`, not rounded; `ratio` is negatives a positive."""
    z = normal_quantile(1 - alpha / 2 if two_sided else 1 - alpha)
    spread = z * math.sqrt(binormal_variance(null, 1, ratio))
    spread += normal_quantile(chance) * math.sqrt(binormal_variance(auc, 1, ratio))
    return (spread / (auc - null)) ** 2


def auc_difference_power(
    first: float,
    second: float,
    positives: float,
    negatives: float,
    *,
    correlation: float = 0.0,
    margin: float = 0.0,
    alpha: float = 0.05,
) -> float:
    """Return the chance that the two-sided interval of first - second lies above -margin.

    With margin 0 it is the power of the paired comparison; `correlation` is that of the two areas
    (Hanley & McNeil, Radiology 1983;148:839).
    """
    v1 = hanley_mcneil_variance(first, positives, negatives)
    v2 = hanley_mcneil_variance(second, positives, negatives)
    error = math.sqrt(v1 + v2 - 2 * correlation * math.sqrt(v1 * v2))
    return normal_cdf((first - second + margin) / error - normal_quantile(1 - alpha / 2))


def _logit_error(auc: float, positives: float, negatives: float) -> float:
    return math.sqrt(hanley_mcneil_variance(auc, positives, negatives)) / (auc * (1 - auc))


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _check(auc: float, positives: float, negatives: float) -> None:
    if not 0 < auc < 1 or positives <= 0 or negatives <= 0:
        raise ValueError("an area lies inside (0, 1) and needs cases of both kinds")
