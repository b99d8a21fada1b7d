"""Writes the protocol's reference page from its schema; run as a module, it prints the page."""

import sys

from proctor_backend.services.protocols import schema
from proctor_backend.services.schema_reference import rows_of

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
    return _HEAD + rows_of(schema())


if __name__ == "__main__":
    sys.stdout.write(reference_page())
