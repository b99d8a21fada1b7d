"""What may be told of an overlap under a partner's terms: counts, none of them of few patients."""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_workers.hidden_data.independence.matching import Overlap

DEFAULT_LEAST = 11  # where the terms name none: CMS cell size suppression policy, 2020


def least_of(terms: Mapping[str, Any] | None) -> int:
    """Return the least number of patients that may be told."""
    given = terms or {}
    return (
        max(int(given.get("min_cell") or 0), int(given.get("min_patients") or 0)) or DEFAULT_LEAST
    )


def told(
    found: Overlap, least: int, earlier: Sequence[Mapping[str, int | None]] = ()
) -> dict[str, int | None]:
    """Return each count, or None where it is withheld.

    A count is told if it, the patients left over, and what it lacks to the wider count told before
    it are all at least `least`: nobody derives a smaller one. None, not zero, stands for zero too:
    that there is nobody would be told of everybody.

    `earlier` is what this vendor was told of the same patients before. A count that differs from an
    earlier one by fewer than `least` is told as the earlier one: else a vendor that sends its list
    again with one picture more would learn whose that picture is.
    """
    shown: dict[str, int | None] = {}
    wider = found.patients
    for name in ("any_way", "alike", "identical"):
        count = _as_before(int(getattr(found, name)), [one[name] for one in earlier], least)
        if min(count, wider - count) >= least:
            shown[name] = wider = count
        else:
            shown[name] = None
    return shown


def _as_before(count: int, earlier: Sequence[int | None], least: int) -> int:
    near = (one for one in earlier if one is not None and abs(one - count) < least)
    return next(near, count)
