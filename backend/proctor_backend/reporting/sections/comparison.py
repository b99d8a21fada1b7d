"""The device beside other raters of the same cases: an earlier version, a device, a reader."""

from proctor_backend.reporting.blocks import (
    CoreSection,
    Grid,
    Heading,
    Items,
    Number,
    Paragraph,
    Show,
)
from proctor_backend.reporting.context import Context, ResultDict
from proctor_backend.reporting.words import beside, is_contrast, plain_words

ALONE = ".alone"
_RULE = (
    "Both answered the same cases under the same rule for missing outputs; differences are device "
    "minus rater, over pairs. A hypothesis is judged by the limit of the two-sided interval, which "
    "amounts to a one-sided test at half its error. Where outputs are missing, the way of counting "
    "that is worst for the device and best for the rater stands with the missing outputs."
)


def comparison(context: Context) -> CoreSection:
    """Return every comparison with another rater, shown or withheld."""
    rows = [row for row in context.shown(scenario=None) if beside(row) and is_contrast(row)]
    if not rows:
        text = "The protocol sets the device beside no other rater of the same cases."
        return CoreSection("comparison", "Comparison with other raters", (Paragraph(text),))
    notes = tuple(note for row in rows for note in _notes(row))
    return CoreSection(
        "comparison",
        "Comparison with other raters",
        (
            Paragraph(_RULE),
            Grid(
                columns=(
                    "Quantity", "Device", "Rater", "Difference", "Interval", "p", "Criterion",
                    "Conclusion",
                ),
                rows=tuple(_line(context, row) for row in rows),
                widths=(3, 1.1, 1.1, 1.2, 2, 0.9, 1.9, 1.7),
                flagged=True,
            ),
            *((Heading("Methods and margins"), Items(notes)) if notes else ()),
        ),
    )  # fmt: skip


def _line(context: Context, row: ResultDict) -> tuple[str | Number, ...]:
    name = str(row["id"])
    device, alone = name.rpartition("~")[0], f"{name}{ALONE}"
    return (
        Number(name, Show.LABEL),
        Number(device) if device in context.results else "",
        Number(alone) if alone in context.results else "",
        Number(name),
        Number(name, Show.INTERVAL),
        Number(name, Show.P_VALUE),
        Number(name, Show.CRITERION),
        Number(name, Show.CONCLUSION),
    )


def _notes(row: ResultDict) -> tuple[str, ...]:
    """Say how the difference was estimated, which tests there are, and why the margin is what."""
    said = row["extra"]
    named = ", ".join(said.get("p_values") or ())
    text = f"{plain_words(str(row['id']).replace('.', ', '))}: {row['method']}"
    text += f"; tests: {named}" if named else ""
    if said.get("hypothesis"):
        text += f"; {plain_words(str(said['hypothesis'])).lower()}, {said.get('amounts_to')}"
    text += f"; reason for the margin: {said['reason']}" if said.get("reason") else ""
    return (f"{text.rstrip('.')}.",)
