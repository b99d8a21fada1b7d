"""Rewrites one DICOM value so that it can hold a number, a code, or cleaned words, and no more."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydicom.uid import UID
from pydicom.valuerep import format_number_as_ds

from proctor_workers.hidden_data.deidentify.coded import DEFINED_TERMS, IMAGE_FLAVOURS
from proctor_workers.hidden_data.deidentify.dates import Clock
from proctor_workers.hidden_data.deidentify.text import Known, cleaned_description
from proctor_workers.hidden_data.pseudonyms import OLDEST_AGE, POOLED_AGE

_CODE = re.compile(r"[A-Za-z0-9_. +/-]{1,16}")
_MODEL_TEXT = re.compile(r"[A-Za-z0-9 ._+/(),:*-]{1,64}")
_AGE = re.compile(r"(\d{3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
_IMAGE_TYPE_VALUES = 2  # what follows the first two is the manufacturer's own wording
_WHOLE = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
NUMBERS = _WHOLE | {"DS", "FD", "FL"}
_MOMENTS = frozenset({"DA", "TM", "DT"})
_CODES = frozenset({"CS", "SH", "LO"})
_LONGEST = {"CS": 16, "SH": 16, "LO": 64, "ST": 1024, "LT": 10240, "UT": 10240, "UC": 1024}


class ValueCleaner:
    """Rewrites values of one file, and counts what it changed.

    Without a `clock` dates and times are dropped. `known` are those who must not be named;
    `descriptors` the keywords whose words are cleaned, not refused.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        known: Known | None = None,
        descriptors: frozenset[str] = frozenset(),
    ) -> None:
        self._clock, self.known, self._descriptors = clock, known or Known(()), descriptors
        self.actions: Counter[str] = Counter()

    def cleaned(self, keyword: str, vr: str, value: Any, beside: Mapping[str, str]) -> Any:
        """Return what may be kept of a value; None where that is nothing.

        `beside` are the times of day of the dates beside it, by which they may fall on another day.
        """
        values = _values(value)
        if keyword == "ImageType":
            return _image_type(values)
        try:
            kept = [self._one(keyword, vr, one, beside.get(keyword, "")) for one in values]
        except (ValueError, TypeError, OverflowError):  # a number that is none
            return None
        if not kept or any(one is None for one in kept):
            return None
        return kept if len(kept) > 1 else kept[0]

    def private(self, vr: str, value: Any) -> Any:
        """Return what may be kept of a private value: numbers and code-like words."""
        return self.cleaned("", vr, value, {}) if vr in NUMBERS | {"CS", "SH"} else None

    def _one(self, keyword: str, vr: str, value: Any, time_of_day: str) -> Any:
        if value is None or value == "":
            return None
        if vr in NUMBERS:
            return self._number(vr, value)
        text = str(value)
        if vr in _MOMENTS:
            return self._moment(vr, text, time_of_day)
        if vr == "AS":
            return pooled_age_string(text)
        if vr == "UI":
            return text if keyword == "SOPClassUID" and UID(text).type == "SOP Class" else None
        return self._words(keyword, vr, text) if vr in _LONGEST else None

    def _number(self, vr: str, value: Any) -> Any:
        """Return a number, unless it is the one by which somebody is known."""
        number = float(value)
        if not math.isfinite(number) or self.known.is_number(value):
            return None
        if vr in _WHOLE:
            return int(value)
        return format_number_as_ds(number) if vr == "DS" else number

    def _moment(self, vr: str, text: str, time_of_day: str) -> str | None:
        if self._clock is None:
            return None
        self.actions["date.shifted"] += 1
        if vr == "DT":
            return self._clock.datetime(text)
        return self._clock.time(text) if vr == "TM" else self._clock.date(text, time_of_day)

    def _words(self, keyword: str, vr: str, text: str) -> str | None:
        if keyword in DEFINED_TERMS:
            return text if text in DEFINED_TERMS[keyword] else None
        if keyword in self._descriptors:
            return self._description(text[: _LONGEST[vr]])[: _LONGEST[vr]].strip() or None
        shape = _CODE if vr == "CS" else _MODEL_TEXT
        if vr not in _CODES or not shape.fullmatch(text) or self.known.names(text):
            return None
        return text

    def _description(self, text: str) -> str:
        clean = cleaned_description(text, self.known)
        self.actions["text.cleaned"] += clean != text
        return clean


def pooled_age_string(age: str) -> str | None:
    """Return an AS value with ages above 89 years pooled; None where it is none."""
    found = _AGE.fullmatch(age)
    if not found:
        return None
    over = int(found[1]) / _PER_YEAR[found[2]] >= OLDEST_AGE + 1
    return f"{POOLED_AGE:03d}Y" if over else age


def _values(value: Any) -> Sequence[Any]:
    plain = isinstance(value, str | bytes) or not isinstance(value, Sequence)
    return [value] if plain else list(value)


def _image_type(values: Sequence[Any]) -> list[str] | None:
    """Return the two defined values, and further ones as far as they are defined terms."""
    words = [str(value) for value in values]
    kept = words[:_IMAGE_TYPE_VALUES]
    if not kept or any(word not in DEFINED_TERMS["ImageType"] for word in kept):
        return None
    for word in words[_IMAGE_TYPE_VALUES:]:
        if word not in IMAGE_FLAVOURS:
            break
        kept.append(word)
    return kept
