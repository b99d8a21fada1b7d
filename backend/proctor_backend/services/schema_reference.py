"""Writes the fields of a JSON schema as rows of a table, for the reference pages."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proctor_backend.services.schema_problems import resolve


def rows_of(schema: Mapping[str, Any]) -> str:
    """Return a line for every field: its path, what it takes, its default, its meaning."""
    return "".join(f"{row}\n" for row in _rows(schema, "", schema))


def _rows(rule: Mapping[str, Any], prefix: str, schema: Mapping[str, Any]) -> Iterator[str]:
    required = set(rule.get("required", ()))
    for name, part in rule.get("properties", {}).items():
        field = resolve(part, schema)
        path = f"{prefix}{name}"
        text = field.get("description", "").replace("|", "\\|")
        default = _default(field, name in required)
        yield f"| `{path}` | {_takes(field, schema)} | {default} | {text} |"
        yield from _rows(field, f"{path}.", schema)
        items = resolve(field.get("items", {}), schema)
        yield from _rows(items, f"{path}[].", schema)


def _default(field: Mapping[str, Any], required: bool) -> str:  # noqa: FBT001 - one private caller
    if required:
        return "required"
    return f"`{json.dumps(field['default'])}`" if "default" in field else "none"


def _takes(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    kinds = field.get("type", "any")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(_kind(kind, field, schema) for kind in kinds)


def _kind(kind: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if kind == "array":
        items = resolve(field.get("items", {}), schema)
        return "list of groups" if "properties" in items else f"list of {_takes(items, schema)}"
    if kind in {"integer", "number"}:
        return ("whole number" if kind == "integer" else "number") + _range(field)
    return {"string": "text", "object": "group", "boolean": "true, false"}.get(kind, kind)


def _range(field: Mapping[str, Any]) -> str:
    low = [f"≥ {field['minimum']}"] if "minimum" in field else []
    low += [f"> {field['exclusiveMinimum']}"] if "exclusiveMinimum" in field else []
    high = [f"≤ {field['maximum']}"] if "maximum" in field else []
    high += [f"< {field['exclusiveMaximum']}"] if "exclusiveMaximum" in field else []
    return " " + ", ".join(low + high) if low or high else ""
