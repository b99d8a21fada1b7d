"""What a measurement says: results, intervals, figures; computing them is the workers' matter."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

SIGNIFICANT_DIGITS = 10
ACQUISITION = "acq."  # begins the name of a factor that is a fact of the acquisition


class Conclusion(StrEnum):
    """The only sentences a result may end in."""

    CRITERION_MET = "criterion met"
    CRITERION_NOT_MET = "criterion not met"
    INCONCLUSIVE = "inconclusive"
    DIFFERENCE_SHOWN = "difference shown"
    DIFFERENCE_BELOW_MARGIN = "difference below margin"
    NO_RELEVANT_DIFFERENCE = "no relevant difference shown"


class Role(StrEnum):
    """How much weight a result carries."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    EXPLORATORY = "exploratory"
    BIAS = "bias"
    DESCRIPTIVE = "descriptive"
    APPENDIX = "appendix"
    SENSITIVITY = "sensitivity"


def quantise(number: float) -> float:
    """Round to 10 significant digits, so that last-bit noise never reaches a digest."""
    if not math.isfinite(number):
        raise ValueError("a result holds finite numbers only; absent ones are None")
    return float(f"{float(number):.{SIGNIFICANT_DIGITS}g}") + 0.0


def plain(value: Any) -> Any:
    """Turn a value into JSON types with quantised numbers."""
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, StrEnum) else value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return quantise(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence):
        return [plain(entry) for entry in value]
    raise TypeError(f"{type(value).__name__} cannot stand in a result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided confidence interval and the method that made it; an unbounded side is None."""

    lower: float | None
    upper: float | None
    level: float
    method: str

    def __post_init__(self) -> None:
        if not 0.5 <= self.level < 1:
            raise ValueError("the confidence level lies between 0.5 and 1")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError("the lower limit exceeds the upper one")

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return {key: plain(getattr(self, key)) for key in ("lower", "upper", "level", "method")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One number with interval, counts, method and group; estimate None says why in its flags."""

    id: str
    quantity: str
    role: Role
    method: str
    definition: str
    n: int
    patients: int
    estimate: float | None = None
    interval: Interval | None = None
    group: Mapping[str, str] | None = None
    n_positive: int | None = None
    numerator: float | None = None
    denominator: float | None = None
    reference_test: str | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    criterion: Mapping[str, Any] | None = None
    conclusion: Conclusion | None = None
    scenario: str | None = None
    flags: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.estimate is None and not self.flags:
            raise ValueError(f"{self.id}: a result without an estimate says why in its flags")

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types with quantised numbers."""
        return _fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The numbers of one figure; drawing is the report's."""

    id: str
    kind: str
    title: str
    data: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types with quantised numbers."""
        return _fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Everything one evaluation was measured to be."""

    results: tuple[Result, ...]
    figures: tuple[Figure, ...]
    accountability: Mapping[str, Any]
    baseline: Sequence[Mapping[str, Any]]
    errors: Sequence[Mapping[str, Any]]
    methods: Sequence[Mapping[str, Any]]
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        ids = [result.id for result in self.results]
        if len(ids) != len(set(ids)):
            repeated = sorted({name for name in ids if ids.count(name) > 1})
            raise ValueError(f"result ids occur twice: {', '.join(repeated)}")

    def as_dict(self) -> dict[str, Any]:
        """Return JSON types with quantised numbers, ready for canonical bytes."""
        return {"schema": 1} | _fields(self)


def _fields(value: Result | Figure | Measurement) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name in (entry.name for entry in fields(value)):
        part = getattr(value, name)
        if isinstance(part, tuple) and part and hasattr(part[0], "as_dict"):
            document[name] = [entry.as_dict() for entry in part]
        elif hasattr(part, "as_dict"):
            document[name] = part.as_dict()
        else:
            document[name] = plain(part)
    return document
