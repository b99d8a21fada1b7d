"""A worker that answers each wake-up with a datagram, so that a round trip can be timed."""

import os
import socket

from proctor_backend.domain.messages import Task
from proctor_backend.queue import make_app

app = make_app(os.environ["PROCTOR_AMQP_URL"])
SOCKET = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
BACK = ("127.0.0.1", int(os.environ["ECHO_PORT"]))


@app.task(name=str(Task.SCREEN))
def echo(subject: str) -> None:
    """Say that the wake-up has arrived."""
    SOCKET.sendto(subject.encode(), BACK)
