"""`proctor-admin up`, `down`, `status`."""

import argparse
import datetime as dt
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from proctor_backend.domain.errors import PlatformError
from proctor_backend.domain.ids import parse_utc
from proctor_backend.local.layout import Home, default_home, write_private
from proctor_backend.local.stack import AlreadyRunningError, LocalStack, stop_other
from proctor_backend.local.state import running
from proctor_backend.records import Records
from proctor_backend.services.people import first_admin

DETACH_TIMEOUT_S = 240.0


def home_of(given: argparse.Namespace) -> Home:
    """Return the home that the command line names."""
    return Home((given.home or default_home()).expanduser().resolve())


def up(given: argparse.Namespace) -> int:
    """Start the stack, or show the one that runs."""
    home = home_of(given)
    if given.detach:
        return _detach(home, given)
    settings = {"PROCTOR_DEMONSTRATION": "true"} if given.demonstration else None
    stack = LocalStack(home.root, settings=settings)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    try:
        _start(stack, ended)
    except AlreadyRunningError as error:
        _say("This stack is running already.")
        return show(error.found)
    try:
        if not ended.is_set():
            ensure_first_admin(home, stack.admin_records(), email=given.admin_email)
            show(running(home))
            _say(f"Dashboard: {stack.api_url}   (Ctrl-C or `proctor-admin down` ends it)")
            ended.wait()
    finally:
        _say("Ending …")
        stack.down()
    _say("Ended; nothing is left running.")
    return 0


def _start(stack: LocalStack, ended: threading.Event) -> None:
    """Start in a thread, so that Ctrl-C is heard while the servers come up."""
    failures: list[Exception] = []

    def start() -> None:
        try:
            stack.up()
        except Exception as error:  # noqa: BLE001 - raised again below, in the caller's thread
            failures.append(error)

    worker = threading.Thread(target=start)
    worker.start()
    while worker.is_alive():
        worker.join(0.1)
        if ended.is_set():
            stack.give_up()
    if failures and not ended.is_set():
        raise failures[0]


def down(given: argparse.Namespace) -> int:
    """End the stack."""
    found = stop_other(home_of(given))
    _say("Ended; nothing is left running." if found else "Nothing was running.")
    return 0


def status(given: argparse.Namespace) -> int:
    """Show what runs; exit code 3 where nothing does."""
    found = running(home_of(given))
    if found is None:
        _say(f"Nothing runs in {home_of(given).root}.")
        return 3
    return show(found)


def show(found: dict[str, Any] | None) -> int:
    """Print the children as a table."""
    if found is None:
        _say("It is just starting or ending; ask again in a moment.")
        return 0
    line = "{:<10}{:<10}{:>8}{:>8}{:>12}{:>10}"
    _say(line.format("name", "state", "pid", "port", "uptime", "restarts"))
    now = dt.datetime.now(dt.UTC)
    for child in found["children"]:
        age = str(now - parse_utc(child["started_at"])).partition(".")[0] if child["pid"] else "-"
        port, pid = child["port"] or "-", child["pid"] or "-"
        _say(line.format(child["name"], child["phase"], pid, port, age, child["restarts"]))
    return 0


def ensure_first_admin(home: Home, records: Records, *, email: str) -> None:
    """Create the first person on a new platform and keep the password where only we can read it."""
    if records.find("persons", {}, limit=1):
        return
    password = secrets.token_urlsafe(18)
    first_admin(records, email=email, password=password, name="First administrator")
    write_private(home.first_admin, f"email: {email}\npassword: {password}\n")
    _say(f"First administrator: {email}, password {password} (kept in {home.first_admin})")


def _detach(home: Home, given: argparse.Namespace) -> int:
    found = running(home)
    if found is not None:
        _say("This stack is running already.")
        return show(found)
    home.make()
    command = [sys.executable, "-m", "proctor_backend.cli", "--home", str(home.root), "up"]
    command += ["--admin-email", given.admin_email]
    command += ["--demonstration"] if given.demonstration else []
    log = home.log("supervisor")
    log.write_bytes(b"")
    with log.open("ab") as sink:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _await_ready(home, child, log)
    for line in log.read_text(encoding="utf-8").splitlines():
        if line.startswith(("First administrator", "Dashboard")):
            _say(line)
    return show(running(home))


def _await_ready(home: Home, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DETACH_TIMEOUT_S
    while not ((found := running(home)) and found["ready"] and "Dashboard" in _text(log)):
        if child.poll() is not None:
            raise PlatformError(f"The stack did not start:\n{_text(log)}")
        if time.monotonic() > deadline:
            child.terminate()
            raise PlatformError(f"The stack was not ready in {DETACH_TIMEOUT_S:.0f} s.")
        time.sleep(0.1)


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
