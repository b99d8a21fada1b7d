"""Proctor's own processes as children: how each is started and when it is ready."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from proctor_backend.health import answers
from proctor_backend.local.layout import Home
from proctor_backend.local.service import Service

SERVERS = frozenset({"mongo", "s3", "rabbit"})
WEB = {"api": "/api/v1/health", "control": "/health", "viewer": "/health"}
WORKERS = {
    "screen": "screen",
    "ingest": "ingest",
    "measure": "measure,draft,render",
    "runner": "run.cpu,run.gpu",  # a model that asks for a GPU runs on the CPU where there is none
    "signer": "sign",
}
PROCESSES = (*WEB, *WORKERS)


def web_service(home: Home, name: str, env: Mapping[str, str], port: int) -> Service:
    """Return one of the three web processes."""
    return Service(
        name=name,
        command=(
            *(
                sys.executable,
                "-m",
                "uvicorn",
                "--factory",
                f"proctor_backend.wiring.{name}:create",
            ),
            *("--host", "127.0.0.1", "--port", str(port), "--no-server-header"),
            *("--timeout-graceful-shutdown", "3"),
        ),
        cwd=home.component(name) / "work",
        env=env,
        after=SERVERS,
        ready=lambda: answers(port, WEB[name]),
        port=port,
    )


def worker_service(home: Home, name: str, env: Mapping[str, str], queues: str) -> Service:
    """Return one of the Celery consumers."""
    return Service(
        name=name,
        command=(
            *(sys.executable, "-m", "celery", "-A", f"proctor_workers.apps.{name}", "worker"),
            *("-Q", queues, "-n", f"{name}@%h", "--concurrency", "1", "--pool", "solo"),
            *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        ),
        cwd=home.component(name) / "work",
        env=env,
        after=SERVERS,
        ready=_says(home.log(name), b" ready."),
    )


def _says(log: Path, phrase: bytes) -> Callable[[], bool]:
    """Return a probe for a line in the child's own log since its last start."""

    def probe() -> bool:
        return phrase in log.read_bytes().rpartition(START_MARK)[2]

    return probe


# The supervisor writes this at every start; what stands before it is of an earlier life.
START_MARK = b"=== started by the supervisor "
