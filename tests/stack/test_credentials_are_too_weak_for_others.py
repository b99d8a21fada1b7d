"""Every row of the access table, tried against everything that is not in it."""

import itertools

import amqp
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pymongo.errors import OperationFailure

from proctor_backend.access import ACCESS, BUCKETS, COLLECTIONS, EVENT_EXCHANGE, KEYS, QUEUES

DENIED_CODES = {13}  # Unauthorized


@pytest.mark.parametrize("component", [n for n, a in ACCESS.items() if a.mongo])
def test_database_credential_opens_its_own_collections_only(component, records_of):
    database, granted = records_of(component).db, ACCESS[component].mongo
    for collection in COLLECTIONS:
        right = granted.get(collection)
        assert allowed(database[collection].find_one, {}) == (right is not None), collection
        may_write = allowed(database[collection].update_one, {"_id": "none"}, {"$set": {"x": 1}})
        assert may_write == (right == "readWrite"), collection
        may_delete = allowed(database[collection].delete_one, {"_id": "none"})
        assert may_delete == (right == "readWrite"), collection


@pytest.mark.parametrize("component", [n for n, a in ACCESS.items() if a.mongo])
def test_database_credential_administers_nothing(component, records_of):
    database = records_of(component).db
    assert not allowed(database.command, {"createUser": "mallory", "pwd": "x", "roles": []})
    assert not allowed(database.drop_collection, "audit_events")
    assert not allowed(database.command, {"usersInfo": 1, "showCredentials": True})
    assert not allowed(database.client.admin.command, {"getParameter": "*"})
    assert not allowed(database.client.local["oplog.rs"].find_one)


def allowed(action, *arguments):
    try:
        action(*arguments)
    except OperationFailure as error:
        if error.code in DENIED_CODES:
            return False
        raise
    return True


def client(settings):
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name=settings.s3_region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
        ),
    )


@pytest.mark.parametrize("component", [n for n, a in ACCESS.items() if a.buckets])
def test_bucket_credential_opens_its_own_view_only(component, servers):
    s3, granted = client(servers.settings(component)), ACCESS[component].buckets
    assert {b["Name"] for b in s3.list_buckets()["Buckets"]} == set(granted)
    for bucket in BUCKETS:
        probe = servers.home.buckets / bucket / "probe.txt"
        probe.write_text("kept")
        right = granted.get(bucket)
        assert granted_by(s3.get_object, bucket, "probe.txt") == (right is not None), bucket
        may_write = granted_by(s3.put_object, bucket, "written.txt", Body=b"x")
        assert may_write == (right == "readWrite"), bucket
        if not may_write:  # a denial may come as 500, so what counts is that nothing changed
            assert not granted_by(s3.put_object, bucket, "probe.txt", Body=b"changed")
            assert not granted_by(s3.delete_object, bucket, "probe.txt")
            assert [p.name for p in probe.parent.glob("*.txt")] == ["probe.txt"]
            assert probe.read_text() == "kept"
        for left in probe.parent.glob("*.txt"):
            left.unlink()


def granted_by(action, bucket, key, **more):
    try:
        answer = action(Bucket=bucket, Key=key, **more)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in {403, 404, 500}:
            return False
        raise
    if "Body" in answer:
        answer["Body"].close()
    return True


def test_key_of_one_component_with_the_secret_of_another_is_refused(servers):
    pairs = itertools.permutations([n for n, a in ACCESS.items() if a.buckets], 2)
    for one, other in list(pairs)[:6]:
        foreign = servers.settings(other).s3_secret_key
        s3 = client(servers.settings(one).model_copy(update={"s3_secret_key": foreign}))
        with pytest.raises(ClientError):
            s3.list_buckets()


@pytest.mark.parametrize("component", [n for n, a in ACCESS.items() if a.amqp])
def test_broker_credential_reads_and_writes_its_own_queues_only(component, servers):
    url = servers.settings(component).amqp_url
    rights = ACCESS[component].amqp
    for queue in QUEUES:
        may_read = broker_allows(url, lambda channel, q=queue: channel.basic_get(q, no_ack=True))
        assert may_read == bool(rights.read != "^$" and queue in rights.read.replace("\\", ""))
        assert not broker_allows(url, lambda channel, q=queue: channel.queue_delete(q))
    may_publish = broker_allows(url, lambda channel: publish(channel, EVENT_EXCHANGE))
    assert may_publish == ("events" in rights.write)
    assert not broker_allows(url, lambda channel: channel.queue_declare("mallory", durable=True))


def publish(channel, exchange):
    channel.confirm_select()
    channel.basic_publish_confirm(amqp.Message("{}"), exchange=exchange, routing_key="probe.sent")


def broker_allows(url, action):
    _, _, rest = url.partition("://")
    user, _, rest = rest.partition(":")
    password, _, host = rest.rstrip("/").partition("@")
    with amqp.Connection(host, user, password) as connection, connection.channel() as channel:
        try:
            action(channel)
        except amqp.AccessRefused:
            return False
    return True


def test_component_folder_holds_its_own_keys_only_and_is_closed(servers):
    for component, names in KEYS.items():
        folder = servers.home.component(component)
        assert {p.name for p in (folder / "keys").iterdir()} == set(names)
        for path in (folder / "env", *(folder / "keys").iterdir()):
            assert path.stat().st_mode & 0o077 == 0, path
    assert servers.home.secrets.stat().st_mode & 0o077 == 0


def test_runner_is_given_neither_database_nor_object_store(servers):
    env = servers.env("runner")
    assert not [name for name in env if "MONGO_URL" in name or "S3" in name]


def test_no_component_is_told_the_secret_of_another(servers):
    for component in ACCESS:
        told = set(servers.env(component).values())
        foreign = {
            value
            for name, value in servers.secrets.values.items()
            if component not in name.split(".") and name != "runner.token"
        }
        assert not [v for v in told if any(secret in v for secret in foreign)], component
