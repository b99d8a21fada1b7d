"""Figures that every kind of task has: the forest plot of groups and the flow of cases."""

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proctor_backend.reporting import numbers, words
from proctor_backend.reporting.counts import ASIDE, FLOW
from proctor_backend.reporting.figures.style import (
    ACCENT,
    DASHES,
    INK,
    PALE,
    RULE,
    Document,
    Results,
)


def forest(figure: Document, results: Results) -> Figure | None:
    """Draw a quantity in every group, beside the whole cohort's interval."""
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
        axes.axvline(whole["estimate"], color=RULE, linewidth=0.7, linestyle=DASHES)
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


def flow(figure: Document, results: Results) -> Figure | None:
    """Draw the way from enrolment to analysis."""
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


PAINTERS = {"forest": forest, "flow": flow}
