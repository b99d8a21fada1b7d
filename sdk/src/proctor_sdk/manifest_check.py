"""Compares a parsed manifest with the schema and gathers every problem; others read and print."""

from __future__ import annotations

import difflib
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from proctor_sdk.errors import Problem
from proctor_sdk.manifest_schema import Array, Key, Kind, Table
from proctor_sdk.toml_lines import line_of

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_LINE = 200
LONGEST_TEXT = 20_000
MOST_NAMES = 500
LARGEST_NUMBER = 2**53 - 1  # beyond it an integer has no canonical form
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_KINDS: dict[Kind, str] = {
    "line": "a text in quotes, on one line",
    "text": "a text in quotes",
    "name": "a name in quotes",
    "path": "a path in quotes",
    "names": "a list of names",
    "integer": "a whole number",
    "number": "a number",
    "flag": "true or false",
}
_ABSENT = object()


class ManifestCheck:
    """One pass over one document; `problems` holds what it found."""

    def __init__(self, source: str, lines: dict[str, int]) -> None:
        self._source = source
        self._lines = lines
        self.problems: list[Problem] = []

    def report(self, field: str, what: str, cure: str) -> None:
        """Add a problem at the line of a field."""
        line = line_of(self._lines, field)
        self.problems.append(
            Problem(source=self._source, line=line, field=field, what=what, cure=cure)
        )

    def table(self, path: str, value: Any, schema: Table) -> dict[str, Any]:
        """The table with defaults filled in; what is wrong is left out and reported."""
        if not isinstance(value, dict):
            self.report(path, "is not a table", f"Write [{path}] on a line of its own.")
            return {}
        for name in value.keys() - schema.keys.keys():
            self._unknown(path, name, list(schema.keys))
        clean = {}
        for name, entry in schema.keys.items():
            found = self._entry(_join(path, name), value.get(name, _ABSENT), entry)
            if found is not _ABSENT:
                clean[name] = found
        return clean

    def _unknown(self, path: str, name: str, known: list[str]) -> None:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        cure = f'Did you mean "{near[0]}"?' if near else f"Known here: {', '.join(known)}."
        self.report(_join(path, name), "is not a known key", cure)

    def _entry(self, path: str, value: Any, schema: Key | Table | Array) -> Any:
        if isinstance(schema, Key):
            return self._key(path, value, schema)
        if value is _ABSENT and schema.required:
            self.report(path, "is missing", f"Add [{path}]: {schema.meaning}")
            return _ABSENT
        if isinstance(schema, Table):
            return self.table(path, {} if value is _ABSENT else value, schema)
        return self._array(path, [] if value is _ABSENT else value, schema)

    def _array(self, path: str, value: Any, schema: Array) -> Any:
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            self.report(path, "is not a list of tables", f"Write [[{path}]] above each of them.")
            return _ABSENT
        if len(value) > schema.most:
            self.report(path, f"has more than {schema.most} entries", "Leave some out.")
        return [self.table(f"{path}[{i}]", entry, schema.table) for i, entry in enumerate(value)]

    def _key(self, path: str, value: Any, key: Key) -> Any:
        if value is _ABSENT:
            if key.required:
                name = path.rpartition(".")[2]
                self.report(path, "is missing", f"Add {name} = {key.example}: {key.meaning}")
                return _ABSENT
            return list(key.default) if isinstance(key.default, tuple) else key.default
        if not _RIGHT_TYPE[key.kind](value):
            self.report(path, f"is not {_KINDS[key.kind]}", f"Write for example {key.example}.")
            return _ABSENT
        if fault := _choice(value, key) or _FAULTS[key.kind](value, key):
            self.report(path, *fault)
            return _ABSENT
        return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


Fault = tuple[str, str] | None


def _choice(value: Any, key: Key) -> Fault:
    if not key.choices or value in key.choices:
        return None
    allowed = ", ".join(f'"{choice}"' for choice in key.choices)
    near = difflib.get_close_matches(str(value), key.choices, n=1)
    cure = f'Did you mean "{near[0]}"?' if near else f"Write one of {allowed}."
    return f'"{value}" is not allowed', cure


def _line_fault(value: str, _key: Key) -> Fault:
    if not value.strip():
        return "is empty", "Say it, however shortly."
    if len(value) > LONGEST_LINE:
        return f"is longer than {LONGEST_LINE} characters", "Shorten it."
    if not value.isprintable():
        return "holds a line break or a control character", "Write it on one line."
    return None


def _text_fault(value: str, _key: Key) -> Fault:
    if not value.strip():
        return "is empty", "Say it, however shortly: it is printed in the report."
    if len(value) > LONGEST_TEXT:
        return f"is longer than {LONGEST_TEXT:,} characters", "Shorten it."
    return None


def _name_fault(value: str, _key: Key) -> Fault:
    if _NAME.fullmatch(value):
        return None
    return f'"{value[:80]}" is not a name', "Use letters, digits, _ . - and begin with a letter."


def _names_fault(value: list[str], key: Key) -> Fault:
    if len(value) > MOST_NAMES:
        return f"has more than {MOST_NAMES} names", "Leave some out."
    if len(set(value)) != len(value):
        return "names one twice", "Leave one of them out."
    return next((fault for name in value if (fault := _name_fault(name, key))), None)


def _path_fault(value: str, key: Key) -> Fault:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts:
        return "leads outside the folder of the manifest", "Put the archive beside the manifest."
    return _line_fault(value, key)


def _number_fault(value: float, key: Key) -> Fault:
    if not abs(value) <= LARGEST_NUMBER:  # so that NaN is refused too
        return "is not a finite number", f"Write for example {key.example}."
    if key.low is not None and value < key.low:
        return f"is less than {key.low:g}", f"Write {key.low:g} or more."
    if key.high is not None and value > key.high:
        return f"is more than {key.high:g}", f"Write {key.high:g} or less."
    return None


def _no_fault(_value: Any, _key: Key) -> Fault:
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_RIGHT_TYPE: dict[Kind, Callable[[Any], bool]] = {
    "line": _is_text,
    "text": _is_text,
    "name": _is_text,
    "path": _is_text,
    "names": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "flag": lambda value: isinstance(value, bool),
}
_FAULTS: dict[Kind, Callable[[Any, Key], Fault]] = {
    "line": _line_fault,
    "text": _text_fault,
    "name": _name_fault,
    "path": _path_fault,
    "names": _names_fault,
    "integer": _number_fault,
    "number": _number_fault,
    "flag": _no_fault,
}
