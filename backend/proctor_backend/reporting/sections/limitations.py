"""What the results do not say, derived from what was done; the vendor's words stand beside."""

from collections.abc import Iterator

from proctor_backend.reporting.annex import SLOTS
from proctor_backend.reporting.blocks import CoreSection, Items, Paragraph, Request
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.sections.protocol import group_names

# FDA's draft guidance on AI-enabled devices names this number as its example.
FEWEST_SITES = 3


def limitations(context: Context) -> CoreSection:
    """Return the limitations that follow from the record."""
    return CoreSection(
        "limitations",
        "Limitations",
        (
            Paragraph(
                "These limitations follow from what was recorded, and stand in every edition."
            ),
            Items(tuple(derived(context))),
            Request(
                of="vendor",
                what=SLOTS["limitations"],
                slot="limitations",
            ),
        ),
    )


def derived(context: Context) -> Iterator[str]:
    """Yield one sentence per limitation."""
    material = context.material
    plan, cohort = material.protocol, material.cohort
    if not plan.get("comparator"):
        yield (
            "Standalone evaluation: the effect on the people who use the device was not measured. "
            "Where a reader study is normally expected, this report does not replace it."
        )
    sites = _site_count(cohort.get("sites"))
    if sites is not None and sites < FEWEST_SITES:
        yield (
            "Fewer than three sites: the results may not carry over to other places, and "
            "differences between sites cannot be told apart from differences between patients."
        )
    yield from _sampling(context)
    yield from _internal(context)
    yield (
        "Staged input: the device saw the files and fields that the input profile grants; in "
        "clinical use it may see more, and may behave differently."
    )
    yield (
        "Groups that the protocol does not name were not examined; the attributes declared are: "
        f"{group_names(plan)}."
    )
    if material.deviations:
        yield "Deviations from the protocol occurred; they are listed with it."
    if material.looks:
        yield "The hidden cohort was examined before; the looks are listed with the protocol."
    if material.demonstration:
        yield (
            "Demonstration: data, roles and parties of this report serve to show the platform; no "
            "conclusion about any device may be drawn from it."
        )


def _site_count(sites: object) -> int | None:
    if isinstance(sites, int):
        return sites
    return len(sites) if isinstance(sites, list | tuple | dict) else None


def _sampling(context: Context) -> Iterator[str]:
    kind = str((context.material.protocol.get("sampling_design") or {}).get("kind") or "")
    if kind != "consecutive":
        yield (
            f"Spectrum: sampling was {kind.replace('_', '-') or 'not stated'}, not consecutive. "
            "The area under the curve and the error rates depend on the mix of patients, and "
            "quantities that depend on prevalence hold only where weights or a target prevalence "
            "are given."
        )


def _internal(context: Context) -> Iterator[str]:
    cohort = context.material.cohort
    description = cohort.get("description")
    if "internal" in str(description).lower():
        yield (
            "Internal validation: the hidden cases come from the same source as the data on which "
            "the model was developed; performance elsewhere may be lower."
        )
    if cohort.get("visibility") == "public" or "public" in str(description).lower():
        yield (
            "Public data: the cohort can be obtained by anyone, so that it cannot be shown to "
            "have been hidden from the vendor."
        )
