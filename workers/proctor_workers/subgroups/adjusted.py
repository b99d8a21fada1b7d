"""Gaps between two groups beside what remains of them among cases that are otherwise alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.adjusted import (
    AdjustedGap,
    Cell,
    adjusted_gap,
    mantel_haenszel_difference,
)
from proctor_workers.statistics.arrays import Bools
from proctor_workers.statistics.shared import Difference, Quantity, shared_draws
from proctor_workers.subgroups.levels import Level
from proctor_workers.subgroups.quantities import Drawable

ENOUGH_COMPARABLE = 0.5  # below this share of rows an adjusted gap speaks of too few of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """A gap, crude and within the levels of another attribute.

    `comparable` is the share of the two groups' rows that stand in strata with both groups.
    `standard_error` is that of a share's adjusted gap in closed form. Without a gap, `reason` says
    why.
    """

    attribute: str
    gap: AdjustedGap | None
    comparable: float
    standard_error: float | None = None
    reason: str | None = None

    @property
    def usable(self) -> bool:
        """Whether enough rows have a counterpart for the adjusted gap to speak of the groups."""
        return self.gap is not None and self.comparable >= ENOUGH_COMPARABLE


def strata_of(levels: Sequence[Level]) -> list[Level]:
    """Return disjoint strata: rows in several levels form a stratum of their own.

    Rows in no level, the unknown, are in no stratum.
    """
    member = np.column_stack([level.rows for level in levels])
    patterns = np.unique(member[member.any(axis=1)], axis=0)[::-1]
    return [
        Level(
            "|".join(level.name for level, inside in zip(levels, pattern, strict=True) if inside),
            np.all(member == pattern, axis=1),
        )
        for pattern in patterns
    ]


def adjust(
    cohort: Drawable, level: Bools, other: Bools, *, attribute: str, levels: Sequence[Level]
) -> Adjusted:
    """Compare level minus other within the levels of another attribute (rows,).

    The crude gap stays primary: the adjusted one says how much of it is associated with the
    attribute, not what causes it.
    """
    pair = (cohort.of(level), cohort.of(other))
    strata = [
        (stratum, level & stratum.rows, other & stratum.rows) for stratum in strata_of(levels)
    ]
    cells = []
    for stratum, first, second in strata:
        made = [_cell(cohort, rows) for rows in (first, second)]
        if made[0] is not None and made[1] is not None:
            cells.append((stratum.name, made[0], made[1]))
    if pair[0] is None or pair[1] is None or not cells:
        return Adjusted(
            attribute=attribute,
            gap=None,
            comparable=0.0,
            reason="not adjusted: the quantity cannot be redrawn within strata",
        )
    gap = adjusted_gap((pair[0], pair[1]), cells, cohort.draws(), level=cohort.plan.level)
    shared = {one.stratum for one in gap.strata if one.difference is not None}
    inside = np.zeros(len(level), dtype=np.bool_)
    for stratum, first, second in strata:
        if stratum.name in shared:
            inside |= first | second
    comparable = float(np.sum(inside) / max(int(np.sum(level | other)), 1))
    reason = None
    if comparable < ENOUGH_COMPARABLE:
        reason = f"only {comparable:.0%} of the rows have a counterpart of equal {attribute}"
    return Adjusted(
        attribute=attribute,
        gap=gap,
        comparable=comparable,
        standard_error=_standard_error(cohort, level, inside, strata),
        reason=reason,
    )


def _standard_error(
    cohort: Drawable, level: Bools, inside: Bools, strata: Sequence[tuple[Level, Bools, Bools]]
) -> float | None:
    """Return Greenland & Robins' standard error, by patient; None but for unweighted shares."""
    counted = cohort.metric.share_of(cohort.sample, cohort.plan.design)
    if counted is None or cohort.sample.weighted or not inside.any():
        return None
    rows = inside & counted.inside
    place = np.zeros(len(rows), dtype=np.int64)
    for number, (stratum, _, _) in enumerate(strata):
        place[stratum.rows] = number
    found = mantel_haenszel_difference(
        counted.hit[rows], level[rows], place[rows], cohort.code[rows]
    )
    return math.sqrt(found.clustered_variance)


def _cell(cohort: Drawable, rows: Bools) -> Cell | None:
    value = cohort.of(rows)
    return None if value is None else Cell(value=value, size=cohort.size(rows))


def one_gap(cohort: Drawable, level: Bools, other: Bools) -> Difference | None:
    """Return level minus other with limits over shared draws; None where it cannot be redrawn."""
    pair = [one for one in (cohort.of(level), cohort.of(other)) if one is not None]
    if len(pair) < 2:
        return None
    shared = shared_draws(pair, cohort.draws())
    return shared.difference(lambda v: v[..., 0] - v[..., 1], cohort.plan.level)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoGaps:
    """Two gaps over the same draws, and the first minus the second."""

    first: Difference
    second: Difference
    change: Difference


def two_gaps(
    first: tuple[Quantity | None, Quantity | None],
    second: tuple[Quantity | None, Quantity | None],
    cohort: Drawable,
) -> TwoGaps | None:
    """Compare two gaps, such as among all rows and among those that all readers agree on.

    None where a quantity cannot be redrawn.
    """
    quantities = [one for one in (*first, *second) if one is not None]
    if len(quantities) < 4:
        return None
    shared = shared_draws(quantities, cohort.draws())
    level = cohort.plan.level
    return TwoGaps(
        first=shared.difference(lambda v: v[..., 0] - v[..., 1], level),
        second=shared.difference(lambda v: v[..., 2] - v[..., 3], level),
        change=shared.difference(lambda v: v[..., 0] - v[..., 1] - v[..., 2] + v[..., 3], level),
    )
