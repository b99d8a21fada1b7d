"""Assembles the body: everything reviewers approve, without the vendor's text, as one document."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.reporting.context import Context, all_results, build_context
from proctor_backend.reporting.disclosure import EDITIONS
from proctor_backend.reporting.material import DraftMaterial
from proctor_backend.reporting.plugin import check_sections
from proctor_backend.reporting.precision import coarse
from proctor_backend.reporting.sections import CLIENT_AFTER, SECTIONS_VERSION, core_sections
from proctor_sdk import merkle
from proctor_sdk.canonical import canonical_bytes, sha256_hex
from proctor_sdk.report import Paragraph, Section

SALT_BYTES = 32


def new_salts(material: DraftMaterial) -> list[str]:
    """Return one random salt per leaf; kept with the report's record, never in the body.

    A salt lets an edition prove the results it shows, while a withheld one cannot be guessed from
    its leaf.
    """
    count = len(all_results(material)) + len(_coarse_results(material))
    return [secrets.token_hex(SALT_BYTES) for _ in range(count)]


def leaf(result: Mapping[str, Any], salt: str) -> str:
    """Return the Merkle leaf of one salted result."""
    return merkle.leaf_hash(canonical_bytes({"salt": salt, "result": result}))


def assemble_body(
    material: DraftMaterial,
    plugin_sections: Sequence[Mapping[str, Any]] = (),
    *,
    salts: Sequence[str],
    client_missing: str = "",
) -> dict[str, Any]:
    """Return the body: results, their root, and the sections and figures of every edition.

    `client_missing` says why the client's own section could not be made, if it could not.

    Raises:
        InvalidInputError: the plugin's sections break the rules.
    """
    results, coarse_results = all_results(material), _coarse_results(material)
    told = (*results, *coarse_results)
    leaves = [leaf(row, salt) for row, salt in zip(told, salts, strict=True)]
    client = check_sections(plugin_sections, material)
    if client_missing:
        client = {edition: [_missing(client_missing)] for edition in client}
    contexts = [build_context(material, edition) for edition in EDITIONS]
    return {
        "schema": 1,
        "sections_version": SECTIONS_VERSION,
        "report": material.report,
        "created_at": material.created_at,
        "title": str(material.protocol.get("title") or material.study.get("title") or ""),
        "demonstration": material.demonstration,
        "study": {name: material.study.get(name) for name in ("id", "title", "code_name")},
        "protocol_digest": material.protocol_digest,
        "cohort": {name: material.cohort.get(name) for name in ("id", "version", "root")},
        "entry": {name: material.entry.get(name) for name in ("id", "code_name", "digests")},
        "evaluation": dict(material.evaluation),
        "evidence": dict(material.evidence),
        # From the salts, which an edition shows only beside what it shows: without it, a body's
        # public digest would let everything withheld be guessed and tried.
        "salt": sha256_hex("".join(salts).encode()),
        "results_root": merkle.root(leaves),
        "results": results,
        # As the editions that leave tell them where the terms limit the digits, in the same order.
        "coarse_results": coarse_results,
        "editions": {one.edition: _edition(one, client[one.edition]) for one in contexts},
    }


def _coarse_results(material: DraftMaterial) -> list[dict[str, Any]]:
    digits = (material.cohort.get("terms") or {}).get("precision")
    return [] if digits is None else [coarse(row, digits) for row in all_results(material)]


def _missing(reason: str) -> dict[str, Any]:
    text = f"The section that the client's plugin was to make is missing. {reason}"
    blocks = (Paragraph(text),)
    return Section(id="client-missing", title="Client's section", blocks=blocks).as_dict()


def _edition(context: Context, client: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sections: list[Mapping[str, Any]] = []
    for section in core_sections(context):
        sections.append(section.as_dict())
        if section.id == CLIENT_AFTER:
            sections += client
    return {
        "sections": sections,
        "figures": [dict(figure) for figure in context.figures],
        "withheld": sorted(context.withheld),
        "rule": context.rule.as_dict(),
    }
