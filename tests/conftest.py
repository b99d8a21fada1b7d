"""Real servers for every test that needs them, started once, when first asked for."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.flow.lab import ROOT, Lab, rows

from proctor_backend.access import BUCKETS, COLLECTIONS
from proctor_backend.local import LocalStack
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records

SERVERS = ("mongo", "s3", "rabbit")
# What a flow test needs and a laptop can bear: states shown at once, lost work found at once.
QUICK = {
    "PROCTOR_DEMONSTRATION": "true",
    "PROCTOR_SWEEP_EVERY_S": "0.25",
    "PROCTOR_RESEND_AFTER_S": "5",
    "PROCTOR_RETRY_AFTER_S": "0.05",
    "PROCTOR_LEASE_TTL_S": "9",
}


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """MongoDB, S3 and RabbitMQ with all their users, without any process of Proctor's."""
    with LocalStack(tmp_path_factory.mktemp("servers"), SERVERS, settings=QUICK) as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Everything: the servers and all of Proctor's processes."""
    with LocalStack(tmp_path_factory.mktemp("stack"), settings=QUICK) as running:
        yield running


@pytest.fixture(scope="session")
def unruly_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of a model that does as its cases say."""
    return _built("unruly", tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def answers_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of a model of any kind of task, which answers what its cases' inputs say."""
    return _built("answers", tmp_path_factory.mktemp("images"))


def _built(name: str, folder: Path) -> Path:
    archive = folder / f"{name}.tar"
    command = [sys.executable, str(ROOT / "infra/images/build.py")]
    context = ["--context", str(ROOT / "tests/containers" / name), "--out", str(archive)]
    done = subprocess.run([*command, *context], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["config_digest"]
    return archive


@pytest.fixture(scope="session")
def lab(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """One laboratory for all tests of the whole line: its people, each with a token."""
    return Lab(stack, tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def public_cohort(lab: Lab) -> str:
    """Five public cases for the laboratory's conformance runs."""
    return lab.cohort(rows(5), public=True)


@pytest.fixture
def records_of(servers: LocalStack) -> Iterator[Callable[[str], Records]]:
    """Opens the records with one component's credentials."""
    opened: list[Records] = []

    def open_records(component: str) -> Records:
        settings = servers.settings(component)
        opened.append(Records.connect(settings.mongo_url, settings.mongo_db))
        return opened[-1]

    yield open_records
    for records in opened:
        records.db.client.close()


@pytest.fixture
def store_of(servers: LocalStack) -> Callable[[str], ObjectStore]:
    """Opens the buckets with one component's credentials."""
    return lambda component: ObjectStore.connect(servers.settings(component))


@pytest.fixture
def empty_servers(servers: LocalStack) -> LocalStack:
    """The servers, with no record and no object left by another test."""
    records = servers.admin_records()
    for name in COLLECTIONS:
        if name != "system":
            records.db[name].delete_many({})
    records.db.client.close()
    for bucket in BUCKETS:
        for path in sorted((servers.home.buckets / bucket).rglob("*"), reverse=True):
            _remove(path)
    return servers


def _remove(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()
