"""Counts of a cohort: what its record keeps and the plan of a study asks for."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

_MOST_VALUES_COUNTED = 100  # of an attribute; beyond it a value says too much of a case
_PLAIN = ("reference_value", "reference_status", "partition")


class CaseCounts:
    """Counts rows of the reference standard, one at a time."""

    def __init__(self) -> None:
        self._cases = 0
        self._patients: set[str] = set()
        self._sites: set[str] = set()
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in _PLAIN}

    def add_row(self, row: Mapping[str, Any]) -> None:
        """Count one row of `reference.parquet`."""
        self._cases += 1
        self._patients.add(row["patient"])
        self._sites.add(row["site"])
        for name in _PLAIN:
            self._counts[name][row[name] or ""] += 1
        for name, value in row.items():
            if name.startswith("attr."):
                counted = f"attribute:{name.removeprefix('attr.')}"
                self._counts.setdefault(counted, Counter())[value or ""] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the fields of an ingest's report."""
        few = {
            name: dict(found)
            for name, found in self._counts.items()
            if name in _PLAIN or len(found) <= _MOST_VALUES_COUNTED
        }
        return {
            "cases": self._cases,
            "patients": len(self._patients),
            "sites": len(self._sites),
            "counts": few,
        }
