"""Where everything of one machine's stack lies, and who may read it."""

import json
import os
import random
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
# Below the kernel's range for outgoing connections: none of them ever takes a remembered port.
PORTS = range(20_000, 32_000)


def default_home() -> Path:
    """Return $PROCTOR_HOME, or ~/.proctor."""
    return Path(os.environ.get("PROCTOR_HOME") or Path.home() / ".proctor")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one stack."""

    root: Path

    def make(self) -> None:
        """Create the folders, closed to everybody else."""
        for folder in (self.root, self.logs, self.keys, self.mongo, self.buckets, self.rabbit):
            folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)

    @property
    def logs(self) -> Path:
        """One log per child, and the supervisor's."""
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        """Every key; a component gets copies of its own ones only."""
        return self.root / "keys"

    @property
    def mongo(self) -> Path:
        """MongoDB's data."""
        return self.root / "mongo"

    @property
    def s3(self) -> Path:
        """The S3 server's configuration."""
        return self.root / "s3"

    @property
    def buckets(self) -> Path:
        """One folder per bucket."""
        return self.root / "s3" / "data"

    @property
    def rabbit(self) -> Path:
        """RabbitMQ's data, configuration and cookie."""
        return self.root / "rabbitmq"

    @property
    def secrets(self) -> Path:
        """Generated credentials of all components."""
        return self.root / "secrets.json"

    @property
    def ports(self) -> Path:
        """The ports chosen at the first start."""
        return self.root / "ports.json"

    @property
    def settings(self) -> Path:
        """Settings that a later start takes over, such as the demonstration mark."""
        return self.root / "settings.json"

    @property
    def state(self) -> Path:
        """What runs now, written by the supervisor."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.root / "lock"

    @property
    def first_admin(self) -> Path:
        """The first operator's address and password."""
        return self.root / "first-admin.txt"

    def component(self, name: str) -> Path:
        """Return the folder that one component may read: its environment, keys and work files."""
        return self.root / "components" / name

    def log(self, child: str) -> Path:
        """Return the log of one child."""
        return self.logs / f"{child}.log"


def write_private(path: Path, content: str | bytes) -> None:
    """Replace a file at once, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    raw = content.encode() if isinstance(content, str) else content
    fresh = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
    fresh.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is no file."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Keep a JSON object, readable by its owner only."""
    write_private(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def choose_ports(home: Home, names: tuple[str, ...]) -> dict[str, int]:
    """Return a free loopback port per name: those of last time where they are still free."""
    remembered = read_json(home.ports)
    chosen: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        if not isinstance(port, int) or port in chosen.values() or not _is_free(port):
            port = _free_port(set(chosen.values()) | set(remembered.values()))
        chosen[name] = port
    write_json(home.ports, remembered | chosen)
    return chosen


def _free_port(taken: set[int]) -> int:
    for port in random.SystemRandom().sample(PORTS, k=len(PORTS)):
        if port not in taken and _is_free(port):
            return port
    raise OSError("no free port on the loopback interface")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
