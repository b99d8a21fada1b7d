"""Writes the parts of a result as text: digits, signs and units are decided here."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.reporting import words
from proctor_sdk.report import Show

ResultDict = Mapping[str, Any]

NOTHING = "–"
MINUS = "\u2212"
WITHHELD = "withheld"
_SHARES = frozenset({"failure_rate", "indeterminate_rate", "selection_rate"})


def write(  # noqa: PLR0911 - one return per part
    result: ResultDict, show: Show
) -> str:
    """Return one part of a result as the report prints it."""
    interval = result.get("interval") or {}
    match show:
        case Show.ESTIMATE:
            return value(result, result.get("estimate"))
        case Show.INTERVAL:
            return interval_text(result)
        case Show.LOWER | Show.UPPER:
            return value(result, interval.get(show.value))
        case Show.LEVEL:
            return percent(interval["level"], digits=0) if interval else NOTHING
        case Show.P_VALUE | Show.P_ADJUSTED:
            return p_text(result.get(show.value))
        case Show.CONCLUSION:
            return str(result.get("conclusion") or NOTHING)
        case Show.METHOD:
            return str(interval.get("method") or result.get("method") or NOTHING)
        case Show.LABEL:
            return words.label(result)
        case Show.CRITERION:
            return criterion_text(result)
        case _:
            return count(result.get(show.value))


def value(result: ResultDict, number: float | None) -> str:
    """Write a number in the unit of the result's quantity."""
    if number is None:
        return NOTHING
    quantity = base_quantity(result)
    if quantity == "count":
        return count(number)
    if result.get("role") == "appendix":
        return decimal(number, 3)
    known = QUANTITIES.get(quantity)
    written = "share" if quantity in _SHARES else known.written if known else "number"
    unit = f" {known.unit}" if known and known.unit else ""
    if words.is_contrast(result):
        points = written == "share"
        return signed(100 * number, 1) + " pp" if points else signed(number, 3) + unit
    if written == "share":
        return percent(number)
    return decimal(number, _digits(written, number)) + unit


def _digits(written: str, number: float) -> int:
    """Return three decimals, two for ratios, fewer for numbers of a hundred and more."""
    if written == "ratio":
        return 2
    return 3 if abs(number) < 100 else 1


def base_quantity(result: ResultDict) -> str:
    """Return the quantity without what marks it as a comparison."""
    return str(result["quantity"]).removesuffix("_difference")


def interval_text(result: ResultDict) -> str:
    """Write an interval as `lower to upper`."""
    interval = result.get("interval")
    if not interval:
        return NOTHING
    lower, upper = (value(result, interval[side]) for side in ("lower", "upper"))
    for unit in _units(result):
        if lower.endswith(unit) and upper.endswith(unit):
            lower = lower.removesuffix(unit)
    return f"{lower} to {upper}"


def _units(result: ResultDict) -> tuple[str, ...]:
    known = QUANTITIES.get(base_quantity(result))
    return (" %", " pp", f" {known.unit}") if known and known.unit else (" %", " pp")


def criterion_text(result: ResultDict) -> str:
    """Write the bound an interval must meet."""
    criterion = result.get("criterion") or {}
    bound, limit = criterion.get("bound"), criterion.get("value")
    if limit is None:
        margin = (result.get("extra") or {}).get("margin")
        return NOTHING if margin is None else f"±{value(result, margin).lstrip('+')}"
    sign = {">=": "≥", "<=": "≤", ">": ">", "<": "<"}.get(str(criterion.get("comparator")), "≥")
    return f"{bound or 'lower'} limit {sign} {value(result, limit)}"


def percent(number: float, *, digits: int = 1) -> str:
    """Write a proportion as a percentage."""
    return f"{decimal(100 * number, digits)} %"


def decimal(number: float, digits: int) -> str:
    """Write a decimal fraction with a true minus and no negative zero."""
    text = f"{number:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def signed(number: float, digits: int) -> str:
    """Write a difference with its sign."""
    text = decimal(number, digits)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def count(number: float | None) -> str:
    """Write a count with a thin group separator."""
    if number is None:
        return NOTHING
    whole = int(number) if float(number).is_integer() else None
    return (f"{whole:,}" if whole is not None else decimal(number, 1)).replace(",", "\u202f")


def p_text(number: float | None) -> str:
    """Write a p-value: three decimals, and never a zero."""
    if number is None:
        return NOTHING
    return "< 0.001" if number < 0.001 else decimal(number, 3)


def reliability_flags(result: ResultDict) -> tuple[str, ...]:
    """Return why a shown number must be read with care, as the measurement flagged it."""
    return tuple(str(flag).rstrip(".") for flag in result.get("flags") or ())


def expected(result: ResultDict) -> str:
    """Write what a descriptive measure is on average when the groups are equal."""
    number = (result.get("extra") or {}).get("expected_under_equality")
    return NOTHING if number is None else decimal(number, 3)
