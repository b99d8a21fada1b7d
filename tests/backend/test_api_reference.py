from tests.backend.reference import assert_is_page

from proctor_backend.api.app import create_api
from proctor_backend.api.permissions import API, RULES
from proctor_backend.settings import Settings

HEAD = f"""# The HTTP API

Everything below `{API}`; JSON in and out, `Authorization: Bearer TOKEN`. The machine-readable form
is `{API}/openapi.json`. Every failure answers
`{{"error": {{"code", "message", "cure", "problems"}}}}`.
A role that is let in still sees its own projection only: what it may not know of answers 404, as
what does not exist. This page is made from the routes and the table of permissions by
`PROCTOR_WRITE_DOCS=1 pytest tests/backend`; a test keeps it equal.
"""


def who(rule):
    if rule.roles is None:
        return "everybody, without a token"
    if rule.own_account:
        return "whoever is signed in"
    return ", ".join(sorted(role.value for role in rule.roles))


def fields(operation, schemas):
    """Return the names of a request's fields, those that may be left out in brackets."""
    content = operation.get("requestBody", {}).get("content", {})
    reference = next(iter(content.values()), {}).get("schema", {}).get("$ref", "")
    schema = schemas.get(reference.rpartition("/")[2], {})
    required = schema.get("required", ())
    names = schema.get("properties", {})
    return ", ".join(f"`{n}`" if n in required else f"[`{n}`]" for n in names)


def test_the_reference_page_is_the_routes_and_their_permissions():
    described = create_api(None, None, Settings()).openapi()
    schemas = described["components"]["schemas"]
    groups: dict[str, list[str]] = {}
    for rule in RULES:
        operation = described["paths"][rule.path][rule.method.lower()]
        told = groups.setdefault(operation["tags"][0], [])
        told += [f"### `{rule.method} {rule.path.removeprefix(API)}`", ""]
        told += [operation["description"], "", f"- for: {who(rule)}"]
        told += [f"- scope: `{rule.scope}`"] if rule.scope else []
        if body := fields(operation, schemas):
            told += [f"- body: {body}"]
        told += [""]
    lines = [HEAD]
    for name, told in groups.items():
        lines += [f"## {name.capitalize()}", "", *told]
    assert_is_page("api.md", "\n".join(lines).rstrip() + "\n")
