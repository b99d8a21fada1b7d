"""What is wrong with a partner's upload: every place named, with its cure, collected not raised."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

MOST = 200  # a partner mends the first hundreds, not a million lines


@dataclass(frozen=True, slots=True)
class Problem:
    """One place in the table (row 1 is the first case; 0 the table as a whole) and its cure."""

    row: int
    column: str
    what: str
    cure: str

    def as_dict(self) -> dict[str, Any]:
        """Return the form that the cohort's record keeps."""
        return asdict(self)


@dataclass(slots=True)
class Problems:
    """Collects problems; counts all, keeps the first `MOST`."""

    kept: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, row: int, column: str, what: str, cure: str) -> None:
        """Note one problem."""
        self.count += 1
        if len(self.kept) < MOST:
            self.kept.append(Problem(row, column, what, cure))

    def __bool__(self) -> bool:
        """Say whether anything is wrong."""
        return self.count > 0

    def __iter__(self) -> Iterator[Problem]:
        """Iterate over the problems kept."""
        return iter(self.kept)
