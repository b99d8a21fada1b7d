"""The sweeper: finds work whose wake-up or worker was lost, and wakes somebody again."""

import logging
import threading
from collections.abc import Iterator
from typing import NamedTuple

from pymongo.errors import PyMongoError

from proctor_backend.domain.ids import utc_in, utc_now
from proctor_backend.domain.messages import Message, Task
from proctor_backend.records import Doc, Records
from proctor_backend.settings import Settings

LOG = logging.getLogger(__name__)


class Waiting(NamedTuple):
    """Records in a state that some worker must end, and the wake-up for it."""

    collection: str
    query: Doc
    task: Task
    claim: str = "work"


# What waits for whom. A record with an unexpired claim (a worker's `work`, a runner's `lease`) is
# being worked on.
WAITING = (
    Waiting("entries", {"state": "UPLOADED"}, Task.SCREEN),
    Waiting("cohorts", {"state": "UPLOADED"}, Task.INGEST),
    Waiting("withdrawals", {"state": "ASKED"}, Task.REMOVE_PATIENT),
    Waiting("withdrawals", {"state": "REMOVED"}, Task.ERASE_FILES),
    Waiting("withdrawals", {"state": "FILES_ERASED"}, Task.ERASE_EVIDENCE),
    Waiting("comparisons", {"state": "UPLOADED"}, Task.COMPARE),
    Waiting("evaluations", {"state": "EVALUATED", "kind": "hidden"}, Task.MEASURE),
    Waiting(
        "reports",
        {"state": "DRAFTING", "sections_state": "waiting"},
        Task.RUN_SECTIONS,
        claim="lease",
    ),
    Waiting("reports", {"state": "DRAFTING", "sections_state": {"$ne": "waiting"}}, Task.DRAFT),
    Waiting("reports", {"state": "CLEARED"}, Task.RENDER),
    Waiting("reports", {"state": "RENDERED"}, Task.SIGN),
)


class Sweeper:
    """Re-sends what is unclaimed or expired."""

    def __init__(self, records: Records, settings: Settings) -> None:
        """Look into `records` as often as the settings say."""
        self._records = records
        self._settings = settings

    def run(self, stop: threading.Event) -> None:
        """Sweep until told to stop; a database that is away is tried again."""
        while not stop.wait(self._settings.sweep_every_s):
            try:
                self.sweep_once()
            except PyMongoError as error:
                LOG.warning("the sweeper could not look: %s", error)
            except Exception:  # one odd record must not end the thread that finds lost work
                LOG.exception("the sweeper failed; it looks again")

    def sweep_once(self) -> int:
        """Wake somebody for everything that was lost; return how many wake-ups were filed."""
        messages = list(self._lost_shards())
        for waiting in WAITING:
            messages += self._lost_work(waiting)
        self._records.wake(*messages)
        return len(messages)

    def _lost_shards(self) -> Iterator[Message]:
        now = utc_now()
        expired = {"state": "CLAIMED", "lease.expires_at": {"$lte": now}}
        unclaimed = {"state": "WAITING", "not_before": {"$lte": now}}
        for query in (expired, unclaimed):
            for shard in self._records.find("shards", query):
                if self._is_wanted(shard) and self._is_due("shards", shard):
                    yield Message(Task.RUN_SHARD, shard["_id"], gpu=shard["gpu"])

    def _is_wanted(self, shard: Doc) -> bool:
        """Say whether anybody waits for the shard: a cancelled entry's will never be claimed."""
        evaluation = self._records.get("evaluations", shard["evaluation"])
        entry = self._records.get("entries", shard["entry"])
        return evaluation["state"] == "RUNNING" and entry["state"] in {"SCREENED", "CONFORMANT"}

    def _lost_work(self, waiting: Waiting) -> Iterator[Message]:
        expired = {f"{waiting.claim}.expires_at": {"$lte": utc_now()}}
        free = {"$or": [{waiting.claim: None}, expired]}
        for record in self._records.find(waiting.collection, waiting.query | free):
            if self._is_due(waiting.collection, record):
                yield Message(waiting.task, record["_id"])

    def _is_due(self, collection: str, record: Doc) -> bool:
        """Mark the record as woken if its last wake-up is old enough.

        A lost lease is due at once, and so is a shard whose pause after a failure is over; a
        wake-up that nobody answered yet waits its turn in the queue.
        """
        last = record.get("woken_at") or record["updated_at"]
        age = self._settings.resend_after_s
        if record.get("state") == "CLAIMED":
            age = self._settings.lease_ttl_s / 3
        paused = record.get("platform_failures") and last < record["not_before"]
        if last > utc_in(-age) and not paused:
            return False
        mark = {"woken_at": utc_now()}
        return self._records.touch(collection, record["_id"], mark, expect={"rev": record["rev"]})
