"""Northlake Health's section: what its clinical safety board asks of every model."""

from __future__ import annotations

from proctor_sdk.report import Heading, Number, Paragraph, ReportContext, Section, Show, Table


def sections(context: ReportContext) -> list[Section]:
    """One section for the safety board."""
    return [
        Section(
            id="safety-board",
            title="Northlake clinical safety board",
            blocks=(
                Paragraph(
                    "The board asks two questions: does the lower end of the interval of each "
                    "primary endpoint reach the criterion, and is any group of patients served "
                    "visibly worse. The numbers below are cited from the signed results."
                ),
                Heading("Primary endpoints"),
                _primary(context),
                Heading("Groups of patients"),
                *_groups(context),
            ),
        )
    ]


def _primary(context: ReportContext) -> Table:
    return Table(
        columns=("Endpoint", "Estimate", "Interval", "Patients", "Conclusion"),
        rows=tuple(
            (
                Number(view.id, Show.LABEL),
                Number(view.id),
                Number(view.id, Show.INTERVAL),
                Number(view.id, Show.PATIENTS),
                Number(view.id, Show.CONCLUSION),
            )
            for view in context.primary()
        ),
        caption="What the board reads first.",
    )


def _groups(context: ReportContext) -> tuple[Paragraph | Table, ...]:
    concluded = [
        view for view in context.results.values() if view.role == "bias" and view.conclusion
    ]
    if not concluded:
        return (Paragraph("This edition shows no comparison of groups."),)
    rows = tuple(
        (Number(view.id, Show.LABEL), Number(view.id), Number(view.id, Show.CONCLUSION))
        for view in concluded
    )
    return (Table(columns=("Comparison", "Estimate", "Conclusion"), rows=rows),)
