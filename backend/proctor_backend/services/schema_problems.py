"""Tells where a document departs from its JSON schema, in words with a cure for each place."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from proctor_backend.domain.problems import Path, Problem

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


def resolve(rule: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema rule with its reference followed; what stands beside the reference wins."""
    reference = rule.get("$ref")
    if reference is None:
        return dict(rule)
    target: dict[str, Any] = schema["$defs"][reference.rsplit("/", 1)[1]]
    return target | {name: value for name, value in rule.items() if name != "$ref"}


def shape_problems(document: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Problem]:
    """Return every place where the document's shape is not the schema's."""
    errors = Draft202012Validator(schema).iter_errors(document)
    problems = [problem for error in errors for problem in _told(error, schema)]
    # A field that was misspelt is not missing besides.
    meant = {(*one.path[:-1], one.cure) for one in problems}
    return [
        one
        for one in problems
        if not one.path or (*one.path[:-1], _meant(str(one.path[-1]))) not in meant
    ]


def _meant(name: str) -> str:
    return f"Did you mean '{name}'?"


def _told(error: Any, schema: Mapping[str, Any]) -> Iterator[Problem]:
    path: Path = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            yield from _unknown_fields(error, path)
        case "required":
            yield from _missing_fields(error, path, schema)
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


def _missing_fields(error: Any, path: Path, schema: Mapping[str, Any]) -> Iterator[Problem]:
    # jsonschema reports each missing name by itself; the name is the one the message begins with.
    for name in error.validator_value:
        if error.message.startswith(f"{name!r} "):
            about = resolve(error.schema["properties"][name], schema).get("description", "")
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
        "minLength": (
            "This is empty." if limit == 1 else f"This is shorter than {limit} characters.",
            "Write the text.",
        ),
        "maxLength": (f"This is longer than {limit} characters.", "Shorten it."),
        "minItems": (f"This needs at least {limit} entries.", "Add what is missing."),
        "maxItems": (f"This has more than {limit} entries.", "Shorten the list."),
        "pattern": ("This is not written as the field asks.", _pattern_cure(str(limit))),
    }.get(str(error.validator), ("This breaks the schema.", "See the reference page."))
    return Problem(path, what, cure)


def _pattern_cure(pattern: str) -> str:
    if pattern.startswith("^[a-z]"):
        return "Use lower-case letters, digits and underscores, beginning with a letter."
    if pattern.startswith("^[A-Z]"):
        return "Use the DICOM keyword, for example PixelSpacing."
    return "Write a date like 2026-11-21, or what the reference page shows."
