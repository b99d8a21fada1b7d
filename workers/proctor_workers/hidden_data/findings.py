"""What ingest finds in a cohort's content: each with its severity, its place and its cure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a finding weighs.

    An error holds the cohort back until the partner mends it or overrides it with a reason that
    the report prints. A warning is printed in the quality report; a note is counted there.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is to be known of one case, one file, one column, or the whole cohort.

    `code` is a stable name such as `file.unreadable` (family, dot, what); overrides name it.
    `case` is the partner's own name of the case and `file` the path as in the table of cases: both
    are for the partner's eyes only. `message` and `cure` may name what the partner knows already,
    never a value that identifies a person.
    """

    code: str
    severity: Severity
    message: str
    cure: str = ""
    case: str = ""
    file: str = ""
    column: str = ""
    values: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return the name under which an override names findings of this kind."""
        return f"{self.code}:{self.column}" if self.column else self.code

    def as_dict(self) -> dict[str, Any]:
        """Return the form that journals and records keep."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "message": self.message,
            "cure": self.cure,
            "case": self.case,
            "file": self.file,
            "column": self.column,
            "values": dict(self.values),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Finding":
        """Read a finding back."""
        return cls(**{**document, "severity": Severity(document["severity"])})
