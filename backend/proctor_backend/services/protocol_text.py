"""A protocol's text as data with the line of every field; nothing in it can run or multiply."""

import math
from dataclasses import dataclass, field
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from proctor_backend.domain.problems import Path, Problem

LARGEST_TEXT = 256 * 1024
DEEPEST = 12
MOST_NODES = 20_000
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A problem and the line of the text it stands on."""

    problem: Problem
    line: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the form that an answer carries."""
        return {"line": self.line} | self.problem.as_dict()


@dataclass(slots=True)
class ProtocolText:
    """The parsed text: its document, where each field stands, and what cannot be read."""

    document: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[LineProblem] = field(default_factory=list)
    nodes: int = 0

    def line(self, path: Path) -> int | None:
        """Return the line of a field, or of the nearest one that encloses it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def refuse(self, path: Path, line: int | None, what: str, cure: str) -> None:
        """Note something that cannot be read."""
        self.problems.append(LineProblem(Problem(path, what, cure), line))


def read(text: str) -> ProtocolText:
    """Parse a protocol's text; what is wrong stands in `problems`, nothing is raised."""
    found = ProtocolText()
    if len(text.encode("utf-8", "replace")) > LARGEST_TEXT:
        found.refuse((), None, "The text is larger than 256 KiB.", "Shorten it.")
        return found
    try:
        if (line := _first_alias(text)) is not None:
            found.refuse(
                (), line, "Aliases (*name) are not read.", "Write the text out where it is used."
            )
            return found
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found.refuse(
            (),
            mark.line + 1 if mark else None,
            f"This is not YAML: {error.problem or error.context or 'unreadable'}.",
            "Look at the indentation, the colons and the quotes on this line and the one before.",
        )
        return found
    except (YAMLError, ValueError, RecursionError):
        found.refuse((), None, "This is not YAML.", "Look for control characters or deep nesting.")
        return found
    if not isinstance(node, MappingNode):
        found.refuse((), 1, "A protocol is a mapping of fields.", "Begin with schema_version: 1.")
        return found
    found.document = _value(node, (), found)
    return found


def _first_alias(text: str) -> int | None:
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, AliasEvent):
            return int(event.start_mark.line) + 1
    return None


def _value(node: Node, path: Path, found: ProtocolText) -> Any:
    found.lines.setdefault(path, node.start_mark.line + 1)
    found.nodes += 1
    if len(path) > DEEPEST or found.nodes > MOST_NODES:
        if found.nodes <= MOST_NODES + 1:
            found.refuse(
                path, found.lines[path], "The text is nested too deeply or too long.", "Shorten it."
            )
        return None
    if isinstance(node, MappingNode):
        return _mapping(node, path, found)
    if isinstance(node, SequenceNode):
        return [_value(child, (*path, index), found) for index, child in enumerate(node.value)]
    return _scalar(cast("ScalarNode", node), path, found)


def _mapping(node: MappingNode, path: Path, found: ProtocolText) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode) or key_node.tag == f"{_TAG}merge":
            found.refuse(path, line, "A field's name is a plain word.", "Write 'name: value'.")
            continue
        name = str(key_node.value)
        if name in document:
            found.refuse(
                (*path, name), line, f"The field '{name}' is written twice.", "Keep one of them."
            )
            continue
        found.lines[*path, name] = line
        document[name] = _value(value_node, (*path, name), found)
    return document


def _scalar(node: ScalarNode, path: Path, found: ProtocolText) -> Any:
    kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
    if kind in {"str", "timestamp"}:
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in {"int", "float"}:
        return _number(kind, text, path, found)
    found.refuse(path, found.lines[path], f"The tag {node.tag} is not read.", "Remove the tag.")
    return None


def _number(kind: str, text: str, path: Path, found: ProtocolText) -> int | float | None:
    try:
        number = int(text) if kind == "int" else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        found.refuse(
            path,
            found.lines[path],
            f"{text[:40]} is not a decimal number.",
            "Write it like 12 or 0.25; put quotes around it if it is a text.",
        )
        return None
    return number
