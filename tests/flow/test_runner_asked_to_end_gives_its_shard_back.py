"""A runner that is asked to end stops its container, gives the shard back and leaves nothing."""

from pathlib import Path

import pytest
from tests.flow.lab import Lab, rows
from tests.flow.record import answered, events, hidden_shard, running_hidden

pytestmark = pytest.mark.podman
CASES = 200


@pytest.fixture(scope="module")
def ended(lab: Lab, public_cohort, unruly_archive):
    """End the runner politely while a container runs; start it again."""
    napping = rows(CASES, do=dict.fromkeys(range(CASES), "nap"))
    entry = lab.submit(lab.study(lab.cohort(napping), public_cohort), unruly_archive)
    running_hidden(lab, entry)
    lab.stack.hold("runner")
    left = mounts(lab)
    given_back = events(lab, entry, "shard.given_back")
    lab.stack.release("runner")
    lab.settle(entry)
    return entry, left, given_back


def mounts(lab: Lab) -> list[str]:
    work = str(lab.stack.home.component("runner"))
    return [line for line in Path("/proc/self/mounts").read_text().splitlines() if work in line]


def test_no_mount_stays(ended):
    assert ended[1] == []


def test_shard_is_given_back_at_once(ended):
    assert len(ended[2]) == 1


def test_giving_back_counts_as_no_failure(lab, ended):
    assert hidden_shard(lab, ended[0])["platform_failures"] == 0


def test_every_case_is_answered_once(lab, ended):
    cases = answered(lab, hidden_shard(lab, ended[0]))
    assert (len(cases), len(set(cases))) == (CASES, CASES)
