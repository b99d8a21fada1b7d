"""The patient bootstrap with BCa limits: patients are drawn within the design's strata."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats, Ints, Times, compiled
from proctor_workers.statistics.draws import LANES, Stream, drawn_times

_FEWEST_USABLE = 0.9  # fewer defined resamples than this share: no interval is given
_KEPT_BYTES = 1 << 24  # draws up to 16 MiB are kept for the next quantity, larger ones made again
_LOOP_COUNTS = 1 << 20  # draw counts handed to a loop at once: 8 MiB


class Kernel(Protocol):
    """A compiled statistic of how often patients are drawn, over `LANES` resamples at once.

    Each lane is summed in the order of its own rows, so that no result depends on its neighbours.
    """

    outputs: int

    def fill(self, times: Times, values: Floats) -> None:
        """Turn draw counts (patients, LANES) into values (outputs, LANES)."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """How often, in which strata (per patient) and from which stream patients are drawn.

    It can be shared: all quantities of the same patients then see the same draws, and where those
    fit into 16 MiB they are made once. Which way they came changes no value.
    """

    resamples: int
    stratum: Ints
    stream: Stream
    _kept: list[tuple[int, Times]] = field(default_factory=list, repr=False, compare=False)

    def times(self) -> Iterator[tuple[int, Times]]:
        """Yield (first resample, draw counts (patients, LANES)), zero past the last resample."""
        if self._kept:
            yield from self._kept
            return
        blocks = -(-self.resamples // LANES)
        keep = blocks * LANES * len(self.stratum) <= _KEPT_BYTES
        made: list[tuple[int, Times]] = []
        for first, times in drawn_times(self.stratum, self.resamples, self.stream):
            if keep:
                made.append((first, times))
            yield first, times
        self._kept.extend(made)

    def replicate(self, *kernels: Kernel) -> list[Floats]:
        """Return each kernel's values (resamples, outputs), all in one pass over the draws."""
        found = [np.empty((self.resamples, kernel.outputs)) for kernel in kernels]
        for first, times in self.times():
            for kernel, values in zip(kernels, found, strict=True):
                part = np.empty((kernel.outputs, LANES))
                kernel.fill(times, part)
                inside = values[first : first + LANES]
                inside[:] = part.T[: len(inside)]
        return found

    def sums(self, columns: Floats) -> Floats:
        """Return the column sums (resamples, k) of the patients' rows (patients, k)."""
        return self.replicate(ColumnSums(columns))[0]

    def values(self, loop: Callable[[Ints, Floats], None]) -> Floats:
        """Return what a loop makes of the draw counts (batch, patients): values (resamples,)."""
        found = np.empty(self.resamples)
        step = min(LANES, max(1, _LOOP_COUNTS // max(len(self.stratum), 1)))
        for first, times in self.times():
            stop = min(LANES, self.resamples - first)
            for lane in range(0, stop, step):
                last = min(lane + step, stop)
                counts = times[:, lane:last].T.astype(np.int64, order="C")
                loop(counts, found[first + lane : first + last])
        return found


class ColumnSums:
    """The sums of the patients' columns (patients, k) over the drawn patients."""

    def __init__(self, columns: Floats) -> None:
        self.columns = np.ascontiguousarray(columns, dtype=np.float64)
        self.outputs = self.columns.shape[1]

    def fill(self, times: Times, values: Floats) -> None:
        """Add each column up in the patients' order; values are (k, LANES)."""
        _add_up(times, self.columns, values)


@compiled
def _add_up(times: Times, columns: Floats, values: Floats) -> None:
    """Add four patients at a time, one after the other: a total is read and written once."""
    patients, width = columns.shape
    values[:] = 0.0
    drawn = np.zeros((4, LANES))
    first, second, third, fourth = drawn[0], drawn[1], drawn[2], drawn[3]
    mass = np.zeros((4, width))
    for start in range(0, patients, 4):
        for step in range(4):
            inside = start + step < patients
            for lane in range(LANES):
                drawn[step, lane] = times[start + step, lane] if inside else 0
            for column in range(width):
                mass[step, column] = columns[start + step, column] if inside else 0.0
        for column in range(width):
            a, b, c, d = mass[0, column], mass[1, column], mass[2, column], mass[3, column]
            if a != 0.0 or b != 0.0 or c != 0.0 or d != 0.0:
                total = values[column]
                for lane in range(LANES):
                    total[lane] = (
                        ((total[lane] + first[lane] * a) + second[lane] * b) + third[lane] * c
                    ) + fourth[lane] * d


@dataclass(frozen=True, slots=True)
class BootstrapLimits:
    """BCa limits, or None with the reason; how many resamples were undefined."""

    lower: float | None
    upper: float | None
    undefined: int
    reason: str | None = None


def bootstrap_sums(sums: Floats, plan: Resampling) -> Floats:
    """Redraw patients and return the column sums (resamples, k) of their rows (patients, k)."""
    return plan.sums(sums)


def bootstrap_counts(plan: Resampling, statistic: Callable[[Ints, Floats], None]) -> Floats:
    """Redraw patients and let a compiled loop turn how often each was drawn into values.

    `statistic(times, values)` gets (batch, patients) counts and fills (batch,) values.
    """
    return plan.values(statistic)


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
    if len(stratum) and np.all(stratum == stratum[0]):
        code = np.zeros(len(stratum), dtype=np.int64)
    else:
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
    finite = np.isfinite(replicates)
    defined = replicates if finite.all() else replicates[finite]
    undefined = len(replicates) - len(defined)
    if len(defined) < _FEWEST_USABLE * len(replicates):
        return BootstrapLimits(None, None, undefined, "undefined in too many resamples")
    if defined.min() == defined.max():
        return BootstrapLimits(None, None, undefined, "no variation between resamples")
    tolerance = 1e-12 * max(1.0, abs(estimate))  # equal values may differ in their last bit
    below_it = np.count_nonzero(defined < estimate - tolerance)
    up_to_it = np.count_nonzero(defined <= estimate + tolerance)
    share = (below_it + up_to_it) / 2 / len(defined)
    edge = 0.5 / len(defined)
    bias = float(special.ndtri(min(max(share, edge), 1 - edge)))
    z = float(special.ndtri(0.5 + level / 2))
    lower, upper = _quantiles(defined, [_moved(bias, accelerated, side) for side in (-z, z)])
    return BootstrapLimits(min(lower, upper), max(lower, upper), undefined)


def _moved(bias: float, accelerated: float, z: float) -> float:
    """Return the share of resamples below the limit that lies z standard errors off."""
    moved = bias + z
    divisor = 1 - accelerated * moved
    return float(special.ndtr(bias + moved / divisor)) if divisor > 0 else float(moved > 0)


def _quantiles(values: Floats, shares: list[float]) -> list[float]:
    """Return quantiles at share * (n + 1), between neighbours (Hyndman & Fan 1996, type 6).

    Only the neighbours are put in their places, not all values.
    """
    last = len(values) - 1
    places = [min(max(share * len(values) + share - 1, 0.0), float(last)) for share in shares]
    floors = [math.floor(place) for place in places]
    parted = np.partition(values, sorted({*floors, *(min(floor + 1, last) for floor in floors)}))
    return [
        float(parted[floor] + (parted[min(floor + 1, last)] - parted[floor]) * (place - floor))
        for floor, place in zip(floors, places, strict=True)
    ]
