"""A runner killed in the middle of hidden cases: restarted, taken up again, nothing twice."""

import base64
import json
import subprocess
from collections import Counter

import httpx
import pytest
from tests.flow.lab import Lab, rows
from tests.flow.record import answered, find, hidden_shard, running_hidden, until

from proctor_sdk.cases import case_name

pytestmark = pytest.mark.podman
CASES = 300


@pytest.fixture(scope="module")
def survived(lab: Lab, public_cohort, unruly_archive):
    """Kill the runner once it has stored answers; a model that takes 30 ms a case is not done."""
    study = lab.study(lab.cohort(rows(CASES, do=dict.fromkeys(range(CASES), "nap"))), public_cohort)
    entry = lab.submit(study, unruly_archive)
    before = running_hidden(lab, entry, parts=1)
    pid = lab.stack.kill("runner")
    orphans = containers(lab)
    lab.stack.await_ready("runner", after_pid=pid)
    left = until(lambda: containers(lab) != orphans, "the orphan is removed", timeout_s=20)
    state = lab.settle(entry)["state"]
    return {
        "entry": entry, "before": before, "after": hidden_shard(lab, entry), "state": state,
        "orphans": orphans, "left": left, "now": containers(lab),
    }  # fmt: skip


def containers(lab: Lab) -> set[str]:
    """Return the control groups of our containers on this machine: one each."""
    done = subprocess.run(
        ["pgrep", "-f", f"conmon.*{lab.stack.home.component('runner')}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return set(done.stdout.split())


def test_entry_is_measured_all_the_same(survived):
    assert survived["state"] == "DECIDED"


def test_shard_was_unfinished_when_the_runner_died(survived):
    assert sum(part["cases"] for part in survived["before"]["parts"]) < CASES


def test_every_case_is_answered(lab, survived):
    evaluation = find(lab, "evaluations", _id=survived["after"]["evaluation"])[0]
    key = base64.b64decode(evaluation["attempt_key"])
    cohort = lab.stack.home.buckets / "hidden" / evaluation["cohort"]
    blocks = [path.read_text().splitlines() for path in cohort.glob("*/cases.jsonl")]
    names = {case_name(key, json.loads(line)["case"]) for block in blocks for line in block}
    assert set(answered(lab, survived["after"])) == names


def test_no_answer_is_stored_twice(lab, survived):
    times = Counter(answered(lab, survived["after"]))
    assert [case for case, count in times.items() if count > 1] == []


def test_fence_has_grown(survived):
    assert survived["after"]["fence"] > survived["before"]["fence"]


def test_parts_carry_the_fence_they_were_stored_under(survived):
    assert len({part["fence"] for part in survived["after"]["parts"]}) > 1


def test_orphaned_container_is_gone(survived):
    assert survived["orphans"]
    assert not survived["orphans"] & survived["now"]


def test_lease_of_the_dead_runner_is_refused(lab, survived):
    lease = survived["before"]["lease"]["id"]
    control = lab.stack.settings("runner").control_url
    answer = httpx.post(f"{control}/leases/{lease}/renew", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 410
