"""The appendices: fairness measures, the vendor's parts, checklists, the audit extract."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.reporting.annex import SLOTS
from proctor_backend.reporting.blocks import (
    Block,
    Code,
    CoreSection,
    Expected,
    Grid,
    Items,
    Number,
    Paragraph,
    Request,
    SectionRef,
    Show,
)
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.sections.checklists import CHECKLISTS

# Slots that a section asks for where its reader expects them.
_ASKED_ELSEWHERE = frozenset({"device_description", "indications", "limitations", "cybersecurity"})


def fairness(context: Context) -> CoreSection:
    """Return fairlearn's measures: point estimates without interval or conclusion."""
    rows = context.shown(role="appendix")
    blocks: list[Block] = [
        Paragraph(
            "These measures are printed because readers ask for them. They are point estimates "
            "that cannot be below zero, or above one for a ratio, so that chance alone makes them "
            "differ from equality; they carry no interval and no conclusion. The selection rate "
            "depends on prevalence."
        )
    ]
    if rows:
        blocks.append(
            Grid(
                columns=("Measure", "Estimate", "Expected if groups were equal", "n"),
                rows=tuple(
                    (
                        _measure(str(row["id"])),
                        Number(str(row["id"])),
                        Expected(str(row["id"])),
                        Number(str(row["id"]), Show.N),
                    )
                    for row in rows
                ),
                widths=(4, 1.2, 2, 1),
            )
        )
    else:
        blocks.append(Paragraph("This edition shows none."))
    return CoreSection("fairness", "Appendix: descriptive fairness measures", tuple(blocks))


def _measure(name: str) -> str:
    words = name.removeprefix("fairlearn.").split(".")
    return ", ".join(word.replace("_", " ") for word in words).capitalize()


def vendor_parts(context: Context) -> CoreSection:
    """Ask the vendor, by name, for what only the vendor can say."""
    del context  # the same in every edition
    return CoreSection(
        "vendor-parts",
        "Appendix: the vendor's parts",
        (
            Paragraph(
                "The following is the vendor's own text. It joined after the results were signed; "
                "the platform did not examine it."
            ),
            *(
                Request(of="vendor", what=what, slot=slot)
                for slot, what in SLOTS.items()
                if slot not in _ASKED_ELSEWHERE
            ),
        ),
    )


def checklist(context: Context) -> CoreSection:
    """Return where each item of the reporting guidelines is answered."""
    del context  # the same in every edition
    blocks: list[Block] = [
        Paragraph(
            "The items are paraphrased; the guidelines' own wording is authoritative. An item "
            "whose answer is the vendor's or the data partner's is asked for in the section named."
        )
    ]
    for name, entries in CHECKLISTS.items():
        rows = tuple((item, about, SectionRef(where)) for item, about, where in entries)
        blocks.append(
            Grid(columns=(name, "What it asks", "Answered in"), rows=rows, widths=(1, 4, 3))
        )
    return CoreSection("checklist", "Appendix: reporting checklists", tuple(blocks))


def annex_iv(context: Context) -> CoreSection:
    """Return where the AI Act's test record is found."""
    del context  # the same in every edition
    return CoreSection(
        "annex-iv",
        "Appendix: test record for the technical documentation",
        (
            Paragraph(
                "The European AI Act asks, in the annex on technical documentation, for the "
                "procedures and data of testing, the metrics, and test reports dated and signed by "
                "the persons responsible."
            ),
            Grid(
                columns=("What is asked", "Found in"),
                rows=(
                    ("Procedures and data used for testing", SectionRef("protocol")),
                    ("Main characteristics of the test data", SectionRef("population")),
                    ("Metrics for accuracy and robustness", SectionRef("primary")),
                    ("Potentially discriminatory impacts", SectionRef("subgroups")),
                    ("Test logs", SectionRef("audit")),
                    ("Signed and dated test reports", SectionRef("result")),
                ),
                widths=(4, 3),
            ),
        ),
    )


def _may_list(event: Mapping[str, Any], context: Context) -> bool:
    """Let only insiders read the entry's chain: its events tell how the hidden run went."""
    return context.edition == "full" or event.get("chain") == context.material.study.get("id")


def audit(context: Context) -> CoreSection:
    """Return the extract of the audit chains that this report rests on."""
    events = [event for event in context.material.audit if _may_list(event, context)]
    text = Paragraph(
        "Every event is hashed together with the one before it; the heads of the chains stand in "
        "the signed statement, and the events themselves in the package beside this document."
    )
    if not events:
        items = Items(("The events are in the package, in the file audit.json.",))
        return CoreSection("audit", "Appendix: extract of the audit trail", (text, items))
    rows = tuple(
        (
            str(event.get("at", "")),
            str(event.get("kind", "")).replace(".", " "),
            Code(str(event.get("actor", ""))),
            Code(str(event.get("digest", ""))[:16]),
        )
        for event in events
    )
    table = Grid(
        columns=("Time (UTC)", "Event", "Actor", "Digest"), rows=rows, widths=(2.4, 2, 3, 2)
    )
    return CoreSection("audit", "Appendix: extract of the audit trail", (text, table))
