"""Control grants a shard once at a time; whoever comes with an older fence is told to stop."""

from collections.abc import Callable

import httpx
import pytest
from tests.flow.lab import Lab, rows
from tests.flow.record import find, until

pytestmark = pytest.mark.podman


@pytest.fixture(scope="module")
def leases(lab: Lab, public_cohort, unruly_archive):
    """Two runners of ours take a shard one after the other, while the real one is held."""
    control = lab.stack.settings("runner").control_url
    token = lab.stack.settings("runner").runner_token
    study = lab.study(lab.cohort(rows(12)), public_cohort)
    lab.stack.hold("runner")
    try:
        entry = lab.submit(study, unruly_archive)
        yield from leased(lab, control, token, entry)
    finally:
        lab.stack.release("runner")
    lab.settle(entry)


def leased(lab: Lab, control: str, token: str, entry: str):
    until(lambda: find(lab, "evaluations", entry=entry), "conformance begins")
    shard = find(lab, "shards", entry=entry)[0]["_id"]

    def claim():
        body = {"shard": shard, "runner": "lab", "host": "lab"}
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{control}/leases", json=body, headers=headers)

    first = granted(claim)
    second = claim()
    until(lambda: claim_expired(lab, shard), "the lease expires", timeout_s=30)
    third = granted(claim)
    yield control, first, second, third
    post(control, third, "give-back", None)


def granted(claim: Callable[[], httpx.Response]) -> httpx.Response:
    """Claim until it is granted: at first it may be kept for the runner that has the data."""
    answers = []

    def again() -> bool:
        answers.append(claim())
        return answers[-1].is_success

    until(again, "the shard is granted", timeout_s=30)
    return answers[-1]


def claim_expired(lab: Lab, shard: str) -> bool:
    from proctor_backend.domain.ids import utc_now

    return find(lab, "shards", _id=shard)[0]["lease"]["expires_at"] <= utc_now()


def post(control: str, grant: httpx.Response, verb: str, body: object) -> int:
    lease = grant.json()["lease"]
    headers = {"Authorization": f"Bearer {lease['token']}"}
    address = f"{control}/leases/{lease['id']}/{verb}"
    return httpx.post(address, json=body, headers=headers).status_code


PART = {"seq": 1, "sha256": "0" * 64, "size": 1, "cases": 1}


def test_held_shard_is_not_granted_again(leases):
    assert leases[2].status_code == 409


def test_expired_shard_is_granted_under_a_higher_fence(leases):
    _, first, _, third = leases
    assert third.json()["lease"]["fence"] == first.json()["lease"]["fence"] + 1


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("renew", None),
        ("parts", PART),
        ("parts/1/commit", PART),
        ("done", {"summary": {}}),
        ("failed", {"kind": "vendor", "reason_code": "RUN_FAILED"}),
        ("give-back", None),
    ],
)
def test_old_fence_is_told_to_stop(leases, verb, body):
    control, first, _, _ = leases
    assert post(control, first, verb, body) == 410


def test_new_fence_goes_on(leases):
    control, _, _, third = leases
    assert post(control, third, "renew", None) == 200
