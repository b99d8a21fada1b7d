"""Broker, database or storage go away while a container runs: the entry is decided all the same."""

import time

import pytest
from tests.flow.lab import Lab, rows
from tests.flow.record import answered, find, hidden_shard, running_hidden, until

pytestmark = pytest.mark.podman
CASES = 200
# A lease of this stack lasts 9 s: without the database the runner loses it and takes it up again.
# Nothing in the mechanism has a timer of a minute; the slow test waits one all the same.
AWAY_S = {"rabbit": 3, "s3": 3, "mongo": 10}


@pytest.fixture(scope="module")
def study(lab: Lab, public_cohort):
    napping = rows(CASES, do=dict.fromkeys(range(CASES), "nap"))
    return lab.study(lab.cohort(napping), public_cohort)


def survive(lab: Lab, study: str, archive, servers, seconds: float) -> dict[str, object]:
    """Take servers away in the middle of hidden cases; return the shard at the end."""
    entry = lab.submit(study, archive)
    running_hidden(lab, entry)
    for server in servers:
        lab.stack.hold(server)
    time.sleep(seconds)
    for server in servers:
        lab.stack.release(server)
    assert lab.settle(entry)["state"] == "DECIDED"
    return hidden_shard(lab, entry)


@pytest.mark.parametrize("server", AWAY_S)
def test_entry_is_decided_with_every_case(lab, study, unruly_archive, server):
    shard = survive(lab, study, unruly_archive, [server], AWAY_S[server])
    assert len(set(answered(lab, shard))) == CASES


@pytest.mark.slow  # a minute is what was promised
def test_entry_is_decided_after_a_minute_without_any_server(lab, study, unruly_archive):
    shard = survive(lab, study, unruly_archive, list(AWAY_S), 60)
    assert len(set(answered(lab, shard))) == CASES


def test_messages_wait_in_the_outbox_while_the_broker_is_away(lab):
    lab.stack.hold("rabbit")
    try:
        lab["statistician"].post("/tokens", token(lab))
        waiting = until(lambda: find(lab, "outbox"), "an event waits")
    finally:
        lab.stack.release("rabbit")
    assert waiting
    until(lambda: not find(lab, "outbox"), "the relay has sent everything", timeout_s=30)


def token(lab: Lab) -> dict[str, object]:
    from tests.flow.lab import PASSWORD

    email = lab.emails["statistician"]
    return {"email": email, "password": PASSWORD, "name": "another", "days": 1}
