"""`up`, `down`, a second `up`, crashes of real servers, backup and restore."""

import json
import subprocess
import tarfile
import time

import psutil
import pytest

from proctor_backend.access import EVENT_EXCHANGE
from proctor_backend.backup import backup, restore
from proctor_backend.domain.audit import Event, verify_chain
from proctor_backend.domain.errors import InvalidInputError, TamperedError
from proctor_backend.local import AlreadyRunningError, LocalStack
from proctor_backend.local.stack import stop_other
from proctor_backend.local.state import running
from proctor_backend.local.sweep import tagged
from proctor_backend.migrations import STEPS, applied, migrate
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Insert, Records


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Servers that this module may break."""
    stack = LocalStack(tmp_path_factory.mktemp("own home"), ("mongo", "s3"), report=lambda _: None)
    yield stack
    stack.down()


@pytest.fixture
def running_stack(own):
    return own if own._supervisor else own.up()


def test_second_up_finds_the_first(running_stack):
    with pytest.raises(AlreadyRunningError) as refused:
        LocalStack(running_stack.home.root).up()
    children = {child["name"]: child["pid"] for child in refused.value.found["children"]}
    assert children == running_stack.pids
    assert running(running_stack.home)["ready"]


def test_killed_database_is_restarted_and_keeps_its_records(running_stack):
    records = running_stack.admin_records()
    records.commit(
        Insert("organisations", {"_id": "org_kept", "org": "org_kept"}),
        event=Event(kind="organisation.created", chain="platform", actor="per_test"),
    )
    pid = running_stack.kill("mongo")
    running_stack.await_ready("mongo", after_pid=pid)
    assert records.get("organisations", "org_kept")["_id"] == "org_kept"
    records.db.client.close()
    assert "exit code -9" in running_stack.reports[-1]


def test_killed_object_store_is_restarted_and_keeps_its_objects(running_stack):
    store = ObjectStore.connect(running_stack.settings("api"))
    store.put("quarantine", "kept/object", b"kept")
    pid = running_stack.kill("s3")
    running_stack.await_ready("s3", after_pid=pid)
    assert store.get("quarantine", "kept/object") == b"kept"


def test_held_server_is_away_until_released(running_stack):
    running_stack.hold("s3")
    assert "s3" not in running_stack.pids
    running_stack.release("s3")
    assert "s3" in running_stack.pids


def test_migrations_are_taken_once(running_stack):
    records = running_stack.admin_records()
    assert [step["number"] for step in applied(records)] == [step.number for step in STEPS]
    assert migrate(records) == []
    records.db.client.close()


def test_backup_and_restore_bring_records_objects_and_keys_back(running_stack, tmp_path):
    archive, fresh = tmp_path / "saved.tar", tmp_path / "fresh"
    records = running_stack.admin_records()
    records.put_file("a file", b"kept in GridFS")
    before = list(records.db.audit_events.find().sort("_id"))
    records.db.client.close()
    store = ObjectStore.connect(running_stack.settings("api"))
    store.put("quarantine", "deep/er/object", b"\0" * 100_000)
    backup(running_stack.home, archive)
    assert archive.stat().st_mode & 0o077 == 0

    restored = LocalStack(fresh, ("mongo", "s3"))
    restore(restored.home, archive)
    with restored:
        again = restored.admin_records()
        assert list(again.db.audit_events.find().sort("_id")) == before
        assert verify_chain(again.iterate("audit_events", {"chain": "platform"}, "seq")).seq > 0
        assert again.get_file("a file") == b"kept in GridFS"
        again.db.client.close()
        other = ObjectStore.connect(restored.settings("api"))
        assert other.get("quarantine", "deep/er/object") == b"\0" * 100_000
    for key in running_stack.home.keys.iterdir():
        assert (restored.home.keys / key.name).read_bytes() == key.read_bytes()
    assert restored.home.secrets.read_bytes() != running_stack.home.secrets.read_bytes()


def test_restore_refuses_a_home_that_is_not_empty(running_stack, tmp_path):
    with pytest.raises(InvalidInputError, match="not empty"):
        restore(running_stack.home, tmp_path / "any")


def test_restore_refuses_a_changed_archive_before_it_writes(running_stack, tmp_path):
    archive = tmp_path / "saved.tar"
    backup(running_stack.home, archive)
    raw = archive.read_bytes()
    with tarfile.open(archive) as tar:
        member = tar.getmember(
            "keys/audit.key" if "keys/audit.key" in tar.getnames() else "keys/signing.key"
        )
    place = member.offset_data
    archive.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
    fresh = LocalStack(tmp_path / "fresh")
    with pytest.raises(TamperedError):
        restore(fresh.home, archive)
    assert not fresh.home.root.exists()


def test_down_leaves_nothing_behind_and_up_takes_the_same_ports(running_stack):
    ports, tag = running_stack.ports, running_stack.secrets["stack.tag"]
    pids = list(running_stack.pids.values())
    running_stack.down()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert tagged(tag) == []
    assert not running_stack.home.state.exists()
    running_stack.up()
    assert running_stack.ports == ports


def test_orphans_of_a_killed_supervisor_are_ended_by_the_next_down(tmp_path):
    stack = LocalStack(tmp_path, ())
    stack.home.make()
    tag = stack.secrets["stack.tag"]
    starter = ["sh", "-c", "sleep 60 >&- & echo $!"]  # ends at once, so that the sleep is an orphan
    told = subprocess.run(
        starter, env={"PROCTOR_STACK": tag, "PATH": "/bin"}, stdout=subprocess.PIPE, check=True
    )
    assert stop_other(stack.home)
    assert not psutil.pid_exists(int(told.stdout)) or _is_zombie(int(told.stdout))


def _is_zombie(pid):
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_down_of_a_home_that_never_ran_says_so(tmp_path):
    assert stop_other(LocalStack(tmp_path).home) is False


def test_integration_can_subscribe_to_events_published_through_the_broker(servers):
    import pika

    password = servers.secrets["amqp.admin"]
    owner = pika.BlockingConnection(
        pika.URLParameters(f"amqp://admin:{password}@127.0.0.1:{servers.ports['amqp']}/")
    )
    channel = owner.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, EVENT_EXCHANGE, "entry.*")
    from proctor_backend.events import EventPublisher

    publisher = EventPublisher(servers.settings("control").amqp_url)
    publisher.publish("entry.screened", {"subject": "ent_x"})
    publisher.close()
    deadline = time.monotonic() + 5
    body = None
    while body is None and time.monotonic() < deadline:
        _, _, body = channel.basic_get(queue, auto_ack=True)
    owner.close()
    assert json.loads(body) == {"subject": "ent_x"}


def test_component_can_commit_with_its_own_credential(servers):
    settings = servers.settings("ingest")
    records = Records.connect(settings.mongo_url, settings.mongo_db)
    records.commit(
        Insert("cohorts", {"_id": "coh_probe", "org": "org_probe", "state": "OPEN"}),
        event=Event(kind="cohort.opened", chain="coh_probe", actor="worker:ingest"),
    )
    assert records.get("cohorts", "coh_probe")["rev"] == 1
    records.db.client.close()
