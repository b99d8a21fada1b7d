"""One broken rule of a protocol: where it stands, what is wrong, what to write instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule: where, what, and what to write instead."""

    path: Path
    what: str
    cure: str

    @property
    def field(self) -> str:
        """Return the place as a reader writes it: `endpoints[0].interval.method`."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text

    def as_dict(self) -> dict[str, Any]:
        """Return the form that an answer carries."""
        return {"field": self.field, "what": self.what, "cure": self.cure}
