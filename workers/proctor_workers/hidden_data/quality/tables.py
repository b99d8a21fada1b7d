"""A table of the quality report."""

from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Counts or figures; `name` is stable, `omitted` rows did not fit. Shares lie in 0 to 1."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    omitted: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the form of the JSON report."""
        return {
            "name": self.name,
            "title": self.title,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "note": self.note,
            "omitted": self.omitted,
        }
