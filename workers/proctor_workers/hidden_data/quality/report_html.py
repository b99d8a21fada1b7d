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
TESTS_SHOWN = 12
WIDTH = 100
SHARES = frozenset({"share", "percent agreement"})
_PRINTED = frozenset({"left_out", "reference", "agreement", "completeness"})
_NARROW = 5  # columns of a table that stands beside another one


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
    document = quality.as_dict()
    tables = [_with_alignment(table) for table in document["tables"]]
    return environment.get_template("quality.html.j2").render(
        doc=document,
        tiles=_tiles(document["counts"]),
        groups=_groups(document["findings"]),
        tests=_tests(document["leak_audit"]),
        wide=[table for table in tables if not _is_narrow(table)],
        narrow=[table for table in tables if _is_narrow(table)],
        places=PLACES_SHOWN,
        shares=SHARES,
    )


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
        if table["name"] in _PRINTED:
            lines += ["", table["title"], *_table_lines(table)]
    return "\n".join(lines) + "\n"


def shown(value: Cell, column: str = "") -> str:
    """Return a cell as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        form = ".1%" if column in SHARES else ".2f" if column == "kappa" else ",.4g"
        return format(value, form)
    return f"{value:,}" if isinstance(value, int) else value


def _tiles(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    tiles = [(name, shown(counts[name])) for name in ("cases", "patients", "sites", "files")]
    tiles.append(("size", _bytes(counts["bytes"])))
    return [*tiles, ("cases left out", shown(counts["left_out"]))]


def _bytes(number: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number / 1e3:,.0f} kB"


def _groups(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the findings as the page has them: what holds back, what was accepted, the rest."""
    seen = [_for_page(one) for one in findings]
    groups = [
        ("held", "What holds it back", [one for one in seen if one["blocking"]]),
        ("accepted", "Accepted with a reason", [one for one in seen if one["override"]]),
        ("warnings", "Warnings", [one for one in seen if one["severity"] == "warning"]),
        ("notes", "Notes", [one for one in seen if one["severity"] == "note"]),
    ]
    return [{"id": name, "title": title, "findings": some} for name, title, some in groups if some]


def _for_page(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Return a finding whose places are complete; the column is said once, in its head."""
    column = finding["key"].partition(":")[2]
    places = [
        {name: one.get(name, "") for name in ("case", "file", "other", "message")}
        for one in finding["places"]
    ]
    for one in places:
        one["column"] = ""
        one["named"] = bool(one["case"] or one["file"] or one["message"])
    return {**finding, "column": column, "places": places}


def _tests(audit: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    tests = list(audit["tests"]) if audit else []
    return sorted(tests, key=lambda one: (not one["found"], -one["auc"]))[:TESTS_SHOWN]


def _with_alignment(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table that says which columns are numbers."""
    columns = range(len(table["columns"]))
    numeric = [
        any(isinstance(row[place], int | float) for row in table["rows"]) for place in columns
    ]
    return {**table, "numeric": numeric}


def _is_narrow(table: Mapping[str, Any]) -> bool:
    return table["name"].partition(".")[0] in {"counts", "balance", "deidentification"} and (
        len(table["columns"]) <= _NARROW
    )


def _size(counts: Mapping[str, int]) -> str:
    taken = ", ".join(f"{counts[name]:,} {name}" for name in ("cases", "patients", "files"))
    left = f"; {counts['left_out']:,} cases left out" if counts["left_out"] else ""
    return f"{taken}, {_bytes(counts['bytes'])}{left}"


def _finding_lines(finding: Mapping[str, Any]) -> list[str]:
    mark = "accepted" if finding["override"] else finding["severity"]
    times = f", {finding['count']:,} times" if finding["count"] > 1 else ""
    told = [finding["message"], finding["cure"] and f"→ {finding['cure']}"]
    told += [finding["override"] and f"Your reason: {finding['override']}"]
    told += [_place(one) for one in finding["places"][:PLACES_PRINTED]]
    lines = [f"{mark.upper():<9}{finding['title']} ({finding['key']}{times})"]
    for text in filter(None, told):
        lines += wrap(text, WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 11)
    return lines


def _place(place: Mapping[str, str]) -> str:
    named = " · ".join(filter(None, (place.get("case", ""), place.get("file", ""))))
    other = f" and {place['other']}" if "other" in place else ""
    message = f": {place['message']}" if "message" in place else ""
    return f"– {named}{other}{message}" if named else ""


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
