"""Finds the type of a column: number, truth, point in time, time of day, or words.

A CSV file says nothing of it, and a Parquet file may keep times as words or as numbers since 1970.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from proctor_workers.hidden_data.case_files import UnreadableFileError

MICROSECONDS = 1e-6
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_ABOUT_TIME = frozenset(
    {"time", "timestamp", "date", "datetime", "epoch", "ts", "unix", "charttime"}
)

_WHOLE = r"^[+-]?(0|[1-9][0-9]{0,17})$"
_REAL = r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$|^[+-]?inf$"
_REAL_COMMA = r"^[+-]?(0|[1-9][0-9]*),[0-9]+$"
_TRUTH = r"^(?i:true|false)$"
_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)
_OFFSET = r":[0-9.]*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_CLOCK = r"^[0-9]{1,3}:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?$"
_COMPACT_DAY = r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$"
# 1990 to 2100, of seconds since 1970, and by how many of the number's units a second is divided.
_EPOCH = (631_152_000, 4_102_444_800)
_SHEET_DAYS = (20_000, 80_000)  # a spreadsheet's days since 1899-12-30: 1954 to 2119
_YEAR, _YEARS = frozenset({"year", "jahr"}), (1900, 2100)
_EPOCH_UNITS = (1, 10**3, 10**6, 10**9)

Column = Any  # pyarrow.ChunkedArray, which has no types


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A column with its type found: `moments` if its values are points in time, in µs."""

    name: str
    values: Column
    moments: bool = False


def words_of(name: str) -> frozenset[str]:
    """Return the words of a column's name in lower case."""
    return frozenset(word.lower() for word in _WORD.findall(name))


def typed(name: str, texts: Column) -> Typed:
    """Return a column of a CSV file in the type that all its cells have.

    Numbers with leading zeros are codes and stay text.
    """
    if texts.null_count == len(texts):
        return Typed(name=name, values=texts.cast(pa.float64()))
    if words_of(name) & _ABOUT_TIME and _all(texts, _COMPACT_DAY):
        return _moments(name, pc.strptime(texts, format="%Y%m%d", unit="us"))
    for pattern, make in _SHAPES:
        if _all(texts, pattern):
            return make(name, texts)
    return Typed(name=name, values=texts)


