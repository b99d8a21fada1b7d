"""Presigned addresses of a lease's files: asked for in batches, in the order of need."""

import functools
import threading
import time
from collections.abc import Callable, Sequence

from proctor_backend.domain.errors import PlatformError
from proctor_workers.runner.lease import Lease
from proctor_workers.runner.transfer import Wanted

AT_ONCE = 128
# Control makes them for 15 minutes.
YOUNG_S = 600.0


class Addresses:
    """Knows which files follow in each block, so that one question serves many of them."""

    def __init__(self, lease: Lease, held: Callable[[str], bool]) -> None:
        """Ask under `lease`; what is `held` here needs no address."""
        self._lease = lease
        self._held = held
        self._lock = threading.Lock()
        self._order: dict[str, list[str]] = {}
        self._place: dict[tuple[str, str], int] = {}
        self._known: dict[tuple[str, str], tuple[str, float]] = {}

    def expect(self, block: str, digests: Sequence[str]) -> None:
        """Say in which order a block's files will be wanted."""
        with self._lock:
            order = self._order.setdefault(block, [])
            for sha256 in digests:
                if (block, sha256) not in self._place:
                    self._place[block, sha256] = len(order)
                    order.append(sha256)

    def wanted(self, block: str, sha256: str, size: int | None) -> Wanted:
        """A file of a block, with the way to its address."""
        return Wanted(
            sha256=sha256, size=size, address=functools.partial(self._address, block, sha256)
        )

    def _address(self, block: str, sha256: str, *, fresh: bool) -> str:
        with self._lock:
            if fresh or not self._is_young(block, sha256):
                now = time.monotonic()
                batch = [sha256, *self._following(block, sha256)]
                for digest, url in self._lease.files(block, batch).items():
                    self._known[block, digest] = (url, now)
            found = self._known.pop((block, sha256), None)
        if found is None:
            raise PlatformError("Control names no address for a file of this lease.")
        return found[0]

    def _following(self, block: str, sha256: str) -> list[str]:
        """The next files of the block that need an address; their old ones are forgotten."""
        order, place = self._order.get(block, ()), self._place.get((block, sha256))
        if place is None:
            return []
        found = [
            one
            for one in order[place + 1 : place + AT_ONCE]
            if not self._is_young(block, one) and not self._held(one)
        ]
        for one in found:
            self._known.pop((block, one), None)
        return found

    def _is_young(self, block: str, sha256: str) -> bool:
        found = self._known.get((block, sha256))
        return found is not None and time.monotonic() - found[1] < YOUNG_S
