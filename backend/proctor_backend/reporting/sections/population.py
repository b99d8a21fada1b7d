"""Which cases there were: the way from enrolment to analysis, and who the patients are."""

from proctor_backend.reporting.blocks import (
    Block,
    CoreSection,
    Facts,
    FigureRef,
    Grid,
    Number,
    Paragraph,
    Request,
    Show,
)
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.counts import BASELINE, FLOW, NUMBERS
from proctor_backend.reporting.sections import lending
from proctor_backend.reporting.words import attribute


def flow(context: Context) -> CoreSection:
    """Return the accountability of every case."""
    counts = [str(row) for row in context.results if str(row).startswith(f"{FLOW}.")]
    blocks: list[Block] = [
        Paragraph("Every enrolled case is accounted for; none was dropped without a reason here.")
    ]
    if counts:
        # The label of a withheld count stays withheld too, so the rows are cited whole.
        parts = (Show.LABEL, Show.ESTIMATE, Show.PATIENTS, Show.N_POSITIVE)
        rows = tuple(tuple(Number(name, show) for show in parts) for name in counts)
        columns = ("Step", "Cases", "Patients", "With the condition")
        blocks += [FigureRef("flow"), Grid(columns=columns, rows=rows, widths=(4, 1, 1, 1.4))]
    else:
        blocks.append(Paragraph("The measurement handed no accountability to this report."))
    return CoreSection("accountability", "Accountability of cases", tuple(blocks))


def baseline(context: Context) -> CoreSection:
    """Return the baseline tables, one per attribute, and what the partner says of the cohort."""
    cohort = context.material.cohort
    description = cohort.get("description") or {}
    described = description if isinstance(description, dict) else {"Description": str(description)}
    facts = tuple(
        (attribute(str(name)), _fact(value))
        for name, value in described.items()
        if value and name not in lending.PLAN_SETTINGS
    )
    return CoreSection(
        "population",
        "Study population",
        (
            Paragraph("The data partner describes the cohort as follows."),
            *((Facts(facts),) if facts else ()),
            *lending.versions(context),
            *lending.made_safe(context),
            *lending.held_back(context),
            *_tables(context),
            *_numbers(context),
            *_asked(described),
        ),
    )


def _fact(value: object) -> str:
    return "; ".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)


def _tables(context: Context) -> tuple[Block, ...]:
    tables: dict[str, list[str]] = {}
    for name in context.results:
        if name.startswith(f"{BASELINE}."):
            tables.setdefault(name.removeprefix(f"{BASELINE}.").partition(".")[0], []).append(name)
    return tuple(
        Grid(
            columns=(attribute(factor), "Patients", "Cases", "With the condition"),
            rows=tuple(_row(name) for name in names),
            widths=(3, 1, 1, 1.4),
        )
        for factor, names in tables.items()
    )


def _numbers(context: Context) -> tuple[Block, ...]:
    names = [name for name in context.results if name.startswith(f"{NUMBERS}.")]
    if not names:
        return ()
    rows = tuple((Number(name, Show.LABEL), Number(name), Number(name, Show.N)) for name in names)
    return (Grid(columns=("Attribute", "Estimate", "n"), rows=rows, widths=(4, 1, 1)),)


def _row(name: str) -> tuple[str | Number, ...]:
    level = name.rpartition(".")[2] if name.count(".") == 3 else name.split(".", 3)[3]
    return (level, Number(name), Number(name, Show.N), Number(name, Show.N_POSITIVE))


def _asked(described: dict[str, object]) -> tuple[Request, ...]:
    wanted = {
        "inclusion": "inclusion and exclusion criteria, and how cases were identified",
        "dates": "dates of acquisition, sites by name, devices and acquisition protocols",
        "reference_standard": "annotators' number and qualification, masking and adjudication",
        "ethics": "ethics approval, basis of consent and method of de-identification",
    }
    return tuple(
        Request(of="data partner", what=what)
        for name, what in wanted.items()
        if not described.get(name)
    )
