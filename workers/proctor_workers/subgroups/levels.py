"""Which cases belong to which level of a factor; several levels a case are allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_backend.domain.errors import InvalidInputError
from proctor_workers.statistics.arrays import Bools

Texts = NDArray[np.object_]
UNKNOWN = "unknown"
_MOST_VALUES = 10  # more different numbers than these are bands, not levels
_NOT_GIVEN = {None, "", UNKNOWN, "missing", "not reported", "nan", "NaN"}


@dataclass(frozen=True, slots=True)
class Level:
    """One level's name and rows."""

    name: str
    rows: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A factor with its levels in order; unknown rows are shown and never tested."""

    name: str
    levels: tuple[Level, ...]
    unknown: Bools
    margin: float | None
    family: str | None
    endpoints: tuple[str, ...]
    intersection: bool
    adjust_for: tuple[str, ...] = ()


class UnknownAttributeError(KeyError):
    """The cohort has no attribute of this name."""


def build_factors(
    subgroups: Sequence[Mapping[str, Any]], attributes: Mapping[str, Texts]
) -> list[Factor]:
    """Build every factor that the protocol names.

    Bands given for an attribute on its own also hold in intersections.

    Raises:
        UnknownAttributeError: the cohort lacks an attribute.
        InvalidInputError: an attribute with bands has values that are no numbers.
    """
    bands = {
        group["attribute"]: group["bands"]
        for group in subgroups
        if isinstance(group["attribute"], str) and group.get("bands")
    }
    return [_factor(group, attributes, bands) for group in subgroups]


def _factor(
    group: Mapping[str, Any],
    attributes: Mapping[str, Texts],
    bands: Mapping[str, Sequence[float]],
) -> Factor:
    names = [group["attribute"]] if isinstance(group["attribute"], str) else group["attribute"]
    parts = []
    for name in names:
        if name not in attributes:
            raise UnknownAttributeError(name)
        parts.append(_levels(name, attributes[name], group.get("bands") or bands.get(name)))
    unknown = np.any([part[1] for part in parts], axis=0)
    levels = []
    for cell in product(*(part[0] for part in parts)):
        rows = np.all([level.rows for level in cell], axis=0) & ~unknown
        if rows.any():
            levels.append(Level("+".join(level.name for level in cell), rows))
    return Factor(
        name="+".join(names),
        levels=tuple(levels),
        unknown=unknown,
        margin=group.get("margin"),
        family=group.get("family"),
        endpoints=tuple(group.get("endpoints") or ()),
        intersection=len(names) > 1,
        adjust_for=tuple(group.get("adjust_for") or ()),
    )


def attribute_levels(
    name: str, subgroups: Sequence[Mapping[str, Any]], attributes: Mapping[str, Texts]
) -> tuple[Level, ...]:
    """Return the levels of an attribute to adjust for, in the bands that the protocol gives it.

    Many numbers without bands are cut into fifths, which take nearly all of a continuous
    attribute's part (Cochran, Biometrics 1968;24:295).

    Raises:
        UnknownAttributeError: the cohort lacks the attribute.
    """
    if name not in attributes:
        raise UnknownAttributeError(name)
    values = attributes[name]
    edges = next(
        (
            group["bands"]
            for group in subgroups
            if group["attribute"] == name and group.get("bands")
        ),
        None,
    )
    if not _numeric(values):
        return tuple(_levels(name, values, None)[0])
    given = np.array([float(value) for value in values if value not in _NOT_GIVEN])
    if edges is None and len(np.unique(given)) > _MOST_VALUES:
        edges = sorted(set(np.quantile(given, (0.2, 0.4, 0.6, 0.8)).tolist()))
    return tuple(_levels(name, values, edges)[0])


def _numeric(values: Texts) -> bool:
    try:
        for value in values:
            if value not in _NOT_GIVEN:
                float(value)
    except ValueError:
        return False
    return True


def _levels(name: str, values: Texts, bands: Sequence[float] | None) -> tuple[list[Level], Bools]:
    if bands:
        return _banded(name, values, list(bands))
    chosen = [
        frozenset()
        if value in _NOT_GIVEN
        else frozenset(part for part in str(value).split("|") if part not in _NOT_GIVEN)
        for value in values
    ]
    unknown = np.array([not parts for parts in chosen], dtype=np.bool_)
    names = sorted(set().union(*chosen))
    levels = [
        Level(level, np.array([level in parts for parts in chosen], dtype=np.bool_))
        for level in names
    ]
    return levels, unknown


def _banded(name: str, values: Texts, edges: list[float]) -> tuple[list[Level], Bools]:
    try:
        number = np.array([np.nan if value in _NOT_GIVEN else float(value) for value in values])
    except ValueError:
        raise InvalidInputError(
            f"The attribute '{name}' has bands, and values that are no numbers.",
            cure="Write numbers or nothing in the cohort, or remove the bands by an amendment.",
        ) from None
    unknown = np.isnan(number)
    lows = [-np.inf, *edges]
    highs = [*edges, np.inf]
    levels = [
        Level(band_name(name, low, high), (number >= low) & (number < high) & ~unknown)
        for low, high in zip(lows, highs, strict=True)
    ]
    return levels, unknown


def band_name(attribute: str, low: float, high: float) -> str:
    """Name a left-closed band: "<18", "80+", "18-49" for ages in completed years."""
    if low == -np.inf:
        return f"<{high:g}"
    if high == np.inf:
        return f"{low:g}+"
    if attribute == "age" and float(low).is_integer() and float(high).is_integer():
        return f"{low:g}-{high - 1:g}"
    return f"{low:g} to <{high:g}"
