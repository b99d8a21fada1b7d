"""Figures of tasks that give each case a value of its own: the cases from worst to best."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proctor_backend.domain.quantities import QUANTITIES
from proctor_backend.reporting import numbers, words
from proctor_backend.reporting.figures.style import (
    ACCENT,
    DASHES,
    INK,
    PALE,
    RULE,
    Document,
    Results,
)

_NAMED = 6  # the last characters of a case's name, as the lists of cases show it


def case_values(figure: Document, results: Results) -> Figure | None:
    """Draw every case's value from worst to best, or steps of at least eleven patients."""
    data = figure["data"]
    whole = results.get(data["ref"])
    if whole is None or not (data.get("values") or data.get("steps")):
        return None
    canvas = Figure(figsize=(6.3, 3.0))
    axes = canvas.add_axes((0.1, 0.15, 0.87, 0.74))
    axes.set_title(words.label(whole), fontsize=7.5, loc="left", color=INK)
    axes.set_ylabel(QUANTITIES[whole["quantity"]].unit)
    _estimate(axes, whole)
    if data.get("values"):
        _cases(axes, data)
    else:
        _steps(axes, data)
    aside = [f"{numbers.count(data[name])} {text}" for name, text in _ASIDE if data.get(name)]
    if aside:
        axes.set_title("not shown: " + ", ".join(aside), fontsize=7, loc="right", color=INK)
    return canvas


_ASIDE = (("missing", "without an answer"), ("left_out", "without a value"))


def _estimate(axes: Axes, whole: Document) -> None:
    interval, estimate = whole.get("interval") or {}, whole.get("estimate")
    if interval.get("lower") is not None and interval.get("upper") is not None:
        axes.axhspan(interval["lower"], interval["upper"], color=PALE, zorder=0)
    if estimate is not None:
        axes.axhline(estimate, color=RULE, linewidth=0.7, linestyle=DASHES, zorder=1)


def _cases(axes: Axes, data: Document) -> None:
    values, worst = data["values"], data["worst"]
    axes.plot(range(1, len(values) + 1), values, "o", color=ACCENT, markersize=3, alpha=0.8)
    last = [one["value"] for one in worst]
    axes.plot(range(1, len(worst) + 1), last, "o", color=INK, markersize=4)
    named = "\n".join(f"{one['case'][-_NAMED:]}  {one['value']:.3g}" for one in worst)
    low = data["better"] == "higher"
    axes.text(
        0.99,
        0.03 if low else 0.97,
        f"worst cases\n{named}",
        transform=axes.transAxes,
        ha="right",
        va="bottom" if low else "top",
        fontsize=6.5,
        linespacing=1.3,
    )
    axes.set_xlim(0, len(values) + 1)
    axes.set_xlabel("Cases from worst to best; band: interval of the whole cohort")


def _steps(axes: Axes, data: Document) -> None:
    """Draw each step's mean over its cases, in the order of the cases' figure."""
    steps = data["steps"] if data["better"] == "higher" else data["steps"][::-1]
    edges, heights = [0], []
    for step in steps:
        edges.append(edges[-1] + step["cases"])
        heights.append(step["mean"])
    axes.stairs(heights, edges, baseline=None, color=ACCENT, linewidth=1.4)
    axes.set_xlim(0, edges[-1])
    axes.set_xlabel("Means of at least 11 patients; band: interval of the whole cohort")


PAINTERS = {"case_values": case_values}
