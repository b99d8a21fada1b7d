"""What the queue costs beside the shard that it wakes somebody for."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from typing import Any

from tests.bench.record import ROOT, Row, median_interval
from tests.bench.stage import Stage, build_image, staged

from proctor_backend.domain.evaluation import SHARD_CASES
from proctor_backend.domain.messages import Message, Task
from proctor_backend.queue import TaskPublisher

ROUNDS = 200
GOAL_PERCENT = 0.5


def rows() -> list[Row]:
    """Time a full shard of the smallest cases, then wake-ups through the same broker."""
    with staged() as stage:
        archive, _ = build_image(stage.folder / "shard")
        run = stage.run(stage.study(SHARD_CASES), archive)
        shard = next(one for one in run.shards if one["cases"] == SHARD_CASES)
        spent = _between(shard, "CLAIMED", "DONE")
        woken = _between(shard, "WAITING", "CLAIMED")
        trips = _round_trips(stage)
    share = [100 * trip / spent for trip in trips]
    return [
        Row(
            id="queue",
            what=f"a wake-up through Celery and RabbitMQ ({1000 * median(trips):.1f} ms, {ROUNDS} "
            f"round trips) as a share of a shard of {SHARD_CASES:,} trivial cases "
            f"({spent:.1f} s); with outbox, relay and claim the shard waited {1000 * woken:.0f} ms",
            unit="%",
            ours=median(share),
            interval=median_interval(share),
            goal=f"< {GOAL_PERCENT:g} %",
            met=median_interval(share)[1] < GOAL_PERCENT,
        )
    ]


def _between(shard: dict[str, Any], first: str, last: str) -> float:
    at = {one["state"]: datetime.fromisoformat(one["at"]) for one in shard["history"]}
    return (at[last] - at[first]).total_seconds()


def _round_trips(stage: Stage) -> list[float]:
    """Wake an echo that stands in the screen worker's place, with that worker's credentials."""
    stage.stack.hold("screen")
    publisher = TaskPublisher(stage.stack.settings("control").amqp_url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
        back.bind(("127.0.0.1", 0))
        back.settimeout(60)
        with _echo(stage.stack.settings("screen").amqp_url, back.getsockname()[1]):
            spent = [_round_trip(publisher, back) for _ in range(ROUNDS + 1)]
    publisher.close()
    return spent[1:]  # the first one waits for the worker's start


def _round_trip(publisher: TaskPublisher, back: socket.socket) -> float:
    message = Message(Task.SCREEN, "bench")
    begun = time.perf_counter()
    publisher.send(str(message.task), message.subject, message.queue)
    back.recv(64)
    return time.perf_counter() - begun


@contextlib.contextmanager
def _echo(amqp_url: str, port: int) -> Iterator[None]:
    worker = [sys.executable, "-m", "celery", "-A", "tests.bench.echo", "worker", "-Q", "screen"]
    options = ["--pool", "solo", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    process = subprocess.Popen(
        [*worker, *options, "--loglevel", "ERROR"],
        cwd=ROOT,
        env=os.environ | {"PROCTOR_AMQP_URL": amqp_url, "ECHO_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
