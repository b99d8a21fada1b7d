"""Writes the protocol's reference page from its schema; run as a module, it prints the page."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from proctor_backend.services.protocols import resolve, schema

_HEAD = """# Protocol fields

This page is generated from `protocol.schema.json`, which the API serves at
`/api/v1/schemas/protocol`. A protocol is YAML without aliases or tags. `[]` marks an entry of a
list. Beyond the shape told here, the fields must agree with each other; what does not is answered
with its line and a cure (`POST /api/v1/protocols/check` checks a text without saving it).
Examples lie in `docs/examples/protocols/`.

| field | takes | default | meaning |
|---|---|---|---|
"""


def reference_page() -> str:
    """Return the page."""
    return _HEAD + "".join(f"{row}\n" for row in _rows(schema(), ""))


def _rows(rule: Mapping[str, Any], prefix: str) -> Iterator[str]:
    required = set(rule.get("required", ()))
    for name, part in rule.get("properties", {}).items():
        field = resolve(part)
        path = f"{prefix}{name}"
        text = field.get("description", "").replace("|", "\\|")
        yield f"| `{path}` | {_takes(field)} | {_default(field, name in required)} | {text} |"
        yield from _rows(field, f"{path}.")
        items = resolve(field.get("items", {}))
        yield from _rows(items, f"{path}[].")


def _default(field: Mapping[str, Any], required: bool) -> str:  # noqa: FBT001 - one private caller
    if required:
        return "required"
    return f"`{json.dumps(field['default'])}`" if "default" in field else "none"


def _takes(field: Mapping[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    kinds = field.get("type", "any")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(_kind(kind, field) for kind in kinds)


def _kind(kind: str, field: Mapping[str, Any]) -> str:
    if kind == "array":
        items = resolve(field.get("items", {}))
        return "list of groups" if "properties" in items else f"list of {_takes(items)}"
    if kind in {"integer", "number"}:
        return ("whole number" if kind == "integer" else "number") + _range(field)
    return {"string": "text", "object": "group", "boolean": "true, false"}.get(kind, kind)


def _range(field: Mapping[str, Any]) -> str:
    low = [f"≥ {field['minimum']}"] if "minimum" in field else []
    low += [f"> {field['exclusiveMinimum']}"] if "exclusiveMinimum" in field else []
    high = [f"≤ {field['maximum']}"] if "maximum" in field else []
    high += [f"< {field['exclusiveMaximum']}"] if "exclusiveMaximum" in field else []
    return " " + ", ".join(low + high) if low or high else ""


if __name__ == "__main__":
    sys.stdout.write(reference_page())
