"""What a section is made of: text, tables and figures, in which every number is a citation.

A block says what is shown, never how: typography, rounding and signing are the platform's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Show(StrEnum):
    """Which part of a result a citation prints."""

    ESTIMATE = "estimate"
    INTERVAL = "interval"
    LEVEL = "level"
    LOWER = "lower"
    UPPER = "upper"
    N = "n"
    PATIENTS = "patients"
    N_POSITIVE = "n_positive"
    NUMERATOR = "numerator"
    DENOMINATOR = "denominator"
    P_VALUE = "p_value"
    P_ADJUSTED = "p_adjusted"
    CONCLUSION = "conclusion"
    METHOD = "method"
    LABEL = "label"
    CRITERION = "criterion"


@dataclass(frozen=True, slots=True)
class Number:
    """Cites a part of the result `ref`; the platform looks the value up and writes it."""

    ref: str
    show: Show = Show.ESTIMATE

    def __post_init__(self) -> None:
        object.__setattr__(self, "show", Show(self.show))

    def as_dict(self) -> dict[str, Any]:
        """The block's JSON form."""
        return {"type": "number", "ref": self.ref, "show": self.show.value}


Part = str | Number


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    text: str

    def as_dict(self) -> dict[str, Any]:
        """The block's JSON form."""
        return {"type": "heading", "text": self.text}


@dataclass(frozen=True, slots=True, init=False)
class Paragraph:
    """Running text: `Paragraph("The area was ", Number("auroc"), ".")`."""

    parts: tuple[Part, ...]

    def __init__(self, *parts: Part) -> None:
        object.__setattr__(self, "parts", tuple(parts))

    def as_dict(self) -> dict[str, Any]:
        """The block's JSON form."""
        return {"type": "paragraph", "parts": [_part(part) for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Table:
    """A table with one header row; a cell is text or a citation."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Part, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("every row of a table has one cell per column")

    def as_dict(self) -> dict[str, Any]:
        """The block's JSON form."""
        return {
            "type": "table",
            "columns": list(self.columns),
            "rows": [[_part(cell) for cell in row] for row in self.rows],
            "caption": self.caption,
        }


@dataclass(frozen=True, slots=True)
class FigureRef:
    """Shows one of the report's own figures again."""

    id: str

    def as_dict(self) -> dict[str, Any]:
        """The block's JSON form."""
        return {"type": "figure", "id": self.id}


Block = Paragraph | Table | FigureRef | Heading


@dataclass(frozen=True, slots=True)
class Section:
    """A titled run of blocks; `id` is lower case with hyphens and unique within the plugin."""

    id: str
    title: str
    blocks: tuple[Block, ...] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """The section's JSON form."""
        return {
            "id": self.id,
            "title": self.title,
            "blocks": [block.as_dict() for block in self.blocks],
        }


def _part(part: Part) -> dict[str, Any]:
    return part.as_dict() if isinstance(part, Number) else {"type": "text", "text": part}
