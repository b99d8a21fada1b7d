"""Cuts an edition out of the approved body; checks disclosure once more on what it hands out."""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.errors import TamperedError
from proctor_backend.reporting.annex import annex_for
from proctor_backend.reporting.body import leaf
from proctor_backend.reporting.context import may_draw
from proctor_backend.reporting.disclosure import Rule, factor_of, withheld_ids
from proctor_backend.reporting.precision import coarse, is_of_digits
from proctor_backend.reporting.words import is_of_acquisition
from proctor_sdk import merkle
from proctor_sdk.canonical import canonical_bytes, digest

# To which results are quantised before they are hashed.
EXACT_DIGITS = 10
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
    since: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the edition's document: shown results with proofs, withheld ones as bare leaves.

    `disclosure` may tighten what the body withholds, as when a partner's terms changed before the
    edition was cleared; it never loosens it. `since` is what came after the body was approved:
    `queries` on the reference standard, counted, for the full edition alone (the vendor learns
    nothing of them), `withdrawn`, the marks of patients who were withdrawn, and `terms`, whose
    agreement may name the vendor.

    Raises:
        TamperedError: the body's results do not lead to its root.
    """
    results, part = body["results"], body["editions"][edition]
    told = (*results, *body.get("coarse_results", ()))
    leaves = [leaf(row, salt) for row, salt in zip(told, salts, strict=True)]
    if merkle.root(leaves) != body["results_root"]:
        raise TamperedError("The results and salts of this report do not lead to its root.")
    rule = Rule.from_dict(part["rule"])
    if disclosure is not None:
        rule = rule.joined(disclosure)
    # Where the terms limit digits, an edition that leaves tells the coarse form of each result.
    first = len(results) if len(told) > len(results) and rule.precision is not None else 0
    offered = told[first : first + len(results)]
    hidden = set(part["withheld"]) | withheld_ids(results, rule)
    # Terms that allow still fewer digits since then leave only what is of so few already.
    hidden |= {row["id"] for row in offered if coarse(row, rule.precision) != row}
    shown = {first + i for i, row in enumerate(offered) if row["id"] not in hidden}
    proofs = merkle.proofs(leaves)
    return {name: body[name] for name in COPIED} | {
        "schema": 1,
        "edition": edition,
        "body_digest": digest(canonical_bytes(body)),
        "rule": rule.as_dict(),
        "results": [
            {"result": told[i], "salt": salts[i], "index": i, "proof": proofs[i]}
            for i in sorted(shown)
        ],
        "withheld": [
            {"index": i, "leaf": leaves[i], "id": row["id"], "quantity": row["quantity"],
             # Levels of the acquisition stand in no protocol: not even their names are told.
             "group": None if is_of_acquisition(row) else row.get("group"),
             "factor": factor_of(row)}
            for i, row in enumerate(told)
            if i not in shown
        ],
        "sections": part["sections"],
        "figures": [
            figure
            for figure in part["figures"]
            if may_draw(figure, rule, edition) and is_of_digits(figure.get("data"), rule.precision)
        ],
        "annex": annex_for(annex, edition),
        "approvals": [dict(row) for row in approvals],
        "queries": (since or {}).get("queries") if edition == "full" else None,
        "agreement": _agreement((since or {}).get("terms"), edition),
        "withdrawn": [dict(mark) for mark in (since or {}).get("withdrawn") or ()],
    }  # fmt: skip


def _agreement(terms: Mapping[str, Any] | None, edition: str) -> dict[str, str]:
    names = ("agreement", "contact") if edition != "public" else ("agreement",)
    return {name: str(terms[name]) for name in names} if terms else {}


def released_cells(edition_document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what this release tells of every cell, for the ledger that later releases consult."""
    cohort = edition_document["cohort"].get("id")
    digits = edition_document["rule"].get("precision") or EXACT_DIGITS

    def cell(row: Mapping[str, Any], *, shown: bool) -> dict[str, Any]:
        return {
            "cohort": cohort,
            "report": edition_document["report"],
            "edition": edition_document["edition"],
            "result": row["id"],
            "group": row.get("group"),
            "quantity": row["quantity"],
            "disclosed": "shown" if shown else "withheld",
            "precision": digits if shown else 0,
        }

    shown = [cell(entry["result"], shown=True) for entry in edition_document["results"]]
    told = {one["result"] for one in shown}
    withheld = {one["id"]: one for one in edition_document["withheld"] if one["id"] not in told}
    return shown + [cell(entry, shown=False) for entry in withheld.values()]
