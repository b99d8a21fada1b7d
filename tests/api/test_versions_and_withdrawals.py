"""Versions of a cohort and the withdrawal of a patient, as its owner asks for them."""

import base64
import io
import json

import httpx
import pytest

from proctor_backend.records import Records
from proctor_backend.settings import Settings
from proctor_sdk.encrypt import encode_key, generate_keypair, read_header, unseal, unwrap

from .conftest import PASSWORD, Cast, Drafted, make_ready
from .test_cohorts import TABLE, TERMS, described

PATIENT = "MRN-4711 Doe"


@pytest.fixture
def first(cast: Cast, records: Records) -> str:
    body = {"name": "Wards", "visibility": "hidden", "description": {"place": "north"}}
    cohort = cast.must("partner", "POST", "/cohorts", json=body)["id"]
    cast.must("partner", "PUT", f"/cohorts/{cohort}/terms", json=TERMS)
    make_ready(records, cohort)
    return cohort


def opened(cast: Cast, cohort: str, **more: object) -> str:
    return cast.must("partner", "POST", f"/cohorts/{cohort}/versions", json=more)["id"]


def withdraw(cast: Cast, cohort: str, *, part: str = "partner", **more: str) -> httpx.Response:
    body = {"patient": PATIENT, "reason": "Consent was taken back.", "password": PASSWORD} | more
    return cast.ask(part, "POST", f"/cohorts/{cohort}/patients/withdraw", json=body)


def test_a_version_takes_over_what_is_not_given(cast: Cast, first: str) -> None:
    shown = cast.must("partner", "GET", f"/cohorts/{opened(cast, first)}")
    assert (shown["version"], shown["previous"], shown["lineage"]) == (2, first, first)
    assert (shown["state"], shown["name"], shown["description"]) == (
        "OPEN", "Wards", {"place": "north"},
    )  # fmt: skip
    assert shown["terms"]["agreement"] == TERMS["agreement"]
    assert shown["root"] is None


def test_a_version_may_be_described_anew(cast: Cast, first: str) -> None:
    made = opened(cast, first, description={"place": "south"})
    assert cast.must("partner", "GET", f"/cohorts/{made}")["description"] == {"place": "south"}


def test_one_version_is_made_at_a_time(cast: Cast, first: str) -> None:
    opened(cast, first)
    assert cast.ask("partner", "POST", f"/cohorts/{first}/versions", json={}).status_code == 409


def test_a_version_follows_the_newest(cast: Cast, first: str, records: Records) -> None:
    make_ready(records, opened(cast, first))
    assert cast.ask("partner", "POST", f"/cohorts/{first}/versions", json={}).status_code == 409


def test_a_cohort_that_is_not_ready_has_no_further_version(cast: Cast) -> None:
    body = {"name": "Wards", "visibility": "hidden"}
    cohort = cast.must("partner", "POST", "/cohorts", json=body)["id"]
    assert cast.ask("partner", "POST", f"/cohorts/{cohort}/versions", json={}).status_code == 409


def test_a_version_closes_without_some_cases(cast: Cast, first: str, records: Records) -> None:
    made = opened(cast, first)
    body = {"without": ["c1", "c2"]}
    closed = cast.must("partner", "POST", f"/cohorts/{made}/close", json=body)
    assert closed["state"] == "UPLOADED"
    assert records.get("cohorts", made)["index"] == {"without": ["c1", "c2"]}


def test_a_first_version_cannot_close_without_some_cases(cast: Cast) -> None:
    body = {"name": "Wards", "visibility": "hidden"}
    cohort = cast.must("partner", "POST", "/cohorts", json=body)["id"]
    asked = {"without": ["c1"]}
    assert cast.ask("partner", "POST", f"/cohorts/{cohort}/close", json=asked).status_code == 422


def test_without_goes_with_nothing_else(cast: Cast, first: str) -> None:
    made = opened(cast, first)
    body = {"without": ["c1"], "table": described(TABLE) | {"format": "csv"}}
    assert cast.ask("partner", "POST", f"/cohorts/{made}/close", json=body).status_code == 422


