"""A patient leaves a cohort: a version without the patient, then the files; evidence is next."""

import base64
import io
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import PlatformError
from proctor_backend.domain.ids import utc_now
from proctor_backend.domain.keys import beside_reference_key, cases_key, file_key, upload_prefix
from proctor_backend.domain.messages import Message, Task
from proctor_backend.domain.states import CohortState, WithdrawalState
from proctor_backend.keyfiles import read_key
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Change, Insert, Move, Records, Update
from proctor_backend.services.cohort_findings import quality_file
from proctor_backend.services.versions import comparison_file, new_version, of_lineage
from proctor_sdk.encrypt import read_header, unseal, unwrap
from proctor_workers.hidden_data import versions
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.steps.versions import CARRIED, keep_comparisons, without_names
from proctor_workers.tools import Tools

Record = Mapping[str, Any]
_OLD = "A patient was withdrawn; a newer version stands in its place."
_LIVE = (CohortState.OPEN, CohortState.UPLOADED, CohortState.HELD, CohortState.READY)


def remove_patient(tools: Tools, withdrawal: dict[str, Any]) -> None:
    """Make a version without the patient; every earlier one is withdrawn.

    1. the patient's pseudonym, from an original id by the cohort's key; the id is forgotten
    2. the new version, whose root is checked against the stored one before it
    3. the record of both, and a tombstone of a count and a date
    """
    records, store = tools.records, tools.store
    cohort = records.get("cohorts", withdrawal["cohort"])
    several = of_lineage(records, withdrawal["lineage"])
    if any(one["state"] == CohortState.UPLOADED for one in several):
        raise PlatformError("A version is being ingested.", cure="It is waited for.")
    patient, gone = _found(tools, withdrawal, cohort)  # 1
    if not gone or len(gone) == cohort["cases"]:
        _refuse(records, withdrawal, whole=bool(gone))
        return
    made = new_version(cohort, int(several[-1]["version"]) + 1)
    identity = versions.write_without(store, cohort, made["_id"], gone)  # 2
    now = utc_now()
    tombstone = {"at": now, "patients": 1, "cases": len(gone)}
    made |= identity | {name: cohort[name] for name in CARRIED if name in cohort}
    made |= {
        "state": CohortState.READY.value,
        "history": [{"state": CohortState.READY.value, "at": now}],
        "tombstones": [*made["tombstones"], tombstone],
        # What ingest found of a case that is gone would name it.
        "findings": [one | {"places": []} for one in cohort["findings"]],
    }
    keep_comparisons(tools, made, unnamed=gone)
    fields = {"made": made["_id"], "patient": patient, "cases": len(gone), "sealed": None}
    records.commit(  # 3
        Insert("cohorts", made),
        *_withdrawn(several),
        Move("withdrawals", withdrawal["_id"], WithdrawalState.REMOVED, fields),
        event=_event(
            "patient.removed",
            withdrawal,
            {"made": made["_id"], "root": identity["root"], "cases": len(gone)},
        ),
        messages=[Message(Task.ERASE_FILES, withdrawal["_id"])],
    )


def erase_files(tools: Tools, withdrawal: dict[str, Any]) -> None:
    """Erase the patient from every version's files, lists and tables, and from the upload.

    Done again after an interruption it ends the same. What was uploaded is erased whole: raw files
    and tables name all patients, and ingest has made of them what is kept.
    """
    records, store = tools.records, tools.store
    made = records.get("cohorts", withdrawal["made"])
    earlier = [one for one in of_lineage(records, withdrawal["lineage"]) if one.get("blocks")]
    earlier = [one for one in earlier if one["_id"] != made["_id"]]
    gone: set[str] = set(withdrawal.get("gone") or ())
    for one in earlier:
        gone |= versions.cases_of_patient(store, one, withdrawal["patient"])
    # Noted first: once the tables are rewritten nothing else tells whose cases they were.
    records.touch("withdrawals", withdrawal["_id"], {"gone": sorted(gone)}, expect={})
    for one in earlier:
        _erase_case_files(store, one, made, gone)
    for one in earlier:
        _erase_rows(store, one, gone)
        for form in ("html", "json"):
            records.remove_file(quality_file(one["_id"], form))
    _erase_comparisons(records, withdrawal["lineage"], gone)
    for key in list(store.list("quarantine", upload_prefix(withdrawal["lineage"]))):
        store.delete("quarantine", key)
    without_places: list[Change] = [
        Update("cohorts", one["_id"], {"findings": [f | {"places": []} for f in one["findings"]]})
        for one in earlier
    ]
    records.commit(
        *without_places,
        Move(
            "withdrawals", withdrawal["_id"], WithdrawalState.FILES_ERASED, {"gone": sorted(gone)}
        ),
        event=_event("patient.files_erased", withdrawal, {"versions": len(earlier)}),
        messages=[Message(Task.ERASE_EVIDENCE, withdrawal["_id"])],
    )


