"""Names what this machine lacks, and the command that installs it."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from proctor_backend.domain.errors import PlatformError
from proctor_backend.local.mongo import find_mongod
from proctor_backend.local.rabbit import find_epmd, find_server
from proctor_backend.local.s3 import find_rclone

GIB = 1024**3
MEMORY_GIB = 4
DISK_GIB = 10
SETUP = "make setup"
DEBIAN = {
    "podman": "podman",
    "runc": "runc",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "debootstrap": "debootstrap",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


def examine(home: Path) -> list[Finding]:
    """Look at everything that the stack on this machine needs."""
    return [
        _program("mongod", find_mongod),
        _program("rclone", find_rclone),
        _program("rabbitmq-server", find_server),
        _program("epmd", find_epmd),
        *(_debian(program, package) for program, package in DEBIAN.items()),
        *(_module(name) for name in ("torch", "celery", "uvicorn", "typst")),
        _memory(),
        _disk(home),
        _cgroups(),
        _podman_runtime(),
    ]


def _program(name: str, find: Callable[[], object]) -> Finding:
    try:
        return Finding(name, True, str(find()))
    except PlatformError as error:
        return Finding(name, False, "missing", error.cure)


def _debian(program: str, package: str) -> Finding:
    found = shutil.which(program) or shutil.which(program, path=_system_path())
    cure = f"sudo apt-get install -y --no-install-recommends {package}"
    return Finding(program, found is not None, found or "missing", "" if found else cure)


def _system_path() -> str:
    """Debian keeps some programs out of an ordinary user's PATH, but not out of reach."""
    return "/usr/sbin:/sbin" if "/usr/bin" in os.environ.get("PATH", "").split(":") else "/none"


def _module(name: str) -> Finding:
    found = importlib.util.find_spec(name) is not None
    return Finding(
        f"python {name}", found, "installed" if found else "missing", "" if found else SETUP
    )


def _memory() -> Finding:
    total = psutil.virtual_memory().total / GIB
    ok = total >= MEMORY_GIB * 0.95
    cure = "" if ok else f"Use a machine with at least {MEMORY_GIB} GiB."
    return Finding("memory", ok, f"{total:.1f} GiB", cure)


def _disk(home: Path) -> Finding:
    place = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(place).free / GIB
    ok = free >= DISK_GIB
    cure = "" if ok else f"Free at least {DISK_GIB} GiB, or put --home on another disk."
    return Finding("disk", ok, f"{free:.1f} GiB free at {place}", cure)


def _cgroups() -> Finding:
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    if unified.exists():
        ok, kind = "memory" in unified.read_text(encoding="ascii").split(), "v2"
    else:
        ok, kind = Path("/sys/fs/cgroup/memory").is_dir(), "v1"
    cure = "" if ok else "Boot with `cgroup_enable=memory`: container memory limits need it."
    return Finding("cgroups", ok, f"{kind}, memory controller {'on' if ok else 'off'}", cure)


def _podman_runtime() -> Finding:
    cure = "sudo apt-get install -y --no-install-recommends podman runc"
    command = ("podman", "--runtime", "runc", "info", "--format", "{{.Host.OCIRuntime.Name}}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("podman with runc", False, f"does not run: {type(error).__name__}", cure)
    ok = done.returncode == 0 and done.stdout.strip() == "runc"
    detail = done.stdout.strip() if ok else (done.stderr.strip().splitlines() or ["no answer"])[-1]
    return Finding("podman with runc", ok, detail, "" if ok else cure)
