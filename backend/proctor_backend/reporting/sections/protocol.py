"""What was agreed before the exam: intended use, hypotheses, endpoints, and what changed since."""

from collections.abc import Iterator, Mapping
from typing import Any

from proctor_backend.reporting.annex import SLOTS
from proctor_backend.reporting.blocks import (
    Block,
    Code,
    CoreSection,
    Facts,
    Grid,
    Heading,
    Items,
    Paragraph,
    Request,
)
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.numbers import criterion_text
from proctor_backend.reporting.words import ROLES, attribute, plain_words, quantity, scenario


def intended_use(context: Context) -> CoreSection:
    """Return intended use and device, from the locked protocol and the vendor's text."""
    plan = context.material.protocol
    claims = tuple(str(claim) for claim in plan.get("claims") or ())
    return CoreSection(
        "intended-use",
        "Intended use and device",
        (
            Paragraph("The parties locked this intended use together with the protocol."),
            Facts(
                (
                    ("Intended use", str(plan.get("intended_use") or "Not stated.")),
                    ("Device type", str(plan.get("device_type") or "Not stated.")),
                    ("Task", plain_words(str(plan.get("task", "")))),
                    ("Target population", _population(plan)),
                )
            ),
            *((Heading("Claims examined"), Items(claims)) if claims else ()),
            Request(
                of="vendor",
                what=SLOTS["device_description"],
                slot="device_description",
            ),
            Request(of="vendor", what=SLOTS["indications"], slot="indications"),
        ),
    )


def protocol(context: Context) -> CoreSection:
    """Return the locked plan, its signatures, amendments and deviations."""
    material = context.material
    return CoreSection(
        "protocol",
        "Protocol, amendments, deviations and looks",
        (
            Paragraph(
                "The protocol was locked by the digest and the signatures below before any case "
                "was staged for this evaluation. A criterion is judged by the bound of its "
                "interval, never by the estimate."
            ),
            Facts(_plan(material.protocol, material.protocol_digest)),
            Heading("Endpoints"),
            _endpoints(material.protocol),
            Heading("Signatures on the protocol"),
            *_signatures(context),
            *_changes("Amendments before the first staging", material.amendments),
            *_changes("Deviations after the first staging", material.deviations),
            *_looks(context),
        ),
    )


def _population(plan: Mapping[str, Any]) -> str:
    population = plan.get("target_population") or {}
    parts = [str(population.get("description") or "Not stated")]
    if population.get("prevalence") is not None:
        parts.append(f"prevalence {population['prevalence']:.1%}".replace("%", " %"))
    if population.get("source"):
        parts.append(f"source: {population['source']}")
    return "; ".join(parts)


def _plan(plan: Mapping[str, Any], digest: str) -> tuple[tuple[str, str | Code], ...]:
    hypotheses = plan.get("hypotheses") or {}
    estimand = plan.get("estimand") or {}
    standard = plan.get("reference_standard") or {}
    sampling = plan.get("sampling_design") or {}
    comparator = plan.get("comparator") or {}
    rows: list[tuple[str, Any]] = [
        ("Digest", Code(digest)),
        ("Null hypothesis", hypotheses.get("H0")),
        ("Alternative hypothesis", hypotheses.get("H1")),
        ("Margin, and its reason", _joined(hypotheses.get("margin"), hypotheses.get("reason"))),
        ("Significance level", plan.get("alpha")),
        ("Multiplicity", _multiplicity(plan.get("multiplicity") or {})),
        ("Unit of inference", plain_words(str(estimand.get("unit", "patient")))),
        ("Analysis population", estimand.get("analysis_population")),
        ("Sampling design", _joined(sampling.get("kind"), sampling.get("description"))),
        ("Reference standard", _joined(standard.get("version"), standard.get("description"))),
        ("Equivocal references", plain_words(str(standard.get("equivocal_rule") or "Not stated"))),
        (
            "Comparator",
            _joined(comparator.get("description"), comparator.get("source"))
            or "None: a standalone evaluation",
        ),
        ("Comparisons", "; ".join(_compared(plan))),
        ("Rerun rule", plain_words(str(plan.get("rerun_rule") or "platform failures only"))),
    ]
    return tuple(
        (name, fact if isinstance(fact, Code) else str(fact))
        for name, fact in rows
        if fact not in {None, ""}
    )


