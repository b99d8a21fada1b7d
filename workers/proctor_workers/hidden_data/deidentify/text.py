"""Finds identifiers in free text and takes them out: the patient's own, and what looks like any."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from proctor_workers.hidden_data.deidentify.coded import published_words
from proctor_workers.hidden_data.deidentify.national_numbers import national_numbers
from proctor_workers.hidden_data.deidentify.patterns import PATTERNS
from proctor_workers.hidden_data.deidentify.vocabulary import PROTOCOL_WORDS

REMOVED = "***"  # stands where something was taken out, so that a reader knows
SHORTEST_NAME = 2  # letters
SHORTEST_NUMBER = 4  # signs of an identifier with digits; a shorter one would be found in any text
_GLUED = 5  # letters from which on a name is found inside a longer word
_SEPARATORS = re.compile(r"[\s^=,;._/\\-]+")
# Parts of names that are words of their own elsewhere.
_PARTICLES = frozenset(
    {"dr", "prof", "mr", "mrs", "ms", "miss", "jr", "sr", "md", "phd", "de", "di", "da"}
    | {"van", "von", "der", "den", "la", "le", "el", "of", "the"}
)
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Match:
    """Where something identifying stands in a text, and of what kind it is; never what it says."""

    kind: str
    start: int
    end: int


class Known:
    """The identifiers of one patient, and of people around it, from the table and headers."""

    __slots__ = ("_numbers", "_pattern")

    def __init__(self, identifiers: Iterable[str]) -> None:
        whole = {_folded(text)[0].strip() for text in identifiers}
        words = {word for text in whole for word in _SEPARATORS.split(text) if _tells(word)}
        numbers = {text for text in whole if len(text) >= SHORTEST_NUMBER and _has_digit(text)}
        self._numbers = frozenset(re.sub(r"\D", "", text).lstrip("0") for text in numbers)
        shapes = [_word_shape(word) for word in words] + [_number_shape(text) for text in numbers]
        longest_first = "|".join(sorted(shapes, key=len, reverse=True))
        self._pattern = re.compile(longest_first) if shapes else None

    def find(self, text: str) -> tuple[Match, ...]:
        """Return where the text names somebody known."""
        if self._pattern is None:
            return ()
        folded, places = _folded(text)
        return tuple(
            Match("known identifier", places[found.start()], places[found.end() - 1] + 1)
            for found in self._pattern.finditer(folded)
        )

    def names(self, text: str) -> bool:
        """Tell whether the text names somebody known."""
        return self._pattern is not None and bool(self._pattern.search(_folded(text)[0]))

    def is_number(self, value: Any) -> bool:
        """Tell whether a number is one by which somebody is known, with at least six digits."""
        digits = str(value).split(".", maxsplit=1)[0].lstrip("-0")
        return len(digits) >= 6 and digits in self._numbers


Names = Known | Sequence[str]


def scan(text: str, names: Names = ()) -> tuple[Match, ...]:
    """Return what identifies in a text, in its order, overlaps joined; `names` are known ones."""
    found = [
        *_known(names).find(text),
        *(Match(kind, *hit.span()) for kind, pattern in PATTERNS for hit in pattern.finditer(text)),
        *(Match(kind, start, end) for kind, start, end in national_numbers(text)),
    ]
    joined: list[Match] = []
    for match in sorted(found, key=lambda one: (one.start, -one.end)):
        if joined and match.start < joined[-1].end:
            last = joined.pop()
            match = Match(last.kind, last.start, max(last.end, match.end))  # noqa: PLW2901
        joined.append(match)
    return tuple(joined)


def cleaned(text: str, names: Names = ()) -> str:
    """Return the text with what identifies replaced by `***`."""
    parts, last = [], 0
    for match in scan(text, names):
        parts += [text[last : match.start], REMOVED]
        last = match.end
    return "".join([*parts, text[last:]])


def cleaned_description(text: str, names: Names = ()) -> str:
    """Return a header's description with only words that are published or technical.

    Patterns cannot know a stranger's name, so that here, where words are few, only known words
    stay: those of published meanings, of protocols, and short ones with digits such as T2 or 3mm.
    """
    plain = _WORD.sub(
        lambda found: found[0] if _is_technical(found[0]) else REMOVED, cleaned(text, names)
    )
    return plain if _WORD.search(plain) else ""


def _is_technical(word: str) -> bool:
    small = word.lower()
    return len(word) < 3 or small in PROTOCOL_WORDS or small in published_words()


def _known(names: Names) -> Known:
    return names if isinstance(names, Known) else known_of(tuple(names))


@lru_cache(maxsize=256)
def known_of(names: tuple[str, ...]) -> Known:
    """Return what is known of one patient, made once for all files that say the same."""
    return Known(names)


def _folded(text: str) -> tuple[str, list[int]]:
    """Return the text in lower case without accents, and each sign's place in the original."""
    signs: list[str] = []
    places: list[int] = []
    for place, sign in enumerate(text):
        for plain in unicodedata.normalize("NFKD", sign.casefold()):
            if not unicodedata.combining(plain):
                signs.append(plain)
                places.append(place)
    return "".join(signs), places


def _has_digit(text: str) -> bool:
    return any(sign.isdigit() for sign in text)


def _tells(word: str) -> bool:
    """Tell whether a part of a name or number says whose it is when it stands alone."""
    shortest = SHORTEST_NUMBER if _has_digit(word) else SHORTEST_NAME
    return len(word) >= shortest and word not in _PARTICLES


def _word_shape(word: str) -> str:
    escaped = re.escape(word)
    glued = len(word) >= _GLUED
    return escaped if glued else rf"(?<![^\W_]){escaped}(?![^\W_])"


def _number_shape(text: str) -> str:
    """Return a shape that finds an identifier however its signs are grouped."""
    signs = [re.escape(sign) for sign in re.sub(r"[\W_]", "", text)]
    return r"[\W_]{0,2}".join(signs)
