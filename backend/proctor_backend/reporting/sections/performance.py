"""How the device did: primary and secondary endpoints, missing outputs, and what was not done."""

from collections.abc import Sequence

from proctor_backend.reporting.blocks import (
    Block,
    CoreSection,
    FigureRef,
    Grid,
    Heading,
    Items,
    Number,
    Paragraph,
    Show,
)
from proctor_backend.reporting.context import Context, ResultDict
from proctor_backend.reporting.counts import CONFUSION
from proctor_backend.reporting.disclosure import factor_of
from proctor_backend.reporting.sections.summary import primary_endpoints
from proctor_backend.reporting.words import READINGS, SCENARIOS, beside, plain_words, scenario

RATES = frozenset({"failure_rate", "indeterminate_rate"})
_NOT_PERFORMED = (
    "Repeatability: the same input was not run twice.",
    "Reproducibility: the same patients were not examined on a second device or site.",
    "Robustness: no input was changed in a way foreseeable in clinical use.",
    "Malformed input: no damaged file was fed to the device.",
)


def primary(context: Context) -> CoreSection:
    """Return the endpoints that decide, each with its criterion."""
    rows = primary_endpoints(context)
    return CoreSection(
        "primary",
        "Primary endpoints",
        (
            Paragraph(
                "A criterion is met when the named limit of the interval reaches it; it is not met "
                "when the other limit fails it; everything between is inconclusive."
            ),
            _decided(rows),
            *_endnotes(rows),
            *_cross_tables(context),
            *(FigureRef(name) for name in context.figure_ids("roc")),
        ),
    )


def secondary(context: Context) -> CoreSection:
    """Return the other whole-cohort endpoints and the calibration."""
    rows = [
        row
        for role in ("secondary", "exploratory", "descriptive")
        for row in context.shown(role=role, scenario=None)
        if factor_of(row) is None
        and row["quantity"] not in {"count", "value", *RATES}
        and not beside(row)
    ]
    figures = [FigureRef(name) for name in context.curves]
    table: tuple[Block, ...] = (_estimates(rows),) if rows else (Paragraph("None was declared."),)
    blocks = (*table, *_tests(rows), *_endnotes(rows), *_other_references(context), *figures)
    return CoreSection("secondary", "Secondary endpoints", blocks)


def robustness(context: Context) -> CoreSection:
    """Name every test of precision that was not performed."""
    del context  # says the same in every edition
    return CoreSection(
        "robustness",
        "Robustness and repeatability",
        (
            Paragraph("None of the following was part of the protocol; each was not performed."),
            Items(_NOT_PERFORMED),
        ),
    )


def indeterminate(context: Context) -> CoreSection:
    """Return the results under every way of counting missing outputs."""
    rates = [row for row in context.shown() if row["quantity"] in RATES and factor_of(row) is None]
    scenarios = [row for row in context.shown() if row.get("scenario") and factor_of(row) is None]
    blocks: list[Block] = [
        Paragraph(
            "A case is indeterminate when the device says so, and failed when it gave no answer. "
            "The protocol names the rule per endpoint; the other ways of counting are shown beside "
            "it, so that none is hidden by the choice."
        )
    ]
    if rates:
        blocks += [Heading("How often"), _estimates(rates)]
        by_group = [name for name, _, _, what in context.described(rates=True) if what in RATES]
        blocks += [Heading("How often, by group"), _rates_by_group(by_group)] if by_group else []
    if scenarios:
        blocks += [Heading("What each way of counting gives"), _by_scenario(scenarios)]
    else:
        named = ", ".join(text.lower() for text in dict.fromkeys(SCENARIOS.values()))
        blocks.append(Paragraph(f"The measurement holds no scenario of its own ({named})."))
    return CoreSection("indeterminate", "Missing and indeterminate outputs", tuple(blocks))


def _other_references(context: Context) -> tuple[Block, ...]:
    """Show the endpoints against single readers, their majority and the unanimous cases."""
    rows = [
        (row, str(row["extra"]["reference_standard"]))
        for row in context.shown()
        if (row.get("extra") or {}).get("reference_standard") and factor_of(row) is None
    ]
    if not rows:
        return ()
    grid = Grid(
        columns=("Quantity", "Reference standard", "Estimate", "Interval", "n"),
        rows=tuple(
            (
                _plain_id(row),
                READINGS.get(name, f"reader {name}"),
                Number(str(row["id"])),
                Number(str(row["id"]), Show.INTERVAL),
                Number(str(row["id"]), Show.N),
            )
            for row, name in rows
        ),
        widths=(2.4, 2.2, 1.1, 1.9, 0.9),
        flagged=True,
    )
    return (Heading("Against other readings of the reference standard"), grid)


