"""One machine's stack: which children it has, how it comes up, how it goes down."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from proctor_backend.access import ACCESS
from proctor_backend.domain.errors import PlatformError
from proctor_backend.domain.ids import utc_now
from proctor_backend.local import state
from proctor_backend.local.child import Child, Phase
from proctor_backend.local.credentials import (
    ADMIN,
    DATABASE,
    Addresses,
    Secrets,
    component_env,
    make_keys,
    make_secrets,
    mongo_url,
    write_env_file,
)
from proctor_backend.local.layout import Home, choose_ports, read_json, write_json
from proctor_backend.local.leftovers import clear_runner
from proctor_backend.local.mongo import mongo_service
from proctor_backend.local.processes import (
    PROCESSES,
    SERVERS,
    WEB,
    WORKERS,
    web_service,
    worker_service,
)
from proctor_backend.local.rabbit import epmd_service, rabbit_service
from proctor_backend.local.report_image import ReportImage
from proctor_backend.local.s3 import s3_service
from proctor_backend.local.service import Service
from proctor_backend.local.supervisor import Supervisor
from proctor_backend.local.sweep import TAG, end, tagged
from proctor_backend.migrations import migrate
from proctor_backend.records import Records
from proctor_backend.settings import Settings

PORT_NAMES = ("mongo", "s3", "amqp", "dist", "epmd", *WEB)
EVERYTHING = (*sorted(SERVERS), *PROCESSES)
READY_TIMEOUT_S = 180.0


class AlreadyRunningError(PlatformError):
    """Another supervisor has this home."""

    code = "already_running"

    def __init__(self, found: dict[str, Any] | None) -> None:
        """Carry what the other one says of itself."""
        super().__init__("This stack is running already.", cure="`proctor-admin down` ends it.")
        self.found = found


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class LocalStack:
    """Real servers and Proctor's processes under one folder, until `down`."""

    def __init__(
        self,
        home: Path | str,
        components: Iterable[str] | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        report: Callable[[str], None] = _to_stderr,
    ) -> None:
        """Prepare a stack.

        Args:
            home: the folder that everything is kept in.
            components: names of `EVERYTHING`; all of them unless told otherwise.
            settings: PROCTOR_* variables for all processes; remembered in the home.
            report: is told, in words, of every crash.
        """
        self.home = Home(Path(home).expanduser().resolve())
        self.components = tuple(EVERYTHING if components is None else components)
        unknown = set(self.components) - set(EVERYTHING)
        if unknown:
            raise PlatformError(f"There is no component {', '.join(sorted(unknown))}.")
        self.reports: list[str] = []
        self._given = dict(settings or {})
        self._tell = report
        self._lock = state.Lock(self.home)
        self._report_image = ReportImage(self.home, self._report)
        self._secrets: Secrets | None = None
        self._ports: dict[str, int] = {}
        self._supervisor: Supervisor | None = None
        self._started_at = ""
        self._ready = False

    def up(self, timeout_s: float = READY_TIMEOUT_S) -> Self:
        """Start everything and wait until it answers.

        Raises:
            AlreadyRunningError: this home's stack runs.
            PlatformError: a program is missing or does not start.
        """
        self.home.make()
        if not self._lock.take():
            raise AlreadyRunningError(state.running(self.home))
        try:
            self._prepare()
            end(tagged(self.secrets["stack.tag"]))  # left by a supervisor that was killed
            self._supervisor = Supervisor(
                self._services(),
                logs=self.home.logs,
                tag={TAG: self.secrets["stack.tag"]},
                report=self._report,
                changed=self._changed,
            )
            self._started_at = utc_now()
            if "runner" in self.components:
                self._report_image.begin()
            self._supervisor.start()
            self._supervisor.wait_ready(timeout_s)
            self._report_image.wait()
        except BaseException:
            self.down()
            raise
        self._ready = True
        self._changed(list(self._supervisor.children.values()))
        return self

    def down(self) -> None:
        """End every child and whatever it left behind; doing it twice does no harm."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        if self._lock.descriptor is not None:
            if self._secrets is not None:
                end(tagged(self.secrets["stack.tag"]))
            clear_runner(self.home.component("runner") / "work")
            self.home.state.unlink(missing_ok=True)
            self._lock.release()
        self._ready = False

    def give_up(self) -> None:
        """Have a start that is still going on fail soon; from another thread."""
        if self._supervisor is not None:
            self._supervisor.give_up()

    def __enter__(self) -> Self:
        """Start it."""
        return self.up()

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.down()

    @property
    def secrets(self) -> Secrets:
        """The generated credentials."""
        if self._secrets is None:
            self._secrets = make_secrets(self.home)
        return self._secrets

    @property
    def ports(self) -> dict[str, int]:
        """The port of every server, by name."""
        return dict(self._ports)

    @property
    def pids(self) -> dict[str, int]:
        """The process id of every running child."""
        children = self._running().children.values()
        return {c.service.name: c.process.pid for c in children if c.process}

    @property
    def api_url(self) -> str:
        """The address of API and dashboard."""
        return f"http://127.0.0.1:{self._ports['api']}"

    def env(self, component: str) -> dict[str, str]:
        """Return the environment of one component."""
        own = component_env(
            self.secrets,
            Addresses.loopback(self._ports),
            component,
            self.home.component(component),
        )
        if component == "runner":
            own["PROCTOR_REPORT_IMAGE"] = str(self._report_image.path)
        return own | read_json(self.home.settings)

    def settings(self, component: str) -> Settings:
        """Return the settings of one component, as its process reads them."""
        env = self.env(component)
        return Settings.model_validate(
            {name.removeprefix("PROCTOR_").lower(): value for name, value in env.items()}
        )

    def admin_mongo_url(self) -> str:
        """Return the database owner's connection string."""
        return mongo_url(self.secrets, ADMIN, f"127.0.0.1:{self._ports['mongo']}")

    def admin_records(self) -> Records:
        """Open the records as the database's owner."""
        return Records.connect(self.admin_mongo_url(), DATABASE)

    def restart(self, name: str) -> None:
        """End a child politely, start it again, wait until it answers."""
        self._running().restart(name)
        self._running().await_phase(name, Phase.READY)

    def kill(self, name: str, signal_number: int = signal.SIGKILL) -> int:
        """Kill one child as an accident does, and return the process id it had."""
        pid = self.pids[name]
        os.kill(pid, signal_number)
        return pid

    def hold(self, name: str) -> None:
        """End a child and keep it down until `release`."""
        self._running().hold(name)
        self._running().await_phase(name, Phase.HELD)

    def release(self, name: str) -> None:
        """Start a held child and wait until it answers."""
        self._running().release(name)
        self._running().await_phase(name, Phase.READY)

    def await_ready(self, name: str, *, after_pid: int, timeout_s: float = 60.0) -> None:
        """Wait until a child answers under another process id than before.

        Raises:
            PlatformError: it did not in time.
        """
        deadline = time.monotonic() + timeout_s
        while self.pids.get(name) in {None, after_pid}:
            if time.monotonic() > deadline:
                raise PlatformError(f"{name} was not started again in {timeout_s:.0f} s.")
            time.sleep(0.05)
        self._running().await_phase(name, Phase.READY, timeout_s)

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise PlatformError("The stack is not running.", cure="`proctor-admin up` starts it.")
        return self._supervisor

    def _prepare(self) -> None:
        if self._given:
            write_json(self.home.settings, read_json(self.home.settings) | self._given)
        self._ports = choose_ports(self.home, PORT_NAMES)
        make_keys(self.home)
        for component in ACCESS:
            write_env_file(self.home, component, self.env(component))

    def _services(self) -> list[Service]:
        wanted = set(self.components)
        services: list[Service] = []
        if "mongo" in wanted:
            port = self._ports["mongo"]
            services.append(mongo_service(self.home, self.secrets, port, self._migrate))
        if "s3" in wanted:
            services.append(s3_service(self.home, self.secrets, self._ports["s3"]))
        if "rabbit" in wanted:
            services.append(epmd_service(self.home, self._ports["epmd"]))
            services.append(rabbit_service(self.home, self.secrets, self._ports))
        services += [
            web_service(self.home, name, self.env(name), self._ports[name])
            for name in WEB
            if name in wanted
        ]
        services += [
            worker_service(self.home, name, self.env(name), queues)
            for name, queues in WORKERS.items()
            if name in wanted
        ]
        return services

    def _migrate(self) -> None:
        records = self.admin_records()
        try:
            migrate(records)
        finally:
            records.db.client.close()

    def _report(self, text: str) -> None:
        self.reports.append(text)
        self._tell(f"proctor-admin: {text}")

    def _changed(self, children: Sequence[Child]) -> None:
        ready = self._ready and all(child.phase is Phase.READY for child in children)
        state.keep(self.home, state.describe(children, started_at=self._started_at, ready=ready))


def stop_other(home: Home, timeout_s: float = 90.0) -> bool:
    """End the stack of a home from outside; return whether there was one.

    Raises:
        PlatformError: its supervisor does not end.
    """
    found = state.running(home)
    if found is not None:
        supervisor = psutil.Process(found["supervisor"]["pid"])
        supervisor.send_signal(signal.SIGTERM)
        try:
            supervisor.wait(timeout_s)
        except psutil.TimeoutExpired as error:
            raise PlatformError(f"The supervisor {supervisor.pid} does not end.") from error
    secrets = read_json(home.secrets)
    left = tagged(secrets["stack.tag"]) if secrets else []
    end(left)
    clear_runner(home.component("runner") / "work")
    home.state.unlink(missing_ok=True)
    return found is not None or bool(left)
