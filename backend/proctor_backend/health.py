"""Answers a container's health check: a web process by its address, a worker by its connection."""

import http.client
import sys
from collections.abc import Sequence

import psutil

BROKER_PORT = 5672


def main(arguments: Sequence[str]) -> int:
    """`web PORT PATH` or `worker`; exit code 0 is healthy."""
    match list(arguments):
        case ["web", port, path]:
            return 0 if answers(int(port), path) else 1
        case ["worker"]:
            return 0 if _is_connected() else 1
        case _:
            sys.stderr.write("usage: python -m proctor_backend.health web PORT PATH | worker\n")
            return 2


def answers(port: int, path: str) -> bool:
    """Tell whether a web process on this machine says that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_connected() -> bool:
    """Tell whether the consumer, the container's first process, is connected to the broker."""
    return any(
        c.status == psutil.CONN_ESTABLISHED and c.raddr and c.raddr.port == BROKER_PORT
        for c in psutil.Process(1).net_connections("tcp")
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
