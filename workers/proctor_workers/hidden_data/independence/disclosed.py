"""What may be told of an overlap under a partner's terms: counts, none of them of few patients."""

from collections.abc import Mapping
from typing import Any

from proctor_workers.hidden_data.independence.matching import Overlap

DEFAULT_LEAST = 11  # where the terms name none: CMS cell size suppression policy, 2020


def least_of(terms: Mapping[str, Any] | None) -> int:
    """Return the least number of patients that may be told."""
    given = terms or {}
    return (
        max(int(given.get("min_cell") or 0), int(given.get("min_patients") or 0)) or DEFAULT_LEAST
    )


def told(found: Overlap, least: int) -> dict[str, int | None]:
    """Return each count, or None where it is withheld.

    A count is told if it, the patients left over, and what it lacks to the wider count told before
    it are all at least `least`: nobody derives a smaller one. None, not zero, stands for zero too:
    that there is nobody would be told of everybody.
    """
    shown: dict[str, int | None] = {}
    wider = found.patients
    for name in ("any_way", "alike", "identical"):
        count = int(getattr(found, name))
        if min(count, wider - count) >= least:
            shown[name] = wider = count
        else:
            shown[name] = None
    return shown
