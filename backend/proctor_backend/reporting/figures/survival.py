"""Figures of survival tasks: Kaplan-Meier curves by risk group, and calibration at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proctor_backend.reporting import numbers
from proctor_backend.reporting.figures.style import (
    ACCENT,
    DASHES,
    INK,
    PALE,
    RULE,
    Document,
    Results,
    square,
)

_COLOURS = (ACCENT, "#b5542b", "#5a7d3a", "#7a5195", INK)
_ROW = 0.16  # inches that a group's line of numbers takes
_ROOM = 0.08  # of the axis, between two counts


def survival_curves(figure: Document, results: Results) -> Figure | None:
    """Draw each group's curve with its band, and below it those still followed."""
    del results
    data = figure["data"]
    groups = data["groups"]
    if not groups:
        return None
    below = 0.62 + _ROW * (len(groups) + 1)
    height = 2.6 + below
    canvas = Figure(figsize=(6.3, height))
    axes = canvas.add_axes((0.17, below / height, 0.8, 2.5 / height))
    end = max(group["until"] for group in groups)
    for group, colour in zip(groups, _colours(len(groups)), strict=True):
        _curve(axes, group, colour)
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("Time")
    axes.set_ylabel("Without event")
    axes.legend(frameon=False, fontsize=7, loc="upper right", bbox_to_anchor=(1, 0.94))
    test = data.get("log_rank")
    if test is not None:
        text = f"log-rank, p {numbers.p_text(test['p_value'])}"
        axes.text(0.98, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=7)
    _still_followed(axes, groups)
    return canvas


def _colours(groups: int) -> list[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(groups)]


def _curve(axes: Axes, group: Document, colour: str) -> None:
    time = [0.0, *group["time"], group["until"]]
    held = [1.0, *group["survival"]]
    steps = [*held, held[-1]]
    axes.step(time, steps, where="post", color=colour, linewidth=1.3, label=group["name"])
    lower, upper = (
        np.array([np.nan if value is None else value for value in group[side]])
        for side in ("lower", "upper")
    )
    if len(lower):
        ends = [*group["time"], group["until"]]
        low, high = np.append(lower, lower[-1]), np.append(upper, upper[-1])
        axes.fill_between(ends, low, high, step="post", color=colour, alpha=0.15, linewidth=0)


def _still_followed(axes: Axes, groups: Sequence[Document]) -> None:
    """Write under the axes how many rows of each group are followed to a few times."""
    top = -0.5 / 2.5
    step = -_ROW / 2.5
    left: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 6.5, "va": "center"}
    axes.text(-0.2, top, "Still followed", fontweight="bold", **left)
    for place, (group, colour) in enumerate(
        zip(groups, _colours(len(groups)), strict=True), start=1
    ):
        axes.text(-0.2, top + place * step, group["name"], color=colour, **left)
        across = axes.get_xaxis_transform()
        for one in _apart(group["followed"], axes.get_xlim()[1]):
            count = numbers.count(one["n"])
            axes.text(
                one["time"], top + place * step, count, transform=across, fontsize=6.5,
                va="center", ha="center", color=colour,
            )  # fmt: skip


def _apart(followed: Sequence[Document], end: float) -> list[Document]:
    """Return the counts that have room beside each other."""
    kept: list[Document] = []
    for one in followed:
        if not kept or one["time"] - kept[-1]["time"] >= _ROOM * end:
            kept.append(one)
    return kept


def survival_calibration(figure: Document, results: Results) -> Figure | None:
    """Draw Kaplan-Meier risk against mean predicted risk in groups of neighbouring risk."""
    del results
    data = figure["data"]
    canvas, axes = square(
        f"Predicted risk at {data['time']:g}", f"Observed risk at {data['time']:g}"
    )
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=0.7, linestyle=DASHES)
    drawn = [group for group in data["groups"] if group["observed"] is not None]
    for group in drawn:
        x = group["predicted"]
        if group["lower"] is not None and group["upper"] is not None:
            axes.plot([x, x], [group["lower"], group["upper"]], color=ACCENT, linewidth=1)
        axes.plot(x, group["observed"], "o", color=INK, markersize=3.5)
    axes.set_facecolor("white" if drawn else PALE)
    return canvas


PAINTERS = {"survival_curves": survival_curves, "survival_calibration": survival_calibration}
