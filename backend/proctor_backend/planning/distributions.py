"""Beta, binomial, Student and F distributions in plain Python, to about ten digits."""

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_TINY = 1e-300
_EPSILON = 1e-15
_NEGLIGIBLE = 1e-13  # probability that a sum over a distribution may leave out on each side


def normal_cdf(x: float) -> float:
    """Return the standard normal probability below x."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


def normal_quantile(p: float) -> float:
    """Return the standard normal quantile of p."""
    return _NORMAL.inv_cdf(p)


def two_sided_quantile(level: float) -> float:
    """Return z of a two-sided interval."""
    return normal_quantile(0.5 + level / 2)


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_fraction(1 - x, b, a)
    return _beta_fraction(x, a, b)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Evaluate I_x(a, b) by its continued fraction (Abramowitz & Stegun 26.5.8, Lentz's way)."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 + step * d
            c = 1 + step / c
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1) < _EPSILON:
            break
    return math.exp(log_front) * value / a


def beta_quantile(p: float, a: float, b: float) -> float:
    """Return x with I_x(a, b) = p: Newton's steps inside a shrinking bracket."""
    low, high = 0.0, 1.0
    x = a / (a + b)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    for _ in range(200):
        excess = beta_cdf(x, a, b) - p
        low, high = (low, x) if excess > 0 else (x, high)
        slope = math.exp(log_front + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        step = excess / slope if slope > 0 else math.inf
        after = x - step
        if not low < after < high:
            after = (low + high) / 2
        if abs(after - x) <= 1e-14 * after or after in {low, high}:
            return after
        x = after
    return x


def binomial_above(k: int, n: int, p: float) -> float:
    """Return P(X >= k)."""
    if k <= 0:
        return 1.0
    return beta_cdf(p, k, n - k + 1) if k <= n else 0.0


def binomial_terms(n: int, p: float) -> list[tuple[int, float]]:
    """Return (k, P(X = k)) for every k that carries weight."""
    if p in {0.0, 1.0}:
        return [(n if p else 0, 1.0)]
    mode = min(n, int((n + 1) * p))
    peak = math.exp(
        math.lgamma(n + 1)
        - math.lgamma(mode + 1)
        - math.lgamma(n - mode + 1)
        + mode * math.log(p)
        + (n - mode) * math.log1p(-p)
    )
    odds = p / (1 - p)
    below, weight = [], peak
    for k in range(mode, 0, -1):
        weight *= k / ((n - k + 1) * odds)
        if weight < _NEGLIGIBLE * peak:
            break
        below.append((k - 1, weight))
    above, weight = [], peak
    for k in range(mode, n):
        weight *= (n - k) * odds / (k + 1)
        if weight < _NEGLIGIBLE * peak:
            break
        above.append((k + 1, weight))
    return [*reversed(below), (mode, peak), *above]


def student_cdf(t: float, df: float) -> float:
    """Return the probability below t of Student's distribution."""
    tail = beta_cdf(df / (df + t * t), df / 2, 0.5) / 2
    return 1 - tail if t > 0 else tail


def student_quantile(p: float, df: float) -> float:
    """Return the quantile of Student's distribution."""
    if p < 0.5:
        return -student_quantile(1 - p, df)
    share = beta_quantile(2 * (1 - p), df / 2, 0.5)
    return math.sqrt(df * (1 - share) / share)


def f_quantile(p: float, d1: float, d2: float) -> float:
    """Return the quantile of the F distribution."""
    share = beta_quantile(p, d1 / 2, d2 / 2)
    return d2 * share / (d1 * (1 - share))


def noncentral_f_cdf(x: float, d1: float, d2: float, noncentrality: float) -> float:
    """Return the probability below x: a Poisson mixture of central beta probabilities."""
    share, half = d1 * x / (d1 * x + d2), noncentrality / 2
    weight, used, total = math.exp(-half), 0.0, 0.0
    for j in range(10_000):
        total += weight * beta_cdf(share, d1 / 2 + j, d2 / 2)
        used += weight
        if j > half and 1 - used < _NEGLIGIBLE:
            break
        weight *= half / (j + 1)
    return total


def average_over_deviation(df: float, function: Callable[[float], float]) -> float:
    """Return E f(S / sigma), S a sample's standard deviation with df degrees of freedom."""
    return sum(weight * function(ratio) for ratio, weight in _deviation_nodes(df))


@lru_cache(maxsize=256)
def _deviation_nodes(df: float) -> tuple[tuple[float, float], ...]:
    spread = 1 / math.sqrt(2 * df)
    low, high = max(1e-9, 1 - 9 * spread), 1 + 12 * spread
    steps = 600
    width = (high - low) / steps
    log_front = math.log(2) + df / 2 * math.log(df / 2) - math.lgamma(df / 2)
    nodes = []
    for index in range(steps + 1):
        ratio = low + index * width
        simpson = 1 if index in {0, steps} else 4 if index % 2 else 2
        density = math.exp(log_front + (df - 1) * math.log(ratio) - df / 2 * ratio**2)
        nodes.append((ratio, simpson * width / 3 * density))
    return tuple(nodes)


def mean_deviation(df: float) -> float:
    """Return E S / sigma, often called c4."""
    return math.sqrt(2 / df) * math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2))


def noncentral_student_cdf(t: float, df: float, shift: float) -> float:
    """Return P((Z + shift) / (S / sigma) <= t) of the noncentral t distribution."""
    return average_over_deviation(df, lambda ratio: normal_cdf(t * ratio - shift))


def noncentral_student_quantile(p: float, df: float, shift: float) -> float:
    """Return the quantile of the noncentral t distribution, by bisection."""
    low, high = shift - 10, shift + 10
    while noncentral_student_cdf(low, df, shift) > p:
        low -= high - low
    while noncentral_student_cdf(high, df, shift) < p:
        high += high - low
    while high - low > 1e-10 * max(1.0, abs(high)):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if noncentral_student_cdf(middle, df, shift) < p else (low, middle)
        )
    return (low + high) / 2
