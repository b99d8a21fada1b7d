"""Names the machine that a number was measured on."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil


def described() -> str:
    """Return processor, cores, memory, system and day in one line."""
    memory = psutil.virtual_memory().total / 2**30
    day = datetime.now(tz=UTC).date().isoformat()
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{_system()}, Python {platform.python_version()}, {day}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    release = platform.freedesktop_os_release()
    return release.get("PRETTY_NAME", "Linux")
