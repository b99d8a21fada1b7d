"""Sets the quality report as a page and as text; each says the verdict first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from proctor_workers.hidden_data.quality.report import QualityReport
from proctor_workers.hidden_data.quality.tables import Cell

PLACES_SHOWN = 20  # of a kind of finding on the page; the JSON has a thousand
PLACES_PRINTED = 3
WIDTH = 100
_SHARES = frozenset({"share", "percent agreement"})


def render_html(quality: QualityReport) -> str:
    """Return a page that needs nothing else: all text escaped, no script, nothing to fetch."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = shown
    page = environment.get_template("quality.html.j2")
    return page.render(doc=quality.as_dict(), places=PLACES_SHOWN)


def render_text(quality: QualityReport) -> str:
    """Return the report for a terminal: verdict, findings, and the short tables."""
    document = quality.as_dict()
    lines = [document["verdict"].upper(), _size(document["counts"]), ""]
    for finding in document["findings"]:
        lines += _finding_lines(finding)
    if not document["findings"]:
        lines.append("Nothing was found to be wrong.")
    for key in document["unused_overrides"]:
        lines += ["", f"The override of {key} overrides nothing: there is no such error."]
    for table in document["tables"]:
        if table["name"] in {"left_out", "reference", "agreement", "completeness"}:
            lines += ["", table["title"], *_table_lines(table)]
    return "\n".join(lines) + "\n"


def shown(value: Cell, column: str = "") -> str:
    """Return a cell as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.1%}" if column in _SHARES else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value


def _size(counts: Mapping[str, int]) -> str:
    taken = ", ".join(f"{counts[name]:,} {name}" for name in ("cases", "patients", "files"))
    left = f"; {counts['left_out']:,} cases left out" if counts["left_out"] else ""
    return f"{taken}, {counts['bytes'] / 1e6:,.1f} MB{left}"


def _finding_lines(finding: Mapping[str, Any]) -> list[str]:
    mark = "overridden" if finding["override"] else finding["severity"]
    head = f"{mark.upper():<10} {finding['key']} ({finding['count']:,})"
    told = [finding["message"], finding["cure"] and f"→ {finding['cure']}"]
    told += [finding["override"] and f"Reason given: {finding['override']}"]
    told += [_place(one) for one in finding["places"][:PLACES_PRINTED]]
    lines = [head]
    for text in filter(None, told):
        lines += wrap(text, WIDTH, initial_indent=" " * 11, subsequent_indent=" " * 11)
    return lines


def _place(place: Mapping[str, str]) -> str:
    named = [place.get(name, "") for name in ("case", "file", "column")]
    other = f" and {place['other']}" if "other" in place else ""
    return "– " + " · ".join(filter(None, named)) + other if any(named) or other else ""


def _table_lines(table: Mapping[str, Any]) -> list[str]:
    columns: Sequence[str] = table["columns"]
    rows = [columns] + [
        [shown(cell, column) for cell, column in zip(row, columns, strict=True)]
        for row in table["rows"]
    ]
    widths = [max(len(str(row[place])) for row in rows) for place in range(len(columns))]
    return [
        "  " + "  ".join(f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
