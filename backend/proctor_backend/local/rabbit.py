"""A real RabbitMQ of our own: node name, ports, folders, and a definitions file with all rights."""

import base64
import hashlib
import json
import secrets as random_bytes
import shutil
import socket
from pathlib import Path
from typing import Any

import amqp

from proctor_backend.access import ACCESS, EVENT_EXCHANGE, QUEUES, AmqpRights
from proctor_backend.domain.errors import PlatformError
from proctor_backend.local.credentials import ADMIN, Secrets
from proctor_backend.local.layout import Home, write_private
from proctor_backend.local.service import Service

# The packaged /usr/sbin wrapper insists on the user `rabbitmq`; the script beneath runs as anybody.
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
INSTALL = "sudo apt-get install -y --no-install-recommends rabbitmq-server"


def find_server() -> Path:
    """Return RabbitMQ's start script.

    Raises:
        PlatformError: RabbitMQ is not installed.
    """
    if not SERVER.exists():
        raise PlatformError("rabbitmq-server is missing.", cure=INSTALL)
    return SERVER


def find_epmd() -> str:
    """Return Erlang's port mapper.

    Raises:
        PlatformError: Erlang is not installed.
    """
    found = shutil.which("epmd")
    if found is None:
        raise PlatformError("epmd is missing.", cure=INSTALL)
    return found


def epmd_service(home: Home, port: int) -> Service:
    """Return Erlang's port mapper as our child: on loopback only, and ended with us."""
    return Service(
        name="epmd",
        command=(find_epmd(), "-address", "127.0.0.1", "-port", str(port)),
        cwd=home.rabbit,
        ready=lambda: _listens(port),
        grace_s=3.0,
        port=port,
    )


def rabbit_service(home: Home, secrets: Secrets, ports: dict[str, int]) -> Service:
    """Return RabbitMQ as a child; users, queues and rights come from the definitions file."""
    folder = home.rabbit
    _write_configuration(folder, secrets, ports)
    return Service(
        name="rabbit",
        command=(str(find_server()),),
        cwd=folder,
        env={
            "HOME": str(folder),
            "detached": "1",  # makes the script become the server instead of minding it
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "RABBITMQ_NODENAME": f"proctor-{secrets['stack.tag'][:8].lower()}@localhost",
            "RABBITMQ_NODE_PORT": str(ports["amqp"]),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(ports["dist"]),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false "
                "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
        },
        after=frozenset({"epmd"}),
        ready=lambda: _accepts(ports["amqp"], secrets["amqp.admin"]),
        grace_s=20.0,
        port=ports["amqp"],
    )


def definitions(secrets: Secrets) -> dict[str, Any]:
    """Return users, rights, queues and the event exchange, as the access table says."""
    users = {name: access.amqp for name, access in ACCESS.items() if access.amqp}
    everything = AmqpRights(configure=".*", write=".*", read=".*")
    rights = users | {ADMIN: everything}
    return {
        "vhosts": [{"name": "/"}],
        "users": [
            {
                "name": name,
                "password_hash": _hash(secrets[f"amqp.{name}"]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"] if name == ADMIN else [],
            }
            for name in rights
        ],
        "permissions": [
            {"user": name, "vhost": "/", "configure": r.configure, "write": r.write, "read": r.read}
            for name, r in rights.items()
        ],
        "exchanges": [
            {"name": EVENT_EXCHANGE, "vhost": "/", "type": "topic", "durable": True}
            | {"auto_delete": False, "internal": False, "arguments": {}}
        ],
        "queues": [
            {"name": name, "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
            for name in QUEUES
        ],
        "bindings": [],
    }


def write_definitions(path: Path, secrets: Secrets) -> None:
    """Write the file that the broker loads at every start."""
    write_private(path, json.dumps(definitions(secrets), indent=2) + "\n")


def _hash(password: str) -> str:
    salt = random_bytes.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _write_configuration(folder: Path, secrets: Secrets, ports: dict[str, int]) -> None:
    for name in ("mnesia", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    write_definitions(folder / "definitions.json", secrets)
    write_private(folder / ".erlang.cookie", secrets["amqp.cookie"])
    (folder / ".erlang.cookie").chmod(0o400)
    write_private(folder / "enabled_plugins", "[].\n")
    write_private(folder / "advanced.config", "[].\n")
    write_private(folder / "rabbitmq-env.conf", "")
    write_private(
        folder / "rabbitmq.conf",
        f"listeners.tcp.1 = 127.0.0.1:{ports['amqp']}\n"
        f"load_definitions = {folder / 'definitions.json'}\n"
        f"default_user = {ADMIN}\ndefault_pass = {secrets['amqp.admin']}\n"
        "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        # A nearly full disk or memory blocks publishers; the sweeper sends again what waits.
        "disk_free_limit.absolute = 512MB\nvm_memory_high_watermark.relative = 0.2\n",
    )


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


def _accepts(port: int, password: str) -> bool:
    """Sign in as the owner: an open port alone does not mean that the definitions are loaded."""
    if not _listens(port):
        return False
    connection = amqp.Connection(
        host=f"127.0.0.1:{port}", userid=ADMIN, password=password, connect_timeout=2
    )
    try:
        connection.connect()
    except (OSError, amqp.AMQPError):
        return False
    finally:
        connection.close()
    return True
