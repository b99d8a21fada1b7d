"""Who could see what: masking, sequestration and the custody of hidden data and of the model."""

from typing import Any

from proctor_backend.reporting.blocks import CoreSection, Facts, Grid, Heading, Items, Paragraph
from proctor_backend.reporting.context import Context

_STATEMENTS = (
    (
        "The vendor never had access to the hidden cohort, to its reference standard, to logs of "
        "the hidden run, or to results of single cases."
    ),
    (
        "The model ran in a sealed container: no network, a read-only file system, no "
        "capabilities, its own user, cases under names that two runs do not share."
    ),
    (
        "The reference standard lies under other credentials than the cases; the process that ran "
        "the model holds no key to either."
    ),
    (
        "Reviewers read the results without the name or the text of the vendor, and signed before "
        "these were joined."
    ),
    (
        "Cases reached the model in an order that carries no information, and at most as many at "
        "a time as the protocol's window allows."
    ),
)


def custody(context: Context) -> CoreSection:
    """Return the masking and custody statement."""
    evaluation = context.material.evaluation
    told = str if context.edition == "full" else _coarse
    return CoreSection(
        "custody",
        "Masking and custody",
        (
            Items(_STATEMENTS),
            Facts(
                (
                    ("Window", str(evaluation.get("window", "Not recorded"))),
                    ("Isolation", str(evaluation.get("isolation", "Not recorded"))),
                    ("Attempts", str(evaluation.get("attempts", "Not recorded"))),
                    ("Container restarts", told(evaluation.get("restarts", "Not recorded"))),
                    ("Run started", told(evaluation.get("started", "Not recorded"))),
                    ("Run finished", told(evaluation.get("finished", "Not recorded"))),
                )
            ),
            Heading("Staged and clinical input"),
            *_input_differences(context),
        ),
    )


def _coarse(value: Any) -> str:
    """Tell the day, and whether there were restarts: a model could speak by its pace."""
    if isinstance(value, int):
        return "Some" if value else "None"
    return str(value) if value == "Not recorded" else str(value)[:10]


def _input_differences(context: Context) -> tuple[Paragraph | Grid, ...]:
    profile = context.material.protocol.get("input_profile") or {}
    granted = [str(name) for name in (*profile.get("attributes", ()), *profile.get("headers", ()))]
    text = (
        "A staged case carries the files and the fields that the protocol's input profile grants, "
        "and nothing else; all other header fields that a device sees in clinical use are absent."
    )
    if not granted:
        return (Paragraph(text), Paragraph("The profile grants no further field."))
    return (
        Paragraph(text),
        Grid(columns=("Granted field",), rows=tuple((name,) for name in granted)),
    )
