"""The Bland-Altman plot of measured values."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proctor_backend.reporting.figures.style import (
    ACCENT,
    DASHES,
    INK,
    RULE,
    SOFT,
    Document,
    Results,
    wide,
)


def bland_altman(figure: Document, results: Results) -> Figure | None:
    """Draw differences over means, with bias and limits of agreement and their intervals.

    Where cases are held back, the mean and one standard deviation in steps stand for them.
    """
    del results
    data = figure["data"]
    canvas, axes = wide("Mean of device and reference", "Device minus reference", height=3.2)
    canvas.axes[0].set_position((0.1, 0.14, 0.74, 0.83))
    for name in ("lower", "upper"):
        _line(axes, data[name], DASHES, SOFT)
    _line(axes, data["bias"], "-", SOFT)
    axes.axhline(0, color=RULE, linewidth=0.6)
    if "difference" in data:
        axes.plot(data["mean"], data["difference"], "o", color=INK, markersize=2.2, alpha=0.7)
    else:
        for step in data["steps"]:
            axes.errorbar(
                step["mean"], step["difference"], yerr=step["sd"], fmt="s", color=INK,
                markersize=3, linewidth=0.9, capsize=2,
            )  # fmt: skip
    percent = f"{100 * data['share']:g} %"
    for name, text in (
        ("upper", f"upper {percent} limit"),
        ("bias", "bias"),
        ("lower", f"lower {percent} limit"),
    ):
        label = f"{text}\n{data[name][0]:.3g}"
        axes.text(
            1.01, data[name][0], label, transform=axes.get_yaxis_transform(), va="center",
            fontsize=7,
        )  # fmt: skip
    return canvas


def _line(axes: Axes, limits: list[float], style: object, band: str) -> None:
    """Draw an estimate's line over the band of its interval."""
    axes.axhspan(limits[1], limits[2], color=band, alpha=0.45, linewidth=0, zorder=0)
    axes.axhline(limits[0], color=ACCENT, linewidth=1.1, linestyle=style)


PAINTERS = {"bland_altman": bland_altman}
