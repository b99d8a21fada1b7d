"""Passing-Bablok regression: the shifted median of all pairwise slopes, with its interval.

Passing & Bablok, J Clin Chem Clin Biochem 1983;21:709. Pairs with equal reference and equal value
say nothing; slopes of -1 are discarded; vertical slopes count as infinite (whether up or down moves
nothing, for the shift makes up for it). Large samples do not hold their slopes: they are selected
by counting inversions, in O(n log n), and are the very ones that sorting would give.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_workers.statistics.arrays import Floats, Ints, compiled
from proctor_workers.statistics.checks import (
    NotEstimableError,
    require_finite,
    require_fraction,
    require_rows,
)
from proctor_workers.statistics.lines import SLOPE, Line
from proctor_workers.statistics.proportions import Limits, normal_quantile

MOST_RESAMPLED = 2000  # rows whose slopes are held for resampling: 2 million, 32 MiB
_ROUNDING = 1e-13  # of sums of two values, relative to the largest of them
_BISECTIONS = 80


def passing_bablok(reference: Floats, value: Floats, *, level: float = 0.95) -> Line:
    """Fit a line to rows (n,) of different patients by the shifted median of their slopes.

    Limits by the ranks of the slopes, as published. Where patients repeat, they are too narrow:
    take the patient bootstrap with `passing_bablok_resampled`.

    Raises:
        ValueError: NaN, an infinity, a level outside (0, 1).
        NotEstimableError: fewer than 3 rows, or too many equal reference values for a slope.
    """
    _check(reference, value, level)
    slopes = _Slopes.of(reference, value)
    slope = slopes.middle()
    limits = slopes.limits(level)
    line = Line(
        slope=slope,
        intercept=float(np.median(value - slope * reference)),
        slope_limits=limits,
        intercept_limits=None,
        method="Passing-Bablok 1983",
    )
    if limits is None:
        return replace(line, reason="too few slopes for an interval at this level")
    low, high = (float(np.median(value - limit * reference)) for limit in reversed(limits))
    return replace(line, intercept_limits=(low, high))


def passing_bablok_resampled(
    reference: Floats, value: Floats, patient: Ints, *, part: int = SLOPE
) -> Callable[[Ints, Floats], None]:
    """Return the loop that turns draw counts (batch, patients) into slopes or intercepts (batch,).

    `patient` holds codes 0..patients-1; `part` is SLOPE or INTERCEPT. Slopes are sorted once; a
    slope counts as often as the product of how often its two patients were drawn.

    Raises:
        ValueError: more than 2,000 rows, NaN or an infinity.
        NotEstimableError: fewer than 3 rows.
    """
    _check(reference, value, 0.95)
    if len(reference) > MOST_RESAMPLED:
        raise ValueError(f"Passing-Bablok is resampled up to {MOST_RESAMPLED:,} rows")
    order = np.lexsort((patient, value, reference))
    x, y, code = reference[order], value[order], patient[order]
    total = _totals(x, y)
    first, second = np.triu_indices(len(x), 1)
    rise, run = y[second] - y[first], x[second] - x[first]
    silent = ((rise == 0) & (run == 0)) | ((run > 0) & (total[first] == total[second]))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(run > 0, rise / run, np.inf)
    by_slope = np.flatnonzero(~silent)
    by_slope = by_slope[np.argsort(slope[by_slope], kind="stable")]
    pairs = np.column_stack([code[first], code[second]]).astype(np.int32)
    slopes = partial(
        _slope_batch,
        code,
        slope[by_slope],
        np.ascontiguousarray(pairs[by_slope]),
        np.ascontiguousarray(pairs[silent]),
    )
    if part == SLOPE:
        return slopes

    def intercepts(times: Ints, values: Floats) -> None:
        slopes(times, values)
        _intercept_batch(x, y, code, times, values)

    return intercepts


def _check(reference: Floats, value: Floats, level: float) -> None:
    require_finite(reference=reference, value=value)
    require_fraction(level, "level")
    require_rows(len(reference), 3, "a line through rows")
    if np.ptp(reference) == 0:
        raise NotEstimableError("all reference values are equal: they determine no slope")


def _totals(x: Floats, y: Floats) -> Ints:
    """Return x + y as ranks that are equal where the sums are, but for their rounding.

    A slope of -1 is a pair of equal sums; in decimals the slope itself would seldom be -1 exactly.
    """
    total = x + y
    order = np.argsort(total, kind="stable")
    step = np.diff(total[order]) > _ROUNDING * (np.max(np.abs(x)) + np.max(np.abs(y)))
    rank = np.empty(len(total), dtype=np.int64)
    rank[order] = np.concatenate([[0], np.cumsum(step)])
    return rank


@dataclass(frozen=True, slots=True)
class _Slopes:
    """All slopes of rows ordered by (reference, value), held as counts until one is asked for.

    `total` ranks the sums; `below` counts the slopes under -1, `passed` those up to -1, and
    `usable` all but those at -1.
    """

    x: Floats
    y: Floats
    total: Ints
    below: int
    passed: int
    usable: int

    @classmethod
    def of(cls, reference: Floats, value: Floats) -> "_Slopes":
        order = np.lexsort((value, reference))
        x, y = reference[order], value[order]
        total = _totals(x, y)
        n = len(x)
        same = _tied_pairs(np.column_stack([x, y]))
        below = int(_inversions(total.astype(np.float64), np.empty(n)))
        discarded = _tied_pairs(total[:, None]) - same
        return cls(
            # About the medians the products are small, and so is their rounding.
            np.ascontiguousarray(x - np.median(x)),
            np.ascontiguousarray(y - np.median(y)),
            total,
            below,
            below + discarded,
            n * (n - 1) // 2 - same - discarded,
        )

    def middle(self) -> float:
        """Return the shifted median."""
        places = ((self.usable + 1) // 2, (self.usable + 2) // 2)
        if self.usable == 0:
            raise NotEstimableError("no two rows determine a slope")
        slope = sum(self.at(place) for place in places) / 2
        if not math.isfinite(slope):
            raise NotEstimableError("too many reference values are equal: the line is vertical")
        return slope

    def limits(self, level: float) -> Limits | None:
        """Return the slopes at the ranks of the published interval; None where there are none."""
        n = len(self.x)
        spread = normal_quantile(level) * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
        low = math.floor((self.usable - spread) / 2 + 0.5)
        high = self.usable - low + 1
        if low < 1 or high + self.below > self.usable:
            return None
        limits = self.at(low), self.at(high)
        return limits if math.isfinite(limits[1]) else None

    def at(self, rank: int) -> float:
        """Return the usable slope of a rank, counted from 1 and shifted by those below -1."""
        place = rank + self.passed
        low, high = -math.pi / 4, math.pi / 2
        before, until = self.passed, self._count(high)
        if place > until:
            return math.inf
        at_most = 4 * len(self.x) + 1000
        for _ in range(_BISECTIONS):
            if until - before <= at_most:
                break
            middle = (low + high) / 2
            count = self._count(middle)
            if count < place:
                low, before = middle, count
            else:
                high, until = middle, count
        found = self._between(low, high, at_most)
        found.sort()
        # Where rounding or many equal slopes stop the narrowing, all that is left is one slope.
        return float(found[min(place - before, len(found)) - 1])

    def _count(self, angle: float) -> int:
        """Count pairs of unequal reference whose slope's angle lies below a bound."""
        level = self.y - math.tan(angle) * self.x
        return int(_inversions(level, np.empty_like(level)))

    def _between(self, low: float, high: float, at_most: int) -> Floats:
        """Return the slopes between two angles, or the first `at_most` of them."""
        if low == -math.pi / 4:  # those at -1 have passed already
            order = np.lexsort((-self.x, self.total))
        else:
            order = np.argsort(self.y - math.tan(low) * self.x, kind="stable")
        level = (self.y - math.tan(high) * self.x)[order]
        found = np.empty(at_most)
        return found[: _swapped(self.x[order], self.y[order], level, found)]


