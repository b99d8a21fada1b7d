"""How the numbers were made, written from what ran."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.reporting.blocks import (
    Block,
    CoreSection,
    Facts,
    Grid,
    Heading,
    Number,
    Paragraph,
    Show,
)
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.counts import FLOW
from proctor_backend.reporting.sections.summary import primary_endpoints
from proctor_backend.reporting.words import plain_words, quantity


def methods(context: Context) -> CoreSection:
    """Return the statistical methods and the planned against the reached sample size."""
    material = context.material
    blocks: list[Block] = [
        Paragraph(
            "The patient is the unit of inference: where a patient has more than one case, a "
            "clustered method was used. Every estimate has a two-sided interval, named by its "
            "method. Scores were used as the device emitted them; ties count as midranks. Draws "
            "come from seeds in the locked protocol."
        ),
        _used(context),
        Heading("Sample size, planned and reached"),
        Facts(_sample_size(context)),
        Heading("Seeds and resamples"),
        Facts(_seeds(material.protocol)),
    ]
    return CoreSection("methods", "Statistical methods", tuple(blocks))


def _used(context: Context) -> Grid:
    listed = context.material.measurement.get("methods") or ()
    if listed:
        return Grid(
            columns=("Quantity", "Method", "Reference test"),
            rows=tuple(_method_row(row) for row in listed),
            widths=(2, 3, 1.4),
        )
    used: dict[str, str] = {}
    for row in context.shown():
        method = (row.get("interval") or {}).get("method")
        if method:
            used.setdefault(str(method), str(row["id"]))
    return Grid(
        columns=("Interval method", "First used for"),
        rows=tuple((method, Number(ref, Show.LABEL)) for method, ref in used.items()),
    )


def _method_row(row: Mapping[str, Any]) -> tuple[str, str, str]:
    name = str(row.get("quantity") or row.get("what") or "")
    return quantity(name), str(row.get("method") or ""), str(row.get("reference_test") or "none")


def _sample_size(context: Context) -> tuple[tuple[str, str | Number], ...]:
    plan = context.material.protocol.get("sample_size") or {}
    rows: list[tuple[str, str | Number]] = [
        (plain_words(name), str(plan[name]))
        for name in ("assumptions", "planned_n", "planned_positive", "power")
        if plan.get(name) is not None
    ]
    if f"{FLOW}.analysed" in context.results:
        rows.append(("Analysed cases", Number(f"{FLOW}.analysed")))
    rows += [
        (f"With the condition, {row['id']}", Number(str(row["id"]), Show.N_POSITIVE))
        for row in primary_endpoints(context)
    ]
    return tuple(rows) or (("Planned", "Not stated."),)


def _seeds(plan: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    rows = [(plain_words(name), str(seed)) for name, seed in (plan.get("seeds") or {}).items()]
    if plan.get("resamples"):
        rows.append(("Resamples", str(plan["resamples"])))
    return tuple(rows) or (("Seeds", "None were needed."),)
