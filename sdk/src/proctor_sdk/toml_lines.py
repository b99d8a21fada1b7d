"""Finds the line of every key of a TOML text, which tomllib forgets; judges none of them."""

from __future__ import annotations

import re

_BARE_OR_QUOTED = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PART = re.compile(_BARE_OR_QUOTED)
_KEY = re.compile(rf"\s*({_BARE_OR_QUOTED}(?:\s*\.\s*{_BARE_OR_QUOTED})*)\s*=")
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?$")
# What opens and closes within a value; a comment ends at its line.
_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|[\[\]{}]|\n''',
    re.DOTALL,
)


def key_lines(text: str) -> dict[str, int]:
    """Dotted keys to their lines, from 1; the n-th [[table]] is `table[n]`, from 0.

    Expects text that tomllib has read; of other text it gives what it can.
    """
    lines: dict[str, int] = {}
    arrays: dict[str, int] = {}
    prefix, offset, number = "", 0, 1
    while offset < len(text):
        end = _line_end(text, offset)
        line = text[offset:end]
        if header := _HEADER.match(line):
            prefix = _table(header, arrays)
            lines.setdefault(prefix, number)
        elif key := _KEY.match(line):
            name = _join(prefix, _dotted(key[1]))
            lines.setdefault(name, number)
            end = _value_end(text, offset + key.end())
        number += text.count("\n", offset, end) + 1
        offset = end + 1
    return lines


def line_of(lines: dict[str, int], field: str) -> int | None:
    """The line of a field, or of the nearest table around it."""
    while field:
        if field in lines:
            return lines[field]
        field = re.sub(r"(\[\d+\]|\.?[^.\[\]]+)$", "", field) if field[-1] != "." else field[:-1]
    return None


def _table(header: re.Match[str], arrays: dict[str, int]) -> str:
    name = _dotted(header[2])
    if header[1] == "[[":
        arrays[name] = arrays.get(name, -1) + 1
        return f"{name}[{arrays[name]}]"
    for array, index in arrays.items():
        if name.startswith(f"{array}."):
            return f"{array}[{index}]{name[len(array) :]}"
    return name


def _dotted(text: str) -> str:
    return ".".join(part.strip("\"'") for part in _PART.findall(text))


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text) if end < 0 else end


def _value_end(text: str, offset: int) -> int:
    """Where the line ends on which the value does: strings and brackets may span lines."""
    depth = 0
    for token in _TOKEN.finditer(text, offset):
        mark = token[0]
        if mark == "\n" and depth <= 0:
            return token.start()
        depth += (mark in ("[", "{")) - (mark in ("]", "}"))
    return len(text)