def _cross_tables(context: Context) -> tuple[Block, ...]:
    cells = [name for name in context.results if name.startswith(f"{CONFUSION}.")]
    points = dict.fromkeys(name.rpartition(".")[0] for name in cells)
    return tuple(
        Grid(
            columns=("Call", "With the condition", "Without the condition"),
            rows=(
                ("Called positive", Number(f"{point}.tp"), Number(f"{point}.fp")),
                ("Called negative", Number(f"{point}.fn"), Number(f"{point}.tn")),
            ),
            caption=f"Calls at “{point.rpartition('.')[2]}” against the reference standard.",
            widths=(2, 1, 1),
        )
        for point in points
    )


def _decided(rows: Sequence[ResultDict]) -> Grid:
    return Grid(
        columns=("Endpoint", "Estimate", "Interval", "n", "Patients", "Criterion", "Conclusion"),
        rows=tuple(
            tuple(
                Number(str(row["id"]), show)
                for show in (
                    Show.LABEL, Show.ESTIMATE, Show.INTERVAL, Show.N, Show.PATIENTS,
                    Show.CRITERION, Show.CONCLUSION,
                )
            )
            for row in rows
        ),
        widths=(2.6, 1.1, 1.9, 0.9, 1, 2, 1.7),
        flagged=True,
    )  # fmt: skip


def _estimates(rows: Sequence[ResultDict]) -> Grid:
    return Grid(
        columns=("Quantity", "Estimate", "Interval", "n", "Patients", "Method of the interval"),
        rows=tuple(
            tuple(
                Number(str(row["id"]), show)
                for show in (
                    Show.LABEL, Show.ESTIMATE, Show.INTERVAL, Show.N, Show.PATIENTS, Show.METHOD,
                )
            )
            for row in rows
        ),
        widths=(3, 1.1, 1.9, 0.9, 1, 2.2),
        flagged=True,
    )  # fmt: skip


def _rates_by_group(names: Sequence[str]) -> Grid:
    return Grid(
        columns=("Rate", "Estimate", "Interval", "n"),
        rows=tuple(
            (
                name.replace("_", " ").replace(".", ", "),
                Number(name),
                Number(name, Show.INTERVAL),
                Number(name, Show.N),
            )
            for name in names
        ),
        widths=(4, 1.1, 1.9, 0.9),
    )


def _by_scenario(rows: Sequence[ResultDict]) -> Grid:
    return Grid(
        columns=("Quantity", "Missing outputs", "Estimate", "Interval", "n"),
        rows=tuple(
            (
                _plain_id(row),
                scenario(str(row["scenario"])),
                Number(str(row["id"])),
                Number(str(row["id"]), Show.INTERVAL),
                Number(str(row["id"]), Show.N),
            )
            for row in rows
        ),
        widths=(2.4, 2.2, 1.1, 1.9, 0.9),
        flagged=True,
    )


def _plain_id(row: ResultDict) -> str:
    name = str(row["id"]).partition("@")[0].replace("~", " against ")
    return name.replace(".", ", ").replace("_", " ")


def _tests(rows: Sequence[ResultDict]) -> tuple[Block, ...]:
    """Return the quantities that are tests, with the p values that they are read by."""
    tested = [str(row["id"]) for row in rows if row.get("p_value") is not None]
    if not tested:
        return ()
    lines = tuple((Number(name, Show.LABEL), Number(name, Show.P_VALUE)) for name in tested)
    return (Heading("Tests"), Grid(columns=("Test", "p"), rows=lines, widths=(5, 1.2)))


def _endnotes(rows: Sequence[ResultDict]) -> tuple[Block, ...]:
    notes = tuple(
        f"{plain_words(str(row['id']).replace('.', ', '))}: {row['definition']}"
        for row in rows
        if row.get("definition")
    )
    return (Heading("Definitions"), Items(notes)) if notes else ()
