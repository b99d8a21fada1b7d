"""Celery: how a wake-up reaches a worker, and the settings that both ends share.

The record is the truth; a message only names it. No result backend, no remote control; queues
come from the broker's definitions and are never declared by a client.
"""

from typing import Any

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from proctor_backend.access import QUEUES
from proctor_backend.domain.errors import PlatformError

DIRECT = Exchange("", type="direct", no_declare=True)


def make_app(broker_url: str) -> Celery:
    """Return a Celery application that publishes to and consumes from the defined queues."""
    app = Celery("proctor", broker=broker_url)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,  # the sweeper re-sends a lost one, and a long run never times out
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        task_send_sent_event=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"confirm_publish": True},
        worker_detect_quorum_queues=False,
        task_create_missing_queues=False,
        task_queues=[Queue(n, DIRECT, routing_key=n, no_declare=True) for n in QUEUES],
        task_default_queue=QUEUES[0],
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


class TaskPublisher:
    """Sends wake-ups, each confirmed by the broker."""

    def __init__(self, broker_url: str) -> None:
        """Publish to the broker at this address."""
        self._app = make_app(broker_url)
        # While a broker starts it also answers with errors that kombu lets through as they are.
        connection = self._app.connection_for_write()
        self._away: tuple[type[BaseException], ...] = (
            OperationalError,
            *connection.connection_errors,
            *connection.channel_errors,
        )

    def send(self, task: str, subject: str, queue: str) -> None:
        """Send one wake-up.

        Raises:
            PlatformError: the broker is away; the message stays in the outbox.
        """
        options: dict[str, Any] = {"queue": queue, "retry": False, "ignore_result": True}
        try:
            self._app.send_task(task, args=[subject], **options)
        except self._away as error:
            raise PlatformError("The broker does not answer.", cure="Start it again.") from error

    def close(self) -> None:
        """Close the connections."""
        self._app.close()
