"""How groups of patients fared, and whether the difference is one that matters."""

from proctor_backend.reporting.blocks import (
    Block,
    CoreSection,
    FigureRef,
    Grid,
    Heading,
    Number,
    Paragraph,
    Show,
)
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.sections.protocol import group_names
from proctor_backend.reporting.words import attribute, quantity

_CONCLUSIONS = (
    "A difference is shown when the corrected test rejects and the interval lies beyond the "
    "margin; it is below the margin when the test rejects and the interval does not lie "
    "beyond it; no relevant difference is shown when the whole interval lies inside the "
    "margin; all else is inconclusive. A difference is associated with a group; no cause is "
    "claimed."
)


def subgroups(context: Context) -> CoreSection:
    """Return every declared group, shown or withheld, with the comparisons."""
    plan = context.material.protocol
    return CoreSection(
        "subgroups",
        "Groups of patients",
        (
            Paragraph(
                f"The protocol declares these attributes: {group_names(plan)}. {_CONCLUSIONS}"
            ),
            *_privacy(context),
            *_factors(context),
            *(FigureRef(name) for name in context.figure_ids("forest")),
        ),
    )


def _privacy(context: Context) -> tuple[Paragraph, ...]:
    if context.rule.least == 0:
        return ()
    return (
        Paragraph(
            f"The terms withhold groups of fewer than {context.rule.least} patients, with what a "
            "withheld group could be computed from. A withheld row says nothing else of its group."
        ),
    )


def _factors(context: Context) -> tuple[Block, ...]:
    blocks: list[Block] = []
    described = context.described()
    for factor in dict.fromkeys(row[1] for row in described):
        mine = [row for row in described if row[1] == factor]
        groups = [(name, level, what) for name, _, level, what in mine if level]
        compared = [name for name, _, level, _ in mine if not level]
        blocks.append(Heading(attribute(factor)))
        if groups:
            blocks.append(_groups(attribute(factor), groups))
        if compared:
            blocks.append(_comparisons(compared))
    return tuple(blocks) or (Paragraph("No group was measured."),)


def _groups(name: str, groups: list[tuple[str, str, str]]) -> Grid:
    return Grid(
        columns=(name, "Quantity", "Estimate", "Interval", "n", "With condition", "Patients"),
        rows=tuple(
            (
                level,
                quantity(what) + _point(ref, what),
                Number(ref),
                Number(ref, Show.INTERVAL),
                Number(ref, Show.N),
                Number(ref, Show.N_POSITIVE),
                Number(ref, Show.PATIENTS),
            )
            for ref, level, what in groups
        ),
        widths=(1.8, 2.6, 1.1, 1.9, 0.9, 1, 1),
        flagged=True,
    )


def _point(ref: str, what: str) -> str:
    words = ref.split(".")
    return f" at “{words[1]}”" if words[0] == what and len(words) > 3 else ""


def _comparisons(names: list[str]) -> Grid:
    return Grid(
        columns=("Comparison", "Difference", "Interval", "p", "Adjusted p", "Margin", "Conclusion"),
        rows=tuple(
            (
                _comparison(name),
                Number(name),
                Number(name, Show.INTERVAL),
                Number(name, Show.P_VALUE),
                Number(name, Show.P_ADJUSTED),
                Number(name, Show.CRITERION),
                Number(name, Show.CONCLUSION),
            )
            for name in names
        ),
        widths=(2.8, 1.2, 2.1, 0.9, 1.1, 1.2, 2.2),
    )


def _comparison(name: str) -> str:
    """Name a comparison by its id, which the locked protocol already tells."""
    words = name.split(".")
    return f"{quantity(words[0])}, {' '.join(words[1:])}".replace("-vs-", " against ").replace(
        "_", " "
    )
