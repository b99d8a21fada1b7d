"""Who could see what: masking, sequestration and the custody of hidden data and of the model."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.reporting.blocks import CoreSection, Facts, Grid, Heading, Items, Paragraph
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.sections import lending

_STATEMENTS = (
    (
        "The vendor never had access to the hidden cohort, to its reference standard, to logs of "
        "the hidden run, or to results of single cases."
    ),
    (
        "The model ran in a sealed container: no network, a read-only file system, no "
        "capabilities, its own user, cases under names that two runs do not share."
    ),
    (
        "The reference standard lies under other credentials than the cases; the process that ran "
        "the model holds no key to either."
    ),
    (
        "Reviewers read the results without the name or the text of the vendor, and signed before "
        "these were joined."
    ),
    (
        "Cases reached the model in an order that carries no information, and at most as many at "
        "a time as the protocol's window allows."
    ),
)


def custody(context: Context) -> CoreSection:
    """Return the masking and custody statement."""
    evaluation = context.material.evaluation
    told = str if context.edition == "full" else _coarse
    return CoreSection(
        "custody",
        "Masking and custody",
        (
            Items(_STATEMENTS),
            Facts(
                (
                    ("Window", str(evaluation.get("window", "Not recorded"))),
                    ("Isolation", str(evaluation.get("isolation", "Not recorded"))),
                    ("Attempts", str(evaluation.get("attempts", "Not recorded"))),
                    ("Container restarts", told(evaluation.get("restarts", "Not recorded"))),
                    ("Run started", told(evaluation.get("started", "Not recorded"))),
                    ("Run finished", told(evaluation.get("finished", "Not recorded"))),
                )
            ),
            Heading("Staged and clinical input"),
            *_input_differences(context),
            Heading("Training data and this cohort"),
            *_independence(context),
            *lending.terms(context),
            *lending.queries(context),
        ),
    )


def _coarse(value: Any) -> str:
    """Tell the day, and whether there were restarts: a model could speak by its pace."""
    if isinstance(value, int):
        return "Some" if value else "None"
    return str(value) if value == "Not recorded" else str(value)[:10]


def _input_differences(context: Context) -> tuple[Paragraph | Grid, ...]:
    profile = context.material.protocol.get("input_profile") or {}
    granted = [str(name) for name in (*profile.get("attributes", ()), *profile.get("headers", ()))]
    text = (
        "A staged case carries the files and the fields that the protocol's input profile grants, "
        "and nothing else; all other header fields that a device sees in clinical use are absent."
    )
    if not granted:
        return (Paragraph(text), Paragraph("The profile grants no further field."))
    return (
        Paragraph(text),
        Grid(columns=("Granted field",), rows=tuple((name,) for name in granted)),
    )


_COUNTS = {
    "any_way": "Patients in the training data by any of these",
    "alike": "Patients by an image, identical or alike",
    "identical": "Patients by an identical image",
}


def _independence(context: Context) -> tuple[Paragraph | Facts, ...]:
    """Say whether training images were compared with the cohort, how, and what was counted."""
    found = context.material.independence
    if found is None:
        return (
            Paragraph(
                "No comparison of the vendor's training images with this cohort was made; the "
                "independence of the two rests on the vendor's statement."
            ),
        )
    least = found["least"]
    return (
        Paragraph(
            "The vendor sent fingerprints of its training images, sealed to the worker that holds "
            "the data; they were compared there with those of the originals, taken before "
            "de-identification, and deleted. An image is identical if its bytes or its decoded "
            f"pixels are, and alike if perceptual hashes differ in at most {found['near']}, "
            "mirrored, turned or inverted; a case, if at least half of its images are. "
            + _named(found)
            + " What the vendor did not send cannot be found; cropped or strongly altered copies "
            "are not recognised."
            + ("" if found["complete"] else " Too many images look alike to compare all of them.")
        ),
        Facts(
            (
                ("Compared on", str(found["compared_at"])[:10]),
                ("Training files compared", str(found["images"])),
                *((text, _count(found["told"][name])) for name, text in _COUNTS.items()),
            )
        ),
        Paragraph(
            "A count is withheld if it, those left over, or its difference from another count that "
            f"is told would be of fewer than {least} patients; none counts as few. One that "
            "differs by less from what an earlier comparison told is told as that."
        ),
    )


def _named(found: Mapping[str, Any]) -> str:
    if not found["named_patients"]:
        return "The vendor named no patients."
    if not found["patients_known"]:
        return "Identifiers of patients could not be compared: only the partner holds their key."
    return "Identifiers of patients were compared where the vendor named them."


def _count(told: int | None) -> str:
    return "Withheld" if told is None else str(told)
