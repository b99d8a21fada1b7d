"""What of a full edition's evidence tells of single cases, and what is left after a withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proctor_sdk.canonical import CanonicalError, canonical_bytes, strict_loads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Erased from a released package when a patient is withdrawn.
TOLD_OF_CASES = ("observations.parquet", "reference.parquet", "results.json")
# Stands in their place then, and says since when.
WITHDRAWN = "withdrawn.json"
NOT_RECOMPUTABLE = "Not recomputable: a patient was withdrawn."


def withdrawn_document(marks: Sequence[Mapping[str, str]]) -> bytes:
    """Return the content of `withdrawn.json`: for each withdrawal its id and its time."""
    told = [{"withdrawal": one["withdrawal"], "at": one["at"]} for one in marks]
    return canonical_bytes({"withdrawn": told})


def is_withdrawn_document(content: bytes) -> bool:
    """Tell whether this is a `withdrawn.json` and nothing beside: the file itself is not signed."""
    try:
        return withdrawn_document(strict_loads(content)["withdrawn"]) == content
    except (CanonicalError, KeyError, TypeError):
        return False
