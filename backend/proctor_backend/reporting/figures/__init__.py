"""Draws an edition's figures from its disclosed results; the same document gives the same bytes."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from proctor_backend.reporting.counts import FLOW
from proctor_backend.reporting.figures import (
    cases,
    categories,
    classes,
    common,
    detection,
    forecasts,
    measured,
    survival,
)
from proctor_backend.reporting.figures.style import STYLE, Document, Results

PNG_DPI = 200
Painter = Callable[[Document, Results], Figure | None]
PAINTERS: Mapping[str, Painter] = {
    kind: painter
    for module in (common, classes, cases, survival, categories, measured, forecasts, detection)
    for kind, painter in module.PAINTERS.items()
}


def draw(edition_document: Document) -> dict[str, dict[str, Any]]:
    """Return id → {title, svg, png} for every figure the edition can show."""
    results = {e["result"]["id"]: e["result"] for e in edition_document["results"]}
    drawn = {}
    for figure in (*edition_document["figures"], _flow_of(results)):
        painter = PAINTERS.get(figure["kind"])
        if painter is not None:
            with mpl.rc_context(STYLE):
                canvas = painter(figure, results)
                if canvas is not None:
                    drawn[str(figure["id"])] = {"title": figure["title"], **_export(canvas)}
    return drawn


def _export(canvas: Figure) -> dict[str, Any]:
    svg, png = io.BytesIO(), io.BytesIO()
    canvas.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    canvas.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    width, height = canvas.get_size_inches()
    return {"svg": svg.getvalue().decode(), "png": png.getvalue(), "inches": [width, height]}


def _flow_of(results: Results) -> dict[str, Any]:
    rows = [name for name in results if name.startswith(f"{FLOW}.")]
    return {
        "id": "flow",
        "kind": "flow",
        "title": "From enrolment to analysis",
        "data": {"rows": rows},
    }
