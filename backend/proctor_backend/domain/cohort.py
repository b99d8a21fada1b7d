"""What holds a cohort back, and the terms under which a data partner lends it."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from proctor_backend.domain.errors import TermsRefusedError
from proctor_backend.domain.ids import parse_utc

# Whom terms are for: one study, or one vendor's organisation; none is everybody.
Scope = dict[str, Any]
_DAY_LENGTH = len("2026-11-21")
# The severity of a finding that holds a cohort back; `warning` and `note` do not.
BLOCKING = "error"


# What a case of each kind consists of: the endings of its canonical files.
FORMS_OF_KIND: Mapping[str, frozenset[str]] = {
    "table": frozenset({"csv", "parquet"}),
    "dicom": frozenset({"dcm"}),
    "image": frozenset({"png", "tiff"}),
    "volume": frozenset({"nii", "nrrd"}),
    "slide": frozenset({"dcm", "tiff"}),
    "signal": frozenset({"dat", "hea"}),
}
_NAMES_OF_FORMS = {
    "csv": "CSV", "dat": "WFDB", "dcm": "DICOM", "hea": "WFDB", "nii": "NIfTI", "nrrd": "NRRD",
    "parquet": "Parquet", "png": "PNG", "tiff": "TIFF",
}  # fmt: skip


class Visibility(StrEnum):
    """Hidden cohorts are examined on; public ones serve conformance runs."""

    HIDDEN = "hidden"
    PUBLIC = "public"


def blocking(
    findings: Sequence[Mapping[str, Any]], overrides: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the findings that still hold a cohort back: errors that no override names by key."""
    overridden = {override["finding"] for override in overrides}
    return [
        finding
        for finding in findings
        if finding["severity"] == BLOCKING and finding["key"] not in overridden
    ]


def kinds_that_fit(forms: Collection[str]) -> list[str]:
    """Return the kinds of case that files of these forms can be; without files a table only."""
    if not forms:
        return ["table"]
    return [kind for kind, allowed in FORMS_OF_KIND.items() if allowed.issuperset(forms)]


def forms_named(forms: Collection[str]) -> str:
    """Return what a cohort holds in words."""
    words = sorted({_NAMES_OF_FORMS.get(form, form) for form in forms})
    return f"{', '.join(words)} files" if words else "tables without files"


def terms_of(cohort: Mapping[str, Any], study: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the terms that govern a study: its own, else its vendor's, else the cohort's."""
    wanted: tuple[Scope, ...] = (
        {"study": study["_id"]},
        {"vendor_org": study.get("vendor_org")},
    )
    for scope in wanted:
        for terms in cohort.get("scoped_terms") or ():
            if terms["scope"] == scope:
                found: Mapping[str, Any] = terms
                return found
    return cohort.get("terms")


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
    precision: int | None = None  # significant digits of what leaves towards a vendor
    counts_visible: bool = False

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
