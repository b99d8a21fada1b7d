"""Stop 10: from results to a body that reviewers can approve, with the client's own sections."""

import json
from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.audit import Event, public_view
from proctor_backend.domain.cohort import terms_of
from proctor_backend.domain.entry import slot_end
from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.ids import utc_at, utc_now
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.review import EDITIONS
from proctor_backend.domain.states import ComparisonState, EntryState, ReportState
from proctor_backend.records import Doc, Move, Records, Update
from proctor_backend.reporting.body import assemble_body, new_salts
from proctor_backend.reporting.editions import cut_edition
from proctor_backend.reporting.material import DraftMaterial
from proctor_backend.reporting.plugin import plugin_input
from proctor_backend.services.plugins import read_description
from proctor_backend.services.queries import reference_changes
from proctor_backend.services.versions import of_lineage
from proctor_backend.settings import Settings
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_workers.tools import Tools

MASKED = ("name", "vendor", "description", "training_data")


def draft_report(tools: Tools, report: dict[str, Any]) -> None:
    """Ask for the client's sections first, if the study has a plugin; else assemble the body."""
    records, settings = tools.records, tools.settings
    material = gather(records, settings, report)
    if report.get("plugin_digest") and report.get("sections_state") is None:
        _ask_for_sections(records, report, material)
        return
    slot_s = records.get("entries", report["entry"])["status_slot_s"]
    salts = new_salts(material)
    body, missing = _body(material, report, salts)
    body_digest = digest(canonical_bytes(body))
    records.put_file(f"body:{body_digest}", canonical_bytes(body))
    for edition in EDITIONS:
        preview = cut_edition(body, None, salts, edition)
        records.put_file(f"preview:{body_digest}:{edition}", canonical_bytes(preview))
    fields = {
        "body_digest": body_digest,
        "salts": salts,
        "sections_failure": missing,
        "conclusions": _conclusions(body),
        # The vendor hears of the report when it hears that the entry is decided, not before.
        "shown_at": utc_at(slot_end(utc_now(), slot_s)),
    }
    records.commit(
        Move("reports", report["_id"], ReportState.DRAFT, fields),
        Move("entries", report["entry"], EntryState.DECIDED),
        event=Event(
            kind="report.drafted",
            chain=report["entry"],
            actor="worker:draft",
            public={"report": report["_id"], "body_digest": body_digest},
        ),
    )


def gather(records: Records, settings: Settings, report: Mapping[str, Any]) -> DraftMaterial:
    """Return everything the report says, with the vendor masked."""
    entry = records.get("entries", report["entry"])
    study = records.get("studies", report["study"])
    cohort = records.get("cohorts", report["cohort"])
    results = report["results_digest"]
    version = {"study": study["_id"], "version": entry["protocol_version"]}
    protocol = records.find("protocols", version)[0]
    evaluation = records.get("evaluations", report["evaluation"])
    manifest = dict(entry["manifest"])
    manifest["model"] = {
        k: v for k, v in manifest["model"].items() if k not in (*MASKED, "version")
    }
    chosen = ("name", "version", "root", "cases", "patients", "sites", "description",
              "findings", "overrides", "confounders", "tombstones", "prepared", "forms",
              "deidentification")  # fmt: skip
    return DraftMaterial(
        report=report["_id"],
        created_at=report["created_at"],
        study={"id": study["_id"], "title": study["title"], "code_name": study["code_name"]},
        protocol=protocol["protocol"],
        protocol_digest=protocol["digest"],
        cohort={"id": cohort["_id"], "visibility": cohort["visibility"]}
        | {name: cohort.get(name) for name in chosen}
        | {
            "terms": terms_of(cohort, study),
            "reference_changes": reference_changes(records, cohort),
        },
        entry={
            "id": entry["_id"],
            "code_name": entry["code_name"],
            "digests": {
                "image": entry["image"]["config_digest"],
                "manifest": entry["manifest_digest"],
            },
        },
        manifest=manifest,
        evaluation=_evaluation(records, evaluation),
        measurement=json.loads(records.get_file(f"results:{results}", digest=results)),
        evidence={"digest": report["evidence_digest"], **evaluation["digests"]},
        signatures=[_masked(one) for one in study.get("signatures", ())],
        amendments=study.get("amendments", ()),
        deviations=[_deviation(d) for d in records.find("deviations", {"study": study["_id"]})],
        looks=_looks(records, entry, cohort),
        audit=[
            public_view(event)
            for chain in (study["_id"], entry["_id"])
            for event in records.iterate("audit_events", {"chain": chain}, "seq")
        ],
        platform={
            "organisation": settings.organisation,
            "independence": settings.independence,
        },
        independence=_independence(records, entry, cohort),
        demonstration=settings.demonstration,
    )


