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
from proctor_backend.reporting.context import Context, ResultDict, all_results
from proctor_backend.reporting.disclosure import CANDIDATE_CAUSE, factor_of, levels_of
from proctor_backend.reporting.numbers import signed
from proctor_backend.reporting.sections.protocol import group_names
from proctor_backend.reporting.words import (
    adjusted_for,
    attribute,
    is_of_acquisition,
    is_pooled_over_sites,
    plain_words,
    quantity,
)

_CONCLUSIONS = (
    "A difference is shown when the corrected test rejects and the interval lies beyond the "
    "margin; it is below the margin when the test rejects and the whole interval lies inside "
    "it; no relevant difference is shown when the interval lies inside and the test does not "
    "reject; all else is inconclusive. A difference is associated with a group; no cause is "
    "claimed."
)


_DECIMALS = 3


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
            *_adjusted(context),
            *_causes(context),
            *_sites(context),
            *_confounding(context),
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


def _adjusted(context: Context) -> tuple[Block, ...]:
    """Set each crude difference beside what remains of it among cases that are otherwise alike."""
    rows = [
        row for row in context.shown() if adjusted_for(row) and ".adjusted-for-" in str(row["id"])
    ]
    if not rows:
        return ()
    return (
        Heading("Differences within other attributes"),
        Paragraph(
            "A difference between groups may be associated with another attribute that is mixed "
            "differently in them. The crude difference stays the primary one; the adjusted one "
            "weighs the differences within equal levels of the other attribute."
        ),
        Grid(
            columns=("Comparison", "Adjusted for", "Crude", "Adjusted", "Interval",
                     "Crude minus adjusted", "Interval"),
            rows=tuple(_adjusted_line(context, row) for row in rows),
            widths=(2.8, 1.3, 1.1, 1.1, 1.9, 1.2, 1.9),
            flagged=True,
        ),
    )  # fmt: skip


def _adjusted_line(context: Context, row: ResultDict) -> tuple[str | Number, ...]:
    name, other = str(row["id"]), adjusted_for(row)
    crude = name.removesuffix(f".adjusted-for-{other}")
    explained = f"{crude}.explained-by-{other}"
    there = explained in context.results
    return (
        _comparison(crude),
        attribute(other),
        Number(crude),
        Number(name),
        Number(name, Show.INTERVAL),
        Number(explained) if there else "",
        Number(explained, Show.INTERVAL) if there else "",
    )


def _causes(context: Context) -> tuple[Block, ...]:
    """List what the data say of causes; only editions without a rule on small groups have it."""
    rows = context.shown(quantity=CANDIDATE_CAUSE)
    if not rows:
        return ()
    return (
        Heading("What the data say of causes"),
        Paragraph(
            "A cause is a candidate where the data can separate it from others and speak for it; "
            "that is an association, not a proof. Numbers are differences with their intervals, "
            "level minus the others, on the quantity's own scale."
        ),
        Grid(
            columns=("Comparison", "Cause", "What the data say", "Numbers"),
            rows=tuple(
                (
                    _comparison(str(row["extra"]["crude"])),
                    f"{plain_words(str(row['extra']['cause']))}: {row['extra']['verdict']}",
                    str(row["flags"][0]),
                    _evidence(row),
                )
                for row in rows
            ),
            widths=(2, 2, 3.4, 3),
        ),
    )


def _evidence(row: ResultDict) -> str:
    parts = []
    for name, one in row["extra"]["evidence"].items():
        text = f"{name} {signed(one['estimate'], _DECIMALS)}"
        if one["lower"] is not None and one["upper"] is not None:
            limits = [signed(one[side], _DECIMALS) for side in ("lower", "upper")]
            text += f" ({' to '.join(limits)})"
        parts.append(text)
    return "; ".join(parts)


def _sites(context: Context) -> tuple[Block, ...]:
    """Say what the sites are taken for, why they may be pooled, and what a further one may give."""
    plan = context.material.protocol
    rows = [row for row in context.shown() if is_pooled_over_sites(row)]
    measured = any(factor == "site" for _, factor, _, _ in context.described())
    if not rows and not measured:
        return ()
    taken = str(plan.get("sites") or "fixed")
    reason = plan.get("pooling_reason")
    text = (
        "The sites are taken as a sample of sites: the mean is over all such sites, and the "
        "prediction is where a site not seen is expected."
        if taken == "random"
        else "The sites are fixed: they stand for themselves, and the whole cohort pools them case "
        "by case."
    )
    text += f" Reason for pooling: {reason}" if reason else ""
    table: tuple[Block, ...] = ()
    if rows:
        table = (
            Grid(
                columns=("Quantity", "What", "Mean over sites", "Interval", "Method"),
                rows=tuple(
                    (
                        quantity(str(row["quantity"])),
                        plain_words(str(row["id"]).rpartition(".")[-1].replace("-", " ")),
                        Number(str(row["id"])),
                        Number(str(row["id"]), Show.INTERVAL),
                        Number(str(row["id"]), Show.METHOD),
                    )
                    for row in rows
                ),
                widths=(2.4, 1.6, 1.3, 2, 2.6),
                flagged=True,
            ),
        )
    return (Heading("Sites together"), Paragraph(text), *table)


def _confounding(context: Context) -> tuple[Block, ...]:
    """Show primary results within levels of facts that the leak audit found confounding.

    Only shown rows: a level's name is the cohort's own and stands in no protocol.
    """
    everything = [row for row in all_results(context.material) if is_of_acquisition(row)]
    if not everything:
        return ()
    blocks: list[Block] = [
        Heading("Acquisition that goes with the reference standard"),
        Paragraph(
            "The leak audit found that these facts of how cases were acquired predict the "
            "reference standard in patients that it was not fitted on, so that a model may have "
            "used them instead of the condition: "
            f"{', '.join(dict.fromkeys(attribute(_factor(row)).lower() for row in everything))}. "
            "Among cases of one level it cannot. These results are exploratory, and not adjusted "
            "for other tests."
        ),
    ]
    shown = [row for row in context.shown() if is_of_acquisition(row)]
    for factor in dict.fromkeys(_factor(row) for row in shown):
        groups = [
            (str(row["id"]), levels_of(row)[0], str(row["quantity"]))
            for row in shown
            if _factor(row) == factor
        ]
        blocks.append(_groups(attribute(factor), groups))
    if len(shown) < len(everything):
        blocks.append(Paragraph("The terms withhold levels of too few patients."))
    return tuple(blocks)


def _factor(row: ResultDict) -> str:
    return factor_of(row) or ""


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
