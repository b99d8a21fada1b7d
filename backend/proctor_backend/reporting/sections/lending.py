"""What the data partner lends and how: terms, overridden findings, versions, reference queries."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.reporting.blocks import (
    Agreement,
    Block,
    Facts,
    Grid,
    Heading,
    Paragraph,
    ReferenceQueries,
)
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.words import attribute, plain_words

# What a description may settle of the ingest; `made_safe` tells what of it matters here.
PLAN_SETTINGS = ("deidentify", "canonical", "reference_labels", "raters", "overrides")
_BURNED_IN = {
    "keep": "nobody looked for it",
    "quarantine": "looked for; a picture with text waits for a person",
    "blank": "looked for, and painted over",
}
_SCOPES = {"study": "This study alone", "vendor_org": "This vendor alone"}


def terms(context: Context) -> tuple[Block, ...]:
    """Return the terms under which this study uses the cohort, and who accepted them."""
    found = context.material.cohort.get("terms")
    if not found:
        return ()
    rows = [
        ("For", _SCOPES.get(next(iter(found.get("scope") or {}), ""), "Every study on the cohort")),
        ("Tasks allowed", ", ".join(plain_words(str(task)) for task in found["allowed_tasks"])),
        ("Evaluations allowed", str(found["max_evaluations"])),
        ("Until", str(found["expires_at"])),
        ("Least patients in a group shown", str(found.get("min_patients") or 0)),
        ("Least count in a cell shown", str(found.get("min_cell") or 0)),
    ]
    if accepted := found.get("accepted"):
        rows.append(("Accepted", f"{accepted['person_name']}, {accepted['at'][:10]}"))
    # The agreement's text may name the vendor: it joins after the review.
    blocks: list[Block] = [
        Heading("Terms of the data partner"),
        Facts(tuple(rows)),
        Agreement(),
    ]
    if context.rule.precision is not None:
        blocks.append(
            Paragraph(
                f"Numbers in this edition have at most {context.rule.precision} significant "
                "digits, as the terms ask; conclusions were drawn from the exact ones."
            )
        )
    return tuple(blocks)


def made_safe(context: Context) -> tuple[Block, ...]:
    """Return how files were de-identified, where a cohort has files."""
    cohort = context.material.cohort
    chosen = cohort.get("deidentification")
    if not chosen or not cohort.get("forms"):
        return ()
    options = ", ".join(str(one).replace("_", " ") for one in chosen.get("options") or ())
    rows = (
        ("De-identification", "Basic Profile of DICOM's confidentiality profiles"),
        ("Options of the profile", options or "none"),
        ("Text in pictures", _BURNED_IN.get(str(chosen.get("burned_in")), "not told")),
        ("Faces in head volumes", "removed" if chosen.get("faces") == "remove" else "kept"),
    )
    return (Facts(rows),)


def held_back(context: Context) -> tuple[Block, ...]:
    """Return which findings on the cohort its partner overrode and why, and what confounds."""
    cohort = context.material.cohort
    blocks: list[Block] = []
    if cohort.get("prepared"):
        blocks.append(
            Paragraph(
                "The data partner prepared this cohort on its own machine. Files, lists, counts "
                "and root were made again here from what was received; what was de-identified, "
                "left out or found there is the partner's own statement."
            )
        )
    if overrides := cohort.get("overrides"):
        said = {one["key"]: one for one in cohort.get("findings") or ()}
        columns = ("Finding", "Reason of the data partner", "By", "On")
        blocks += [
            Heading("Findings that the data partner overrode"),
            Paragraph(
                "The quality report or the leak audit held the cohort back for each of these; "
                "the data partner let it be used all the same."
            ),
            Grid(
                columns=columns,
                rows=tuple(_override(context, one, said) for one in overrides),
                widths=(3, 4, 2, 1.3),
            ),
        ]
    if confounders := cohort.get("confounders"):
        names = ", ".join(attribute(str(name)).lower() for name in confounders)
        blocks.append(
            Paragraph(
                f"Warning of confounding: in this cohort the reference standard goes with {names}."
            )
        )
    return tuple(blocks)


def versions(context: Context) -> tuple[Block, ...]:
    """Return which version of the cohort this is, and how many patients were taken out of it."""
    cohort = context.material.cohort
    gone = cohort.get("tombstones") or ()
    rows = [("Version of the cohort", str(cohort.get("version") or 1))]
    if gone:
        patients = sum(int(one["patients"]) for one in gone)
        rows.append(("Patients withdrawn before", f"{patients}, the last on {gone[-1]['at'][:10]}"))
    blocks: list[Block] = [Facts(tuple(rows))]
    if changes := cohort.get("reference_changes"):
        changed, wrong = int(changes["changed"]), int(changes["questioned_as_errors"])
        text = f"This version changed the reference standard of {changed} cases"
        if context.edition == "full" and wrong == changed:
            text += (
                ", each of them questioned because a device differed from it. A reference standard "
                "that is mended there alone favours the device"
            )
        if context.edition == "full":
            blocks.append(Paragraph(f"{text}."))
    return tuple(blocks)


def queries(context: Context) -> tuple[Block, ...]:
    """Return the reviewers' questions; the vendor learns nothing of them."""
    if context.edition != "full":
        return ()
    return (Heading("Questions on the reference standard"), ReferenceQueries())


def _override(
    context: Context, override: Mapping[str, Any], findings: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    # A finding's message counts cases, as exactly as only the full edition may.
    finding = findings.get(override["finding"], {})
    message = str(finding.get("message") or "") if context.edition == "full" else ""
    name = f"{override['finding']}: {message}" if message else str(override["finding"])
    return (name, str(override["reason"]), str(override["person_name"]), override["at"][:10])
