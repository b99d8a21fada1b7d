"""Stop 13: every edition in every format, once, and the statement that is to be signed."""

import json
from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event, public_view
from proctor_backend.domain.cohort import terms_of
from proctor_backend.domain.keys import evidence_key
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.review import EDITIONS
from proctor_backend.domain.states import ReportState
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Doc, Move, Records
from proctor_backend.reporting.annex import join_annex
from proctor_backend.reporting.disclosure import rule_for
from proctor_backend.reporting.editions import cut_edition, released_cells
from proctor_backend.reporting.render import render_edition
from proctor_backend.reporting.seal import build_statement
from proctor_backend.services.queries import summary
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_sdk.evidence_files import WITHDRAWN, withdrawn_document
from proctor_workers.tools import Tools

# Whose audit chains an edition carries: the entry's tells of shards, which only insiders may count.
CHAINS = {"full": ("study", "entry"), "submission": ("study",), "public": ("study",)}

# The evidence of the full edition, each file by its digest in the body that was approved.
EVIDENCE = {"observations.parquet": "observations", "reference.parquet": "reference",
            "results.json": "results"}  # fmt: skip


def render_report(tools: Tools, report: dict[str, Any]) -> None:
    """Render a cleared report.

    1. the approved body, and the vendor's annex
    2. each edition, cut and rendered
    3. what goes along: the audit extract, and with the full edition the evidence
    4. the statement over all of it, for the signer
    """
    records, store = tools.records, tools.store
    approved = report["body_digest"]
    body = json.loads(records.get_file(f"body:{approved}", digest=approved))  # 1
    entry = records.get("entries", report["entry"])
    model = entry["manifest"]["model"] | {"vendor": report["vendor_name"]}
    annex = join_annex(model, report.get("annex") or {})
    cohort = records.get("cohorts", report["cohort"])
    version = {"study": report["study"], "version": entry["protocol_version"]}
    protocol = records.find("protocols", version)[0]["protocol"]
    terms = terms_of(cohort, records.get("studies", report["study"])) or {}
    since = {
        "queries": summary(records, report["_id"]),
        "withdrawn": report.get("withdrawn"),
        "terms": terms,
    }
    documents, renderings = {}, {}
    for edition in EDITIONS:  # 2
        rule = rule_for(edition, protocol, terms)  # they may have tightened since
        documents[edition] = cut_edition(
            body, annex, report["salts"], edition, rule, approvals=report["approvals"], since=since
        )
        renderings[edition] = render_edition(documents[edition])
    extras = _extras(records, store, report, body["evidence"])  # 3
    statement = _statement(entry, report, body, annex, renderings, extras)  # 4
    content = canonical_bytes(statement)
    statement_digest = digest(content)
    records.put_file(f"statement:{statement_digest}", content)
    for edition in EDITIONS:
        _keep(records, report, edition, renderings[edition], extras)
    cells = [cell for document in documents.values() for cell in released_cells(document)]
    records.put_file(f"cells:{statement_digest}", canonical_bytes(cells))
    records.commit(
        Move(
            "reports", report["_id"], ReportState.RENDERED, {"statement_digest": statement_digest}
        ),
        event=Event(
            kind="report.rendered",
            chain=report["entry"],
            actor="worker:render",
            public={"report": report["_id"], "statement": statement_digest},
        ),
        messages=[Message(Task.SIGN, report["_id"])],
    )


def _extras(
    records: Records,
    store: ObjectStore,
    report: Mapping[str, Any],
    evidence: Mapping[str, str],
) -> dict[str, dict[str, bytes]]:
    """Return edition → path in its package → bytes."""
    events = {name: _events(records, report[name]) for name in ("study", "entry")}
    extras: dict[str, dict[str, bytes]] = {}
    for edition in EDITIONS:
        told = [event for name in CHAINS[edition] for event in events[name]]
        extras[edition] = {"audit.json": canonical_bytes({"events": told})}
    if marks := report.get("withdrawn"):
        extras["full"][f"evidence/{WITHDRAWN}"] = withdrawn_document(marks)
    # What tells of single cases does not leave once it lacks some.
    for name, part in EVIDENCE.items() if not marks else ():
        digest_ = evidence[part].removeprefix("sha256:")
        content = store.get("artefacts", evidence_key(report["evaluation"], name), sha256=digest_)
        extras["full"][f"evidence/{name}"] = content
    document = records.get_file(f"evidence:{evidence['digest']}", digest=evidence["digest"])
    extras["full"]["evidence/evidence.json"] = document
    return extras


def _events(records: Records, chain: str) -> list[Doc]:
    found = records.iterate("audit_events", {"chain": chain}, "seq")
    return [public_view(event) for event in found]


def _statement(
    entry: Mapping[str, Any],
    report: Mapping[str, Any],
    body: Mapping[str, Any],
    annex: Mapping[str, Any],
    renderings: Mapping[str, Mapping[str, bytes]],
    extras: Mapping[str, Mapping[str, bytes]],
) -> Doc:
    # The statement goes to everybody, so it heads the study's chain only; the length of the
    # entry's chain tells of shards. That chain is signed as the full edition's own file.
    heads = {}
    for event in json.loads(extras["public"]["audit.json"])["events"]:
        heads[event["chain"]] = {"seq": event["seq"], "head": event["digest"]}
    return build_statement(
        body=body,
        annex=annex,
        renderings=renderings,
        approvals=report["approvals"],
        audit_heads=heads,
        image_digest=entry["image"]["config_digest"],
        manifest_digest=entry["manifest_digest"],
        extras={f"{e}/{path}": data for e, files in extras.items() for path, data in files.items()},
    )


def _keep(
    records: Records,
    report: Mapping[str, Any],
    edition: str,
    renderings: Mapping[str, bytes],
    extras: Mapping[str, Mapping[str, bytes]],
) -> None:
    """Keep an edition's files by name; a rendering repeated after a crash replaces them whole."""
    kept = {f"{kind}": data for kind, data in renderings.items()} | dict(extras[edition])
    for path, data in kept.items():
        records.replace_file(f"edition:{report['_id']}:{edition}:{path}", data)
