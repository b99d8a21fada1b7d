import threading
import time

import pika
import pytest
from tests.backend.broker import owned_channel, owner_url, purge, take_all
from tests.backend.exam import tasks_waiting

from proctor_backend.control.relay import LEASE_S, Relay
from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import PlatformError
from proctor_backend.domain.ids import new_id, utc_in
from proctor_backend.domain.messages import Message, Task
from proctor_backend.events import EventPublisher
from proctor_backend.queue import TaskPublisher

FULL = {"x-max-length": 0, "x-overflow": "reject-publish"}


@pytest.fixture
def make_relay(servers, as_control):
    purge(servers)
    as_control.db.system.delete_many({"_id": "relay"})
    made = []

    def make():
        url = servers.settings("control").amqp_url
        tasks, events = TaskPublisher(url), EventPublisher(url)
        made.extend([tasks, events])
        return Relay(as_control, tasks, events)

    yield make
    for publisher in made:
        publisher.close()
    as_control.db.system.delete_many({"_id": "relay"})


def commit(records, *subjects):
    records.commit(
        event=Event(kind="test.happened", chain="platform", actor="test"),
        messages=[Message(Task.SCREEN, subject) for subject in subjects],
    )


def test_a_message_arrives_once_and_leaves_the_outbox(servers, records, make_relay):
    entry = new_id("ent")
    commit(records, entry)
    relay = make_relay()
    assert relay.relay_once() == 2
    assert relay.relay_once() == 0
    assert take_all(servers, "screen") == [entry]


def test_messages_are_sent_in_the_order_of_their_commits(servers, records, make_relay):
    entries = [new_id("ent") for _ in range(20)]
    for entry in entries:
        commit(records, entry)
    make_relay().relay_once()
    assert take_all(servers, "screen") == entries


def test_what_was_sent_but_not_struck_off_is_sent_again(servers, records, make_relay):
    entry = new_id("ent")
    commit(records, entry)
    relay = make_relay()
    for row in records.find("outbox", {}):
        relay._send(row)  # and the process dies here, before the rows are struck off
    relay.relay_once()
    assert take_all(servers, "screen") == [entry, entry]


def test_messages_wait_while_the_broker_is_away_and_are_sent_after(servers, records, make_relay):
    entries = [new_id("ent") for _ in range(3)]
    relay = make_relay()
    commit(records, entries[0])
    relay.relay_once()
    servers.hold("rabbit")
    try:
        commit(records, entries[1])
        with pytest.raises(PlatformError, match="broker does not answer"):
            relay.relay_once()
        assert tasks_waiting(records) == [("proctor.screen", entries[1])]
    finally:
        servers.release("rabbit")
    commit(records, entries[2])
    deadline = time.monotonic() + 20
    while tasks_waiting(records) and time.monotonic() < deadline:
        try:
            relay.relay_once()
        except PlatformError:  # its first try may meet the connection that was lost
            time.sleep(0.1)
    assert take_all(servers, "screen") == entries


def test_a_refused_sign_in_is_told_as_the_broker_being_away(servers, records):
    """A broker that is starting refuses for a moment; that must not end the relay."""
    url = servers.settings("control").amqp_url.replace("control:", "control:not-")
    tasks, events = TaskPublisher(url), EventPublisher(url)
    with pytest.raises(PlatformError):
        tasks.send("proctor.screen", "ent_a", "screen")
    with pytest.raises(PlatformError):
        events.publish("test.happened", {})
    tasks.close()


def test_a_wake_up_that_the_broker_refuses_stays_in_the_outbox(servers, records, make_relay):
    entry = new_id("ent")
    relay = make_relay()
    with owned_channel(servers) as channel:
        channel.queue_delete("screen")
        channel.queue_declare("screen", durable=True, arguments=FULL)
        try:
            commit(records, entry)
            with pytest.raises(PlatformError):  # known by its confirm alone
                relay.relay_once()
        finally:
            channel.queue_delete("screen")
            channel.queue_declare("screen", durable=True)
    assert tasks_waiting(records) == [("proctor.screen", entry)]


def test_a_subscriber_whose_queue_is_full_holds_nobody_up(servers, records, make_relay):
    entry = new_id("ent")
    with owned_channel(servers) as channel:
        channel.queue_declare("test.full", arguments=FULL)
        channel.queue_bind("test.full", "proctor.events", "#")
        try:
            commit(records, entry)
            make_relay().relay_once()
        finally:
            channel.queue_delete("test.full")
    assert take_all(servers, "screen") == [entry]


def test_events_wait_for_a_confirm(servers):
    publisher = EventPublisher(owner_url(servers))
    with owned_channel(servers) as channel:
        channel.exchange_delete("proctor.events")
        try:
            with pytest.raises(PlatformError):  # without confirms this went unnoticed
                publisher.publish("test.happened", {})
        finally:
            channel.exchange_declare("proctor.events", "topic", durable=True)
    publisher.publish("test.happened", {})
    publisher.close()


def test_of_two_relays_one_is_active_until_its_lease_ends(as_control, make_relay):
    first, second = make_relay(), make_relay()
    assert first._is_active()
    assert not second._is_active()
    assert first._is_active()
    past = {"expires_at": utc_in(-LEASE_S)}
    as_control.db.system.update_one({"_id": "relay"}, {"$set": past})
    assert second._is_active()
    assert not first._is_active()


def test_two_relays_that_run_at_once_send_each_message_once(servers, records, make_relay):
    entries = {new_id("ent") for _ in range(30)}
    stop = threading.Event()
    threads = [threading.Thread(target=make_relay().run, args=(stop,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for entry in entries:
        commit(records, entry)
    deadline = time.monotonic() + 20
    while records.find("outbox", {}) and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert sorted(take_all(servers, "screen")) == sorted(entries)


def test_message_names_a_record_and_holds_nothing_of_it(servers, records, make_relay):
    commit(records, "ent_named")
    make_relay().relay_once()
    with owned_channel(servers) as channel:
        _, properties, body = channel.basic_get("screen", auto_ack=True)
    assert body.startswith(b'[["ent_named"], {}, ')
    assert isinstance(properties, pika.BasicProperties)
    assert properties.delivery_mode == 2
