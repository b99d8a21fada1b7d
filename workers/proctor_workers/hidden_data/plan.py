"""The ingest plan: what is read, how it is made safe, in which form it is kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from proctor_workers.hidden_data.case_files import CanonicalForm
from proctor_workers.hidden_data.deidentify.profile import Deidentification


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A blocking finding that the partner accepts; the report prints the reason.

    `finding` is the finding's key: its code, with `:` and its column or field where it has one.
    """

    finding: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPlan:
    """How a cohort is made of what a hospital has; the same plan makes the same cohort."""

    deidentification: Deidentification = field(default_factory=Deidentification)
    form: CanonicalForm = field(default_factory=CanonicalForm)
    reference_labels: Mapping[str, str] = field(default_factory=dict)
    raters: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, in an order that does not vary."""
        chosen = asdict(self.deidentification)
        return {
            "deidentification": {
                "profile": "basic",
                **{name: _plain(value) for name, value in chosen.items()},
            },
            "canonical": asdict(self.form),
            "reference_labels": dict(self.reference_labels),
            "raters": dict(self.raters),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else str(value)
