"""From a protocol's text to a Protocol: every problem at once, each with its line and its cure."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.problems import Problem
from proctor_backend.domain.protocol import Protocol
from proctor_backend.domain.protocol_rules import problems_of
from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.services import schema_problems
from proctor_backend.services.protocol_text import LineProblem, ProtocolText, read
from proctor_backend.services.schema_problems import shape_problems
from proctor_sdk.outputs import TASKS


@cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of a protocol, as it is served and documented.

    The names of kinds of task and of quantities stand in code once, and are filled in here.
    """
    text = files("proctor_backend.domain").joinpath("protocol.schema.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    document["properties"]["task"]["enum"] = list(TASKS)
    endpoint = document["properties"]["endpoints"]["items"]["properties"]
    endpoint["metric"]["enum"] = list(QUANTITIES)
    return document


def parse_protocol(text: str) -> Protocol:
    """Return the protocol that a YAML text states, with every default filled in.

    Raises:
        InvalidInputError: `problems` is a list of {line, field, what, cure}.
    """
    found = read(text)
    problems = list(found.problems)
    unread = {one.problem.path for one in problems}
    if isinstance(found.document, dict):
        problems += [
            _placed(found, problem)
            for problem in shape_problems(found.document, schema())
            if problem.path not in unread
        ]
    if problems:
        raise _refused(problems)
    document = completed(found.document)
    problems = [_placed(found, problem) for problem in problems_of(document)]
    if problems:
        raise _refused(problems)
    return Protocol.from_dict(document)


def check_protocol(text: str) -> list[dict[str, Any]]:
    """Return the problems of a text, none if it would be accepted."""
    try:
        parse_protocol(text)
    except InvalidInputError as error:
        return error.problems
    return []


def completed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of the right shape with the schema's defaults filled in."""
    filled: dict[str, Any] = _fill(document, schema())
    return filled


def resolve(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule of the protocol's schema with its reference followed."""
    return schema_problems.resolve(rule, schema())


def _fill(value: Any, rule: Mapping[str, Any]) -> Any:
    rule = resolve(rule)
    if isinstance(value, list):
        return [_fill(one, rule.get("items", {})) for one in value]
    if not isinstance(value, Mapping):
        return value
    filled = dict(value)
    for name, field in rule.get("properties", {}).items():
        part = resolve(field)
        if name in filled:
            filled[name] = _fill(filled[name], part)
        elif "default" in part:
            filled[name] = _fill(part["default"], part)
    return filled


def _refused(problems: list[LineProblem]) -> InvalidInputError:
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    ordered = sorted(problems, key=lambda one: one.line or 0)
    return InvalidInputError(
        f"The protocol has {count}.",
        cure="Correct the lines that are named; nothing was saved.",
        problems=[one.as_dict() for one in ordered],
    )


def _placed(found: ProtocolText, problem: Problem) -> LineProblem:
    return LineProblem(problem, found.line(problem.path))
