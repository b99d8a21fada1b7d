"""A further version of a cohort: in the blocks of the one before, compared with all of them."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.states import CohortState
from proctor_backend.keyfiles import read_key
from proctor_backend.records import Move
from proctor_backend.services.versions import comparison_file, of_lineage
from proctor_workers.hidden_data import versions
from proctor_workers.hidden_data.blocks import EarlierCase
from proctor_workers.hidden_data.pseudonyms import Pseudonyms
from proctor_workers.tools import Tools

Record = Mapping[str, Any]
# What a version without some cases takes over of what ingest found of the one before.
CARRIED = (
    "overrides", "forms", "headers", "deidentified", "deidentification", "left_out", "confounders",
)  # fmt: skip


def earlier_cases(tools: Tools, cohort: Record) -> dict[str, EarlierCase]:
    """Return what the version before keeps of each case; nothing for a first one."""
    if cohort["previous"] is None:
        return {}
    return versions.earlier_cases(tools.store, tools.records.get("cohorts", cohort["previous"]))


def keep_comparisons(tools: Tools, cohort: Record, unnamed: Collection[str] = ()) -> None:
    """Keep what changed since each earlier version; `unnamed` cases are counted and not named."""
    for older in of_lineage(tools.records, cohort["lineage"]):
        if older.get("root") and older["version"] < cohort["version"]:
            found = versions.compare(tools.store, older, cohort)
            name = comparison_file(cohort["_id"], older["_id"])
            tools.records.replace_file(name, without_names(found, unnamed))


def without_names(comparison: Mapping[str, Any], unnamed: Collection[str]) -> bytes:
    """Return a comparison's file that does not name some of the cases it counts."""
    cases = {
        name: [case for case in listed if case not in unnamed]
        for name, listed in comparison["cases"].items()
    }
    return json.dumps({**comparison, "cases": cases}).encode()


def make_without(tools: Tools, cohort: Record, names: Sequence[str]) -> None:
    """Make a version of the one before without some cases, named by pseudonym or as by the partner.

    It is READY, or REJECTED because a name is none of the cohort's.
    """
    records, store = tools.records, tools.store
    previous = records.get("cohorts", cohort["previous"])
    known = versions.case_blocks(store, previous)
    pseudonyms = Pseudonyms(read_key(tools.settings, "cohort.key"), cohort["lineage"])
    gone = {name if name in known else pseudonyms.case(name) for name in names}
    if not gone <= known.keys() or len(gone) == len(known):
        what = "would be empty" if gone >= known.keys() else "has no case of one of these names"
        problem = {"row": 0, "column": "without", "what": what, "cure": "Correct the list."}
        records.commit(
            Move(
                "cohorts",
                cohort["_id"],
                CohortState.REJECTED,
                {"problems": [problem], "index": None},
            ),
            event=_event("cohort.rejected", cohort, {"problems": 1}),
        )
        return
    identity = versions.write_without(store, previous, cohort["_id"], gone)
    keep_comparisons(tools, {**cohort, **identity})
    carried = {name: previous[name] for name in CARRIED if name in previous}
    findings = [one | {"places": []} for one in previous["findings"]]
    records.commit(
        Move(
            "cohorts",
            cohort["_id"],
            CohortState.READY,
            carried | identity | {"findings": findings, "index": None},
        ),
        event=_event("cohort.ingested", cohort, {"root": identity["root"], "held_by": 0}),
    )


def _event(kind: str, cohort: Record, public: dict[str, Any]) -> Event:
    return Event(
        kind=kind,
        chain="platform",
        actor="worker:ingest",
        public={"cohort": cohort["_id"]} | public,
    )
