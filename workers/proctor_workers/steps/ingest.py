"""A partner's uploaded cohort becomes canonical, immutable and known by its Merkle root."""

import json
import tempfile
from pathlib import Path
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.keys import upload_key
from proctor_backend.domain.states import CohortState
from proctor_backend.records import Move
from proctor_sdk.encrypt import decode_key
from proctor_workers.hidden_data.ingest import ingest_cohort
from proctor_workers.tools import Tools


def ingest(tools: Tools, cohort: dict[str, Any]) -> None:
    """Ingest a cohort; it becomes READY with its root, or REJECTED with every problem named."""
    records, store, settings = tools.records, tools.store, tools.settings
    index = cohort["index"]
    if "index_sha256" in index:
        key = upload_key(cohort["_id"], index["index_sha256"])
        index = json.loads(store.get("quarantine", key, sha256=index["index_sha256"]))
    cohort_key = decode_key(Path(settings.keys_dir, "cohort.key").read_text("ascii"))
    with tempfile.TemporaryDirectory(dir=settings.work_dir) as folder:
        report = ingest_cohort(store, cohort, index, Path(folder), cohort_key)
    if report.problems:
        records.commit(
            Move(
                "cohorts",
                cohort["_id"],
                CohortState.REJECTED,
                {"problems": list(report.problems), "problem_count": report.problem_count},
            ),
            event=_event("cohort.rejected", cohort, {"problems": report.problem_count}),
        )
        return
    fields = {name: value for name, value in report.as_dict().items() if name != "problems"}
    records.commit(
        Move("cohorts", cohort["_id"], CohortState.READY, fields),
        event=_event("cohort.ingested", cohort, {"root": report.root}),
    )


def _event(kind: str, cohort: dict[str, Any], public: dict[str, Any]) -> Event:
    return Event(
        kind=kind,
        chain="platform",
        actor="worker:ingest",
        public={"cohort": cohort["_id"]} | public,
    )
