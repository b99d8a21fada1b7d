"""Rounds what an edition may tell to the digits that the data partner's terms allow.

Digits are significant ones, of every number that was measured or counted: an estimate of two digits
beside its exact numerator would not be of two digits. What the protocol says (levels, criteria,
margins) is no such number.
"""

import math
from collections.abc import Mapping
from typing import Any

_MEASURED = (
    "estimate", "n", "patients", "n_positive", "numerator", "denominator", "p_value", "p_adjusted",
)  # fmt: skip
_LIMITS = ("lower", "upper")
_DECLARED = frozenset({"margin", "level", "expected_under_equality"})


def coarse(result: Mapping[str, Any], digits: int | None) -> dict[str, Any]:
    """Return a result as an edition of so many digits tells it; None is no limit."""
    row = dict(result)
    if digits is None:
        return row
    for name in _MEASURED:
        if name in row:
            row[name] = rounded(row[name], digits)
    if row.get("interval"):
        interval = row["interval"]
        limits = {name: rounded(interval.get(name), digits) for name in _LIMITS}
        row["interval"] = dict(interval) | limits
    extra = row.get("extra") or {}
    row["extra"] = {
        name: value if name in _DECLARED else rounded(value, digits)
        for name, value in extra.items()
    }
    return row


def rounded(value: Any, digits: int) -> Any:
    """Return a number to so many significant digits; of a list or mapping, every number in it."""
    if isinstance(value, Mapping):
        return {name: rounded(one, digits) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one, digits) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def is_of_digits(data: Any, digits: int | None) -> bool:
    """Tell whether every number in this has no more than so many significant digits."""
    return digits is None or rounded(data, digits) == data
