"""Turns a case's inputs into numbers; the same code trains and predicts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

NUMERIC = (
    "age", "num_co", "scoma", "hday", "meanbp", "wblc", "hrt", "resp", "temp", "pafi", "alb",
    "bili", "crea", "sod", "ph", "glucose", "bun", "urine",
)  # fmt: skip
FLAGS = ("diabetes", "dementia")
LEVELS = {
    "ca": ("no", "yes", "metastatic"),
    "dzgroup": (
        "ARF/MOSF w/Sepsis", "CHF", "COPD", "Cirrhosis", "Colon Cancer", "Coma", "Lung Cancer",
        "MOSF w/Malig",
    ),
}  # fmt: skip
LOGARITHMIC = frozenset({"wblc", "bili", "crea", "bun", "hday"})


def raw_numbers(inputs: Mapping[str, Any]) -> list[float | None]:
    """Return the numeric inputs, None where missing."""
    return [_number(name, inputs.get(name)) for name in NUMERIC]


def features(
    inputs: Mapping[str, Any], means: Sequence[float], spreads: Sequence[float]
) -> list[float]:
    """Return standardised numbers, an indicator for each that is missing, flags and categories."""
    numbers = raw_numbers(inputs)
    standard = [
        0.0 if value is None else max(-4.0, min(4.0, (value - mean) / spread))
        for value, mean, spread in zip(numbers, means, spreads, strict=True)
    ]
    missing = [float(value is None) for value in numbers]
    flags = [float(inputs.get(name) or 0) for name in FLAGS]
    levels = [
        float(inputs.get(name) == level) for name, choices in LEVELS.items() for level in choices
    ]
    return standard + missing + flags + levels


def _number(name: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    number = float(value)
    return math.log1p(max(number, 0.0)) if name in LOGARITHMIC else number