def _ask_for_sections(records: Records, report: Mapping[str, Any], material: DraftMaterial) -> None:
    plugin = report["plugin_digest"]
    bundle = records.get_file(f"bundle:{plugin}", digest=plugin)
    needs = read_description(bundle).get("needs") or ()
    fields = {"sections_state": "waiting", "sections_context": plugin_input(material, needs)}
    records.commit(
        Update("reports", report["_id"], fields, {"sections_state": None}),
        event=Event(
            kind="report.sections_asked",
            chain=report["entry"],
            actor="worker:draft",
            public={"report": report["_id"], "plugin_digest": report["plugin_digest"]},
        ),
        messages=[Message(Task.RUN_SECTIONS, report["_id"])],
    )


def _body(material: DraftMaterial, report: Mapping[str, Any], salts: list[str]) -> tuple[Doc, str]:
    """Return the body, and why the client's sections are missing, if they are."""
    failure = report.get("sections_failure", "")
    try:
        sections = report.get("sections") or ()
        return assemble_body(material, sections, salts=salts, client_missing=failure), failure
    except InvalidInputError as error:
        message = error.message
        return assemble_body(material, (), salts=salts, client_missing=message), message


def _evaluation(records: Records, evaluation: Mapping[str, Any]) -> Doc:
    shards = records.find("shards", {"evaluation": evaluation["_id"]})
    summaries = [shard.get("summary") or {} for shard in shards]
    first: Mapping[str, Any] = summaries[0] if summaries else {}
    attempts = {"entry": evaluation["entry"], "kind": "hidden"}
    return {
        "id": evaluation["_id"],
        "attempts": len(records.find("evaluations", attempts)),
        "window": evaluation["window"],
        "isolation": evaluation["isolation"],
        "runtime": first.get("runtime", ""),
        "device": first.get("device", ""),
        "limits": first.get("limits") or {},
        "started": evaluation["history"][0]["at"],
        "finished": evaluation["history"][1]["at"],
        "restarts": sum(int(one.get("restarts", 0)) for one in summaries),
    }


def _independence(
    records: Records, entry: Mapping[str, Any], cohort: Mapping[str, Any]
) -> Doc | None:
    """Return the last comparison of the vendor's training images with the study's cohort."""
    made = records.find(
        "comparisons",
        {
            "study": entry["study"],
            "org": entry["org"],
            "cohort": cohort["_id"],
            "state": ComparisonState.COMPARED.value,
        },
        sort=[("compared_at", -1)],
        limit=1,
    )
    chosen = ("told", "least", "near", "complete", "images", "named_patients", "patients_known",
              "compared_at")  # fmt: skip
    return {name: made[0][name] for name in chosen} if made else None


def _looks(records: Records, entry: Mapping[str, Any], cohort: Mapping[str, Any]) -> list[Doc]:
    """Return every earlier look at this cohort; whose it was is told as same lineage or other.

    A look at another version of the cohort was one at the same patients.
    """
    several = [one["_id"] for one in of_lineage(records, cohort["lineage"])]
    return [
        {
            "at": look["created_at"],
            "entry": "same product" if look["lineage"] == entry["lineage"] else "another product",
            "what": look["what"],
            "bits": "see released cells" if look["bits"] is None else look["bits"],
        }
        for look in records.find("exposure_ledger", {"cohort": {"$in": several}})
    ]


def _masked(signature: Mapping[str, Any]) -> Doc:
    if signature["role"] == "vendor_regulatory":
        return {k: v for k, v in signature.items() if k not in {"person", "person_name", "org"}}
    return dict(signature)


def _deviation(record: Mapping[str, Any]) -> Doc:
    return {name: record[name] for name in ("severity", "text", "created_at")}


def _conclusions(body: Mapping[str, Any]) -> list[Doc]:
    return [
        {"id": result["id"], "role": result["role"], "conclusion": result["conclusion"]}
        for result in body["results"]
        if result.get("conclusion")
    ]
