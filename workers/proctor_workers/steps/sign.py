"""Stop 14: one signature over the statement; the report is released."""

import json
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.exposure import LookKind, look
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.review import EDITIONS
from proctor_backend.domain.states import EntryState, ReportState
from proctor_backend.records import Insert, Move
from proctor_backend.signing import open_signer
from proctor_workers.tools import Tools

# Which editions leave towards the vendor, and therefore are looks.
LEAVING = ("submission", "public")


def sign_report(tools: Tools, report: dict[str, Any]) -> None:
    """Sign a rendered report's statement and release it."""
    records, settings = tools.records, tools.settings
    digest = report["statement_digest"]
    statement = records.get_file(f"statement:{digest}", digest=digest)
    signer = open_signer(settings.keys_dir, kms_key=settings.kms_key_id)
    envelope = signer.sign(json.loads(statement))
    records.put_file(f"envelope:{digest}", envelope.to_bytes())
    cells = json.loads(records.get_file(f"cells:{digest}"))
    entry = records.get("entries", report["entry"])
    cohort = {"_id": report["cohort"]}
    looks = [
        Insert(
            "exposure_ledger",
            look(kind=LookKind.EDITION, entry=entry, cohort=cohort, bits=None, what=f"{e} edition"),
        )
        for e in LEAVING
    ]
    released = {"_id": new_id("cel"), "org": report["org"], "cohort": report["cohort"]}
    records.commit(
        Move("reports", report["_id"], ReportState.RELEASED),
        Move("entries", report["entry"], EntryState.RELEASED),
        *looks,
        Insert(
            "released_cells",
            released | {"report": report["_id"], "editions": list(EDITIONS), "cells": cells},
        ),
        event=Event(
            kind="report.released",
            chain=report["entry"],
            actor="worker:sign",
            public={"report": report["_id"], "statement": report["statement_digest"]},
        ),
    )
