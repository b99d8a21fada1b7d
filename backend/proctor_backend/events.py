"""pika: events for integrations, published with confirms on a topic exchange.

An event carries an audit event's public fields only; the routing key is its kind, such as
`entry.screened`. Subscribe with a queue of your own bound to `proctor.events`.
"""

import contextlib
import json
import logging
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, NackError

from proctor_backend.access import EVENT_EXCHANGE
from proctor_backend.domain.errors import PlatformError

LOG = logging.getLogger(__name__)
logging.getLogger("pika").setLevel(logging.WARNING)  # it tells every step of a connection
PERSISTENT = pika.BasicProperties(content_type="application/json", delivery_mode=2)


class EventPublisher:
    """Publishes events; opens its connection when first used and again after a loss."""

    def __init__(self, broker_url: str) -> None:
        """Publish to the broker at this address."""
        self._parameters = pika.URLParameters(broker_url)
        self._parameters.socket_timeout = 5
        self._parameters.heartbeat = 0  # publishes are seconds apart or hours; TCP tells of a loss
        self._channel: BlockingChannel | None = None

    def publish(self, routing_key: str, body: dict[str, Any]) -> None:
        """Publish one event and wait for the broker's confirm.

        A subscriber's queue that refuses it, because it is full, is that subscriber's loss: it
        must not hold up the platform's own messages.

        Raises:
            PlatformError: the broker is away; the event stays in the outbox.
        """
        try:
            self._open().basic_publish(EVENT_EXCHANGE, routing_key, json.dumps(body), PERSISTENT)
        except NackError:
            LOG.warning("a subscriber's queue refused %s; it is not sent again", routing_key)
        except (AMQPError, OSError) as error:
            self.close()
            raise PlatformError("The broker does not answer.", cure="Start it again.") from error

    def close(self) -> None:
        """Close the connection; one that is lost already is no error."""
        if self._channel is not None and self._channel.connection.is_open:
            with contextlib.suppress(AMQPError, OSError):
                self._channel.connection.close()
        self._channel = None

    def _open(self) -> BlockingChannel:
        if self._channel is None or not self._channel.is_open:
            self._channel = pika.BlockingConnection(self._parameters).channel()
            self._channel.confirm_delivery()
        return self._channel
