"""Errors the SDK raises: a stable code, a sentence, a cure; printing them is the CLI's matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in a text a person wrote: where it stands, what it is, how to cure it."""

    what: str
    cure: str
    field: str = ""
    line: int | None = None
    source: str = ""

    def __str__(self) -> str:
        """`file:line: field: what`, with the cure below."""
        place = ":".join(str(part) for part in (self.source, self.line) if part)
        head = ": ".join(part for part in (place, self.field, self.what) if part)
        return f"{head}\n    cure: {self.cure}" if self.cure else head


class ProctorSdkError(Exception):
    """Something a person can act on."""

    def __init__(
        self, code: str, message: str, *, cure: str = "", problems: Sequence[Problem] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cure = cure
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """The sentence, every problem, then the cure."""
        lines = [self.message, *(f"  {problem}" for problem in self.problems)]
        if self.cure:
            lines.append(f"cure: {self.cure}")
        return "\n".join(lines)
