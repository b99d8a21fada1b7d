"""Where the model and the measurement ran, and what it takes to get the results again."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.reporting.annex import SLOTS
from proctor_backend.reporting.blocks import (
    Cell,
    Code,
    CoreSection,
    Facts,
    Heading,
    Paragraph,
    Request,
)
from proctor_backend.reporting.context import Context
from proctor_backend.reporting.words import plain_words


def environment(context: Context) -> CoreSection:
    """Return run environment, digests and versions."""
    material = context.material
    evaluation = material.evaluation
    run = {
        name: evaluation[name] for name in ("runtime", "device", "limits") if evaluation.get(name)
    }
    return CoreSection(
        "environment",
        "Environment and evidence",
        (
            Paragraph(
                "The evidence holds the digests and settings from which the results can be "
                "recomputed; under the same worker image and processor features the bytes "
                "are equal."
            ),
            Heading("The run"),
            Facts(_facts(run)),
            Heading("Digests"),
            Facts(_facts({**material.entry.get("digests", {}), **_digests(material.evidence)})),
            Heading("Operating points, as locked"),
            Facts(_operating_points(material.manifest)),
            Heading("Versions that measured"),
            Facts(_facts(material.measurement.get("versions") or {})),
            Request(
                of="vendor",
                what=SLOTS["cybersecurity"],
                slot="cybersecurity",
            ),
        ),
    )


def _digests(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in evidence.items()
        if isinstance(value, str) and ("digest" in name or value.startswith("sha256:"))
    }


def _facts(values: Mapping[str, Any]) -> tuple[tuple[str, Cell], ...]:
    rows: list[tuple[str, Cell]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += [(f"{plain_words(name)}: {key}", str(part)) for key, part in value.items()]
        elif str(value).startswith("sha256:"):
            rows.append((plain_words(str(name)), Code(str(value))))
        else:
            rows.append((plain_words(str(name)), str(value)))
    return tuple(rows) or (("Recorded", "nothing"),)


def _operating_points(manifest: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    rows = []
    for point in manifest.get("operating_points") or ():
        rule = f"score {point.get('comparator', '>=')} {point.get('threshold')}"
        chosen = f"; chosen: {point['chosen']}" if point.get("chosen") else ""
        rows.append((str(point.get("id")), rule + chosen))
    return tuple(rows) or (("Operating points", "None: the device gives scores only."),)
