"""Reads an ingest plan: from its own YAML file, or from the description of an uploaded cohort."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.problems import Problem
from proctor_backend.services.protocol_text import LineProblem, ProtocolText, read
from proctor_backend.services.schema_problems import shape_problems
from proctor_workers.hidden_data.case_files import CanonicalForm
from proctor_workers.hidden_data.deidentify.headers import GRANTABLE
from proctor_workers.hidden_data.deidentify.private import private_element
from proctor_workers.hidden_data.deidentify.profile import (
    BurnedIn,
    Deidentification,
    Faces,
    Option,
)
from proctor_workers.hidden_data.ingest.sources import (
    FolderSource,
    NoSource,
    S3Source,
    SeveralSources,
    Source,
)
from proctor_workers.hidden_data.plan import IngestPlan, Override

# What the description of an uploaded cohort may settle; the rest of a plan is about places.
SETTINGS = ("deidentify", "canonical", "reference_labels", "raters", "overrides")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan with its places."""

    name: str
    visibility: str
    description: Mapping[str, Any]
    table: Path
    source: Source
    out: Path
    key: Path
    plan: IngestPlan
    processes: int


@cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of a plan, as it is documented."""
    text = (
        files("proctor_workers.hidden_data.ingest").joinpath("plan.schema.json").read_text("utf-8")
    )
    document: dict[str, Any] = json.loads(text)
    return document


def read_plan(path: Path) -> PlanFile:
    """Return the plan in a YAML file.

    Raises:
        InvalidInputError: with every problem, its line and its cure.
    """
    try:
        found = read(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidInputError(
            f"{path} cannot be read as text.", cure="Check the path and the encoding."
        ) from exc
    problems = list(found.problems)
    if isinstance(found.document, dict) and not problems:
        problems = [
            LineProblem(one, found.line(one.path)) for one in _problems(found.document, schema())
        ]
    if problems:
        raise _refused(path, problems)
    return _placed(path, found)


def settings_of(description: Mapping[str, Any]) -> tuple[IngestPlan, list[Problem]]:
    """Return the plan that an uploaded cohort's description settles, and what is wrong in it."""
    document = {name: description[name] for name in SETTINGS if name in description}
    properties = {name: schema()["properties"][name] for name in SETTINGS}
    part = {"type": "object", "properties": properties, "additionalProperties": False}
    problems = list(_problems(document, part))
    return (IngestPlan() if problems else _plan(document)), problems


def _problems(document: Mapping[str, Any], rule: Mapping[str, Any]) -> Iterator[Problem]:
    shaped = shape_problems(document, rule)
    yield from shaped
    if shaped:
        return
    for number, keyword in enumerate(document.get("deidentify", {}).get("headers", ())):
        if keyword not in GRANTABLE:
            yield Problem(
                ("deidentify", "headers", number),
                f"{keyword} cannot be granted.",
                f"Use {', '.join(sorted(GRANTABLE))}.",
            )
    for number, named in enumerate(document.get("deidentify", {}).get("private_tags", ())):
        try:
            private_element(named)
        except ValueError:
            yield Problem(
                ("deidentify", "private_tags", number),
                "This names no private element.",
                "Write it as in the standard's table: '0019,0C SIEMENS MR HEADER', an odd group.",
            )
    for value, name in document.get("reference_labels", {}).items():
        if not name.isprintable():
            yield Problem(("reference_labels", value), "The name is not printable.", "Rename it.")
    for number, source in enumerate(document.get("sources", ())):
        if ("folder" in source) == ("bucket" in source):
            yield Problem(
                ("sources", number), "A source is a folder or a bucket.", "Write one of both."
            )


def _refused(path: Path, problems: list[LineProblem]) -> InvalidInputError:
    ordered = sorted(problems, key=lambda one: one.line or 0)
    lines = [
        f"{path}:{one.line or 1}: {one.problem.field}: {one.problem.what} {one.problem.cure}"
        for one in ordered
    ]
    return InvalidInputError("\n".join(lines), cure="", problems=[one.as_dict() for one in ordered])


def _placed(path: Path, found: ProtocolText) -> PlanFile:
    document, folder = found.document, path.resolve().parent
    sources = [_source(folder, one) for one in document.get("sources", ())]
    return PlanFile(
        name=document["name"],
        visibility=document.get("visibility", "hidden"),
        description=document.get("description", {}),
        table=folder / document["cases"],
        source=SeveralSources(sources) if sources else NoSource(),
        out=folder / document.get("out", "prepared"),
        key=folder / document.get("key", "cohort.key"),
        plan=_plan(document),
        processes=int(document.get("processes", 2)),
    )


def _source(folder: Path, document: Mapping[str, Any]) -> Source:
    if "folder" in document:
        return FolderSource(folder / document["folder"])
    return S3Source(
        bucket=document["bucket"],
        prefix=document.get("prefix", ""),
        endpoint=document.get("endpoint"),
        region=document.get("region"),
    )


def _plan(document: Mapping[str, Any]) -> IngestPlan:
    safe = document.get("deidentify", {})
    return IngestPlan(
        deidentification=Deidentification(
            options=frozenset(Option(one) for one in safe.get("options", ())),
            headers=tuple(sorted(safe.get("headers", ()))),
            private_tags=tuple(sorted(safe.get("private_tags", ()))),
            burned_in=BurnedIn(safe.get("burned_in", BurnedIn.QUARANTINE)),
            faces=Faces(safe.get("faces", Faces.KEEP)),
            text_columns=tuple(sorted(safe.get("text_columns", ()))),
        ),
        form=CanonicalForm(**document.get("canonical", {})),
        reference_labels=dict(document.get("reference_labels", {})),
        raters=dict(document.get("raters", {})),
        overrides=tuple(Override(**one) for one in document.get("overrides", ())),
    )
