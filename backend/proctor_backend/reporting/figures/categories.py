"""Figures of several categories or labels: the confusion matrix, and ROC curves side by side."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from proctor_backend.reporting.figures.style import (
    ACCENT,
    DASHES,
    INK,
    PALE,
    RULE,
    SOFT,
    Document,
    Results,
    square,
)

_SHADES = LinearSegmentedColormap.from_list("proctor", ["#ffffff", SOFT, ACCENT])
_LINES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
_COLOURS = (ACCENT, INK, "#a3472f", "#4f7a3a", "#7a5a9c", "#8a6d1f")
_MOST_CATEGORIES = 12  # more cells than this have no room for their numbers
_MOST_CURVES = 8


def confusion_matrix(figure: Document, results: Results) -> Figure | None:
    """Draw called against reference category: shares of each row, with the counts if given."""
    del results
    data = figure["data"]
    names, counts = list(data["categories"]), data.get("cells")
    shares = data.get("shares") or [_share(row) for row in counts]
    if len(names) > _MOST_CATEGORIES:
        return None
    side = 1.5 + 0.55 * len(names)
    canvas = Figure(figsize=(side + 0.6, side))
    axes = canvas.add_axes(
        (1.5 / (side + 0.6), 0.75 / side, 1 - 1.6 / (side + 0.6), 1 - 0.85 / side)
    )
    for row, cells in enumerate(shares):
        for column in range(len(names)):
            share = None if cells is None else cells[column]
            count = None if counts is None else counts[row][column]
            _cell(axes, column, row, share, count)
    axes.set_xlim(0, len(names))
    axes.set_ylim(len(names), 0)
    places = [place + 0.5 for place in range(len(names))]
    axes.set_xticks(places, [_short(name) for name in names], rotation=30, ha="right")
    axes.set_yticks(places, [_short(name) for name in names])
    axes.tick_params(length=0)
    axes.set_xlabel("Called")
    axes.set_ylabel("Reference standard")
    return canvas


def _share(row: list[int]) -> list[float] | None:
    total = sum(row)
    return [count / total for count in row] if total else None


def _cell(axes: Axes, x: int, y: int, share: float | None, count: int | None) -> None:
    """Fill one cell by its share of the row; a row that is not shown stays pale."""
    colour = PALE if share is None else _SHADES(share)
    axes.fill([x, x + 1, x + 1, x], [y, y, y + 1, y + 1], color=colour, linewidth=0)
    axes.plot([x, x + 1, x + 1], [y + 1, y + 1, y], color="white", linewidth=1)
    ink = "white" if share is not None and share > 0.8 else INK
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
    if share is None:
        axes.text(x + 0.5, y + 0.5, "\u2013", fontsize=8, **middle)
        return
    if count is None:
        axes.text(x + 0.5, y + 0.5, f"{share:.0%}", fontsize=8, **middle)
        return
    axes.text(x + 0.5, y + 0.4, str(count), fontsize=8, **middle)
    axes.text(x + 0.5, y + 0.72, f"{share:.0%}", fontsize=6, **middle)


def roc_by_target(figure: Document, results: Results) -> Figure | None:
    """Draw one ROC curve for each category or label, each against the rest."""
    areas = {
        str((row.get("extra") or {}).get("target")): row["estimate"]
        for row in results.values()
        if row["quantity"] == "auroc" and not row.get("group") and not row.get("scenario")
    }
    lines = figure["data"]["curves"][:_MOST_CURVES]
    canvas, axes = square("1 \u2212 specificity", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=0.7, linestyle=DASHES)
    for place, line in enumerate(lines):
        area = areas.get(str(line["target"]))
        name = _short(str(line["target"]))
        axes.plot(
            line["false_positive_rate"],
            line["true_positive_rate"],
            color=_COLOURS[place % len(_COLOURS)],
            linestyle=_LINES[place // len(_COLOURS) % len(_LINES)],
            linewidth=1.2,
            label=name if area is None else f"{name} {area:.3f}",
        )
    axes.legend(frameon=False, fontsize=7, loc="lower right", title="Area", title_fontsize=7)
    return canvas


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}\u2026"


PAINTERS = {"confusion_matrix": confusion_matrix, "roc_by_target": roc_by_target}
