"""The first page: what was asked, what was found, and by whom it was approved."""

from proctor_backend.reporting.blocks import (
    Approvals,
    Block,
    Code,
    CoreSection,
    Facts,
    Grid,
    Heading,
    Number,
    Paragraph,
    Show,
    Verdict,
)
from proctor_backend.reporting.context import Context, ResultDict
from proctor_backend.reporting.counts import FLOW
from proctor_backend.reporting.words import attribute

EDITION_SENTENCES = {
    "full": "The full edition, for the data partner and the reviewers.",
    "submission": "The submission edition, for the vendor's regulatory affairs.",
    "public": "The public edition; what the data partner's terms withhold is marked as withheld.",
}
# The first page shows the gravest comparisons; the section on groups has them all.
MOST_ROWS = 8
_GRAVITY = (
    "difference shown",
    "difference below margin",
    "inconclusive",
    "no relevant difference shown",
)
_MORE = "The gravest comparisons are shown; all of them stand in the section on groups of patients."


def summary(context: Context) -> CoreSection:
    """Return the result on one page, with the report's identity under it."""
    primary = tuple(str(row["id"]) for row in primary_endpoints(context))
    return CoreSection(
        "result",
        "Result",
        (
            Verdict(primary, one_suffices=_one_suffices(context)),
            *_groups_in_one_table(context),
            Heading("Identity of this report"),
            Facts(_identity(context)),
            Heading("Approval"),
            Approvals(),
        ),
    )


def primary_endpoints(context: Context) -> tuple[ResultDict, ...]:
    """Return the deciding endpoints, without the objective that sums them up."""
    return tuple(
        row for row in context.shown(role="primary") if row["quantity"] != "primary_objective"
    )


def _one_suffices(context: Context) -> bool:
    """Say whether one met endpoint decides the study: then the others were adjusted for."""
    multiplicity = context.material.protocol.get("multiplicity") or {}
    return str(multiplicity.get("primary") or "co_primary") == "holm"


def gravest_first(context: Context) -> tuple[str, ...]:
    """Return the ids of the shown comparisons that carry a conclusion, the gravest first."""
    rows = [row for row in context.shown(role="bias") if row.get("conclusion") in _GRAVITY]
    rows.sort(key=lambda row: _GRAVITY.index(str(row["conclusion"])))
    return tuple(str(row["id"]) for row in rows)


def _groups_in_one_table(context: Context) -> tuple[Block, ...]:
    refs = gravest_first(context)
    if not refs:
        factors = {attribute(row[1]).lower() for row in context.described()}
        if not factors:
            return ()
        return (
            Paragraph(
                f"Groups compared: {', '.join(sorted(factors))}. "
                "This edition shows no conclusion on them."
            ),
        )
    return (
        Heading("Differences between groups of patients"),
        Grid(
            columns=("Comparison", "Difference", "Interval", "Adjusted p", "Conclusion"),
            rows=tuple(
                (
                    Number(ref, Show.LABEL),
                    Number(ref),
                    Number(ref, Show.INTERVAL),
                    Number(ref, Show.P_ADJUSTED),
                    Number(ref, Show.CONCLUSION),
                )
                for ref in refs[:MOST_ROWS]
            ),
            widths=(4, 1.2, 2, 1.1, 3),
        ),
        *((Paragraph(_MORE),) if len(refs) > MOST_ROWS else ()),
    )


def _identity(context: Context) -> tuple[tuple[str, str | Number | Code], ...]:
    material = context.material
    platform = material.platform
    rows: list[tuple[str, str | Number | Code]] = [
        ("Edition", EDITION_SENTENCES[context.edition]),
        ("Report", Code(material.report)),
        ("Drafted", material.created_at),
        ("Study", Code(str(material.study.get("id", "")))),
        ("Protocol executed", Code(material.protocol_digest)),
        ("Entry", Code(str(material.entry.get("code_name") or material.entry.get("id", "")))),
        ("Cohort", Code(str(material.cohort.get("root", "")))),
        ("Evidence", Code(str(material.evidence.get("digest", "")))),
        ("Issued by", str(platform.get("organisation") or "Proctor")),
        ("Independence and funding", str(platform.get("independence") or "Not stated.")),
    ]
    if f"{FLOW}.analysed" in context.results:
        rows.insert(6, ("Cases analysed", Number(f"{FLOW}.analysed")))
    return tuple(row for row in rows if not isinstance(row[1], Code) or row[1].text)
