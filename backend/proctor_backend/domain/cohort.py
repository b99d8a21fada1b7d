"""The terms under which a data partner lends a cohort, and what they allow an entry to do."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from proctor_backend.domain.errors import TermsRefusedError
from proctor_backend.domain.ids import parse_utc

_DAY_LENGTH = len("2026-11-21")


class Visibility(StrEnum):
    """Hidden cohorts are examined on; public ones serve conformance runs."""

    HIDDEN = "hidden"
    PUBLIC = "public"


class CountScope(StrEnum):
    """Which counts the partner's minimum cell applies to."""

    ATTRIBUTE_COUNTS = "attribute_counts"
    ALL_CELLS = "all_cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The data partner's terms; `expires_at` is the first moment they no longer hold."""

    allowed_tasks: tuple[str, ...]
    max_evaluations: int
    expires_at: str
    agreement: str
    contact: str
    min_patients: int = 0
    min_cell: int = 0
    applies_to: CountScope = CountScope.ATTRIBUTE_COUNTS
    precision: int | None = None
    counts_visible: bool = False
    submission_cases: bool = False

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Terms":
        """Read the terms from their record."""
        known = {name: document[name] for name in cls.__slots__ if name in document}
        known["allowed_tasks"] = tuple(document["allowed_tasks"])
        known["applies_to"] = CountScope(document.get("applies_to", CountScope.ATTRIBUTE_COUNTS))
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        """Return the record's form."""
        return {
            **asdict(self),
            "allowed_tasks": list(self.allowed_tasks),
            "applies_to": self.applies_to.value,
        }

    def expired(self, now: str) -> bool:
        """Say whether the terms have run out; a bare date holds to the end of that day."""
        end = parse_utc(self.expires_at).replace(tzinfo=dt.UTC)
        if len(self.expires_at) == _DAY_LENGTH:
            end += dt.timedelta(days=1)
        return parse_utc(now) >= end

    def check(self, *, task: str, evaluations: int, now: str) -> None:
        """Pass if one more evaluation of this task is allowed now.

        Raises:
            TermsRefusedError: the task, the number or the date stands against it.
        """
        if self.expired(now):
            raise TermsRefusedError(
                "The data partner's terms have expired.",
                cure="The data partner can put and accept new terms.",
            )
        if task not in self.allowed_tasks:
            raise TermsRefusedError(
                f"The data partner's terms do not allow the task '{task}'.",
                cure="The data partner can put terms that allow it.",
            )
        if evaluations >= self.max_evaluations:
            raise TermsRefusedError(
                "The data partner's terms allow no further evaluation on this cohort.",
                cure="The data partner can raise the number of evaluations.",
            )