def _tied_pairs(rows: NDArray[Any]) -> int:
    """Count the pairs of equal rows (n, k)."""
    _, counts = np.unique(rows, axis=0, return_counts=True)
    return int(np.sum(counts * (counts - 1) // 2))


@compiled
def _inversions(values: Floats, spare: Floats) -> int:
    """Count i < j with values_j < values_i by merging runs from the bottom up; sorts `values`."""
    n = len(values)
    count = 0
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle, end = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for place in range(start, end):
                if right >= end or (left < middle and values[left] <= values[right]):
                    spare[place] = values[left]
                    left += 1
                else:
                    spare[place] = values[right]
                    right += 1
                    count += middle - left
        for place in range(n):
            values[place] = spare[place]
        width *= 2
    return count


@compiled
def _swapped(x: Floats, y: Floats, level: Floats, found: Floats) -> int:
    """Sort by insertion and note the slope of every pair that changes places."""
    count = 0
    for row in range(1, len(level)):
        a, b, c = x[row], y[row], level[row]
        place = row
        while place > 0 and level[place - 1] > c:
            if count < len(found) and x[place - 1] != a:
                found[count] = (b - y[place - 1]) / (a - x[place - 1])
                count += 1
            x[place], y[place], level[place] = x[place - 1], y[place - 1], level[place - 1]
            place -= 1
        x[place], y[place], level[place] = a, b, c
    return count


@compiled
def _slope_batch(
    patient: Ints, slope: Floats, pairs: Ints, silent: Ints, times: Ints, values: Floats
) -> None:
    below = np.searchsorted(slope, -1.0)
    for repeat in range(times.shape[0]):
        drawn = times[repeat]
        values[repeat] = np.nan
        rows, squares = 0, 0
        for row in range(len(patient)):
            rows += drawn[patient[row]]
            squares += drawn[patient[row]] ** 2
        usable, shift = (rows * rows - squares) // 2, 0
        for pair in range(len(silent)):
            usable -= drawn[silent[pair, 0]] * drawn[silent[pair, 1]]
        for pair in range(below):
            shift += drawn[pairs[pair, 0]] * drawn[pairs[pair, 1]]
        lower, upper = (usable + 1) // 2 + shift, (usable + 2) // 2 + shift
        if usable <= 0 or upper > usable:  # most slopes lie below -1: the shifted rank has none
            continue
        place, seen = -1, 0
        while seen < lower:
            place += 1
            seen += drawn[pairs[place, 0]] * drawn[pairs[place, 1]]
        found = slope[place]
        while seen < upper:
            place += 1
            seen += drawn[pairs[place, 0]] * drawn[pairs[place, 1]]
        found = (found + slope[place]) / 2
        if np.isfinite(found):
            values[repeat] = found


@compiled
def _intercept_batch(x: Floats, y: Floats, patient: Ints, times: Ints, values: Floats) -> None:
    """Turn the slopes in `values` into intercepts."""
    residual = np.empty(len(x))
    for repeat in range(times.shape[0]):
        if np.isfinite(values[repeat]):
            for row in range(len(x)):
                residual[row] = y[row] - values[repeat] * x[row]
            values[repeat] = _drawn_median(residual, patient, times[repeat])


@compiled
def _drawn_median(residual: Floats, patient: Ints, drawn: Ints) -> float:
    total = 0
    for row in range(len(residual)):
        total += drawn[patient[row]]
    seen, below = 0, np.nan
    for row in np.argsort(residual):
        seen += drawn[patient[row]]
        if np.isnan(below) and seen >= (total + 1) // 2:
            below = residual[row]
        if seen >= (total + 2) // 2:
            return float((below + residual[row]) / 2)
    return np.nan
