"""The outbox relay: messages leave for the broker after their transaction, each confirmed.

One relay is active at a time, by lease; a message that was sent but not struck off is sent again,
which does no harm, since a message is only a wake-up.
"""

import logging
import threading

from pymongo.errors import DuplicateKeyError, PyMongoError

from proctor_backend.domain.errors import PlatformError
from proctor_backend.domain.ids import new_id, utc_in, utc_now
from proctor_backend.events import EventPublisher
from proctor_backend.queue import TaskPublisher
from proctor_backend.records import Doc, Records

LOG = logging.getLogger(__name__)
LEASE_S = 15.0
BATCH = 200
IDLE_S = 0.05
AWAY_S = 2.0


class Relay:
    """Empties the outbox into the broker."""

    def __init__(self, records: Records, tasks: TaskPublisher, events: EventPublisher) -> None:
        """Read from `records`; publish through `tasks` and `events`."""
        self._records = records
        self._tasks = tasks
        self._events = events
        self._name = new_id("lse")
        self._away = False

    def run(self, stop: threading.Event) -> None:
        """Relay until told to stop; wait and go on when a server is away."""
        pause = 0.0
        while not stop.wait(pause):
            try:
                sent = self.relay_once() if self._is_active() else 0
                pause = 0.0 if sent == BATCH else IDLE_S
                self._back()
            except (PlatformError, PyMongoError) as error:
                self._gone(error)
                pause = AWAY_S
            except Exception:  # a thread that ended here would hold up all work, unseen
                LOG.exception("the relay failed; it tries again")
                pause = AWAY_S
        self._tasks.close()
        self._events.close()

    def relay_once(self) -> int:
        """Send what is waiting and due, oldest first; return how many messages were sent."""
        due = {"due_at": {"$not": {"$gt": utc_now()}}}  # most have no such field
        waiting = self._records.find("outbox", due, limit=BATCH)
        for row in waiting:
            self._send(row)
            self._records.db.outbox.delete_one({"_id": row["_id"]})
        return len(waiting)

    def _send(self, row: Doc) -> None:
        if row["kind"] == "task":
            self._tasks.send(row["task"], row["subject"], row["queue"])
        else:
            self._events.publish(row["routing_key"], row["body"])

    def _is_active(self) -> bool:
        now = utc_now()
        free = {"_id": "relay", "$or": [{"holder": self._name}, {"expires_at": {"$lte": now}}]}
        mine = {"holder": self._name, "expires_at": utc_in(LEASE_S)}
        try:
            found = self._records.db.system.update_one(free, {"$set": mine}, upsert=True)
        except DuplicateKeyError:
            return False  # another relay holds the lease
        return bool(found.matched_count or found.upserted_id is not None)

    def _gone(self, error: Exception) -> None:
        if not self._away:
            LOG.warning("the relay waits, messages stay in the outbox: %s", error)
        self._away = True

    def _back(self) -> None:
        if self._away:
            LOG.info("the relay goes on")
        self._away = False
