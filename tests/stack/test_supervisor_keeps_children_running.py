"""What the supervisor does when a child crashes, hangs at the start, or must go."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from proctor_backend.domain.errors import PlatformError
from proctor_backend.local.child import Phase
from proctor_backend.local.service import Service
from proctor_backend.local.supervisor import Supervisor


def service(folder, name, program, *, ready=lambda: True, **more):
    command = (sys.executable, "-c", program)
    return Service(name=name, command=command, cwd=folder, ready=ready, **more)


@pytest.fixture
def supervise(tmp_path):
    started = []

    def start(*services, tag=None):
        reports = []
        supervisor = Supervisor(
            services,
            logs=tmp_path,
            tag=tag or {},
            report=reports.append,
            changed=lambda _: None,
        )
        supervisor.start()
        started.append(supervisor)
        return supervisor, reports

    yield start
    for supervisor in started:
        supervisor.stop()


def test_crashed_child_is_reported_with_the_end_of_its_log_and_restarted(supervise, tmp_path):
    flag = tmp_path / "second"
    program = (
        f"import pathlib, time, sys; f = pathlib.Path({str(flag)!r})\n"
        "if f.exists(): time.sleep(60)\n"
        "f.touch(); print('the disk is on fire', flush=True); time.sleep(0.3); sys.exit(7)"
    )
    supervisor, reports = supervise(service(tmp_path, "fragile", program))
    supervisor.wait_ready(10)
    deadline = time.monotonic() + 10
    while supervisor.children["fragile"].lives < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    supervisor.await_phase("fragile", Phase.READY, 10)
    assert len(reports) == 1
    assert "exit code 7" in reports[0]
    assert "the disk is on fire" in reports[0]


def test_child_that_never_starts_fails_the_start_with_its_log(supervise, tmp_path):
    program = "print('no such port'); raise SystemExit(2)"
    supervisor, _ = supervise(service(tmp_path, "broken", program, ready=lambda: False))
    with pytest.raises(PlatformError, match="no such port"):
        supervisor.wait_ready(20)


def test_child_waits_for_what_it_needs(supervise, tmp_path):
    order = []
    slow = service(
        tmp_path, "slow", "import time; time.sleep(60)", prepare=lambda: order.append("slow ready")
    )
    late = service(
        tmp_path,
        "late",
        "import time; time.sleep(60)",
        after=frozenset({"slow"}),
        prepare=lambda: order.append("late ready"),
    )
    supervisor, _ = supervise(late, slow)
    supervisor.wait_ready(10)
    assert order == ["slow ready", "late ready"]


def test_stop_ends_grandchildren_and_those_deaf_to_signals(supervise, tmp_path):
    pids = tmp_path / "pids"
    program = (
        "import os, signal, subprocess, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)"
    )
    supervisor, _ = supervise(service(tmp_path, "deaf", program, ready=pids.exists, grace_s=0.5))
    supervisor.wait_ready(10)
    found = [int(pid) for pid in pids.read_text().split()]
    supervisor.stop()
    assert gone_soon(found)


def test_children_end_when_the_supervisor_is_killed(tmp_path):
    script = (
        "import sys, time, pathlib\n"
        "from proctor_backend.local.service import Service\n"
        "from proctor_backend.local.supervisor import Supervisor\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "one = Service(name='one', command=('sleep', '60'), cwd=folder, ready=lambda: True)\n"
        "s = Supervisor([one], logs=folder, tag={}, report=print, changed=lambda _: None)\n"
        "s.start(); s.wait_ready(10); print(s.children['one'].process.pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    assert gone_soon([pid])


def gone_soon(pids):
    """The kernel ends a killed process when it next runs it, not at once."""
    deadline = time.monotonic() + 5
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(_alive(pid) for pid in pids)


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_child_inherits_no_foreign_variable(supervise, tmp_path, monkeypatch):
    monkeypatch.setenv("SOMEBODYS_PASSWORD", "hunter2")
    supervisor, _ = supervise(
        service(tmp_path, "one", "import time; time.sleep(60)", env={"PROCTOR_COMPONENT": "api"})
    )
    supervisor.wait_ready(10)
    pid = supervisor.children["one"].process.pid
    deadline = time.monotonic() + 5
    while b"PROCTOR_COMPONENT" not in (raw := Path(f"/proc/{pid}/environ").read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert b"hunter2" not in raw
    assert os.environ["SOMEBODYS_PASSWORD"] == "hunter2"
