"""A vendor asks for a comparison of its training images: who may, where they go, what is shown."""

import httpx
import pytest

from proctor_backend.domain.ids import utc_now
from proctor_backend.domain.messages import Task
from proctor_backend.services import independence
from proctor_sdk.encrypt import decode_key

from .conftest import Cast, Drafted

SHA = "ab" * 32
FOUND = {
    "state": "COMPARED",
    "told": {"any_way": 40, "alike": 20, "identical": None},
    "least": 11,
    "images": 5,
}


def opened(cast: Cast, study: str) -> dict[str, str]:
    made: dict[str, str] = cast.must("developer", "POST", f"/studies/{study}/fingerprints")
    return made


def sent(cast: Cast, study: str, content: bytes = b"sealed") -> str:
    made = opened(cast, study)
    httpx.put(made["url"], content=content).raise_for_status()
    body = {"sealed_sha256": SHA, "size": len(content)}
    cast.must("developer", "POST", f"/studies/{study}/fingerprints/{made['id']}/close", json=body)
    return made["id"]


def test_the_vendor_gets_the_key_of_the_worker_that_holds_the_data(
    cast: Cast, locked: Drafted, settings
) -> None:
    key = opened(cast, locked.id)["public_key"]

    assert decode_key(key) == decode_key((settings.keys_dir / "ingest.pub").read_text())


def test_what_was_sent_wakes_the_worker_that_compares(cast: Cast, locked: Drafted) -> None:
    made = sent(cast, locked.id)

    filed = [str(one) for one in cast.records.find("outbox", {})]
    assert any(str(Task.COMPARE) in one and made in one for one in filed)


def test_a_file_that_did_not_arrive_whole_is_not_compared(cast: Cast, locked: Drafted) -> None:
    made = opened(cast, locked.id)
    path = f"/studies/{locked.id}/fingerprints/{made['id']}/close"

    answer = cast.ask("developer", "POST", path, json={"sealed_sha256": SHA, "size": 6})

    assert answer.status_code == 422
    assert "did not arrive whole" in answer.text


def test_a_comparison_is_closed_once(cast: Cast, locked: Drafted) -> None:
    made = sent(cast, locked.id)
    path = f"/studies/{locked.id}/fingerprints/{made}/close"

    assert cast.ask(
        "developer", "POST", path, json={"sealed_sha256": SHA, "size": 6}
    ).status_code == 409  # fmt: skip


def test_a_draft_takes_no_comparison(cast: Cast, drafted: Drafted) -> None:
    assert cast.ask("developer", "POST", f"/studies/{drafted.id}/fingerprints").status_code == 409


def test_a_study_is_compared_a_few_times_only(cast: Cast, locked: Drafted) -> None:
    for _ in range(independence.MOST):
        sent(cast, locked.id)

    answer = cast.ask("developer", "POST", f"/studies/{locked.id}/fingerprints")
    assert answer.status_code == 409


@pytest.mark.parametrize("part", ["developer", "regulatory"])
def test_the_vendor_hears_that_it_was_compared_and_no_count(
    cast: Cast, locked: Drafted, part: str
) -> None:
    made = sent(cast, locked.id)
    long_ago = {"history": [{"state": "COMPARED", "at": "2026-01-01T00:00:00.000Z"}]}
    cast.records.touch("comparisons", made, FOUND | long_ago, expect={})

    [shown] = cast.must(part, "GET", f"/studies/{locked.id}/fingerprints")["comparisons"]

    assert shown.keys() == {"id", "state", "created_at"}
    assert shown["state"] == "COMPARED"


@pytest.mark.parametrize("state", ["COMPARED", "REFUSED"])
def test_the_vendor_hears_of_it_at_the_end_of_a_slot(
    cast: Cast, locked: Drafted, state: str
) -> None:
    made = sent(cast, locked.id)
    just_now = {"history": [{"state": state, "at": utc_now()}], "problem": "a line is wrong"}
    cast.records.touch("comparisons", made, FOUND | just_now | {"state": state}, expect={})

    [shown] = cast.must("developer", "GET", f"/studies/{locked.id}/fingerprints")["comparisons"]
    [known] = cast.must("partner", "GET", f"/studies/{locked.id}/fingerprints")["comparisons"]

    assert (shown["state"], known["state"]) == ("UPLOADED", state)
    assert "problem" not in shown


@pytest.mark.parametrize("part", ["partner", "office"])
def test_partner_and_office_see_what_may_be_told(cast: Cast, locked: Drafted, part: str) -> None:
    made = sent(cast, locked.id)
    cast.records.touch("comparisons", made, FOUND, expect={})

    [shown] = cast.must(part, "GET", f"/studies/{locked.id}/fingerprints")["comparisons"]

    assert shown["told"] == FOUND["told"]
    assert cast.orgs["vendor"] not in str(shown)


def test_a_rival_cannot_close_what_is_not_its_own(cast: Cast, locked: Drafted) -> None:
    made = opened(cast, locked.id)["id"]
    path = f"/studies/{locked.id}/fingerprints/{made}/close"

    assert cast.ask(
        "rival", "POST", path, json={"sealed_sha256": SHA, "size": 6}
    ).status_code == 404  # fmt: skip
