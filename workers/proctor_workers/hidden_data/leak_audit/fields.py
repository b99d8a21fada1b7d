"""The fields that the leak audit tests, sorted by what follows from a find, and coded in levels.

*Artefacts* are what a container sees beside picture and acquisition: a find holds the cohort back.
*Acquisition* is how a case was examined: a find is a confounder, and results are stratified by it.
*Original* is what only the partner's files had: it did not survive, and is told for what it is.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from proctor_workers.hidden_data.case_files import Fact
from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.hidden_data.leak_audit.crossfit import Codes
from proctor_workers.hidden_data.leak_audit.features import of_files
from proctor_workers.hidden_data.rows import LONGEST_TEXT, RESERVED_LEVELS

MOST_LEVELS = 12
PLACES = 2  # significant digits of a spacing that becomes an attribute


class Family(StrEnum):
    """What a field is, and so what follows if it goes with the truth."""

    ARTEFACT = "artefact"
    ACQUISITION = "acquisition"
    ORIGINAL = "original"


# Of the partner's files or table; no trace of them is left in a canonical file.
_ORIGINAL = frozenset(
    {
        "source_bytes",
        "original_compression",
        "transfer_syntax",
        "name_length",
        "name_digits",
        "order",
    }
)
# Told by the pixels themselves: a property of the picture, or of its size.
_PICTURE = frozenset({"compressed_ratio", "min_value", "max_value"})
# The bytes of all files follow from how many pixels there are and, in a compressed form, from the
# pixels themselves: `header_bytes` is the artefact, the whole is told beside the acquisition.
_OF_SIZE = frozenset({"canonical_bytes"})
# What is no more than another fact once again, or of no use as a stratum.
_NO_ATTRIBUTE = frozenset({"files", "samples", "transfer_syntax", "format"})

Gathered = Mapping[Family, Mapping[str, Sequence[Fact | None]]]


def fields_of(case: IngestedCase) -> dict[Family, dict[str, Fact]]:
    """Return every field of one case. Names that are not known are taken for artefacts."""
    files = case.case.files
    found: dict[Family, dict[str, Fact]] = {family: {} for family in Family}
    artefacts = {**case.artefacts, **of_files(files, case.facts)}
    for name, value in artefacts.items():
        if name in _PICTURE or name in _OF_SIZE:
            continue
        family = Family.ORIGINAL if name in _ORIGINAL else Family.ARTEFACT
        found[family][name.removeprefix("original.")] = value
    # Models get cases in the order of names that are made of this one.
    found[Family.ARTEFACT]["case_order"] = _place_of(case.case.id)
    found[Family.ORIGINAL] |= _of_row(case)
    for name, value in case.facts.items():
        family = Family.ORIGINAL if name in _ORIGINAL else Family.ACQUISITION
        found[family][name] = value
    found[Family.ACQUISITION]["site"] = case.case.row.site
    found[Family.ACQUISITION]["canonical_bytes"] = float(sum(file.size for file in files))
    return found


def acquisition_attributes(facts: Mapping[str, Fact]) -> dict[str, str]:
    """Return facts of an acquisition as the reference standard keeps them, for stratified results.

    Numbers are rounded, spacings to two significant digits, so that a level is shared.
    """
    levels = {
        name: _level(value) for name, value in sorted(facts.items()) if name not in _NO_ATTRIBUTE
    }
    return {name: level for name, level in levels.items() if level}


def _level(value: Fact) -> str:
    if isinstance(value, int | float):
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.{PLACES}g}"
    text = " ".join(value.split()).replace("|", "/")[:LONGEST_TEXT]  # "|" parts several levels
    return f"({text})" if text in RESERVED_LEVELS or "-vs-" in text else text


def coded(values: Sequence[Fact | None]) -> Codes | None:
    """Return a field as levels: words as they are, numbers in bands of equal size.

    Absence is a level. The rarest words share one. None for a field that is the same everywhere.
    """
    given = [None if value is None or _is_no_number(value) else value for value in values]
    numbers = [float(value) for value in given if isinstance(value, int | float)]
    ordered = len(numbers) == sum(value is not None for value in given)
    levels = _bands(given, numbers) if ordered else _words(given)
    names = sorted({level for level in levels if level is not None})
    place = {None: len(names)} | {name: at for at, name in enumerate(names)}
    count = len(names) + (None in levels)
    if count < 2:
        return None
    return Codes(code=np.array([place[level] for level in levels]), levels=count, ordered=ordered)


def _is_no_number(value: Fact) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _words(values: Sequence[Fact | None]) -> list[str | None]:
    often = Counter(str(value) for value in values if value is not None)
    ranked = sorted(often, key=lambda level: (-often[level], level))
    kept = set(ranked if len(ranked) <= MOST_LEVELS else ranked[: MOST_LEVELS - 1])
    return [
        None if value is None else str(value) if str(value) in kept else "other" for value in values
    ]


def _bands(values: Sequence[Fact | None], numbers: Sequence[float]) -> list[str | None]:
    distinct = np.unique(numbers)
    if len(distinct) <= MOST_LEVELS:
        edges = distinct[1:]
    else:
        edges = np.unique(np.quantile(numbers, np.arange(1, MOST_LEVELS) / MOST_LEVELS))
    band = iter(np.searchsorted(edges, numbers, side="right"))
    return [None if value is None else f"{next(band):02d}" for value in values]


def _place_of(case: str) -> float:
    """Return where an id stands among all ids in their order: its first letters as a number."""
    return float(int.from_bytes(case.removeprefix("cas_").encode()[:6]))


def _of_row(case: IngestedCase) -> dict[str, Fact]:
    """Return what the partner's table and file names told, none of which is in the cohort."""
    row = case.case.row
    name = row.files[0] if row.files else row.case
    return {
        "order": float(row.number),
        "name_length": float(len(name)),
        "name_digits": float(len(re.sub(r"[^0-9]", "", name))),
    }
