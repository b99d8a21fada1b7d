"""What a flow test reads from the record behind everybody's back, and the runs it makes."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.flow.lab import Lab, wait

from proctor_backend.records import Records

ENDED = {"failed", "decided", "cancelled", "released"}
# Acts of a cohort whose cases leave it to the manifest what the model does, see `Lab.submit`.
ASKING = dict.fromkeys(range(1000), "each") | {5: "once"}


def looking(lab: Lab, look: Callable[[Records], Any]) -> Any:
    """Read the record as its owner."""
    records = lab.stack.admin_records()
    try:
        return look(records)
    finally:
        records.db.client.close()


def find(lab: Lab, collection: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = looking(lab, lambda records: records.find(collection, query))
    return found


def events(lab: Lab, chain: str, kind: str) -> list[dict[str, Any]]:
    return find(lab, "audit_events", chain=chain, kind=kind)


def looks(lab: Lab, entry: str) -> list[dict[str, Any]]:
    return find(lab, "exposure_ledger", entry=entry)


def hidden_shard(lab: Lab, entry: str) -> dict[str, Any]:
    """Return the entry's newest shard of hidden cases."""
    evaluation = find(lab, "evaluations", entry=entry, kind="hidden")[-1]
    return find(lab, "shards", evaluation=evaluation["_id"])[-1]


def until(
    ask: Callable[[], Any], what: str, *, timeout_s: float = 60, every_s: float = 0.05
) -> Any:
    """Ask until the answer is true."""
    deadline = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not in {timeout_s} s: {what}"
        time.sleep(every_s)
    return answer


def shown_to_vendor(lab: Lab, entry: str) -> dict[str, Any]:
    """Return what the vendor sees when the entry is over."""
    return wait(lambda: lab["vendor_developer"].get(f"/entries/{entry}"), ENDED)


def answered(lab: Lab, shard: Mapping[str, Any]) -> list[str]:
    """Return the case names in a shard's stored parts, in the order they were stored."""
    bucket = lab.stack.home.buckets / "predictions"
    lines = [
        line
        for part in sorted(shard["parts"], key=lambda part: (part["fence"], part["seq"]))
        for line in Path(bucket, part["key"]).read_text().splitlines()
    ]
    return [json.loads(line)["case"] for line in lines]


def running_hidden(lab: Lab, entry: str, *, parts: int = 0) -> dict[str, Any]:
    """Wait until a runner is at the entry's hidden cases and has stored some answers."""

    def found() -> dict[str, Any] | None:
        if not find(lab, "evaluations", entry=entry, kind="hidden"):
            return None
        shard = hidden_shard(lab, entry)
        busy = shard["state"] == "CLAIMED" and len(shard["parts"]) >= parts
        return shard if busy else None

    shard: dict[str, Any] = until(found, f"a runner at {entry}")
    return shard
