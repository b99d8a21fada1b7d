"""Processes that work on cases; one that dies or hangs costs the case it had, and no other."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Protocol, Self, TypeVar


class Job(Protocol):
    """Something to be done, known by its number."""

    @property
    def number(self) -> int:
        """Which one it is."""
        ...


SettingT = TypeVar("SettingT")
JobT = TypeVar("JobT", bound=Job)
DoneT = TypeVar("DoneT")

SECONDS_A_CASE = 1800.0  # a whole slide of several GB from a slow store
TRIES = 2  # the first death may be the machine's: memory that others took
_SPAWN = get_context("spawn")  # not forked: this process has threads


@dataclass(slots=True)
class _Hand(Generic[JobT]):
    """One process, the pipe to it, and the case it has."""

    process: Any
    pipe: Connection
    job: JobT | None = None
    since: float = 0.0

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


class CasePool(Generic[SettingT, JobT, DoneT]):
    """Maps `work(setting, job)` over jobs, in any order.

    `lost(job, what)` says what stands for a job that took its process down, or never ended; `what`
    follows the name of its file. A `ProctorError` that `work` raises is raised here: it is no fault
    of any case.
    """

    def __init__(
        self,
        work: Callable[[SettingT, JobT], DoneT],
        setting: SettingT,
        lost: Callable[[JobT, str], DoneT],
        *,
        processes: int,
        seconds_a_case: float = SECONDS_A_CASE,
    ) -> None:
        self._work, self._setting, self._lost_case = work, setting, lost
        self._size, self._seconds = processes, seconds_a_case
        self._hands: list[_Hand[JobT]] = []
        self._again: deque[JobT] = deque()
        self._tries: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:
            hand.end()

    def done(self, jobs: Iterable[JobT]) -> Iterator[DoneT]:
        """Yield what came of each job."""
        waiting = iter(jobs)
        while True:
            self._give(waiting)
            busy = [hand for hand in self._hands if hand.job is not None]
            if not busy:
                return
            yield from self._collected(busy)

    def _give(self, waiting: Iterator[JobT]) -> None:
        idle = deque(hand for hand in self._hands if hand.job is None)
        while idle or len(self._hands) < self._size:
            job = self._again.popleft() if self._again else next(waiting, None)
            if job is None:
                return
            hand = idle.popleft() if idle else self._hired()
            hand.job, hand.since = job, time.monotonic()
            hand.pipe.send(job)

    def _hired(self) -> _Hand[JobT]:
        # A process a core is enough: threads of linear algebra beside them cost more than they do.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=_serve, args=(theirs, self._work, self._setting), daemon=True
        )
        process.start()
        theirs.close()
        hand: _Hand[JobT] = _Hand(process, ours)
        self._hands.append(hand)
        return hand

    def _collected(self, busy: list[_Hand[JobT]]) -> Iterator[DoneT]:
        ready = set(wait([hand.pipe for hand in busy], timeout=1.0))
        for hand in busy:
            if hand.pipe in ready:
                yield from self._received(hand)
            elif time.monotonic() - hand.since > self._seconds:
                yield from self._lost(hand, "keeps its reader busy without end", tries=1)

    def _received(self, hand: _Hand[JobT]) -> Iterator[DoneT]:
        try:
            answer = hand.pipe.recv()
        except EOFError:
            yield from self._lost(hand, "makes its reader crash", tries=TRIES)
            return
        hand.job = None
        if isinstance(answer, Exception):
            raise answer
        yield answer

    def _lost(self, hand: _Hand[JobT], what: str, *, tries: int) -> Iterator[DoneT]:
        job = hand.job
        hand.end()
        self._hands.remove(hand)
        if job is None:
            return
        self._tries[job.number] = self._tries.get(job.number, 0) + 1
        if self._tries[job.number] < tries:
            self._again.append(job)
        else:
            yield self._lost_case(job, what)


def _serve(pipe: Connection, work: Callable[[Any, Any], Any], setting: Any) -> None:
    """Work until the other end closes."""
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(work(setting, job))
        except BrokenPipeError:
            return
        except Exception as exc:  # noqa: BLE001 - carried to the other process, raised there
            pipe.send(exc)
