"""The figure of detection: the FROC curve."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proctor_backend.reporting.figures.style import ACCENT, INK, SOFT, Document, Results

_WIDEST = 8.0  # false marks an image; beyond it no reader follows


def froc(figure: Document, results: Results) -> Figure:
    """Draw lesion sensitivity over false marks an image, with its band and operating points."""
    data = figure["data"]
    canvas = Figure(figsize=(4.2, 3.2))
    axes = canvas.add_axes((0.13, 0.15, 0.84, 0.82))
    band = data.get("band") or {}
    if band.get("nlf"):
        axes.fill_between(band["nlf"], band["lower"], band["upper"], color=SOFT, linewidth=0)
    axes.plot(data["nlf"], data["llf"], color=ACCENT, linewidth=1.4)
    for point in data.get("operating_points") or ():
        _operating_point(axes, point, results)
    axes.set_xlim(0, min(max(max(data["nlf"], default=0.0), 0.1), _WIDEST) * 1.02)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel("False marks per image")
    axes.set_ylabel("Lesion sensitivity")
    return canvas


def _operating_point(axes: Axes, point: Document, results: Results) -> None:
    """Mark an operating point with the intervals of its two rates, where both are shown."""
    across, up = results.get(str(point["nlf"])), results.get(str(point["llf"]))
    if not across or not up or across.get("estimate") is None or up.get("estimate") is None:
        return
    x, y = across["estimate"], up["estimate"]
    for row, along in ((across, "x"), (up, "y")):
        interval = row.get("interval") or {}
        low, high = interval.get("lower"), interval.get("upper")
        if low is not None and high is not None:
            ends = ([low, high], [y, y]) if along == "x" else ([x, x], [low, high])
            axes.plot(*ends, color=INK, linewidth=0.8)
    axes.plot(x, y, "o", color=INK, markersize=4)
    place: dict[str, Any] = {"textcoords": "offset points", "xytext": (8, -11), "fontsize": 7}
    axes.annotate(f"“{point['id']}”", (x, y), **place)


PAINTERS = {"froc": froc}