def _compared(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield each declared comparison with its hypothesis and margin."""
    for endpoint in plan.get("endpoints") or ():
        compared = endpoint.get("comparison")
        if compared is None:
            continue
        text = f"{endpoint['id']} against {compared['against']}"
        if compared.get("hypothesis"):
            text += f", {plain_words(str(compared['hypothesis'])).lower()}"
        if compared.get("margin") is not None:
            text += f", margin {compared['margin']:g}"
        yield f"{text} ({compared['reason']})" if compared.get("reason") else text


def _joined(*parts: Any) -> str:
    return "; ".join(plain_words(str(part)) for part in parts if part not in {None, ""})


def _multiplicity(plan: Mapping[str, Any]) -> str:
    families = ", ".join(
        f"{family.get('id')} by {str(family.get('method')).capitalize()}"
        for family in plan.get("families") or ()
    )
    primary = plain_words(str(plan.get("primary") or "co_primary"))
    return f"primary endpoints: {primary.lower()}" + (f"; families: {families}" if families else "")


def _endpoints(plan: Mapping[str, Any]) -> Grid:
    return Grid(
        columns=("Endpoint", "Role", "Definition", "Criterion", "Missing outputs"),
        rows=tuple(
            (
                quantity(str(endpoint["metric"]), endpoint.get("parameters") or {})
                + (f" of {endpoint['target']}" if endpoint.get("target") else "")
                + (
                    f" at “{endpoint['operating_point']}”"
                    if endpoint.get("operating_point")
                    else ""
                ),
                str(endpoint.get("role", "")),
                str(endpoint.get("definition") or ""),
                criterion_text({**endpoint, "id": endpoint["id"], "quantity": endpoint["metric"]}),
                scenario(str(endpoint.get("itd_rule") or "exclude")),
            )
            for endpoint in plan.get("endpoints") or ()
        ),
        widths=(2.2, 1.1, 3.4, 1.9, 1.8),
    )


def _signatures(context: Context) -> tuple[Block, ...]:
    rows = tuple(
        (
            ROLES.get(str(row.get("role")), str(row.get("role"))),
            "Named in the annex" if row.get("role") == "vendor_regulatory" else _name(row),
            str(row.get("meaning", "")),
            str(row.get("at", "")),
        )
        for row in context.material.signatures
    )
    if not rows:
        return (Paragraph("No signature was handed to this report."),)
    return (
        Grid(columns=("Role", "Name", "Meaning", "Time (UTC)"), rows=rows, widths=(2, 2, 3, 2.4)),
    )


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("person_name") or row.get("person") or "")


def _changes(title: str, changes: Any) -> tuple[Block, ...]:
    if not changes:
        return (Heading(title), Paragraph("None."))
    rows = tuple(
        (
            str(change.get("at") or change.get("created_at") or ""),
            str(change.get("severity") or "amendment"),
            str(change.get("text") or change.get("reason") or ""),
        )
        for change in changes
    )
    return (
        Heading(title),
        Grid(columns=("Time (UTC)", "Kind", "What and why"), rows=rows, widths=(2, 1, 5)),
    )


def _looks(context: Context) -> tuple[Block, ...]:
    looks = context.material.looks
    heading = Heading("Prior looks at the hidden cohort")
    if not looks:
        return (
            heading,
            Paragraph("The exposure ledger holds no look by any entry before this one."),
        )
    rows = tuple(
        (
            str(look.get("at") or look.get("created_at") or ""),
            Code(str(look.get("entry") or look.get("code_name") or "")),
            plain_words(str(look.get("what") or look.get("kind") or "")),
            str(look.get("bits", "")),
        )
        for look in looks
    )
    return (
        heading,
        Paragraph("Every answer that left towards a vendor is counted, with the most it can tell."),
        Grid(
            columns=("Time (UTC)", "Entry", "What left", "Bits at most"),
            rows=rows,
            widths=(2, 3, 2, 1),
        ),
    )


def group_names(plan: Mapping[str, Any]) -> str:
    """Return the declared attributes as one phrase."""
    names = []
    for group in plan.get("subgroups") or ():
        parts = group["attribute"] if isinstance(group["attribute"], list) else [group["attribute"]]
        names.append(" and ".join(attribute(str(part)).lower() for part in parts))
    return ", ".join(names) or "none"
