"""A case after ingest, under its public names: what quality report and leak audit look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proctor_workers.hidden_data.blocks import Case
from proctor_workers.hidden_data.case_files import Fact
from proctor_workers.hidden_data.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedCase:
    """One case: its record, and what its files told of themselves.

    `case.row` still has the partner's names; `case.id` and `case.patient` are pseudonyms.
    """

    case: Case
    facts: Mapping[str, Fact] = field(default_factory=dict)
    artefacts: Mapping[str, Fact] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    actions: Mapping[str, int] = field(default_factory=dict)
    forms: tuple[str, ...] = ()  # endings of its canonical files: dcm, nii, png …
