"""The patient bootstrap with BCa limits: patients are drawn within the design's strata."""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from proctor_workers.accelerator import WholeNumberSums, device
from proctor_workers.statistics.arrays import Counts, Floats, Ints, Times, compiled
from proctor_workers.statistics.draws import LANES, Stream, drawn_times

_FEWEST_USABLE = 0.9  # fewer defined resamples than this share: no interval is given
_KEPT_BYTES = 1 << 28  # draws up to 256 MiB are kept for the next quantity, larger ones made again
_LAST = 8  # resamplings that are remembered, with as many bytes in all
_WORTH_A_DEVICE = 1 << 22  # entries of columns: fewer are added before they could be sent
_LOOP_COUNTS = 1 << 20  # draw counts handed to a loop at once: 8 MiB


class Kernel(Protocol):
    """A compiled statistic of how often patients are drawn, over `LANES` resamples at once.

    Each lane is summed in the order of its own rows, so that no result depends on its neighbours.
    Kernels of equal `key` give equal values; one without a key is computed whenever it is asked.
    """

    outputs: int
    key: bytes | None

    def fill(self, times: Times, values: Floats) -> None:
        """Turn draw counts (patients, LANES) into values (outputs, LANES)."""


def content_key(name: str, *arrays: NDArray[Any]) -> bytes:
    """Return the digest of what a kernel is made from."""
    found = hashlib.sha256(name.encode())
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.digest()


