"""Claims of work by our workers: one at a time, renewed while it lasts, lost with its holder."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from pymongo.errors import PyMongoError

from proctor_backend.domain.ids import new_id, utc_in, utc_now
from proctor_backend.records import Records

RENEW_EVERY_S = 10.0
CLAIM_TTL_S = 30.0


@contextlib.contextmanager
def claimed(
    records: Records, collection: str, record_id: str, *, state: str
) -> Iterator[Mapping[str, Any] | None]:
    """Yield the record if it is in `state` and nobody else works on it, None otherwise.

    A message that comes twice, or after somebody else finished the step, thus does nothing.
    """
    holder = new_id("lse")
    free = {"$or": [{"work": None}, {"work.expires_at": {"$lte": utc_now()}}]}
    mine = {"work.holder": holder}
    work = {"work": {"holder": holder, "expires_at": utc_in(CLAIM_TTL_S)}}
    if not records.touch(collection, record_id, work, expect={"state": state} | free):
        yield None
        return
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(RENEW_EVERY_S):
            with contextlib.suppress(PyMongoError):  # the next renewal or the sweeper mends it
                until = {"work.expires_at": utc_in(CLAIM_TTL_S)}
                records.touch(collection, record_id, until, expect=mine)

    thread = threading.Thread(target=renew, name=f"claim-{record_id}", daemon=True)
    thread.start()
    try:
        yield records.get(collection, record_id)
    finally:
        stop.set()
        thread.join()
        with contextlib.suppress(PyMongoError):
            records.touch(collection, record_id, {"work": None}, expect=mine)
