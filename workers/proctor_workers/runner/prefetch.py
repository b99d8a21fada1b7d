"""Fetches into the cache, while the model runs, what it will want later.

First the rest of this shard, then the shard that control names as the upcoming one; only while
nothing of this shard is waited for, only into room that neither needs. Whatever fails here is left
to the shard itself, which fetches it again and says what is wrong.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proctor_backend.domain.errors import LeaseLostError, ProctorError
from proctor_sdk.cases import CaseLineError
from proctor_workers.runner.addresses import Addresses
from proctor_workers.runner.case_lists import CaseList, note_held, read_list
from proctor_workers.runner.contents import Contents
from proctor_workers.runner.lease import CancelledError, StoppedError
from proctor_workers.runner.transfer import AbortedError, Wanted

LOG = logging.getLogger(__name__)
THREADS = 2
LOOK_EVERY_S = 0.2
OVER = (AbortedError, LeaseLostError, CancelledError, StoppedError)


class Calm:
    """Says when nothing of the present shard is waited for."""

    def __init__(self) -> None:
        """Nothing is waited for yet."""
        self._changed = threading.Condition()
        self._awaited = 0

    def begin(self) -> None:
        """Something is waited for."""
        with self._changed:
            self._awaited += 1

    def end(self) -> None:
        """It is here, or will not come."""
        with self._changed:
            self._awaited -= 1
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait up to so long; whether nothing is waited for."""
        with self._changed:
            return self._changed.wait_for(lambda: self._awaited == 0, seconds)


class Prefetch:
    """Two threads for the time of one shard."""

    def __init__(
        self, contents: Contents, addresses: Addresses, calm: Calm, *, spare_ns: int
    ) -> None:
        """Fetch into the cache of `contents`, while it is calm; spare what was used since then."""
        self._contents = contents
        self._addresses = addresses
        self._calm = calm
        self._spare_ns = spare_ns
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._queue: Iterator[tuple[Wanted, bool]] = iter(())
        self._threads: list[threading.Thread] = []
        self.lists: list[CaseList] = []

    def begin(self, rest: Iterable[Wanted], upcoming: Mapping[str, Any] | None) -> None:
        """Begin with the rest of this shard, go on with the upcoming one of the grant."""
        self._queue = self._in_order(rest, upcoming or {"blocks": ()})
        for _ in range(THREADS):
            thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
            thread.start()
            self._threads.append(thread)

    def end(self) -> None:
        """Wait for the threads; what they fetch must have been aborted."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while self._is_calm():
                with self._lock:
                    following = next(self._queue, None)
                if following is None:
                    return
                wanted, upcoming = following
                if not self._contents.prefetch(wanted, spare_ns=self._spare_ns, upcoming=upcoming):
                    self._over.set()
        except OVER:
            self._over.set()
        except (ProctorError, CaseLineError) as error:
            LOG.warning("nothing more is fetched ahead: %s", error)
            self._over.set()

    def _is_calm(self) -> bool:
        """Wait until nothing of this shard is waited for; False when it is over."""
        while not self._over.is_set():
            if self._calm.wait(LOOK_EVERY_S):
                return not self._over.is_set()
        return False

    def _in_order(
        self, rest: Iterable[Wanted], upcoming: Mapping[str, Any]
    ) -> Iterator[tuple[Wanted, bool]]:
        for wanted in rest:
            yield wanted, False
        for block in upcoming["blocks"]:
            for wanted in self._block(block):
                yield wanted, True

    def _block(self, block: Mapping[str, Any]) -> Iterator[Wanted]:
        """The files of an upcoming block; its list is kept in the cache like them."""
        found = read_list(self._contents, self._addresses, block, upcoming=True)
        self.lists.append(found)
        note_held(self._contents.cache, [found], self._spare_ns)
        files = found.files()
        self._addresses.expect(found.block, list(files))
        for sha256, size in files.items():
            yield self._addresses.wanted(found.block, sha256, size)
