"""The private process between record and runners."""

from fastapi import FastAPI

from proctor_backend.control.app import create_control
from proctor_backend.control.relay import Relay
from proctor_backend.control.sweeper import Sweeper
from proctor_backend.events import EventPublisher
from proctor_backend.keyfiles import read_key
from proctor_backend.objects import ObjectStore
from proctor_backend.queue import TaskPublisher
from proctor_backend.wiring.common import open_records, start


def create() -> FastAPI:
    """Return the application that uvicorn serves."""
    settings = start()
    records = open_records(settings)
    relay = Relay(records, TaskPublisher(settings.amqp_url), EventPublisher(settings.amqp_url))
    return create_control(
        records,
        ObjectStore.connect(settings),
        settings,
        read_key(settings, "encryption.key"),
        relay,
        Sweeper(records, settings),
    )
