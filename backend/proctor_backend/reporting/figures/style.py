"""What every figure shares: colours, axes, and bytes without anything of the machine in them."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, RULE, ACCENT, SOFT, PALE = "#1b2733", "#9aa7b4", "#1f5f8b", "#b7cfe0", "#f3f6f9"
# No date, no random ids, text as paths: nothing of the machine goes into the bytes.
STYLE = {
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
    "text.parse_math": False,  # a name may hold dollar signs
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "savefig.facecolor": "white",
}

Document = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Any]]
DASHES = (0, (4, 3))


def square(across: str, up: str) -> tuple[Figure, Axes]:
    """Return a canvas whose two axes run from 0 to 1."""
    canvas = Figure(figsize=(3.6, 3.4))
    axes = canvas.add_axes((0.15, 0.14, 0.82, 0.83))
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_aspect("equal")
    return canvas, axes


def wide(across: str, up: str, *, height: float = 3.0) -> tuple[Figure, Axes]:
    """Return a canvas as wide as the page's text."""
    canvas = Figure(figsize=(6.3, height))
    axes = canvas.add_axes((0.1, 0.45 / height, 0.87, 1 - 0.6 / height))
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return canvas, axes
