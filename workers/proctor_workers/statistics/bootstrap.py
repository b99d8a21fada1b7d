"""The patient bootstrap with BCa limits: patients are drawn within the design's strata."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats, Ints, Words, compiled
from proctor_workers.statistics.draws import Stream, below, stratum_layout

_FEWEST_USABLE = 0.9  # fewer defined resamples than this share: no interval is given


@dataclass(frozen=True, slots=True)
class Resampling:
    """How often, in which strata (per patient) and from which stream patients are drawn."""

    resamples: int
    stratum: Ints
    stream: Stream


@dataclass(frozen=True, slots=True)
class BootstrapLimits:
    """BCa limits, or None with the reason; how many resamples were undefined."""

    lower: float | None
    upper: float | None
    undefined: int
    reason: str | None = None


_KEPT = 8
_RECENT: dict[tuple[str, int, Stream], Floats] = {}


def bootstrap_sums(sums: Floats, plan: Resampling) -> Floats:
    """Redraw patients and return the column sums (resamples, k) of their rows (patients, k).

    The last few are kept: F1, MCC and the like are formulas of the same sums.
    """
    source = hashlib.sha256(sums.tobytes() + plan.stratum.tobytes()).hexdigest()
    key = (source, plan.resamples, plan.stream)
    if key not in _RECENT:
        while len(_RECENT) >= _KEPT:
            _RECENT.pop(next(iter(_RECENT)))
        _RECENT[key] = _bootstrap_sums(sums, plan)
    return _RECENT[key]


def _bootstrap_sums(sums: Floats, plan: Resampling) -> Floats:
    order, bounds = stratum_layout(plan.stratum)
    ordered = np.ascontiguousarray(sums[order])
    drawn = np.empty((plan.resamples, sums.shape[1]))
    for first, words in plan.stream.batches(plan.resamples, len(order)):
        _draw_sums(ordered, bounds, words, drawn[first : first + len(words)])
    return drawn


@compiled
def _draw_sums(ordered: Floats, bounds: Ints, words: Words, drawn: Floats) -> None:
    for repeat in range(words.shape[0]):
        for column in range(ordered.shape[1]):
            drawn[repeat, column] = 0.0
        for part in range(len(bounds) - 1):
            start, size = bounds[part], bounds[part + 1] - bounds[part]
            for position in range(start, start + size):
                chosen = start + below(words[repeat], position, size)
                for column in range(ordered.shape[1]):
                    drawn[repeat, column] += ordered[chosen, column]


def bootstrap_counts(plan: Resampling, statistic: Callable[[Ints, Floats], None]) -> Floats:
    """Redraw patients and let a compiled loop turn how often each was drawn into values.

    `statistic(times, values)` gets (batch, patients) counts and fills (batch,) values.
    """
    order, bounds = stratum_layout(plan.stratum)
    values = np.empty(plan.resamples)
    for first, words in plan.stream.batches(plan.resamples, len(order)):
        times = np.zeros((len(words), len(order)), dtype=np.int64)
        _draw_counts(order, bounds, words, times)
        statistic(times, values[first : first + len(words)])
    return values


@compiled
def _draw_counts(order: Ints, bounds: Ints, words: Words, times: Ints) -> None:
    for repeat in range(words.shape[0]):
        for part in range(len(bounds) - 1):
            start, size = bounds[part], bounds[part + 1] - bounds[part]
            for position in range(start, start + size):
                chosen = start + below(words[repeat], position, size)
                times[repeat, order[chosen]] += 1


def jackknife_influence(without: Floats, stratum: Ints) -> Floats:
    """Turn the estimates without each patient into influences l / n_s, centred in each stratum."""
    usable = np.isfinite(without)
    size, mean = _stratum_means(without[usable], stratum[usable])
    influence = np.zeros(len(without))
    influence[usable] = (size - 1) / size * (mean - without[usable])
    return influence


def acceleration(influence: Floats, stratum: Ints) -> float:
    """Return a = sum_s(sum l^3 / n_s^3) / [6 (sum_s sum l^2 / n_s^2)^1.5], given l / n_s.

    Davison & Hinkley 1997, eq. 5.26 (several samples); influences are centred in their stratum.
    """
    _, mean = _stratum_means(influence, stratum)
    part = influence - mean
    square = float(np.sum(part**2))
    return float(np.sum(part**3)) / (6 * square**1.5) if square > 0 else 0.0


def _stratum_means(values: Floats, stratum: Ints) -> tuple[Floats, Floats]:
    _, code = np.unique(stratum, return_inverse=True)
    size = np.bincount(code).astype(np.float64)
    mean = np.bincount(code, weights=values) / size
    return size[code], mean[code]


def bca_limits(
    estimate: float, replicates: Floats, accelerated: float, level: float = 0.95
) -> BootstrapLimits:
    """Bias-corrected and accelerated limits (Efron, JASA 1987;82:171).

    Resamples in which the quantity is undefined are left out and counted.
    """
    defined = np.sort(replicates[np.isfinite(replicates)])
    undefined = len(replicates) - len(defined)
    if len(defined) < _FEWEST_USABLE * len(replicates):
        return BootstrapLimits(None, None, undefined, "undefined in too many resamples")
    if defined[0] == defined[-1]:
        return BootstrapLimits(None, None, undefined, "no variation between resamples")
    tolerance = 1e-12 * max(1.0, abs(estimate))  # equal values may differ in their last bit
    below_it = float(np.sum(defined < estimate - tolerance))
    at_it = float(np.sum(np.abs(defined - estimate) <= tolerance))
    share = (below_it + at_it / 2) / len(defined)
    edge = 0.5 / len(defined)
    bias = float(special.ndtri(min(max(share, edge), 1 - edge)))
    z = float(special.ndtri(0.5 + level / 2))
    limits = [_shifted_quantile(defined, bias, accelerated, sign * z) for sign in (-1, 1)]
    return BootstrapLimits(min(limits), max(limits), undefined)


def _shifted_quantile(ordered: Floats, bias: float, accelerated: float, z: float) -> float:
    moved = bias + z
    divisor = 1 - accelerated * moved
    share = float(special.ndtr(bias + moved / divisor)) if divisor > 0 else float(moved > 0)
    return float(np.quantile(ordered, share, method="weibull"))
