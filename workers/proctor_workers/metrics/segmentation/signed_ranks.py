"""Two values of the same case, the model's and a second reader's, say: Wilcoxon's signed ranks.

The test, and the interval that belongs to it. The patient is the unit: ranks are taken of the
patients' mean differences.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special, stats

from proctor_workers.statistics.arrays import Floats, Ints, compiled, group_sums

_EXACT_UP_TO = 200  # patients; beyond it the normal approximation has no visible error


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRanks:
    """Wilcoxon's test of a middle of 0, and the Hodges-Lehmann estimate with its limits.

    `p_value` is two-sided, `p_greater` one-sided for a middle above 0. `method` says exact or
    normal; `zeros` are differences of 0, which the test leaves out.
    """

    patients: int
    zeros: int
    statistic: float
    p_value: float
    p_greater: float
    middle: float
    lower: float
    upper: float
    method: Literal["exact", "normal"]


def patient_differences(first: Floats, second: Floats, patient: Ints) -> Floats:
    """Return the mean of first less second for each patient that has both in a case, (patients,).

    Args:
        first: the model's values (cases,), NaN where there is none.
        second: the comparator's.
        patient: codes 0..patients-1.
    """
    if not first.shape == second.shape == patient.shape:
        raise ValueError("both sets have the same cases")
    difference = first - second
    both = ~np.isnan(difference)
    code = np.unique(patient[both], return_inverse=True)[1].reshape(-1)
    sums = group_sums(
        np.column_stack([difference, np.ones(len(difference))])[both],
        code.astype(np.int64),
        int(code.max()) + 1 if len(code) else 0,
    )
    means: Floats = sums[:, 0] / sums[:, 1]
    return means


def signed_ranks(differences: Floats, *, shift: float = 0.0, level: float = 0.95) -> SignedRanks:
    """Test that differences lie around -shift, and estimate where they lie.

    Wilcoxon, Biometrics 1945;1:80. Up to 200 patients the distribution given the ranks as they are,
    ties included, is enumerated (Streitberg & Röhmel, Stat Softw Newsl 1986;12:10), beyond it
    normal with the correction for ties and for continuity. Estimate and limits are the median and
    two order statistics of the Walsh averages (Hodges & Lehmann, Ann Math Stat 1963;34:598;
    Hollander & Wolfe, Nonparametric Statistical Methods, section 3.3).

    Args:
        differences: (patients,) finite.
        shift: added before ranking.
        level: of the limits.
    """
    if not len(differences) or not np.isfinite(differences).all():
        raise ValueError("signed ranks need at least one difference, all finite")
    moved = differences + shift
    moved = moved[moved != 0]
    exact = len(moved) <= _EXACT_UP_TO
    ranks = stats.rankdata(np.abs(moved)) if len(moved) else np.empty(0)
    statistic = float(ranks[moved > 0].sum())
    less, greater = _exact_tails(ranks, statistic) if exact else _normal_tails(ranks, statistic)
    lower, upper = walsh_limits(differences, level)
    return SignedRanks(
        patients=len(differences),
        zeros=len(differences) - len(moved),
        statistic=statistic,
        p_value=min(1.0, 2 * min(less, greater)),
        p_greater=greater,
        middle=hodges_lehmann(differences),
        lower=lower,
        upper=upper,
        method="exact" if exact else "normal",
    )


def _exact_tails(ranks: Floats, statistic: float) -> tuple[float, float]:
    doubled = np.round(2 * ranks).astype(np.int64)  # midranks are whole halves
    chance = _rank_sum_chances(doubled)
    place = round(2 * statistic)
    return float(chance[: place + 1].sum()), float(chance[place:].sum())


def _rank_sum_chances(doubled: Ints) -> Floats:
    """Return the chance of each sum when every rank counts with probability one half."""
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for rank in doubled:
        chance[rank:] = (chance[rank:] + chance[: len(chance) - rank]) / 2
        chance[:rank] /= 2
    return chance


def _normal_tails(ranks: Floats, statistic: float) -> tuple[float, float]:
    middle, spread = float(ranks.sum()) / 2, math.sqrt(float(np.sum(ranks**2)) / 4)
    less = float(special.ndtr((statistic + 0.5 - middle) / spread))
    return less, float(special.ndtr((middle - statistic + 0.5) / spread))


def hodges_lehmann(values: Floats) -> float:
    """Return the median of the averages of all pairs, each value with itself included."""
    ordered, pairs = np.sort(values), len(values) * (len(values) + 1) // 2
    low, high = (pairs + 1) // 2, pairs // 2 + 1
    return (_walsh_average(ordered, low) + _walsh_average(ordered, high)) / 2


def walsh_limits(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the order statistics of the Walsh averages that the signed-rank test does not reject.

    With too few patients for the level the limits are the smallest and the largest value.
    """
    n = len(values)
    pairs = n * (n + 1) // 2
    tail = (1 - level) / 2
    if n <= _EXACT_UP_TO:
        below = np.cumsum(_rank_sum_chances(np.arange(1, n + 1)))
        outside = int(np.searchsorted(below, tail, side="right"))
    else:
        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        outside = math.floor(pairs / 2 - float(special.ndtri(1 - tail)) * spread)
    ordered = np.sort(values)
    outside = min(max(outside, 1), pairs)
    return _walsh_average(ordered, outside), _walsh_average(ordered, pairs + 1 - outside)


@compiled
def _walsh_average(ordered: Floats, rank: int) -> float:
    """Return the rank-th smallest pair average (1 is the smallest) by bisection between values."""
    low, high = ordered[0], ordered[-1]
    if _pairs_up_to(ordered, low) >= rank:
        return float(low)
    while True:
        middle = low + (high - low) / 2
        if middle <= low or middle >= high:
            return float(high)
        if _pairs_up_to(ordered, middle) >= rank:
            high = middle
        else:
            low = middle


@compiled
def _pairs_up_to(ordered: Floats, limit: float) -> int:
    """Count the pairs, each value with itself included, whose average is at most a limit."""
    pairs = 0
    right = len(ordered) - 1
    for left in range(len(ordered)):
        while right >= left and (ordered[left] + ordered[right]) / 2 > limit:
            right -= 1
        if right < left:
            break
        pairs += right - left + 1
    return pairs
