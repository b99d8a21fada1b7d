import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.backend.broker import owned_channel, owner_url

from proctor_backend.control.relay import Relay
from proctor_backend.domain.audit import Event
from proctor_backend.events import EventPublisher
from proctor_backend.queue import TaskPublisher

PAGE = Path(__file__).parents[2] / "docs/how-to/subscribe-to-events.md"


@pytest.fixture
def relay(servers, as_control):
    url = servers.settings("control").amqp_url
    tasks, events = TaskPublisher(url), EventPublisher(url)
    yield Relay(as_control, tasks, events)
    tasks.close()
    events.close()


def happen(records, *kinds):
    for kind in kinds:
        told = {"report": "rep_a"}
        private = {"detail": "a hidden path"}
        records.commit(
            event=Event(kind=kind, chain="ent_a", actor="per_a", public=told, private=private)
        )


def test_a_subscriber_gets_the_kinds_it_is_bound_to_and_public_fields_only(servers, records, relay):
    with owned_channel(servers) as channel:
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "proctor.events", "report.*")
        happen(records, "entry.opened", "report.drafted", "shard.done", "report.released")
        relay.relay_once()
        bodies = []
        while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
            bodies.append(json.loads(got[2]))
    assert [body["kind"] for body in bodies] == ["report.drafted", "report.released"]
    assert set(bodies[0]) == {"kind", "subject", "at", "public"}
    assert bodies[0]["public"] == {"report": "rep_a"}
    assert bodies[0]["subject"] == "ent_a"


def test_the_how_to_shows_a_program_that_works(servers, records, relay):
    program = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert program
    code = "\n".join(line.removeprefix("   ") for line in program[1].splitlines())
    env = os.environ | {"AMQP_URL": owner_url(servers)}
    running = subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout
        assert running.stdout.readline() == "waiting\n"
        happen(records, "entry.opened", "report.released")
        relay.relay_once()
        assert running.stdout.readline().startswith("report.released ent_a 20")
    finally:
        running.terminate()
        running.communicate(timeout=10)
        with owned_channel(servers) as channel:
            channel.queue_delete("lab-bridge.reports")
