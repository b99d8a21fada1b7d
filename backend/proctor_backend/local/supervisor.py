"""Keeps children running: starts them in order, restarts what crashes, ends them all.

One thread owns every child, because the kernel ties a child's leash to the thread that started it.
Other threads only leave wishes.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from proctor_backend.domain.errors import PlatformError
from proctor_backend.local.child import Child, Phase
from proctor_backend.local.service import Service

TICK_S = 0.05
HEALTHY_AFTER_S = 60.0
FIRST_TRIES = 3
LONGEST_WAIT_S = 30.0

Wish = Callable[[Child], None]


class Supervisor:
    """Runs services until told to stop."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        logs: Path,
        tag: Mapping[str, str],
        report: Callable[[str], None],
        changed: Callable[[Sequence[Child]], None],
    ) -> None:
        """Prepare to run `services`; `report` is told of crashes, `changed` of every new phase."""
        self.children = {s.name: Child(s, logs / f"{s.name}.log", tag) for s in services}
        self._report = report
        self._changed = changed
        self._wishes: queue.Queue[tuple[str, Wish]] = queue.Queue()
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until everything answers.

        Raises:
            PlatformError: something could not be started, with the end of its log.
        """
        settled = self._settled.wait(timeout_s)
        if self._failure is not None:
            self.stop()
            raise PlatformError(self._failure, cure="Run `proctor-admin doctor`.")
        if not settled:
            late = [c.service.name for c in self.children.values() if c.phase is not Phase.READY]
            self.stop()
            raise PlatformError(f"Not ready after {timeout_s:.0f} s: {', '.join(late)}.")

    def stop(self) -> None:
        """End every child, last started first, and return when they are gone."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def give_up(self) -> None:
        """Begin to stop without waiting for it."""
        if not self._stopping.is_set():
            self._failure = self._failure or "The start was interrupted."
            self._stopping.set()
            self._settled.set()

    def restart(self, name: str) -> None:
        """End a child politely and start it again."""
        self._wish(name, lambda child: self._halt(child, Phase.WAITING))

    def hold(self, name: str) -> None:
        """End a child and keep it down."""
        self._wish(name, lambda child: self._halt(child, Phase.HELD))

    def release(self, name: str) -> None:
        """Start a held child again."""
        self._wish(name, lambda child: child.enter(Phase.WAITING))

    def await_phase(self, name: str, phase: Phase, timeout_s: float = 60.0) -> None:
        """Wait until a child is in a phase and no wish is pending.

        Raises:
            PlatformError: it did not get there in time.
        """
        deadline = time.monotonic() + timeout_s
        child = self.children[name]
        while time.monotonic() < deadline:
            if child.phase is phase and self._wishes.unfinished_tasks == 0:
                return
            time.sleep(TICK_S / 2)
        raise PlatformError(f"{name} is {child.phase}, not {phase}, after {timeout_s:.0f} s.")

    def _wish(self, name: str, wish: Wish) -> None:
        if name not in self.children:
            raise PlatformError(f"There is no child {name!r}.")
        self._wishes.put((name, wish))

    def _run(self) -> None:
        try:
            while not self._stopping.wait(TICK_S):
                self._grant_wishes()
                for child in self.children.values():
                    self._advance(child)
                    if self._stopping.is_set():
                        break
                if all(c.phase in {Phase.READY, Phase.HELD} for c in self.children.values()):
                    self._settled.set()
        except Exception as error:  # noqa: BLE001 - whatever it is, the children must not be left alone
            self._fail(f"The supervisor failed: {error!r}")
        finally:
            self._end_all()

    def _grant_wishes(self) -> None:
        while not self._wishes.empty():
            name, wish = self._wishes.get()
            wish(self.children[name])
            self._wishes.task_done()
            self._tell()

    def _advance(self, child: Child) -> None:
        before = child.phase
        match child.phase:
            case Phase.WAITING if self._may_start(child):
                child.spawn()
            case Phase.STARTING | Phase.READY if child.exit_code() is not None:
                self._crashed(child, f"ended with exit code {child.exit_code()}")
            case Phase.STARTING if child.service.ready():
                child.service.prepare()
                child.enter(Phase.READY)
            case Phase.STARTING if child.age() > child.service.ready_timeout_s:
                self._crashed(child, f"did not answer in {child.service.ready_timeout_s:.0f} s")
            case Phase.READY if child.failures and child.age() > HEALTHY_AFTER_S:
                child.failures = 0
            case Phase.CRASHED if time.monotonic() >= child.retry_at:
                child.enter(Phase.WAITING)
        if child.phase is not before:
            self._tell()

    def _may_start(self, child: Child) -> bool:
        return all(
            self.children[name].phase is Phase.READY
            for name in child.service.after
            if name in self.children
        )

    def _crashed(self, child: Child, what: str) -> None:
        words = child.last_words()
        child.finish(deadline=time.monotonic())
        child.failures += 1
        wait = min(0.5 * 2 ** (child.failures - 1), LONGEST_WAIT_S)
        name = child.service.name
        text = f"{name} {what}. The end of its log ({child.log}):\n{_indent(words)}"
        if not self._settled.is_set() and child.failures >= FIRST_TRIES:
            self._fail(text)
            return
        self._report(f"{text}\n{name} is started again in {wait:.1f} s.")
        child.retry_at = time.monotonic() + wait
        child.enter(Phase.CRASHED)

    def _fail(self, text: str) -> None:
        self._failure = text
        self._report(text)
        self._stopping.set()
        self._settled.set()

    def _halt(self, child: Child, then: Phase) -> None:
        child.ask_to_stop()
        child.finish(deadline=time.monotonic() + child.service.grace_s)
        child.enter(then)

    def _end_all(self) -> None:
        """End the children in waves: nobody loses a server that it still needs."""
        left = dict(self.children)
        while left:
            needed = {name for child in left.values() for name in child.service.after}
            wave = [child for name, child in left.items() if name not in needed]
            for child in wave:
                child.ask_to_stop()
            asked = time.monotonic()
            for child in wave:
                child.finish(deadline=asked + child.service.grace_s)
                child.enter(Phase.HELD)
                del left[child.service.name]
        self._tell()

    def _tell(self) -> None:
        self._changed(list(self.children.values()))


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()) or "    (empty)"