@dataclass(frozen=True, slots=True)
class Resampling:
    """How often, in which strata (per patient) and from which stream patients are drawn.

    Whoever shares it sees the same draws. They are made once where they fit into `kept_up_to`
    bytes (256 MiB), else again for each call of `replicate`; values are kept by their kernel's
    key. Neither changes one.
    """

    resamples: int
    stratum: Ints
    stream: Stream
    kept_up_to: int | None = field(default=None, compare=False)
    _kept: list[tuple[int, Times]] = field(default_factory=list, repr=False, compare=False)
    _known: dict[bytes, Floats] = field(default_factory=dict, repr=False, compare=False)

    @property
    def bytes_kept(self) -> int:
        """How much memory the draws take, once made; 0 where they are too many to keep."""
        found = -(-self.resamples // LANES) * LANES * len(self.stratum)
        most = _KEPT_BYTES if self.kept_up_to is None else self.kept_up_to
        return found if found <= most else 0

    def times(self) -> Iterator[tuple[int, Times]]:
        """Yield (first resample, draw counts (patients, LANES)), zero past the last resample."""
        if self._kept:
            yield from self._kept
            return
        keep = self.bytes_kept > 0
        made = list[tuple[int, Times]]()
        for first, times in drawn_times(self.stratum, self.resamples, self.stream, at_once=keep):
            if keep:
                made.append((first, times))
            yield first, times
        self._kept.extend(made)

    def replicate(self, *kernels: Kernel) -> list[Floats]:
        """Return each kernel's values (resamples, outputs), all in one pass over the draws."""
        found = [np.empty((self.resamples, kernel.outputs)) for kernel in kernels]
        wanted: list[tuple[Kernel, Floats]] = []
        for place, kernel in enumerate(kernels):
            if kernel.key is not None and kernel.key in self._known:
                found[place] = self._known[kernel.key]
                continue
            wanted.append((kernel, found[place]))
            if kernel.key is not None:
                self._known[kernel.key] = found[place]
        for first, times in self.times() if wanted else ():
            for kernel, values in wanted:
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
        return self.replicate(Looped(loop))[0][:, 0]


class Drawn:
    """The last few resamplings, so that quantities of the same patients share their draws.

    `kept_up_to` bounds the bytes of draws that one of them keeps.
    """

    def __init__(self, kept_up_to: int | None = None) -> None:
        self._kept_up_to = kept_up_to
        self._last: dict[tuple[bytes, int, Stream], Resampling] = {}

    def of(self, resamples: int, stratum: Ints, stream: Stream) -> Resampling:
        """Return the resampling, the same object when it is asked for again soon."""
        key = (content_key("strata", stratum), resamples, stream)
        found = self._last.pop(key, None)
        if found is None:
            found = Resampling(resamples, stratum, stream, self._kept_up_to)
        self._last[key] = found
        while len(self._last) > 1 and (len(self._last) > _LAST or self._bytes() > _KEPT_BYTES):
            self._last.pop(next(iter(self._last)))
        return found

    def _bytes(self) -> int:
        return sum(one.bytes_kept for one in self._last.values())


class Looped:
    """A loop over draw counts (batch, patients), as a kernel.

    It fills values (batch,), or (batch, outputs) where a number of outputs is given.
    """

    key: bytes | None = None

    def __init__(self, loop: Callable[[Ints, Floats], None], outputs: int | None = None) -> None:
        self._loop = loop
        self._shape = () if outputs is None else (outputs,)
        self.outputs = outputs or 1

    def fill(self, times: Times, values: Floats) -> None:
        """Hand the loop a few resamples at a time, one a row."""
        step = min(LANES, max(1, _LOOP_COUNTS // max(len(times), 1)))
        for lane in range(0, LANES, step):
            counts = times[:, lane : lane + step].T.astype(np.int64, order="C")
            drawn = int(np.count_nonzero(counts.any(axis=1)))  # none past the last resample
            found = np.empty((drawn, *self._shape))
            self._loop(counts[:drawn], found)
            values[:, lane : lane + drawn] = found.reshape(drawn, self.outputs).T


class ColumnSums:
    """The sums of the patients' columns (patients, k) over the drawn patients.

    Zeros are left out of the work. Whole numbers are added as such: the same sums, in any order,
    so that many of them may be added by an accelerator where there is one.
    """

    def __init__(self, columns: Floats) -> None:
        table = np.ascontiguousarray(columns, dtype=np.float64)
        patients, self.outputs = table.shape
        entries, largest, whole = _entries_of(table)
        self._patient: Counts = entries[0]
        self._column: Counts = entries[1]
        self._away: WholeNumberSums | None = None
        self._floats: Floats | None = None
        self._count: Counts = np.empty(0, dtype=np.int32)
        if whole and largest * patients < 2**31:  # so that no sum of draws exceeds 32 bits
            self._count = table[self._patient, self._column].astype(np.int32)
            found = device() if len(self._count) >= _WORTH_A_DEVICE else None
            if found is not None:
                self._away = WholeNumberSums(table, found)
        else:
            self._patient = np.flatnonzero(table.any(axis=1)).astype(np.int32)
            self._floats = table[self._patient]
        parts = (self._column, self._count) if self._floats is None else (self._floats,)
        self.key: bytes | None = content_key("sums", self._patient, *parts)

    def fill(self, times: Times, values: Floats) -> None:
        """Add each column up in the patients' order; values are (k, LANES)."""
        if self._floats is not None:
            _add_up(times, self._patient, self._floats, values)
        elif self._away is not None:
            self._away.fill(times, values)
        else:
            totals = np.zeros(values.shape, dtype=np.int32)
            _count_up(times, self._patient, self._column, self._count, totals)
            values[:] = totals


@compiled
def _entries_of(columns: Floats) -> tuple[Counts, float, bool]:
    """Return (patient, column) of what is not zero (2, entries), the largest, whether all whole."""
    largest, whole, entries = 0.0, True, 0
    for patient in range(columns.shape[0]):
        for column in range(columns.shape[1]):
            entries += columns[patient, column] != 0.0
    places = np.empty((2, entries), dtype=np.int32)
    entry = 0
    for patient in range(columns.shape[0]):
        for column in range(columns.shape[1]):
            mass = columns[patient, column]
            if mass != 0.0:
                places[0, entry], places[1, entry] = patient, column
                entry += 1
                largest = max(largest, abs(mass))
                whole = whole and mass == np.floor(mass)
    return places, largest, whole


@compiled
def _count_up(times: Times, patient: Counts, column: Counts, count: Counts, totals: Counts) -> None:
    for entry in range(len(patient)):
        total, drawn, each = totals[column[entry]], times[patient[entry]], count[entry]
        if each == 1:
            for lane in range(LANES):
                total[lane] += drawn[lane]
        else:
            for lane in range(LANES):
                total[lane] += drawn[lane] * each


@compiled
def _add_up(times: Times, patient: Counts, columns: Floats, values: Floats) -> None:
    """Add four patients at a time, one after the other: a total is read and written once."""
    rows, width = columns.shape
    values[:] = 0.0
    drawn = np.zeros((4, LANES))
    first, second, third, fourth = drawn[0], drawn[1], drawn[2], drawn[3]
    mass = np.zeros((4, width))
    for start in range(0, rows, 4):
        for step in range(4):
            if start + step < rows:
                counts = times[patient[start + step]]
                for lane in range(LANES):
                    drawn[step, lane] = counts[lane]
                for column in range(width):
                    mass[step, column] = columns[start + step, column]
            else:
                mass[step, :] = 0.0
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
    squares = part * part
    square = float(np.sum(squares))
    return float(np.sum(squares * part)) / (6 * square**1.5) if square > 0 else 0.0


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
    tolerance = 1e-12 * max(1.0, abs(estimate))  # equal values may differ in their last bit
    if defined.max() - defined.min() <= tolerance:
        return BootstrapLimits(None, None, undefined, "no variation between resamples")
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
