"""Figures of two classes: ROC, calibration, decision curve."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proctor_backend.reporting import numbers
from proctor_backend.reporting.figures.style import (
    ACCENT,
    DASHES,
    INK,
    RULE,
    SOFT,
    Document,
    Results,
    square,
)


def roc(figure: Document, results: Results) -> Figure:
    """Draw the ROC curve with its band, operating points and area."""
    data = figure["data"]
    canvas, axes = square("1 \u2212 specificity", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=0.7, linestyle=DASHES)
    _shade(axes, data.get("band"), "false_positive_rate")
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


def _shade(axes: Axes, band: Document | None, across: str) -> None:
    """Shade a band; a limit that does not exist leaves a gap."""
    if band is None:
        return
    lower, upper = (
        np.array([np.nan if value is None else value for value in band[side]])
        for side in ("lower", "upper")
    )
    axes.fill_between(band[across], lower, upper, color=SOFT, alpha=0.5, linewidth=0)


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


def calibration(figure: Document, results: Results) -> Figure | None:
    """Draw observed frequency against predicted risk, in bins and as a flexible curve."""
    del results
    data = figure["data"]
    groups = data.get("bins") or ()
    canvas, axes = square("Predicted risk", "Observed frequency")
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=0.7, linestyle=DASHES)
    curve = data.get("curve")
    _shade(axes, curve, "predicted")
    if curve is not None:
        axes.plot(curve["predicted"], curve["observed"], color=ACCENT, linewidth=1.2)
    for group in groups:
        x, y = group.get("predicted"), group.get("observed")
        if x is None or y is None:
            continue
        if group.get("lower") is not None and group.get("upper") is not None:
            axes.plot([x, x], [group["lower"], group["upper"]], color=ACCENT, linewidth=1)
        axes.plot(x, y, "o", color=INK, markersize=3.5)
    return canvas


def decision_curve(figure: Document, results: Results) -> Figure | None:
    """Draw net benefit over threshold probabilities, with its band."""
    del results
    data = figure["data"]
    canvas = Figure(figsize=(3.6, 3.0))
    axes = canvas.add_axes((0.17, 0.15, 0.8, 0.82))
    styles = (
        ("treat_all", RULE, "treat all"),
        ("treat_none", INK, "treat none"),
        ("model", ACCENT, "model"),
    )
    _shade(axes, data if "lower" in data else None, "threshold")
    for name, colour, text in styles:
        axes.plot(data["threshold"], data[name], color=colour, linewidth=1.2, label=text)
    top = max(*data["model"], *data["treat_all"])
    axes.set_ylim(-0.25 * top, 1.1 * top)
    axes.set_xlabel("Threshold probability")
    axes.set_ylabel("Net benefit")
    axes.legend(frameon=False, fontsize=7)
    return canvas


PAINTERS = {"roc": roc, "calibration": calibration, "decision_curve": decision_curve}
