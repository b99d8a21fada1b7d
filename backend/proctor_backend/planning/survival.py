"""A concordance index planned: its standard error under proportional hazards.

Follow-up ends at one time for everybody, log risks are normal and times exponential given them.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from proctor_backend.planning.distributions import (
    normal_cdf,
    normal_quantile,
    two_sided_quantile,
)

_POINTS = 500
_WIDEST = 30.0  # standard deviation of log risks beyond which C is 1 to three digits
_CLOSE = 1e-3
# The additive recurrence in two dimensions (Roberts 2018): the plastic number's inverse powers.
_STEPS = (0.7548776662466927, 0.5698402909980532)


def concordance_width(
    c_index: float, event_share: float, n: float, *, level: float = 0.95
) -> float:
    """Return the width to expect of Harrell's C with n patients, a share of whom have the event."""
    error = concordance_spread(c_index, event_share) / math.sqrt(n)
    return 2 * two_sided_quantile(level) * error


def concordance_power(
    c_index: float, event_share: float, n: float, goal: float, *, level: float = 0.95
) -> float:
    """Return the chance that the lower limit of Harrell's C reaches the goal."""
    error = concordance_spread(c_index, event_share) / math.sqrt(n)
    return normal_cdf((c_index - goal) / error - two_sided_quantile(level))


@lru_cache(maxsize=256)
def concordance_spread(c_index: float, event_share: float) -> float:
    """Return sqrt(n) times the standard error of Harrell's C.

    The variance of a ratio of two U statistics, its first projection taken over a fixed lattice of
    patients (Hoeffding 1948; Pencina & D'Agostino, Stat Med 2004;23:2109). The spread of the log
    risks is the one that gives this C with this share of events.
    """
    if not 0.5 <= c_index < 1 or not 0 < event_share <= 1:
        raise ValueError("a concordance lies in [0.5, 1), a share of events in (0, 1]")
    low, high = 1e-9, _WIDEST
    while high - low > _CLOSE * high:
        middle = (low + high) / 2
        found = _pairs(_lattice(middle, event_share)).share
        low, high = (middle, high) if found < c_index else (low, middle)
    pairs = _pairs(_lattice(low, event_share))
    parts = [c - pairs.share * u for c, u in zip(pairs.concordant, pairs.usable, strict=True)]
    mean_usable = sum(pairs.usable) / _POINTS
    return 2 * math.sqrt(sum(part * part for part in parts) / _POINTS) / mean_usable


@dataclass(frozen=True, slots=True)
class _Pairs:
    """How many usable pairs each patient of the lattice is in, and how many are concordant."""

    usable: list[int]
    concordant: list[int]

    @property
    def share(self) -> float:
        return sum(self.concordant) / sum(self.usable)


def _pairs(patients: list[tuple[float, float, bool]]) -> _Pairs:
    usable, concordant = [0] * len(patients), [0] * len(patients)
    for i, (risk, time, event) in enumerate(patients):
        if not event:
            continue
        for j, (other_risk, other_time, _) in enumerate(patients):
            if time < other_time:
                agrees = risk > other_risk
                usable[i] += 1
                usable[j] += 1
                concordant[i] += agrees
                concordant[j] += agrees
    return _Pairs(usable, concordant)


def _lattice(deviation: float, event_share: float) -> list[tuple[float, float, bool]]:
    """Return (log risk, observed time, event) of patients spread evenly over the model."""
    patients = []
    for index in range(1, _POINTS + 1):
        first, second = (math.fmod(0.5 + index * step, 1.0) for step in _STEPS)
        risk = deviation * normal_quantile(first)
        patients.append((risk, -math.log(second) * math.exp(-risk)))
    ended = sorted(time for _, time in patients)[math.ceil(event_share * _POINTS) - 1]
    return [(risk, min(time, ended * (1 + 1e-9)), time <= ended) for risk, time in patients]
