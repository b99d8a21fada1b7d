"""Writes the ingest plan's reference page from its schema; run as a module, it prints the page."""

import sys

from proctor_backend.services.schema_reference import rows_of
from proctor_workers.hidden_data.ingest.plan_file import SETTINGS, schema

_HEAD = f"""# Ingest plan

This page is generated from `plan.schema.json`. A plan is YAML without aliases or tags, for
`proctor-worker ingest PLAN`: it says what is read, how it is made safe, and in which form it is
kept. Paths are relative to the plan. `[]` marks an entry of a list.

The fields {", ".join(f"`{name}`" for name in SETTINGS)}
may also stand in the description of a cohort that is uploaded with `proctor cohort add`: the
platform's ingest then does the same.

| field | takes | default | meaning |
|---|---|---|---|
"""


def reference_page() -> str:
    """Return the page."""
    return _HEAD + rows_of(schema())


if __name__ == "__main__":
    sys.stdout.write(reference_page())
