"""From a protocol's text to a Protocol: every problem at once, each with its line and its cure."""

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.problems import Path, Problem
from proctor_backend.domain.protocol import Protocol
from proctor_backend.domain.protocol_rules import problems_of
from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.services.protocol_text import LineProblem, ProtocolText, read
from proctor_sdk.outputs import TASKS

_TYPE_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a group of fields",
    "null": "null",
}
_SHOWN = 60


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
            for problem in _shape_problems(found.document)
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
    """Return a schema rule with its reference followed; what stands beside the reference wins."""
    reference = rule.get("$ref")
    if reference is None:
        return dict(rule)
    target: dict[str, Any] = schema()["$defs"][reference.rsplit("/", 1)[1]]
    return target | {name: value for name, value in rule.items() if name != "$ref"}


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


def _shape_problems(document: Mapping[str, Any]) -> list[Problem]:
    errors = Draft202012Validator(schema()).iter_errors(document)
    problems = [problem for error in errors for problem in _told(error)]
    # A field that was misspelt is not missing besides.
    meant = {(*one.path[:-1], one.cure) for one in problems}
    return [
        one
        for one in problems
        if not one.path or (*one.path[:-1], _meant(str(one.path[-1]))) not in meant
    ]


def _meant(name: str) -> str:
    return f"Did you mean '{name}'?"


def _told(error: Any) -> Iterator[Problem]:
    path: Path = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            yield from _unknown_fields(error, path)
        case "required":
            yield from _missing_fields(error, path)
        case "enum":
            yield _not_in_list(error, path)
        case "const":
            yield Problem(path, f"This must be {error.validator_value}.", "Write that value.")
        case "type":
            yield _wrong_type(error, path)
        case _:
            yield _out_of_bounds(error, path)


def _unknown_fields(error: Any, path: Path) -> Iterator[Problem]:
    known = list(error.schema["properties"])
    for name in error.instance:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            cure = _meant(near[0]) if near else "Known here: " + ", ".join(known) + "."
            yield Problem((*path, name), f"There is no field '{name[:_SHOWN]}'.", cure)


def _missing_fields(error: Any, path: Path) -> Iterator[Problem]:
    # jsonschema reports each missing name by itself; the name is the one the message begins with.
    for name in error.validator_value:
        if error.message.startswith(f"{name!r} "):
            about = resolve(error.schema["properties"][name]).get("description", "")
            yield Problem((*path, name), f"The field '{name}' is missing.", f"Add it: {about}")


def _not_in_list(error: Any, path: Path) -> Problem:
    allowed = [str(one) for one in error.validator_value]
    near = difflib.get_close_matches(str(error.instance), allowed, n=1, cutoff=0.6)
    cure = _meant(near[0]) if near else "Write one of: " + ", ".join(allowed) + "."
    return Problem(path, f"'{str(error.instance)[:_SHOWN]}' is not a choice here.", cure)


def _wrong_type(error: Any, path: Path) -> Problem:
    kinds = error.validator_value
    kinds = [kinds] if isinstance(kinds, str) else kinds
    wanted = " or ".join(_TYPE_WORDS[kind] for kind in kinds)
    cure = "Put quotes around it." if kinds == ["string"] else f"Write {wanted}."
    if isinstance(error.instance, (dict, list)):
        cure = f"Write {wanted} in its place."
    return Problem(path, f"This must be {wanted}.", cure)


def _out_of_bounds(error: Any, path: Path) -> Problem:
    limit = error.validator_value
    what, cure = {
        "minimum": (f"This is below {limit}.", f"Write {limit} or more."),
        "maximum": (f"This is above {limit}.", f"Write {limit} or less."),
        "exclusiveMinimum": (f"This must be above {limit}.", "Write a larger number."),
        "exclusiveMaximum": (f"This must be below {limit}.", "Write a smaller number."),
        "minLength": ("This is empty.", "Write the text."),
        "maxLength": (f"This is longer than {limit} characters.", "Shorten it."),
        "minItems": (f"This needs at least {limit} entries.", "Add what is missing."),
        "maxItems": (f"This has more than {limit} entries.", "Shorten the list."),
        "pattern": ("This is not written as the field asks.", _pattern_cure(str(limit))),
    }.get(str(error.validator), ("This breaks the schema.", "See the protocol's reference page."))
    return Problem(path, what, cure)


def _pattern_cure(pattern: str) -> str:
    if pattern.startswith("^[a-z]"):
        return "Use lower-case letters, digits and underscores, beginning with a letter."
    if pattern.startswith("^[A-Z]"):
        return "Use the DICOM keyword, for example PixelSpacing."
    return "Write a date like 2026-11-21."
