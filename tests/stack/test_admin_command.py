"""`proctor-admin` as an operator types it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proctor_backend.doctor import examine
from proctor_sdk.trust import read_trust


def admin(home, *arguments, **env):
    return subprocess.run(
        [sys.executable, "-m", "proctor_backend.cli", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | env,
        timeout=60,
        check=False,
    )


def test_doctor_names_a_missing_program_and_the_command_that_installs_it(tmp_path):
    done = admin(tmp_path, "doctor", PATH=str(Path(sys.executable).parent))
    assert done.returncode == 1
    assert "MISSING  podman" in done.stdout
    assert "apt-get install -y --no-install-recommends podman" in done.stdout


def test_doctor_names_every_missing_thing_only(tmp_path):
    assert [f.name for f in examine(tmp_path) if not f.ok and not f.cure] == []


def test_status_of_nothing_says_so(tmp_path):
    done = admin(tmp_path, "status")
    assert done.returncode == 3
    assert "Nothing runs" in done.stdout


def test_status_shows_pid_port_and_uptime(servers):
    done = admin(servers.home.root, "status")
    assert done.returncode == 0
    row = next(line for line in done.stdout.splitlines() if line.startswith("mongo"))
    assert str(servers.pids["mongo"]) in row
    assert str(servers.ports["mongo"]) in row


def test_up_beside_a_running_stack_shows_it_and_succeeds(servers):
    done = admin(servers.home.root, "up")
    assert done.returncode == 0, done.stderr
    assert "running already" in done.stdout
    assert str(servers.pids["mongo"]) in done.stdout


def test_audit_trail_of_a_running_stack_is_verified(servers):
    done = admin(servers.home.root, "audit", "verify")
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_exported_trust_file_is_what_verifiers_read(servers, tmp_path):
    target = tmp_path / "trust.json"
    assert admin(servers.home.root, "keys", "export", "--out", str(target)).returncode == 0
    assert len(read_trust(target)) == 1
    assert json.loads(target.read_text())["schema"] == 1


def test_error_says_what_to_do(tmp_path):
    done = admin(tmp_path, "audit", "verify")
    assert done.returncode == 1
    assert "what to do: Run `proctor-admin up" in done.stderr


def test_help_is_quick(tmp_path):
    best = min(_timed(tmp_path) for _ in range(3))
    assert best < 1.0


def _timed(home):
    begun = time.monotonic()
    assert admin(home, "--help").returncode == 0
    return time.monotonic() - begun


@pytest.mark.slow  # twice the start of every real server and process
def test_detached_stack_comes_up_makes_a_first_administrator_and_goes_down(tmp_path):
    started = admin(tmp_path, "up", "--detach")
    try:
        assert started.returncode == 0, started.stderr
        assert "First administrator: admin@proctor.localhost" in started.stdout
        assert (tmp_path / "first-admin.txt").stat().st_mode & 0o077 == 0
        assert admin(tmp_path, "migrate").returncode == 0
    finally:
        ended = admin(tmp_path, "down")
    assert "nothing is left running" in ended.stdout
    assert admin(tmp_path, "status").returncode == 3