def retyped(name: str, values: Column) -> Typed:
    """Return a column of a Parquet file in a type that is kept.

    Raises:
        UnreadableFileError: it holds lists, records or bytes.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return retyped(name, values.cast(kind.value_type))
    if pa.types.is_temporal(kind):
        return _of_time(name, values)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = values.cast(pa.string())
        return typed(name, texts) if _all(texts, _MOMENT) else Typed(name=name, values=texts)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number(name, values)
    if pa.types.is_null(kind):
        return Typed(name=name, values=values.cast(pa.float64()))
    if not (pa.types.is_boolean(kind) or pa.types.is_decimal(kind)):
        raise UnreadableFileError(
            "has a column of lists, records or bytes", "Spread it over columns of numbers or words."
        )
    return Typed(name=name, values=values)


def _of_time(name: str, values: Column) -> Typed:
    kind = values.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = pa.timestamp("us", getattr(kind, "tz", None))
        return _moments(name, values.cast(micros, safe=False))
    if pa.types.is_time(kind):
        units = values.cast(pa.time64("us"), safe=False).cast(pa.int64())
        return Typed(name=name, values=_since_first(pc.multiply(units, MICROSECONDS)))
    if not pa.types.is_duration(kind):
        raise UnreadableFileError("has a column of calendar intervals", "Write them in seconds.")
    units = values.cast(pa.duration("us"), safe=False).cast(pa.int64())
    return Typed(name=name, values=pc.multiply(units, MICROSECONDS))


def _all(texts: Column, pattern: str) -> bool:
    fits = pc.match_substring_regex(texts, pattern)
    return texts.null_count < len(texts) and bool(pc.all(fits, skip_nulls=True).as_py())


def _whole(name: str, texts: Column) -> Typed:
    return _number(name, texts.cast(pa.int64()))


def _real(name: str, texts: Column) -> Typed:
    return _number(name, texts.cast(pa.float64()))


def _real_with_comma(name: str, texts: Column) -> Typed:
    return Typed(name=name, values=pc.replace_substring(texts, ",", ".").cast(pa.float64()))


def _truth(name: str, texts: Column) -> Typed:
    return Typed(name=name, values=pc.equal(pc.utf8_lower(texts), "true"))


def _moment(name: str, texts: Column) -> Typed:
    return _moments(name, _parsed(texts))


def _clock(name: str, texts: Column) -> Typed:
    return Typed(name=name, values=_since_first(_clock_seconds(texts)))


_SHAPES: tuple[tuple[str, Callable[[str, Column], Typed]], ...] = (
    (_WHOLE, _whole),
    (_REAL, _real),
    (_REAL_COMMA, _real_with_comma),
    (_TRUTH, _truth),
    (_MOMENT, _moment),
    (_CLOCK, _clock),
)


def _moments(name: str, values: Column) -> Typed:
    return Typed(name=name, values=values.cast(pa.int64()), moments=True)


def _parsed(texts: Column) -> Column:
    """Return ISO 8601 moments in µs; those with an offset in UTC."""
    plain = pc.replace_substring(texts, "T", " ")
    zoned = pc.any(pc.match_substring_regex(plain, _OFFSET)).as_py()
    has_clock = pc.any(pc.match_substring(plain, ":")).as_py()
    try:
        if zoned and has_clock:
            return plain.cast(pa.timestamp("ns", "UTC")).cast(pa.timestamp("us"), safe=False)
        return plain.cast(pa.timestamp("ns")).cast(pa.timestamp("us"), safe=False)
    except pa.ArrowInvalid as exc:
        raise UnreadableFileError(
            "has dates that are none, or some with and some without a time zone",
            "Write all as YYYY-MM-DD hh:mm:ss.",
        ) from exc


def _clock_seconds(texts: Column) -> Column:
    parts = pc.split_pattern(texts, ":")
    hours, minutes = (pc.list_element(parts, at).cast(pa.float64()) for at in (0, 1))
    with_seconds = pc.greater(pc.list_value_length(parts), 2)
    padded = pc.if_else(with_seconds, texts, pc.binary_join_element_wise(texts, "00", ":"))
    seconds = pc.list_element(pc.split_pattern(padded, ":"), 2).cast(pa.float64())
    return pc.add(pc.add(pc.multiply(hours, 3600.0), pc.multiply(minutes, 60.0)), seconds)


def _since_first(values: Column) -> Column:
    return pc.subtract(values, pc.min(values))


def _number(name: str, values: Column) -> Typed:
    """Return numbers as moments where their column is one of times and they are counted so.

    Years count from the column's first.
    """
    words = words_of(name)
    if values.null_count == len(values) or not words & (_ABOUT_TIME | _YEAR):
        return Typed(name=name, values=values)
    least, most = pc.min(values).as_py(), pc.max(values).as_py()
    if words & _YEAR and _YEARS[0] <= least and most <= _YEARS[1]:
        return Typed(name=name, values=_since_first(values))
    for unit in _EPOCH_UNITS:
        if words & _ABOUT_TIME and _EPOCH[0] * unit <= least and most <= _EPOCH[1] * unit:
            return _moments(name, _microseconds(values, unit))
    if "date" in words and _SHEET_DAYS[0] <= least and most <= _SHEET_DAYS[1]:
        seconds = pc.multiply(values.cast(pa.float64()), 86_400.0)
        return _moments(name, _microseconds(seconds, 1))
    return Typed(name=name, values=values)


def _microseconds(values: Column, unit: int) -> Column:
    """Return a count of which `unit` make a second in whole microseconds."""
    if not pa.types.is_integer(values.type):
        units = pc.round(pc.multiply(values.cast(pa.float64()), 1e6 / unit))
        return units.cast(pa.int64(), safe=False)
    whole = values.cast(pa.int64())
    if unit > 10**6:
        return pc.divide(whole, unit // 10**6)
    return pc.multiply(whole, 10**6 // unit)
