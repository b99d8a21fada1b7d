"""A partner's cohort: uploaded by content address, shown as the terms allow."""

import hashlib

import httpx
import pytest

from proctor_backend.domain.cohort import Terms
from proctor_backend.domain.errors import TermsRefusedError
from proctor_backend.records import Records

from .conftest import PASSWORD, Cast, make_ready

TABLE = b"case,patient,reference_value\n1,p1,1\n"
TERMS = {
    "allowed_tasks": ["binary_classification"],
    "max_evaluations": 2,
    "expires_at": "2099-12-31",
    "agreement": "Data use agreement 7.",
    "contact": "data@partner.test",
}


@pytest.fixture
def cohort(cast: Cast) -> str:
    body = {"name": "Wards", "visibility": "hidden", "description": {"place": "north"}}
    return cast.must("partner", "POST", "/cohorts", json=body)["id"]


def described(content: bytes) -> dict:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def upload(cast: Cast, cohort: str, *contents: bytes) -> int:
    """Send what is missing and return how much that was."""
    body = {"files": [described(content) for content in contents]}
    missing = cast.must("partner", "POST", f"/cohorts/{cohort}/uploads", json=body)["missing"]
    by_digest = {described(content)["sha256"]: content for content in contents}
    for one in missing:
        assert httpx.put(one["url"], content=by_digest[one["sha256"]], timeout=60).is_success
    return len(missing)


def test_only_what_has_not_arrived_is_asked_for(cast: Cast, cohort: str) -> None:
    assert upload(cast, cohort, TABLE, b"image") == 2
    assert upload(cast, cohort, TABLE, b"image", b"another") == 1


def test_closing_wakes_the_ingest(cast: Cast, cohort: str, records: Records) -> None:
    upload(cast, cohort, TABLE, b"image")
    body = {
        "table": described(TABLE) | {"format": "csv"},
        "files": [described(b"image") | {"path": "a/0.dcm"}],
    }
    closed = cast.must("partner", "POST", f"/cohorts/{cohort}/close", json=body)
    assert closed["state"] == "UPLOADED"
    tasks = records.find("outbox", {"kind": "task"})
    assert [(one["task"], one["subject"]) for one in tasks] == [("proctor.ingest", cohort)]


def test_closing_without_the_table_is_refused(cast: Cast, cohort: str) -> None:
    body = {"table": described(TABLE) | {"format": "csv"}}
    assert cast.ask("partner", "POST", f"/cohorts/{cohort}/close", json=body).status_code == 422


def test_a_long_list_comes_as_an_uploaded_index(cast: Cast, cohort: str, records: Records) -> None:
    upload(cast, cohort, b'{"table": {}, "files": []}')
    index = described(b'{"table": {}, "files": []}')["sha256"]
    cast.must("partner", "POST", f"/cohorts/{cohort}/close", json={"index_sha256": index})
    assert records.get("cohorts", cohort)["index"] == {"index_sha256": index}


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a\\b"])
def test_a_path_that_leads_outside_is_refused(cast: Cast, cohort: str, path: str) -> None:
    upload(cast, cohort, TABLE)
    body = {
        "table": described(TABLE) | {"format": "csv"},
        "files": [described(b"image") | {"path": path}],
    }
    assert cast.ask("partner", "POST", f"/cohorts/{cohort}/close", json=body).status_code == 422


def test_a_closed_cohort_takes_no_more_files(cast: Cast, cohort: str, records: Records) -> None:
    make_ready(records, cohort)
    body = {"files": [described(TABLE)]}
    assert cast.ask("partner", "POST", f"/cohorts/{cohort}/uploads", json=body).status_code == 409


def test_vendor_may_not_know_of_a_hidden_cohort(cast: Cast, cohort: str) -> None:
    assert cast.ask("developer", "GET", f"/cohorts/{cohort}").status_code == 404
    assert cast.must("developer", "GET", "/cohorts")["cohorts"] == []


def test_others_see_counts_only_if_the_terms_say_so(
    cast: Cast, cohort: str, records: Records
) -> None:
    make_ready(records, cohort)
    assert "cases" not in cast.must("statistician", "GET", f"/cohorts/{cohort}")
    cast.must("partner", "PUT", f"/cohorts/{cohort}/terms", json=TERMS | {"counts_visible": True})
    shown = cast.must("statistician", "GET", f"/cohorts/{cohort}")
    assert shown["cases"] == 500
    assert "terms" not in shown
    assert "counts" not in shown


def test_partner_sees_everything(cast: Cast, cohort: str, records: Records) -> None:
    make_ready(records, cohort)
    shown = cast.must("partner", "GET", f"/cohorts/{cohort}")
    assert shown["counts"] == {"sex": {"F": 250}}
    assert shown["root"]


def test_terms_note_who_accepted_them(cast: Cast, cohort: str) -> None:
    shown = cast.must("partner", "PUT", f"/cohorts/{cohort}/terms", json=TERMS)
    assert shown["terms"]["accepted"]["person"] == cast.persons["partner"]


def test_expired_terms_are_refused(cast: Cast, cohort: str) -> None:
    body = TERMS | {"expires_at": "2020-01-01"}
    assert cast.ask("partner", "PUT", f"/cohorts/{cohort}/terms", json=body).status_code == 422


def test_office_may_not_set_a_partners_terms(cast: Cast, cohort: str) -> None:
    assert cast.ask("office", "PUT", f"/cohorts/{cohort}/terms", json=TERMS).status_code == 404


def test_terms_refuse_an_evaluation_beyond_the_count() -> None:
    terms = Terms.from_dict(TERMS)
    terms.check(task="binary_classification", evaluations=1, now="2030-01-01T00:00:00.000Z")
    with pytest.raises(TermsRefusedError):
        terms.check(task="binary_classification", evaluations=2, now="2030-01-01T00:00:00.000Z")


def test_terms_hold_to_the_end_of_their_last_day() -> None:
    terms = Terms.from_dict(TERMS)
    terms.check(task="binary_classification", evaluations=0, now="2099-12-31T23:59:59.000Z")
    with pytest.raises(TermsRefusedError):
        terms.check(task="binary_classification", evaluations=0, now="2100-01-01T00:00:00.000Z")


def test_terms_refuse_another_task() -> None:
    with pytest.raises(TermsRefusedError):
        Terms.from_dict(TERMS).check(task="survival", evaluations=0, now="2030-01-01T00:00:00.000Z")


def test_withdrawing_takes_the_password(cast: Cast, cohort: str) -> None:
    body = {"reason": "Consent withdrawn.", "password": "wrong password"}
    assert cast.ask("partner", "POST", f"/cohorts/{cohort}/withdraw", json=body).status_code == 401
    body["password"] = PASSWORD
    gone = cast.must("partner", "POST", f"/cohorts/{cohort}/withdraw", json=body)
    assert gone["state"] == "WITHDRAWN"
