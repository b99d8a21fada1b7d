"""A withdrawn patient's cases leave the evidence; results that are signed stay, and are marked."""

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard

import pyarrow.parquet as pq
from pyarrow import BufferReader

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import NotFoundError
from proctor_backend.domain.evaluation import Failure
from proctor_backend.domain.ids import utc_now
from proctor_backend.domain.keys import evidence_key
from proctor_backend.domain.states import EvaluationState, WithdrawalState
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Change, Delete, Move, Records, Update
from proctor_backend.services.evaluate import fail_entry
from proctor_backend.services.review import concordant_file
from proctor_backend.services.versions import of_lineage
from proctor_sdk.canonical import canonical_bytes, sha256_hex
from proctor_sdk.cases import case_name
from proctor_sdk.evidence_files import TOLD_OF_CASES, WITHDRAWN, withdrawn_document
from proctor_sdk.reasons import ReasonCode
from proctor_workers.evidence import OBSERVATIONS, REFERENCE, RESULTS
from proctor_workers.hidden_data.versions import parquet_bytes, table_without
from proctor_workers.tools import Tools

Record = Mapping[str, Any]
_GOING = (EvaluationState.RUNNING, EvaluationState.EVALUATED)


def erase_evidence(tools: Tools, withdrawal: dict[str, Any]) -> None:
    """Erase a patient's cases from the evidence of every evaluation on any version.

    0. what still runs on these versions ends, for no fault of the vendor's
    1. predictions, observations, and the list of wrongly judged cases
    2. the copies in reports, which are marked as not recomputable
    3. what reviewers said of these cases, and the bodies of events that name them
    4. the pseudonyms are forgotten too

    Done again after an interruption it ends the same.
    """
    records, store = tools.records, tools.store
    gone: set[str] = set(withdrawal["gone"])
    several = [one["_id"] for one in of_lineage(records, withdrawal["lineage"])]
    mark = {"withdrawal": withdrawal["_id"], "at": utc_now()}
    changes: list[Change] = []
    touched: set[str] = set()
    for evaluation in records.find("evaluations", {"cohort": {"$in": several}}):
        if evaluation["state"] in _GOING and evaluation["cohort"] != withdrawal["made"]:
            _end(records, evaluation)  # 0
        changes += _erased_predictions(records, store, evaluation, gone)  # 1
        if _erase_tables(store, evaluation["_id"], gone, mark):
            touched.add(evaluation["_id"])
    reports = records.find("reports", {"evaluation": {"$in": sorted(touched)}})
    spent = set(withdrawal.get("spent") or ())
    for report in reports:
        spent.add(report["results_digest"])
        changes.append(_marked(records, report, gone, mark))  # 2
        _erase_sample(records, report["evaluation"], gone)
    spent -= {change.set["results_digest"] for change in changes if _is_report(change)}
    for collection in ("reviews", "queries", "views"):  # 3
        for one in records.find(collection, {"case": {"$in": sorted(gone)}}):
            changes.append(Delete(collection, one["_id"]))
    records.forget_private("case", sorted(gone))
    counts = {"evaluations": len(touched), "reports": len(reports)}
    records.commit(
        *changes,
        Update("withdrawals", withdrawal["_id"], {"spent": sorted(spent)}),
        event=_event("patient.evidence_erased", withdrawal, counts),
    )
    # Only now: nothing in the record names these files any more.
    for digest in spent:
        records.remove_file(f"results:{digest}")
    forgotten = {"gone": None, "patient": None, "spent": None}
    records.commit(  # 4
        Move("withdrawals", withdrawal["_id"], WithdrawalState.ERASED, forgotten),
        event=_event("patient.withdrawn", withdrawal, {"cases": withdrawal["cases"]}),
    )


def _end(records: Records, evaluation: Record) -> None:
    """End an exam on a version that lacks a patient now: it could never be measured."""
    fail_entry(
        records,
        records.get("entries", evaluation["entry"]),
        Failure(
            kind="platform",
            code=ReasonCode.PLATFORM_ERROR,
            detail="A patient was withdrawn from the cohort while the exam ran.",
        ),
        actor="worker:erase",
        changes=(Move("evaluations", evaluation["_id"], EvaluationState.FAILED),),
        hidden=evaluation["kind"] == "hidden",
    )


