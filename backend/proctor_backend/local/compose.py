"""Credentials, keys and configuration for the compose file, and the database's users.

`prepare FOLDER` writes what the services mount; `provision FOLDER` runs once inside the network of
the `mongo` service. Both may be repeated: what exists is kept.
"""

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from proctor_backend.access import ACCESS
from proctor_backend.local.credentials import (
    DATABASE,
    Addresses,
    component_env,
    make_keys,
    make_secrets,
    write_env_file,
)
from proctor_backend.local.layout import Home, write_private
from proctor_backend.local.mongo import connect_admin, provision
from proctor_backend.local.rabbit import write_definitions
from proctor_backend.local.s3 import write_views
from proctor_backend.migrations import migrate
from proctor_backend.records import Records

USER = 10001  # the Dockerfile's user, where root prepares the folder
INSIDE = Path("/run/proctor")
DATA = Path("/proctor/data")
WITHIN = Addresses(
    mongo="mongo:27017",
    s3="s3:9000",
    amqp="rabbit:5672",
    api="localhost:8000",
    control="control:8001",
    viewer="localhost:8002",
)
OUTSIDE_S3 = "http://localhost:9000"


def prepare(home: Home) -> None:
    """Write credentials, keys and every service's configuration below `home`."""
    home.make()
    secrets = make_secrets(home)
    make_keys(home)
    for component in ACCESS:
        env = component_env(secrets, WITHIN, component, INSIDE)
        if component == "api":
            env["PROCTOR_S3_PUBLIC_ENDPOINT"] = OUTSIDE_S3
        write_env_file(home, component, env | {"PROCTOR_WORK_DIR": "/tmp"})  # noqa: S108 - own tmpfs
    write_private(home.root / "mongo.keyfile", secrets["mongo.keyfile"])
    write_views(home, secrets, data=DATA)
    write_definitions(home.rabbit / "definitions.json", secrets)
    (home.rabbit / "data").mkdir(exist_ok=True, mode=0o700)
    user, group = os.getuid() or USER, os.getgid() or USER
    write_private(home.root / "user.env", f"PROCTOR_UID={user}\nPROCTOR_GID={group}\n")
    if os.getuid() == 0:
        for path in (home.root, *home.root.rglob("*")):
            shutil.chown(path, user, group)


def provision_database(home: Home) -> None:
    """Make the replica set, every component's user, and the missing schema steps."""
    secrets = make_secrets(home)
    provision(secrets, 27017)
    with connect_admin(secrets, 27017) as client:
        migrate(Records(client[DATABASE]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("prepare", "provision"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    home = Home(given.folder.resolve())
    (prepare if given.what == "prepare" else provision_database)(home)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
