"""Cuts an edition out of the approved body; checks disclosure once more on what it hands out."""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.errors import TamperedError
from proctor_backend.reporting.annex import annex_for
from proctor_backend.reporting.body import leaf
from proctor_backend.reporting.context import may_draw
from proctor_backend.reporting.disclosure import Rule, factor_of, withheld_ids
from proctor_sdk import merkle
from proctor_sdk.canonical import canonical_bytes, digest

COPIED = ("report", "created_at", "title", "demonstration", "study", "protocol_digest", "cohort",
          "results_root")  # fmt: skip


def cut_edition(
    body: Mapping[str, Any],
    annex: Mapping[str, Any] | None,
    salts: Sequence[str],
    edition: str,
    disclosure: Rule | None = None,
    *,
    approvals: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the edition's document: shown results with proofs, withheld ones as bare leaves.

    `disclosure` may tighten what the body withholds, as when a partner's terms changed before the
    edition was cleared; it never loosens it.

    Raises:
        TamperedError: the body's results do not lead to its root.
    """
    results, part = body["results"], body["editions"][edition]
    leaves = [leaf(row, salt) for row, salt in zip(results, salts, strict=True)]
    if merkle.root(leaves) != body["results_root"]:
        raise TamperedError("The results and salts of this report do not lead to its root.")
    rule = Rule.from_dict(part["rule"])
    if disclosure is not None:
        rule = rule.joined(disclosure)
    hidden = set(part["withheld"]) | withheld_ids(results, rule)
    proofs = merkle.proofs(leaves)
    return {name: body[name] for name in COPIED} | {
        "schema": 1,
        "edition": edition,
        "body_digest": digest(canonical_bytes(body)),
        "rule": rule.as_dict(),
        "results": [
            {"result": row, "salt": salts[i], "index": i, "proof": proofs[i]}
            for i, row in enumerate(results)
            if row["id"] not in hidden
        ],
        "withheld": [
            {"index": i, "leaf": leaves[i], "id": row["id"], "quantity": row["quantity"],
             "group": row.get("group"), "factor": factor_of(row)}
            for i, row in enumerate(results)
            if row["id"] in hidden
        ],
        "sections": part["sections"],
        "figures": [figure for figure in part["figures"] if may_draw(figure, rule, edition)],
        "annex": annex_for(annex, edition),
        "approvals": [dict(row) for row in approvals],
    }  # fmt: skip


def released_cells(edition_document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what this release tells of every cell, for the ledger that later releases consult."""
    cohort = edition_document["cohort"].get("id")

    def cell(row: Mapping[str, Any], *, shown: bool) -> dict[str, Any]:
        return {
            "cohort": cohort,
            "report": edition_document["report"],
            "edition": edition_document["edition"],
            "result": row["id"],
            "group": row.get("group"),
            "quantity": row["quantity"],
            "disclosed": "shown" if shown else "withheld",
            "precision": 10 if shown else 0,
        }

    shown = [cell(entry["result"], shown=True) for entry in edition_document["results"]]
    return shown + [cell(entry, shown=False) for entry in edition_document["withheld"]]
