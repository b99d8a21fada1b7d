"""The forecast fan, and where cases are held back, the error at each step ahead."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proctor_backend.reporting.figures.style import (
    ACCENT,
    DASHES,
    INK,
    RULE,
    Document,
    Results,
    wide,
)


def forecast_fan(figure: Document, results: Results) -> Figure | None:
    """Draw three cases' histories, forecasts and observations, or the errors by step."""
    del results
    data = figure["data"]
    if "cases" in data:
        return _fans(data["cases"])
    return _errors(data["steps"]) if data["steps"] else None


def _fans(cases: list[dict[str, Any]]) -> Figure:
    canvas = Figure(figsize=(6.3, 2.5))
    for place, case in enumerate(cases):
        axes = canvas.add_axes((0.07 + 0.32 * place, 0.19, 0.27, 0.68))
        _fan(axes, case)
        axes.set_title(f"{case['error']} error", fontsize=8)
        axes.set_xlabel("Steps from the origin")
    return canvas


def _fan(axes: Axes, case: dict[str, Any]) -> None:
    """Draw central intervals from the outermost quantiles inwards, ever darker."""
    ahead = range(1, len(case["observed"]) + 1)
    before = range(1 - len(case["history"]), 1)
    quantiles = case["quantiles"]
    pairs = list(zip(quantiles, reversed(quantiles), strict=True))[: len(quantiles) // 2]
    for low, high in pairs:
        axes.fill_between(
            ahead, low["values"], high["values"], color=ACCENT, alpha=0.22, linewidth=0
        )
    axes.plot(before, case["history"], color=RULE, linewidth=0.9)
    axes.plot(ahead, case["point"], color=ACCENT, linewidth=1.2, linestyle=DASHES)
    axes.plot(ahead, case["observed"], "o-", color=INK, linewidth=0.9, markersize=2)
    axes.axvline(0, color=RULE, linewidth=0.5)


def _errors(steps: list[dict[str, Any]]) -> Figure:
    canvas, axes = wide("Step ahead", "Error", height=2.6)
    axes.set_position((0.1, 0.17, 0.7, 0.8))
    across = [step["step"] for step in steps]
    axes.axhline(0, color=RULE, linewidth=0.6)
    axes.plot(across, [step["mae"] for step in steps], "s-", color=ACCENT, markersize=3)
    axes.plot(across, [step["bias"] for step in steps], "o--", color=INK, markersize=3)
    axes.text(across[-1], steps[-1]["mae"], "  mean absolute error", va="center", fontsize=7)
    axes.text(across[-1], steps[-1]["bias"], "  bias", va="center", fontsize=7)
    return canvas


PAINTERS = {"forecast_fan": forecast_fan}
