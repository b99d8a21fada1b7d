"""The protocol as a value: what its fields mean together. Shape is the JSON schema's matter."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.protocol_rules import problems_of
from proctor_sdk.canonical import canonical_bytes, digest


class EndpointRole(StrEnum):
    """The weight of an endpoint."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    EXPLORATORY = "exploratory"


@dataclass(frozen=True, slots=True)
class Criterion:
    """The bound of an interval that must lie beyond a value."""

    bound: str
    comparator: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One measured quantity."""

    id: str
    metric: str
    role: EndpointRole
    definition: str
    operating_point: str | None
    interval_method: str
    level: float
    criterion: Criterion | None
    itd_rule: str

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Endpoint":
        """Read one endpoint of a completed protocol."""
        criterion = document.get("criterion")
        return cls(
            id=document["id"],
            metric=document["metric"],
            role=EndpointRole(document["role"]),
            definition=document["definition"],
            operating_point=document.get("operating_point"),
            interval_method=document["interval"]["method"],
            level=document["interval"]["level"],
            criterion=Criterion(**criterion) if criterion else None,
            itd_rule=document["itd_rule"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """One factor, or an intersection of factors, and what is compared over it."""

    attributes: tuple[str, ...]
    endpoints: tuple[str, ...]
    bands: tuple[float, ...]
    margin: float | None
    family: str | None

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Subgroup":
        """Read one subgroup of a completed protocol."""
        attribute = document["attribute"]
        return cls(
            attributes=(attribute,) if isinstance(attribute, str) else tuple(attribute),
            endpoints=tuple(document["endpoints"]),
            bands=tuple(document.get("bands", ())),
            margin=document.get("margin"),
            family=document.get("family"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A protocol that keeps every rule; holding one is proof."""

    title: str
    task: str
    alpha: float
    endpoints: tuple[Endpoint, ...]
    subgroups: tuple[Subgroup, ...]
    operating_points: frozenset[str]
    window: int
    isolation: str
    runtime: str
    status_slot_s: float
    document: Mapping[str, Any]
    digest: str

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Protocol":
        """Read a document that the schema has completed.

        Raises:
            InvalidInputError: it breaks rules; `problems` names all of them at once.
        """
        problems = list(problems_of(document))
        if problems:
            raise InvalidInputError(
                "The protocol breaks its own rules.",
                cure="Correct the places named in the problems.",
                problems=[problem.as_dict() for problem in problems],
            )
        endpoints = tuple(Endpoint.from_dict(one) for one in document["endpoints"])
        return cls(
            title=document["title"],
            task=document["task"],
            alpha=document["alpha"],
            endpoints=endpoints,
            subgroups=tuple(Subgroup.from_dict(one) for one in document["subgroups"]),
            operating_points=frozenset(
                one.operating_point for one in endpoints if one.operating_point
            ),
            window=document["window"],
            isolation=document["isolation"],
            runtime=document["runtime"],
            status_slot_s=document["status_slot_s"],
            document=document,
            digest=digest(canonical_bytes(document)),
        )
