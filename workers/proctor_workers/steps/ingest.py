"""A partner's uploaded cohort becomes canonical, immutable and known by its Merkle root."""

import json
import re
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
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GOING = (CohortState.OPEN, CohortState.UPLOADED)


def ingest(tools: Tools, cohort: dict[str, Any]) -> None:
    """Ingest a cohort; every mistake and every finding is named in its record.

    It becomes READY, HELD by findings that its partner must override, or REJECTED with its table's
    problems.
    """
    forget_ended(tools)
    if "without" in cohort["index"]:
        make_without(tools, cohort, cohort["index"]["without"])
        return
    folder = _folder(tools, cohort["_id"])
    folder.mkdir(parents=True, exist_ok=True)
    ingested, prepared = _ingested(tools, cohort, folder)
    _record(tools, cohort, ingested, {"index": None, "prepared": prepared})
    # Only now: an ingest that was stopped goes on from its journal and from what was uploaded.
    shutil.rmtree(folder)
    _forget_upload(tools, cohort)


def forget_ended(tools: Tools) -> None:
    """Delete what ingests left behind that ended elsewhere: uploads and folders name patients.

    A cohort may be withdrawn, or given up, while its files are in quarantine or on this machine.
    """
    cohorts = tools.records.find("cohorts", {})
    waiting = {one["_id"] for one in cohorts if one["state"] == CohortState.UPLOADED}
    root = _folder(tools, "").parent
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name not in waiting:
            shutil.rmtree(folder, ignore_errors=True)
    going = {one["lineage"] for one in cohorts if one["state"] in _GOING}
    for one in cohorts:
        if one["lineage"] not in going and not one.get("forgotten"):
            _forget_upload(tools, one)


def _folder(tools: Tools, cohort: str) -> Path:
    return tools.settings.work_dir / "ingest" / (cohort or "-")


def _forget_upload(tools: Tools, cohort: Mapping[str, Any]) -> None:
    """Delete what the partner uploaded: it names patients, and nothing needs it any more."""
    for key in list(tools.store.list("quarantine", upload_prefix(cohort["lineage"]))):
        tools.store.delete("quarantine", key)
    done = {"forgotten": True, "index": None}
    tools.records.touch("cohorts", cohort["_id"], done, expect={})


def _ingested(tools: Tools, cohort: Mapping[str, Any], folder: Path) -> tuple[Ingested, bool]:
    """Return what came of it, and whether the partner had prepared it."""
    try:
        index = _index(tools, cohort)
        make = _adopted if "prepared" in index else _made
        return make(tools, cohort, index, folder), "prepared" in index
    except DataError as error:  # what lies in quarantine will be no other the next time
        _destination(tools, cohort).clear()
        why = {"row": 0, "column": "", "what": error.message, "cure": error.cure}
        return _refused([why]), False


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
    table, digests = _listed(index)
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


def _listed(index: Mapping[str, Any]) -> tuple[Mapping[str, str], dict[str, str]]:
    """Return the table and the files that an index names, checked like one given in the request."""
    try:
        table = {name: str(index["table"][name]) for name in ("sha256", "format")}
        named = [(str(file["path"]), str(file["sha256"])) for file in index.get("files", ())]
    except (KeyError, TypeError) as exc:
        raise DataError("The uploaded index is malformed.") from exc
    digests = dict(named)
    if len(digests) < len(named) or not all(
        _SHA256.fullmatch(one) for one in (table["sha256"], *digests.values())
    ):
        raise DataError("The uploaded index names a file twice, or by no SHA-256 digest.")
    return table, digests


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
