"""Draws an edition's figures from its disclosed results; the same document gives the same bytes."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proctor_backend.reporting import numbers, words
from proctor_backend.reporting.counts import ASIDE, FLOW

INK, RULE, ACCENT, SOFT, PALE = "#1b2733", "#9aa7b4", "#1f5f8b", "#b7cfe0", "#f3f6f9"
PNG_DPI = 200
# No date, no random ids, text as paths: nothing of the machine goes into the bytes.
_STYLE = {
    "svg.hashsalt": "proctor",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "savefig.facecolor": "white",
}

Document = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Any]]


def draw(edition_document: Document) -> dict[str, dict[str, Any]]:
    """Return id → {title, svg, png} for every figure the edition can show."""
    results = {e["result"]["id"]: e["result"] for e in edition_document["results"]}
    drawn = {}
    for figure in (*edition_document["figures"], _flow_of(results)):
        painter = _PAINTERS.get(figure["kind"])
        if painter is not None:
            with mpl.rc_context(_STYLE):
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


def _roc(figure: Document, results: Results) -> Figure:
    data = figure["data"]
    canvas, axes = _square("1 \u2212 specificity", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.plot(data["false_positive_rate"], data["true_positive_rate"], color=ACCENT, linewidth=1.4)
    for point in data.get("operating_points") or ():
        sensitivity, specificity = point.get("sensitivity"), point.get("specificity")
        if sensitivity is not None and specificity is not None:
            _operating_point(axes, str(point["id"]), 1 - specificity, sensitivity, results)
    area = next((row for row in results.values() if _is_area(row)), None)
    if area is not None:
        text = f"Area {numbers.value(area, area['estimate'])}\n({numbers.interval_text(area)})"
        axes.text(0.97, 0.05, text, ha="right", va="bottom", fontsize=8)
    return canvas


def _is_area(result: Document) -> bool:
    whole = not result.get("group") and not result.get("scenario")
    return bool(result["quantity"] == "auroc" and whole and result.get("estimate") is not None)


def _operating_point(axes: Axes, name: str, x: float, y: float, results: Results) -> None:
    """Mark an operating point with the intervals of its two rates."""
    for quantity, along in (("sensitivity", "y"), ("specificity", "x")):
        row = results.get(f"{quantity}.{name}") or {}
        interval = row.get("interval") or {}
        low, high = interval.get("lower"), interval.get("upper")
        if low is not None and high is not None:
            ends = ([x, x], [low, high]) if along == "y" else ([1 - high, 1 - low], [y, y])
            axes.plot(*ends, color=INK, linewidth=0.8)
    axes.plot(x, y, "o", color=INK, markersize=4)
    place: dict[str, Any] = {"textcoords": "offset points", "xytext": (8, -11), "fontsize": 7}
    axes.annotate(f"\u201c{name}\u201d", (x, y), **place)


def _calibration(figure: Document, results: Results) -> Figure | None:
    del results
    data = figure["data"]
    groups = data.get("bins") or ()
    canvas, axes = _square("Predicted risk", "Observed frequency")
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=0.7, linestyle=(0, (4, 3)))
    for group in groups:
        x, y = group.get("predicted"), group.get("observed")
        if x is None or y is None:
            continue
        if group.get("lower") is not None and group.get("upper") is not None:
            axes.plot([x, x], [group["lower"], group["upper"]], color=ACCENT, linewidth=1)
        axes.plot(x, y, "o", color=INK, markersize=3.5)
    return canvas


def _decision_curve(figure: Document, results: Results) -> Figure | None:
    del results
    data = figure["data"]
    canvas = Figure(figsize=(3.6, 3.0))
    axes = canvas.add_axes((0.17, 0.15, 0.8, 0.82))
    styles = (
        ("treat_all", RULE, "treat all"),
        ("treat_none", INK, "treat none"),
        ("model", ACCENT, "model"),
    )
    for name, colour, text in styles:
        axes.plot(data["threshold"], data[name], color=colour, linewidth=1.2, label=text)
    top = max(*data["model"], *data["treat_all"])
    axes.set_ylim(-0.25 * top, 1.1 * top)
    axes.set_xlabel("Threshold probability")
    axes.set_ylabel("Net benefit")
    axes.legend(frameon=False, fontsize=7)
    return canvas


def _forest(figure: Document, results: Results) -> Figure | None:
    rows = [row for row in figure["data"]["rows"] if row["ref"] in results]
    rows = [row for row in rows if results[row["ref"]].get("interval")]
    lines = list(_forest_lines(rows))
    if len(lines) < 2:
        return None
    canvas = Figure(figsize=(6.3, 0.55 + 0.2 * len(lines)))
    axes = canvas.add_axes(
        (0.33, 0.42 / (0.55 + 0.2 * len(lines)), 0.4, 1 - 0.5 / (0.55 + 0.2 * len(lines)))
    )
    whole = next((results[row["ref"]] for row in rows if not row["factor"]), None)
    if whole is not None:
        axes.axvspan(whole["interval"]["lower"], whole["interval"]["upper"], color=PALE, zorder=0)
        axes.axvline(whole["estimate"], color=RULE, linewidth=0.7, linestyle=(0, (4, 3)))
    for place, (text, row) in enumerate(lines):
        _forest_row(axes, -place, text, results[row["ref"]] if row else None)
    axes.set_ylim(-len(lines) + 0.4, 0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Estimate with interval; band: the whole cohort's interval", fontsize=7)
    return canvas


def _forest_lines(rows: Sequence[Document]) -> Iterator[tuple[str, Document | None]]:
    factor = ""
    for row in rows:
        if row["factor"] != factor:
            factor = row["factor"]
            yield words.attribute(factor), None
        yield ("    " if factor else "") + row["level"], row


def _forest_row(axes: Axes, place: float, text: str, result: Document | None) -> None:
    left: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(),
        "va": "center",
        "fontsize": 7.5,
    }
    axes.text(-0.8, place, text, fontweight="bold" if result is None else "normal", **left)
    if result is None:
        return
    interval, estimate = result["interval"], result["estimate"]
    axes.text(-0.05, place, numbers.count(result["n"]), ha="right", **left)
    if interval["lower"] is not None and interval["upper"] is not None:
        axes.plot(
            [interval["lower"], interval["upper"]], [place, place], color=ACCENT, linewidth=1.2
        )
    if estimate is not None:
        axes.plot(estimate, place, "s", color=INK, markersize=4)
    shown = f"{numbers.value(result, estimate)}  ({numbers.interval_text(result)})"
    axes.text(1.05, place, shown, **left)


def _flow(figure: Document, results: Results) -> Figure | None:
    rows = [results[name] for name in figure["data"]["rows"]]
    step = [row["id"].split(".")[2] for row in rows]
    main = [
        row for row in rows if row["id"].count(".") == 2 and row["id"][len(FLOW) + 1 :] not in ASIDE
    ]
    side = [row for row, name in zip(rows, step, strict=True) if name in ASIDE]
    if not main:
        return None
    height = 0.62 * max(len(main), 1) + 0.1
    canvas = Figure(figsize=(6.3, height))
    axes = canvas.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 10)
    axes.set_ylim(-len(main) + 0.45, 0.55)
    axes.axis("off")
    for place, row in enumerate(main):
        _box(axes, 1.9, -place, row)
        if place:
            arrow = {"arrowstyle": "-|>", "color": RULE, "linewidth": 0.9}
            axes.annotate("", (1.9, -place + 0.27), (1.9, -place + 0.73), arrowprops=arrow)
    if side:
        text = "\n".join(f"{row['definition']}: {numbers.count(row['estimate'])}" for row in side)
        box = {
            "boxstyle": "round,pad=0.6",
            "facecolor": "white",
            "edgecolor": RULE,
            "linewidth": 0.8,
        }
        axes.text(
            5.0, -(len(main) - 1) / 2, text, va="center", fontsize=7.5, bbox=box, linespacing=1.5
        )
    return canvas


def _box(axes: Axes, x: float, y: float, row: Document) -> None:
    text = f"{row['definition']}   {numbers.count(row['estimate'])}"
    box = {"boxstyle": "round,pad=0.55", "facecolor": PALE, "edgecolor": ACCENT, "linewidth": 0.8}
    axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)


def _square(across: str, up: str) -> tuple[Figure, Axes]:
    canvas = Figure(figsize=(3.6, 3.4))
    axes = canvas.add_axes((0.15, 0.14, 0.82, 0.83))
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_aspect("equal")
    return canvas, axes


_PAINTERS: Mapping[str, Callable[[Document, Results], Figure | None]] = {
    "roc": _roc,
    "calibration": _calibration,
    "decision_curve": _decision_curve,
    "forest": _forest,
    "flow": _flow,
}
