"""What a plugin is told: the results that one edition may show, read-only; it can ask nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from proctor_sdk.errors import ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Mapping

API_VERSION = 1
# A plugin written for N still runs when the platform speaks N + 1.
SUPPORTED_VERSIONS = (1,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A two-sided interval, its level and the method that made it."""

    lower: float | None
    upper: float | None
    level: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """One result as this edition shows it."""

    id: str
    quantity: str
    role: str
    method: str
    definition: str
    n: int
    patients: int
    estimate: float | None = None
    interval: Bounds | None = None
    factor: str | None = None
    level: str | None = None
    n_positive: int | None = None
    numerator: float | None = None
    denominator: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    conclusion: str | None = None
    scenario: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """Everything a plugin sees. What it does not find here, it cannot know.

    `withheld` names the results that exist and that this edition does not show; citing one prints
    the word "withheld". `study`, `cohort` and `figures` are empty unless the bundle needs them.
    """

    api: int
    edition: str
    demonstration: bool
    results: Mapping[str, ResultView]
    withheld: frozenset[str] = frozenset()
    study: Mapping[str, Any] = field(default_factory=dict)
    cohort: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ReportContext:
        """Read the JSON form; raises `ProctorSdkError` for a version this SDK does not speak."""
        if document.get("api") not in SUPPORTED_VERSIONS:
            raise ProctorSdkError(
                "context_version",
                f"The report context has version {document.get('api')!r}.",
                cure="Build the bundle with an SDK that speaks this version.",
            )
        results = {row["id"]: _view(row) for row in document["results"]}
        return cls(
            api=document["api"],
            edition=document["edition"],
            demonstration=document["demonstration"],
            results=MappingProxyType(results),
            withheld=frozenset(document.get("withheld", ())),
            study=MappingProxyType(dict(document.get("study", {}))),
            cohort=MappingProxyType(dict(document.get("cohort", {}))),
            figures=MappingProxyType(dict(document.get("figures", {}))),
        )

    def of_factor(self, factor: str) -> tuple[ResultView, ...]:
        """The shown results of one attribute, in the report's order."""
        return tuple(view for view in self.results.values() if view.factor == factor)

    def primary(self) -> tuple[ResultView, ...]:
        """The results that decide the study, in the report's order."""
        return tuple(view for view in self.results.values() if view.role == "primary")


def _view(row: Mapping[str, Any]) -> ResultView:
    fields = {name: row[name] for name in ResultView.__slots__ if name in row}
    interval = fields.get("interval")
    if interval is not None:
        fields["interval"] = Bounds(**interval)
    fields["flags"] = tuple(fields.get("flags", ()))
    return ResultView(**fields)
