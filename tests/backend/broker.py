"""What a test sees of the broker: its owner's connection, the messages in a queue."""

import contextlib
import json
from collections.abc import Iterator

import pika
from pika.adapters.blocking_connection import BlockingChannel

from proctor_backend.access import QUEUES
from proctor_backend.local import LocalStack


def owner_url(servers: LocalStack) -> str:
    return f"amqp://admin:{servers.secrets['amqp.admin']}@127.0.0.1:{servers.ports['amqp']}/"


@contextlib.contextmanager
def owned_channel(servers: LocalStack) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(owner_url(servers)))
    try:
        yield connection.channel()
    finally:
        connection.close()


def take_all(servers: LocalStack, queue: str) -> list[str]:
    """Take every wake-up out of a queue; return the records' ids."""
    with owned_channel(servers) as channel:
        found = []
        while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.append(json.loads(got[2])[0][0])
        return found


def purge(servers: LocalStack) -> None:
    with owned_channel(servers) as channel:
        for queue in QUEUES:
            channel.queue_purge(queue)