def _erased_predictions(
    records: Records, store: ObjectStore, evaluation: Record, gone: Collection[str]
) -> Iterator[Change]:
    """Rewrite the parts of the predictions that hold one of the cases."""
    key = base64.b64decode(evaluation["attempt_key"])
    names = {case_name(key, case) for case in gone}
    for shard in records.find("shards", {"evaluation": evaluation["_id"]}):
        parts = [_without(store, part, names) for part in shard["parts"]]
        if parts != shard["parts"]:
            yield Update("shards", shard["_id"], {"parts": parts}, expect={"rev": shard["rev"]})


def _without(store: ObjectStore, part: Record, names: Collection[str]) -> dict[str, Any]:
    try:
        content = store.get("predictions", part["key"])
    except NotFoundError:
        return dict(part)
    lines = content.split(b"\n")[:-1]
    kept = [line for line in lines if json.loads(line)["case"] not in names]
    if len(kept) < len(lines):
        content = b"".join(line + b"\n" for line in kept)
        store.put("predictions", part["key"], content)
    return {**part, "sha256": sha256_hex(content)}


def _erase_tables(
    store: ObjectStore, evaluation: str, gone: Collection[str], mark: Mapping[str, str]
) -> bool:
    """Rewrite what was measured from; say whether there was anything of the patient in it."""
    keys = {name: evidence_key(evaluation, name) for name in (*TOLD_OF_CASES, WITHDRAWN)}
    if not store.exists("artefacts", keys[RESULTS]):
        return False  # the evaluation has not been measured
    found = {name: store.get("artefacts", keys[name]) for name in TOLD_OF_CASES}
    tables = {name: pq.read_table(BufferReader(found[name])) for name in (OBSERVATIONS, REFERENCE)}
    less = {name: table_without(table, gone) for name, table in tables.items()}
    marks = _marks(store, keys[WITHDRAWN])
    if mark["withdrawal"] not in {one["withdrawal"] for one in marks}:
        if less[REFERENCE].num_rows == tables[REFERENCE].num_rows:
            return False
        # Noted first: after the tables are rewritten nothing else tells that there was something.
        store.put("artefacts", keys[WITHDRAWN], withdrawn_document([*marks, mark]))
    for name, table in less.items():
        store.put("artefacts", keys[name], parquet_bytes(table))
    store.put("artefacts", keys[RESULTS], _results_without(found[RESULTS], gone))
    return True


def _marks(store: ObjectStore, key: str) -> list[Mapping[str, str]]:
    if not store.exists("artefacts", key):
        return []
    found: list[Mapping[str, str]] = json.loads(store.get("artefacts", key))["withdrawn"]
    return found


def _results_without(content: bytes, gone: Collection[str]) -> bytes:
    results = json.loads(content)
    errors = [one for one in results["errors"] if one["case"] not in gone]
    return canonical_bytes(results | {"errors": errors})


def _marked(
    records: Records, report: Record, gone: Collection[str], mark: Mapping[str, str]
) -> Update:
    """Take the cases out of the report's own copies; its signed results and text stay."""
    content = _results_without(records.get_file(f"results:{report['results_digest']}"), gone)
    kept = sha256_hex(content)
    records.put_file(f"results:{kept}", content)
    marks = [one for one in report.get("withdrawn", ()) if one["withdrawal"] != mark["withdrawal"]]
    marks.append(dict(mark))
    folder = f"edition:{report['_id']}:full:evidence/"
    if records.files_named(folder):
        for name in TOLD_OF_CASES:
            records.remove_file(folder + name)
        records.replace_file(folder + WITHDRAWN, withdrawn_document(marks))
    return Update("reports", report["_id"], {"results_digest": kept, "withdrawn": marks})


def _erase_sample(records: Records, evaluation: str, gone: Collection[str]) -> None:
    name = concordant_file(evaluation)
    if records.has_file(name):
        kept = [one for one in json.loads(records.get_file(name)) if one["case"] not in gone]
        records.replace_file(name, canonical_bytes(kept))


def _is_report(change: Change) -> TypeGuard[Update]:
    return isinstance(change, Update) and change.collection == "reports"


def _event(kind: str, withdrawal: Record, public: dict[str, Any]) -> Event:
    return Event(
        kind=kind,
        chain="platform",
        actor="worker:erase",
        public={"cohort": withdrawal["cohort"], "withdrawal": withdrawal["_id"]} | public,
    )
