"""National identification numbers, each told from other digits by its own check digits.

Each rule is a shape and a check. Numbers without a check digit (United States, Denmark) are told by
their written form only.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_NHS_WEIGHTS = range(10, 1, -1)
_PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
_CPF_WEIGHTS = range(11, 1, -1)
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
# Verhoeff's scheme: the dihedral group D5, and a permutation applied once more at each place.
_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


@dataclass(frozen=True, slots=True)
class NationalNumber:
    """A country's number: how it is written, and how its digits check."""

    name: str
    shape: re.Pattern[str]
    holds: Callable[[str], bool]


def national_numbers(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and end of each national number in a text."""
    for rule in RULES:
        for found in rule.shape.finditer(text):
            if rule.holds(re.sub(r"[ .\-/]", "", found[0])):
                yield rule.name, found.start(), found.end()


def _digits(text: str) -> list[int]:
    return [int(sign) for sign in text if sign.isdigit()]


def _weighted(digits: Sequence[int], weights: Sequence[int]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def _luhn(digits: Sequence[int]) -> bool:
    doubled = [2 * digit if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _united_states(text: str) -> bool:
    """Social Security numbers never start with 000, 666 or 9, nor hold a group of zeros (SSA)."""
    return text[:3] not in {"000", "666"} and text[0] != "9" and text[3:5] != "00"


def _united_kingdom(text: str) -> bool:
    """NHS number: weights 10 to 2, modulo 11 (NHS Data Dictionary)."""
    digits = _digits(text)
    return (11 - _weighted(digits, _NHS_WEIGHTS) % 11) % 11 == digits[9] and len(set(text)) > 1


def _switzerland(text: str) -> bool:
    """AHV number: EAN-13."""
    digits = _digits(text)
    return (10 - _weighted(digits, (1, 3) * 6) % 10) % 10 == digits[12]


def _germany(text: str) -> bool:
    """Krankenversichertennummer: letter as two digits, weights 1 and 2, digit sums, modulo 10."""
    digits = [*_digits(f"{ord(text[0]) - 64:02d}"), *_digits(text[1:])]
    products = [digit * (1 + place % 2) for place, digit in enumerate(digits[:10])]
    return sum(value // 10 + value % 10 for value in products) % 10 == digits[10]


def _france(text: str) -> bool:
    """NIR: the key is 97 minus the number modulo 97; Corsica writes 2A and 2B for 19 and 18."""
    number = text[:13].upper().replace("2A", "19").replace("2B", "18")
    return number.isdigit() and 97 - int(number) % 97 == int(text[13:])


def _spain(text: str) -> bool:
    """DNI and NIE: the letter is given by the number modulo 23."""
    number = text[:-1].upper().translate(str.maketrans("XYZ", "012"))
    return _DNI_LETTERS[int(number) % 23] == text[-1].upper()


def _poland(text: str) -> bool:
    """PESEL: weights 1, 3, 7, 9, modulo 10."""
    digits = _digits(text)
    return (10 - _weighted(digits, _PESEL_WEIGHTS) % 10) % 10 == digits[10] and text[2:4] != "00"


def _brazil(text: str) -> bool:
    """CPF: two check digits, modulo 11."""
    digits = _digits(text)
    first = _weighted(digits[:9], _CPF_WEIGHTS[1:]) * 10 % 11 % 10
    second = _weighted(digits[:10], _CPF_WEIGHTS) * 10 % 11 % 10
    return digits[9:] == [first, second] and len(set(text)) > 1


def _india(text: str) -> bool:
    """Aadhaar: Verhoeff's check digit."""
    check = 0
    for place, digit in enumerate(reversed(_digits(text))):
        for _ in range(place % 8):
            digit = _TURN[digit]  # noqa: PLW2901 -- the permutation, applied as often as the place
        check = _composed(check, digit)
    return check == 0 and text[0] not in "01"


def _composed(one: int, other: int) -> int:
    """Return the product in the dihedral group of the pentagon; from 5 on are the reflections."""
    turned = other % 5 if one < 5 else -(other % 5)
    return (one % 5 + turned) % 5 + (0 if (one < 5) == (other < 5) else 5)


def _always(_text: str) -> bool:
    return True


RULES = tuple(
    NationalNumber(name, re.compile(rf"(?<![\w.]){shape}(?![\w])"), holds)
    for name, shape, holds in (
        ("US social security number", r"\d{3}-\d{2}-\d{4}", _united_states),
        ("UK NHS number", r"\d{3}[ -]?\d{3}[ -]?\d{4}", _united_kingdom),
        ("Swiss AHV number", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", _switzerland),
        ("German health insurance number", r"[A-Z]\d{9}", _germany),
        ("French NIR", r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[ABab]) ?\d{3} ?\d{3} ?\d{2}", _france),
        ("Spanish DNI", r"(?:\d{8}|[XYZ]\d{7})-?[A-Za-z]", _spain),
        ("Italian codice fiscale", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", _always),
        ("Polish PESEL", r"\d{11}", _poland),
        (
            "Swedish personnummer",
            r"(?:19|20)?\d{6}[-+]?\d{4}",
            lambda text: _luhn(_digits(text.replace("+", ""))[-10:]),
        ),
        ("Danish CPR number", r"[0-3]\d[01]\d{3}-\d{4}", _always),
        ("Finnish identity code", r"[0-3]\d[01]\d{3}[-+A]\d{3}[0-9A-Y]", _always),
        ("Brazilian CPF", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}", _brazil),
        ("Indian Aadhaar", r"\d{4} ?\d{4} ?\d{4}", _india),
    )
)
