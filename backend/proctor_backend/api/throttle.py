"""A brake on guessing: so many requests per caller and minute, counted in this process."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from proctor_backend.domain.errors import TooManyRequestsError

# Sign-ins of one address; the lockout of an account stands in `services.passwords`.
SIGN_INS_PER_MINUTE = 60
# Callers that are remembered; the oldest makes room, so that memory stays bounded.
MOST_CALLERS = 10_000


class Throttle:
    """Allows `limit` requests of one caller within `seconds`."""

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Count by `clock`, which only tests replace."""
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def pass_through(self, caller: str) -> None:
        """Count one request.

        Raises:
            TooManyRequestsError: the caller has had its share for now.
        """
        now = self._clock()
        with self._lock:
            times = self._seen.setdefault(caller, deque())
            self._seen.move_to_end(caller)
            while times and times[0] <= now - self._seconds:
                times.popleft()
            if len(times) >= self._limit:
                raise TooManyRequestsError(
                    "Too many attempts from your address.", cure="Wait a minute and try again."
                )
            times.append(now)
            if len(self._seen) > MOST_CALLERS:
                self._seen.popitem(last=False)
