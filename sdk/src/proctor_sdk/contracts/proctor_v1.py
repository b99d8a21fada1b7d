"""Contract proctor/v1: feeds cases into a growing file, reads answers as flushed, survives crashes.

Decides what is fed when, and which crash costs a case and which the run. What a container may do is
the policy's matter, where cases come from and where answers go the caller's.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proctor_sdk.contracts.base import RunFailedError, RunLimits, RunSummary
from proctor_sdk.contracts.diagnose import FATAL, Crash, of_exit, of_hang
from proctor_sdk.outputs import OutputInvalidError, longest_line
from proctor_sdk.predictions import (
    TaskSpec,
    failed_by_platform,
    parse_prediction,
)
from proctor_sdk.reasons import ReasonCode
from proctor_sdk.sandbox.outputs import OutputError, PredictionReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from proctor_sdk.cases import StagedCase
    from proctor_sdk.contracts.base import Sink
    from proctor_sdk.sandbox.engine import AnyContainer
    from proctor_sdk.sandbox.launcher import Launcher
    from proctor_sdk.sandbox.workspace import Life

SHORTEST_WAIT_S = 0.0001
LONGEST_WAIT_S = 0.02
LOOK_EVERY_S = 0.5
LOOK_FOR_CASE_S = 0.002
# Three containers that never answered, on two different cases: it is the start, not a case.
SILENT_STARTS = 3


@dataclass(slots=True)
class _Box:
    """One container while it runs, with the cases it has seen and not answered."""

    life: Life
    container: AnyContainer
    reader: PredictionReader
    started: float
    waiting: deque[StagedCase] = field(default_factory=deque)
    last: str = ""
    answered: int = 0
    since: float = 0.0
    looked: float = 0.0
    ended: bool = False
    idle_since: float | None = None  # it has answered everything, and no case is at hand
    idle: float = 0.0


class ProctorV1:
    """Runs cases through containers of one image until each has an answer."""

    def __init__(  # noqa: PLR0913 - one run, named part by part
        self,
        launcher: Launcher,
        task: Mapping[str, Any],
        spec: TaskSpec,
        limits: RunLimits,
        sink: Sink,
        *,
        total: int,
        answered_before: int = 0,
        restarts_before: int = 0,
        proven: bool = False,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self.summary = RunSummary(restarts=restarts_before)
        self.log = ""
        self._launcher = launcher
        self._task = task
        self._spec = spec
        self._limits = limits
        self._sink = sink
        self._proven = proven  # it answered in an earlier run: silence is not its start's fault
        self._guard = guard  # raises when the run is no longer wanted
        self._allowed_restarts = max(5, total // 100)
        self._ever_answered = answered_before > 0
        self._silent = 0
        self._kills: dict[str, int] = {}
        self._suspects: deque[StagedCase] = deque()
        self._source: Iterator[StagedCase | None] = iter(())
        self._next: StagedCase | None = None
        self._exhausted = False

    def run(self, cases: Iterator[StagedCase | None]) -> RunSummary:
        """Have every case answered, by one container or, after crashes, by several.

        `cases` gives None, at once, as long as its next case is not there yet.

        Raises:
            RunFailedError: the container cannot start, breaks the contract, or dies too often.
        """
        self._source = cases
        while self._is_at_hand():
            box = self._open()
            try:
                self._converse(box)
            except Crash as crash:
                self._after_crash(box, crash)
            except (OutputInvalidError, OutputError) as error:
                reason = ReasonCode(error.code)
                raise RunFailedError(reason, error.message, log=box.container.log()) from error
            finally:
                self._close(box)
        if not self._ever_answered and self._silent:
            raise RunFailedError(ReasonCode.START_FAILED, "No container answered a single case.")
        return self.summary

    # 1 start ------------------------------------------------------------------------------------

    def _open(self) -> _Box:
        begun = time.monotonic()
        life = self._launcher.workspace.life(self._task)
        container = self._launcher.start(life)
        self.summary.gpu_seen = self._launcher.gpu_seen
        self.summary.containers += 1
        now = time.monotonic()
        self.summary.start_seconds += now - begun
        reader = PredictionReader(
            life.output, cap=self._limits.output_bytes, longest=longest_line(self._spec.kind)
        )
        return _Box(life, container, reader, started=now, since=now, looked=now)

    # 2 feed, collect, end -----------------------------------------------------------------------

    def _converse(self, box: _Box) -> None:
        wait = SHORTEST_WAIT_S
        while True:
            self._feed(box)
            if box.ended and not box.waiting:
                self._await_exit(box)
                return
            if self._collect(box):
                wait = SHORTEST_WAIT_S
                continue
            if box.container.exited(wait):
                self._drain(box)
                raise of_exit(box.container, box.life, self._launcher.policy)
            wait = min(wait * 1.1, LONGEST_WAIT_S)
            self._look(box)

    def _feed(self, box: _Box) -> None:
        single = bool(self._suspects) or self._limits.isolation == "case"
        window = 1 if single else self._limits.window
        while not box.ended and len(box.waiting) < window:
            if self._limits.isolation == "case" and box.answered:
                break
            case = self._draw()
            if case is None:
                self._note_idle(box)
                break
            if not box.waiting:
                box.since = time.monotonic()
                self._end_idle(box)
            box.life.feed(case)
            box.waiting.append(case)
            self._take()  # while the model works; and so the last case is known as such
            if self._suspects:
                break
        alone = self._limits.isolation == "case" and (box.waiting or box.answered)
        if not box.ended and (alone or not self._more()):
            box.life.end()
            box.ended = True

    def _collect(self, box: _Box) -> int:
        lines = box.reader.lines()
        for line in lines:
            self._accept(box, line)
        return len(lines)

    def _accept(self, box: _Box, line: bytes) -> None:
        prediction = parse_prediction(line, task=self._spec)
        if not box.waiting or prediction.case != box.waiting[0].name:
            raise OutputInvalidError(_misplaced(box, prediction.case))
        case = box.waiting.popleft()
        box.life.retire(case)
        box.last, box.since = case.name, time.monotonic()
        box.answered += 1
        self._ever_answered = True
        self._kills.pop(case.name, None)
        self.summary.answered += 1
        self._sink(prediction, line)

    def _drain(self, box: _Box) -> None:
        while self._collect(box):
            pass
        box.reader.check()
        if box.reader.unfinished() and not box.life.output_full():
            raise OutputInvalidError(
                "The last line has no end.", "Write each answer with its newline."
            )

    def _look(self, box: _Box) -> None:
        """Check time and the folder, not at every turn."""
        self._guard()
        now = time.monotonic()
        allowed = self._limits.seconds_per_case
        if not box.answered:
            allowed += self._limits.start_seconds
        if box.waiting and now - box.since > allowed:
            raise of_hang(box.container, box.life)
        if now - box.looked > LOOK_EVERY_S:
            box.looked = now
            box.reader.check()
            idle = box.idle + (now - box.idle_since if box.idle_since is not None else 0.0)
            spent = self.summary.model_seconds + now - box.started - idle
            if spent > self._limits.seconds_total:
                raise RunFailedError(
                    ReasonCode.TIME_LIMIT, "The whole run took longer than seconds_total.",
                    log=box.container.log(),
                )  # fmt: skip

    def _await_exit(self, box: _Box) -> None:
        if not box.container.exited(self._limits.exit_seconds):
            raise RunFailedError(
                ReasonCode.TIME_LIMIT, "The container did not end after the last case.",
                log=box.container.log(),
            )  # fmt: skip
        self._drain(box)
        self.log = box.container.log()
        ended = box.container.exit()
        if ended.code:
            crash = of_exit(box.container, box.life, self._launcher.policy)
            raise RunFailedError(
                crash.reason, f"{crash.detail} (after the last case)", log=crash.log
            )

    # 3 after a crash ----------------------------------------------------------------------------

    def _after_crash(self, box: _Box, crash: Crash) -> None:
        """A second kill fails a case alone; fatal, silent or frequent crashes fail the run."""
        box.container.kill()
        if crash.reason in FATAL:
            raise RunFailedError(crash.reason, crash.detail, log=crash.log) from crash
        self.summary.restarts += 1
        self._silent = 0 if self._ever_answered else self._silent + 1
        if self._silent >= SILENT_STARTS:
            raise RunFailedError(self._silence(crash), crash.detail, log=crash.log) from crash
        if self.summary.restarts > self._allowed_restarts:
            detail = f"{self.summary.restarts} restarts; the last: {crash.detail}"
            raise RunFailedError(crash.reason, detail, log=crash.log) from crash
        alone = len(box.waiting) == 1
        for case in reversed(box.waiting):
            box.life.take_back(case)
            self._kills[case.name] = self._kills.get(case.name, 0) + 1
            if not (alone and self._kills[case.name] > 1):
                self._suspects.appendleft(case)
        if alone and self._kills[box.waiting[0].name] > 1:
            self._give_up(box.waiting[0], crash)
        if not self._more() and not self._ever_answered:
            raise RunFailedError(self._silence(crash), crash.detail, log=crash.log) from crash

    def _silence(self, crash: Crash) -> ReasonCode:
        return crash.reason if self._proven else crash.at_start()

    def _give_up(self, case: StagedCase, crash: Crash) -> None:
        prediction = failed_by_platform(case.name, crash.reason)
        self._kills.pop(case.name, None)
        self.summary.failed_by_platform += 1
        self._sink(prediction, prediction.line())

    def _close(self, box: _Box) -> None:
        self._end_idle(box)
        self.summary.model_seconds += time.monotonic() - box.started - box.idle
        box.reader.close()
        box.container.remove()
        self._launcher.workspace.close_life(box.life)

    # the cases that are left --------------------------------------------------------------------

    def _more(self) -> bool:
        return bool(self._suspects) or self._next is not None or not self._exhausted

    def _is_at_hand(self) -> bool:
        """Wait for a case before a container is started for it; False if none is left."""
        begun = time.monotonic()
        while not self._suspects:
            self._take()
            if self._next is not None or self._exhausted:
                break
            self._guard()
            time.sleep(LOOK_FOR_CASE_S)
        self.summary.waiting_seconds += time.monotonic() - begun
        return self._more()

    def _draw(self) -> StagedCase | None:
        if self._suspects:
            return self._suspects.popleft()
        self._take()
        case, self._next = self._next, None
        return case

    def _take(self) -> None:
        if self._next is None and not self._exhausted:
            try:
                self._next = next(self._source)
            except StopIteration:
                self._exhausted = True

    def _note_idle(self, box: _Box) -> None:
        if not box.waiting and box.idle_since is None and self._more():
            box.idle_since = time.monotonic()

    def _end_idle(self, box: _Box) -> None:
        if box.idle_since is not None:
            spent = time.monotonic() - box.idle_since
            box.idle, box.idle_since = box.idle + spent, None
            self.summary.waiting_seconds += spent


def _misplaced(box: _Box, name: str) -> str:
    if name == box.last:
        return "A case is answered twice."
    if any(case.name == name for case in box.waiting):
        return "Answers are not in the order of the cases."
    return "A case is answered that was not asked."
