import os
from pathlib import Path

from proctor_sdk.commands.init import manifest_text
from proctor_sdk.manifest_schema import SCHEMA, Array, Key, Table

PAGE = Path(__file__).parents[2] / "docs/reference/manifest.md"
HEAD = """# The manifest, proctor.toml

What a vendor declares about a model version. It is checked offline by `proctor check` and
`proctor submit`, and again by the platform; everything wrong is told at once, each with its line
and its cure. A key that is not listed here is refused. Its digest is that of its canonical JSON
form (RFC 8785) with all defaults filled in, so that layout and comments do not matter.

This page is made from the schema by `PROCTOR_WRITE_DOCS=1 pytest tests/sdk`; a test keeps it equal.
"""


def bounds(key: Key) -> str:
    if key.choices:
        return " or ".join(f"`{choice}`" for choice in key.choices)
    low = f"from {key.low:,g}" if key.low is not None else ""
    high = f"to {key.high:,.0f}" if key.high is not None else ""
    return " ".join(filter(None, (key.kind, low, high)))


def default(key: Key) -> str:
    if key.required:
        return "required"
    if isinstance(key.default, tuple):
        return "`[]`"
    return f"`{str(key.default).lower()}`"


def rows(table: Table) -> list[str]:
    found = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, key in table.keys.items():
        if isinstance(key, Key):
            found.append(f"| `{name}` | {bounds(key)} | {default(key)} | {key.meaning} |")
    return found


def page() -> str:
    top = Table(keys={n: key for n, key in SCHEMA.keys.items() if isinstance(key, Key)})
    lines = [HEAD, *rows(top)]
    for name, entry in SCHEMA.keys.items():
        if isinstance(entry, Key):
            continue
        table = entry.table if isinstance(entry, Array) else entry
        header = f"[[{name}]]" if isinstance(entry, Array) else f"[{name}]"
        may = "" if entry.required else " May be left out."
        lines += ["", f"## {header}", "", f"{entry.meaning}{may}", "", *rows(table)]
    lines += ["", "## Example", "", "As `proctor init` writes it:", "", "```toml"]
    return "\n".join([*lines, manifest_text().rstrip(), "```"]) + "\n"


def test_the_reference_page_is_equal_to_the_schema() -> None:
    if os.environ.get("PROCTOR_WRITE_DOCS"):
        PAGE.write_text(page(), encoding="utf-8")
    cure = "run PROCTOR_WRITE_DOCS=1 pytest tests/sdk and look at the change"
    assert PAGE.read_text(encoding="utf-8") == page(), cure
