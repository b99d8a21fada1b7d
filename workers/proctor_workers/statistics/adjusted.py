"""A gap between two groups, crude and within the strata of another attribute."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums
from proctor_workers.statistics.bootstrap import Resampling
from proctor_workers.statistics.shared import Difference, Quantity, shared_draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One group in one stratum: its value and how much information it carries.

    `size` is the number of rows of a mean or share, and 1 / (1/m + 1/n) of an area under the ROC
    curve with m positives and n negatives.
    """

    value: Quantity
    size: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumGap:
    """The gap within one stratum (None where a group is absent) and its share of the weight."""

    stratum: str
    difference: float | None
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedGap:
    """Crude gap, gap within strata, and crude minus adjusted, all over the same draws."""

    crude: Difference
    adjusted: Difference
    explained: Difference
    strata: tuple[StratumGap, ...]

    @property
    def reversed(self) -> bool:
        """Whether crude and adjusted gap both exclude 0, on opposite sides."""
        opposite = self.crude.estimate * self.adjusted.estimate < 0
        return opposite and self.crude.beyond() and self.adjusted.beyond()


def adjusted_gap(
    pair: tuple[Quantity, Quantity],
    strata: Sequence[tuple[str, Cell, Cell]],
    plan: Resampling,
    *,
    level: float = 0.95,
) -> AdjustedGap:
    """Compare first minus second group as they are (`pair`) and within strata.

    The gap within strata weighs each by 1 / (1/size1 + 1/size2): for shares that is the
    Mantel-Haenszel risk difference (Cochran, Biometrics 1954;10:417; Greenland & Robins 1985),
    for areas the covariate-specific areas (Janes & Pepe, Biometrika 2009;96:371) with the same
    kind of weight. A stratum without one of the groups gets none.

    Raises:
        ValueError: there are no strata.
    """
    if not strata:
        raise ValueError("an adjustment needs strata")
    cells = [cell for _, first, second in strata for cell in (first, second)]
    shared = shared_draws(
        [
            *pair,
            *(cell.value for cell in cells),
            *(cell.size for cell in cells),
        ],
        plan,
    )
    count = len(strata)

    def crude(values: Floats) -> Floats:
        gap: Floats = values[..., 0] - values[..., 1]
        return gap

    def adjusted(values: Floats) -> Floats:
        gap, weight = _by_stratum(values, count)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean: Floats = np.sum(gap * weight, axis=-1) / np.sum(weight, axis=-1)
        return mean

    gap, weight = _by_stratum(shared.values, count)
    total = float(weight.sum())
    return AdjustedGap(
        crude=shared.difference(crude, level),
        adjusted=shared.difference(adjusted, level),
        explained=shared.difference(lambda v: crude(v) - adjusted(v), level),
        strata=tuple(
            StratumGap(
                stratum=name,
                difference=float(one) if part > 0 else None,
                weight=float(part) / total if total > 0 else 0.0,
            )
            for (name, _, _), one, part in zip(strata, gap, weight, strict=True)
        ),
    )


def _by_stratum(values: Floats, count: int) -> tuple[Floats, Floats]:
    """Return gaps and weights (..., strata); an absent stratum has gap and weight 0."""
    pairs = values[..., 2 : 2 + 2 * count].reshape(*values.shape[:-1], count, 2)
    sizes = values[..., 2 + 2 * count :].reshape(*values.shape[:-1], count, 2)
    usable = np.all(np.isfinite(pairs) & (sizes > 0), axis=-1)
    safe = np.where(usable[..., None], sizes, 1.0)
    weight = np.where(usable, 1 / np.sum(1 / safe, axis=-1), 0.0)
    gap = np.where(usable, pairs[..., 0] - pairs[..., 1], 0.0)
    return gap, weight


@dataclass(frozen=True, slots=True, kw_only=True)
class MantelHaenszel:
    """A risk difference over strata with its variance."""

    difference: float
    variance: float
    clustered_variance: float


def mantel_haenszel_difference(
    hit: Bools, first: Bools, stratum: Ints, patient: Ints
) -> MantelHaenszel:
    """Return the Mantel-Haenszel risk difference of `first` rows minus the others.

    `variance` is Greenland & Robins' for sparse data (Biometrics 1985;41:55); the clustered one
    sums the same residuals by patient, and equals it with one row a patient.

    Raises:
        ValueError: no stratum has rows of both groups.
    """
    _, code = np.unique(stratum, return_inverse=True)
    strata = int(code.max()) + 1 if len(code) else 0
    counts = np.column_stack([first, ~first, first & hit, ~first & hit]).astype(np.float64)
    n1, n0, x1, x0 = group_sums(counts, code, strata).T
    both = (n1 > 0) & (n0 > 0)
    if not both.any():
        raise ValueError("no stratum has rows of both groups")
    safe1, safe0 = np.where(both, n1, 1.0), np.where(both, n0, 1.0)
    weight = np.where(both, 1 / (1 / safe1 + 1 / safe0), 0.0)
    weight /= weight.sum()
    p1, p0 = x1 / safe1, x0 / safe0
    variance = weight**2 * (p1 * (1 - p1) / safe1 + p0 * (1 - p0) / safe0)
    rate = np.where(first, p1[code], p0[code])
    side = np.where(first, 1 / safe1[code], -1 / safe0[code])
    pull = weight[code] * side * (hit - rate)
    _, who = np.unique(patient, return_inverse=True)
    by_patient = group_sums(pull, who, int(who.max()) + 1)
    return MantelHaenszel(
        difference=math.fsum(weight * (p1 - p0)),
        variance=math.fsum(variance),
        clustered_variance=math.fsum(by_patient[:, 0] ** 2),
    )
