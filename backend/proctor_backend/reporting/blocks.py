"""Blocks that only the platform may use, beside those of the plugin API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proctor_sdk.report import FigureRef, Heading, Number, Paragraph, Show, Table


@dataclass(frozen=True, slots=True)
class Code:
    """A digest, an identifier or a command: set in a fixed-width face, never hyphenated."""

    text: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "code", "text": self.text}


@dataclass(frozen=True, slots=True)
class SectionRef:
    """Points to a section of this report, with its page where there are pages."""

    id: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "section_ref", "id": self.id}


@dataclass(frozen=True, slots=True)
class Expected:
    """Cites what a descriptive measure is on average when the groups are equal."""

    ref: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "expected", "ref": self.ref}


Cell = str | Number | Code | SectionRef | Expected


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of names with what they are."""

    rows: tuple[tuple[str, Cell], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "facts", "rows": [[name, cell(fact)] for name, fact in self.rows]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of the platform's own; `emphasis` names columns that carry conclusions."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    widths: tuple[float, ...] = ()
    flagged: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "type": "table",
            "columns": list(self.columns),
            "rows": [[cell(part) for part in row] for row in self.rows],
            "caption": self.caption,
            "widths": list(self.widths),
            "flagged": self.flagged,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result in ten seconds: every deciding endpoint against its criterion."""

    refs: tuple[str, ...]
    one_suffices: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "verdict", "refs": list(self.refs), "one_suffices": self.one_suffices}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A part that somebody else must supply; `slot` is where their text goes once it is there."""

    of: str
    what: str
    slot: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "request", "of": self.of, "what": self.what, "slot": self.slot}


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph in somebody else's words, shown as a quotation with its author named."""

    author: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "quotation", "author": self.author, "text": self.text}


@dataclass(frozen=True, slots=True)
class Items:
    """A bulleted list of sentences."""

    sentences: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "items", "sentences": list(self.sentences)}


@dataclass(frozen=True, slots=True)
class Approvals:
    """The table of signatures; who signed is known only after the sections are written."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "approvals"}


@dataclass(frozen=True, slots=True)
class ReferenceQueries:
    """What was asked of the reference standard: reviewers ask after the sections are written."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "queries"}


@dataclass(frozen=True, slots=True)
class Agreement:
    """The text of the partner's agreement: it may name the vendor, and joins after the review."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "agreement"}


Block = (
    Facts | Grid | Verdict | Request | Text | Items | Approvals | ReferenceQueries
    | Agreement
    | Paragraph | Table | FigureRef | Heading
)  # fmt: skip


def cell(part: Cell) -> dict[str, Any]:
    """Return a cell's JSON form."""
    return {"type": "text", "text": part} if isinstance(part, str) else part.as_dict()


@dataclass(frozen=True, slots=True)
class CoreSection:
    """A section of the platform's own."""

    id: str
    title: str
    blocks: Sequence[Block]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "id": self.id,
            "title": self.title,
            "blocks": [block.as_dict() for block in self.blocks],
        }


__all__ = [
    "Agreement", "Approvals", "Block", "Cell", "Code", "CoreSection", "Expected", "Facts",
    "FigureRef", "Grid", "Heading", "Items",
    "Number", "Paragraph", "ReferenceQueries", "Request", "SectionRef", "Show", "Text", "Verdict",
]  # fmt: skip