def test_two_versions_are_compared_by_their_owner_only(
    cast: Cast, first: str, records: Records
) -> None:
    made = opened(cast, first)
    make_ready(records, made)
    found = {"counts": {"added": 1}, "columns": {}, "cases": {"added": ["cas_x"]}}
    records.put_file(f"compare:{made}:{first}", json.dumps(found).encode())
    for one, other in ((made, first), (first, made)):  # in whichever order they are named
        told = cast.must("partner", "GET", f"/cohorts/{one}/compare", params={"with": other})
        assert (told["older"]["version"], told["newer"]["version"]) == (1, 2)
        assert told["counts"] == {"added": 1}
    asked = cast.ask("office", "GET", f"/cohorts/{made}/compare", params={"with": first})
    assert asked.status_code == 404


def test_cohorts_that_are_no_versions_of_one_are_not_compared(
    cast: Cast, first: str, records: Records
) -> None:
    body = {"name": "Other", "visibility": "hidden"}
    other = cast.must("partner", "POST", "/cohorts", json=body)["id"]
    make_ready(records, other)
    asked = cast.ask("partner", "GET", f"/cohorts/{first}/compare", params={"with": other})
    assert asked.status_code == 404


def test_a_withdrawn_patient_is_sealed_to_the_ingest_worker(
    cast: Cast, first: str, records: Records, settings: Settings
) -> None:
    private, public = generate_keypair()
    (settings.keys_dir / "ingest.pub").write_text(encode_key(public))
    assert withdraw(cast, first).status_code == 202
    for name in records.db.list_collection_names():
        assert PATIENT not in str(list(records.db[name].find()))
    (asked,) = records.find("withdrawals", {})
    sealed = io.BytesIO(base64.b64decode(asked["sealed"]))
    header = read_header(sealed)
    assert b"".join(unseal(sealed, unwrap(header, private), header)).decode() == PATIENT


def test_withdrawing_a_patient_wakes_the_worker_once(
    cast: Cast, first: str, records: Records
) -> None:
    asked = withdraw(cast, first).json()["id"]
    tasks = records.find("outbox", {"kind": "task"})
    assert [(one["task"], one["subject"]) for one in tasks] == [("proctor.remove_patient", asked)]
    assert withdraw(cast, first).status_code == 409


def test_withdrawing_a_patient_takes_the_password(cast: Cast, first: str) -> None:
    assert withdraw(cast, first, password="a wrong password").status_code == 401


def test_nobody_but_the_owner_withdraws_a_patient(cast: Cast, first: str) -> None:
    assert withdraw(cast, first, part="office").status_code == 404
    assert withdraw(cast, first, part="statistician").status_code == 403


def test_no_version_is_opened_while_a_patient_is_withdrawn(cast: Cast, first: str) -> None:
    withdraw(cast, first)
    assert cast.ask("partner", "POST", f"/cohorts/{first}/versions", json={}).status_code == 409


def test_the_list_of_withdrawals_names_nobody(cast: Cast, first: str) -> None:
    withdraw(cast, first)
    shown = cast.must("partner", "GET", f"/cohorts/{first}/withdrawals")["withdrawals"]
    assert shown[0]["state"] == "ASKED"
    assert not {"patient", "sealed", "gone"} & shown[0].keys()


def test_a_locked_study_goes_over_to_a_newer_version_by_amendment(
    cast: Cast, locked: Drafted, records: Records, table_protocol: str
) -> None:
    made = opened(cast, locked.hidden)
    make_ready(records, made)
    body = {"protocol": table_protocol, "reason": "A label was mended.", "cohort": made}
    amended = cast.must("statistician", "POST", f"/studies/{locked.id}/amendments", json=body)
    assert amended["cohort"] == made
    assert amended["state"] == "DRAFT"
    assert amended["lock_digest"] != cast.must("office", "GET", f"/studies/{locked.id}")["lock"]


def test_a_study_does_not_go_over_to_another_cohort(
    cast: Cast, locked: Drafted, records: Records, table_protocol: str
) -> None:
    other = cast.must("partner", "POST", "/cohorts", json={"name": "O", "visibility": "hidden"})
    make_ready(records, other["id"])
    body = {"protocol": table_protocol, "reason": "r", "cohort": other["id"]}
    asked = cast.ask("statistician", "POST", f"/studies/{locked.id}/amendments", json=body)
    assert asked.status_code == 422