def _found(tools: Tools, withdrawal: Record, cohort: Record) -> tuple[str, set[str]]:
    """Return the patient's pseudonym and cases; the patient may be named by either id."""
    sealed = io.BytesIO(base64.b64decode(withdrawal["sealed"]))
    header = read_header(sealed)
    data_key = unwrap(header, read_key(tools.settings, "ingest.key"))
    named = b"".join(unseal(sealed, data_key, header)).decode()
    pseudonyms = Pseudonyms(read_key(tools.settings, "cohort.key"), withdrawal["lineage"])
    for patient in (pseudonyms.patient(named), named):
        if gone := versions.cases_of_patient(tools.store, cohort, patient):
            return patient, gone
    return "", set()


def _refuse(records: Records, withdrawal: Record, *, whole: bool) -> None:
    problem = (
        "This is the cohort's only patient: withdraw the cohort."
        if whole
        else "No patient of this cohort has this name. Where it was prepared on your own machine, "
        "give the pseudonym from the map that stayed there."
    )
    records.commit(
        Move(
            "withdrawals",
            withdrawal["_id"],
            WithdrawalState.REFUSED,
            {"sealed": None, "problem": problem},
        ),
        event=_event("patient.withdrawal_refused", withdrawal, {}),
    )


def _withdrawn(several: Sequence[Record]) -> list[Change]:
    return [
        Move(
            "cohorts",
            one["_id"],
            CohortState.WITHDRAWN,
            {"withdrawal": _OLD},
            expect={"rev": one["rev"]},
        )
        for one in several
        if one["state"] in _LIVE
    ]


def _erase_comparisons(records: Records, lineage: str, gone: Collection[str]) -> None:
    for version in of_lineage(records, lineage):
        for name in records.files_named(comparison_file(version["_id"], "")):
            found = json.loads(records.get_file(name))
            records.replace_file(name, without_names(found, gone))


def _erase_case_files(
    store: ObjectStore, version: Record, made: Record, gone: Collection[str]
) -> None:
    """Delete the canonical files of cases; a file that a case beside it shares stays."""
    bucket, lineage = versions.bucket_of(version), version["lineage"]
    kept_blocks = {block["block"] for block in made["blocks"]}
    for block in (one["block"] for one in version["blocks"]):
        lines = versions.read_lines(store, version, block)
        beside = versions.read_lines(store, made, block) if block in kept_blocks else []
        shared = {
            file["sha256"]
            for line in (*lines, *beside)
            if line["case"] not in gone
            for file in line["files"]
        }
        for line in lines:
            if line["case"] in gone:
                for file in line["files"]:
                    if file["sha256"] not in shared:
                        store.delete(bucket, file_key(lineage, block, file["sha256"]))


def _erase_rows(store: ObjectStore, version: Record, gone: Collection[str]) -> None:
    """Rewrite an earlier version's lists and tables; its root stands for what is no more."""
    for block in (one["block"] for one in version["blocks"]):
        lines = versions.read_lines(store, version, block)
        kept = [line for line in lines if line["case"] not in gone]
        document = versions.cases_document(kept)
        store.put(versions.bucket_of(version), cases_key(version["_id"], block), document)
    for name in versions.table_names(store, version):
        table = versions.read_table(store, version["_id"], name)
        content = versions.parquet_bytes(versions.table_without(table, gone))
        store.put("reference", beside_reference_key(version["_id"], name), content)


def _event(kind: str, withdrawal: Record, public: dict[str, Any]) -> Event:
    return Event(
        kind=kind,
        chain="platform",
        actor="worker:ingest",
        public={"cohort": withdrawal["cohort"], "withdrawal": withdrawal["_id"]} | public,
    )
