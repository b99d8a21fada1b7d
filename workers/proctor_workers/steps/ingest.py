"""A partner's uploaded cohort becomes canonical, immutable and known by its Merkle root."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.cohort import blocking
from proctor_backend.domain.errors import DataError
from proctor_backend.domain.keys import upload_key, upload_prefix
from proctor_backend.domain.states import CohortState
from proctor_backend.records import Move
from proctor_sdk.encrypt import decode_key
from proctor_workers.hidden_data.ingest.adopt import adopt, index_of
from proctor_workers.hidden_data.ingest.destinations import BucketDestination
from proctor_workers.hidden_data.ingest.outline import Ingest, ingest_cohort
from proctor_workers.hidden_data.ingest.plan_file import settings_of
from proctor_workers.hidden_data.ingest.prepared import PreparedIndex
from proctor_workers.hidden_data.ingest.report import Ingested, IngestReport
from proctor_workers.hidden_data.ingest.sources import QuarantineSource
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.steps.versions import earlier_cases, keep_comparisons, make_without
from proctor_workers.tools import Tools

_LARGEST_INDEX = 1 << 28  # a million files


def ingest(tools: Tools, cohort: dict[str, Any]) -> None:
    """Ingest a cohort; every mistake and every finding is named in its record.

    It becomes READY, HELD by findings that its partner must override, or REJECTED with its table's
    problems.
    """
    index = _index(tools, cohort)
    if "without" in index:
        make_without(tools, cohort, index["without"])
        return
    folder = tools.settings.work_dir / "ingest" / cohort["_id"]
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"index": None, "prepared": "prepared" in index}
    _record(tools, cohort, _ingested(tools, cohort, index, folder), kept)
    # Only now: an ingest that was stopped goes on from its journal and from what was uploaded.
    shutil.rmtree(folder)
    _forget_upload(tools, cohort)


def _forget_upload(tools: Tools, cohort: Mapping[str, Any]) -> None:
    """Delete what the partner uploaded: it names patients, and nothing needs it any more."""
    for key in list(tools.store.list("quarantine", upload_prefix(cohort["lineage"]))):
        tools.store.delete("quarantine", key)


def _ingested(
    tools: Tools, cohort: Mapping[str, Any], index: Mapping[str, Any], folder: Path
) -> Ingested:
    make = _adopted if "prepared" in index else _made
    try:
        return make(tools, cohort, index, folder)
    except DataError as error:  # what lies in quarantine will be no other the next time
        _destination(tools, cohort).clear()
        return _refused([{"row": 0, "column": "", "what": error.message, "cure": error.cure}])


def _refused(problems: list[dict[str, Any]]) -> Ingested:
    return Ingested(report=IngestReport(problems=problems, problem_count=len(problems)))


def _index(tools: Tools, cohort: Mapping[str, Any]) -> Mapping[str, Any]:
    index: Mapping[str, Any] = cohort["index"]
    if "index_sha256" not in index:
        return index
    key = upload_key(cohort["lineage"], index["index_sha256"])
    if (tools.store.size("quarantine", key) or 0) > _LARGEST_INDEX:
        raise DataError("The uploaded index is too large.")
    return index_of(tools.store.get("quarantine", key, sha256=index["index_sha256"]))


def _destination(tools: Tools, cohort: Mapping[str, Any]) -> BucketDestination:
    return BucketDestination(
        settings=tools.settings,
        cohort=cohort["_id"],
        lineage=cohort["lineage"],
        bucket="public" if cohort.get("visibility") == "public" else "hidden",
    )


def _adopted(
    tools: Tools, cohort: Mapping[str, Any], index: Mapping[str, Any], folder: Path
) -> Ingested:
    prepared = PreparedIndex.from_dict(index)
    destination = _destination(tools, cohort)
    return Ingested(report=adopt(tools.settings, cohort["lineage"], prepared, destination, folder))


def _made(
    tools: Tools, cohort: Mapping[str, Any], index: Mapping[str, Any], folder: Path
) -> Ingested:
    plan, problems = settings_of(cohort.get("description") or {})
    if problems:
        found = [
            {"row": 0, "column": one.field, "what": one.what, "cure": one.cure} for one in problems
        ]
        return _refused(found)
    table = index["table"]
    digests = {str(file["path"]): str(file["sha256"]) for file in index.get("files", ())}
    path = folder / "table"
    key = upload_key(cohort["lineage"], str(table["sha256"]))
    path.write_bytes(tools.store.get("quarantine", key, sha256=str(table["sha256"])))
    cohort_key = decode_key(Path(tools.settings.keys_dir, "cohort.key").read_text("ascii"))
    return ingest_cohort(
        Ingest(
            plan=plan,
            table=path,
            table_format=str(table["format"]),
            source=QuarantineSource(tools.settings, cohort["lineage"], digests),
            destination=_destination(tools, cohort),
            pseudonyms=Pseudonyms(cohort_key, cohort["lineage"]),
            folder=folder,
            earlier=earlier_cases(tools, cohort),
        )
    )


def _record(
    tools: Tools, cohort: Mapping[str, Any], ingested: Ingested, kept: Mapping[str, Any]
) -> None:
    """Keep what came of it; the index goes: it has the partner's own names of files."""
    report = _with_overrides_dated(cohort, ingested.report)
    for form, text in (("html", ingested.quality_html), ("json", ingested.quality_json)):
        if text:
            tools.records.put_file(f"quality:{cohort['_id']}:{form}", text.encode())
    if report.problems:
        fields: dict[str, Any] = {
            **kept,
            "problems": list(report.problems),
            "problem_count": report.problem_count,
        }
        tools.records.commit(
            Move("cohorts", cohort["_id"], CohortState.REJECTED, fields),
            event=_event("cohort.rejected", cohort, {"problems": report.problem_count}),
        )
        return
    held = blocking(report.findings, report.overrides)
    state = CohortState.HELD if held else CohortState.READY
    keep_comparisons(tools, {**cohort, "root": report.root, "blocks": report.blocks})
    fields = {**json.loads(json.dumps(report.as_dict())), **kept}
    del fields["problems"], fields["problem_count"]
    tools.records.commit(
        Move("cohorts", cohort["_id"], state, fields),
        event=_event("cohort.ingested", cohort, {"root": report.root, "held_by": len(held)}),
    )


def _with_overrides_dated(cohort: Mapping[str, Any], report: IngestReport) -> IngestReport:
    """Say of the plan's overrides who sent the plan, and when."""
    given = cohort["closed_by"]
    return replace(report, overrides=tuple({**one, **given} for one in report.overrides))


def _event(kind: str, cohort: Mapping[str, Any], public: dict[str, Any]) -> Event:
    return Event(
        kind=kind,
        chain="platform",
        actor="worker:ingest",
        public={"cohort": cohort["_id"]} | public,
    )
