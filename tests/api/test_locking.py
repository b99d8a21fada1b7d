"""A study is locked by three signatures over one digest, and changed only in the open."""

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest

from proctor_backend.records import Records

from .conftest import PASSWORD, SIGNERS, Cast, Drafted, sign_as


def changed(text: str) -> str:
    return text.replace("value: 0.70", "value: 0.75")


def stage(records: Records, study: str) -> None:
    """Stand in for the worker that begins the exam."""
    records.db["evaluations"].insert_one(
        {"_id": f"eva_{study}", "study": study, "kind": "hidden", "created_at": "2026"}
    )


def test_two_signatures_do_not_lock(cast: Cast, drafted: Drafted) -> None:
    for part, role in SIGNERS[:2]:
        view = sign_as(cast, drafted.id, part, role).json()
    assert view["state"] == "DRAFT"
    assert view["missing_signatures"] == ["data_partner"]


def test_the_third_signature_locks(cast: Cast, locked: Drafted) -> None:
    view = cast.must("statistician", "GET", f"/studies/{locked.id}")
    assert view["state"] == "LOCKED"
    assert view["missing_signatures"] == []


def test_every_signature_is_over_the_same_digest(cast: Cast, locked: Drafted) -> None:
    view = cast.must("office", "GET", f"/studies/{locked.id}")
    assert {one["lock_digest"] for one in view["signatures"]} == {view["lock_digest"]}


def test_wrong_password_does_not_sign(cast: Cast, drafted: Drafted) -> None:
    answer = sign_as(cast, drafted.id, "statistician", "statistician", password="wrong password")
    assert answer.status_code == 401
    assert cast.must("office", "GET", f"/studies/{drafted.id}")["signatures"] == []


def test_a_stale_digest_is_refused(cast: Cast, drafted: Drafted, table_protocol: str) -> None:
    read = cast.must("statistician", "GET", f"/studies/{drafted.id}")["lock_digest"]
    cast.must(
        "statistician",
        "PUT",
        f"/studies/{drafted.id}/protocol",
        json={"protocol": changed(table_protocol)},
    )
    answer = sign_as(cast, drafted.id, "statistician", "statistician", lock_digest=read)
    assert answer.status_code == 409
    assert "changed since you read it" in answer.json()["error"]["message"]


def test_revising_a_draft_drops_its_signatures(
    cast: Cast, drafted: Drafted, table_protocol: str
) -> None:
    sign_as(cast, drafted.id, "partner", "data_partner")
    body = {"protocol": changed(table_protocol)}
    view = cast.must("statistician", "PUT", f"/studies/{drafted.id}/protocol", json=body)
    assert view["signatures"] == []


def test_one_role_signs_once(cast: Cast, drafted: Drafted) -> None:
    sign_as(cast, drafted.id, "partner", "data_partner")
    assert sign_as(cast, drafted.id, "partner", "data_partner").status_code == 409


def test_nobody_signs_in_a_role_not_held(cast: Cast, drafted: Drafted) -> None:
    assert sign_as(cast, drafted.id, "partner", "statistician").status_code == 403


def test_a_cohort_that_is_not_ready_cannot_be_locked(
    cast: Cast, drafted: Drafted, records: Records
) -> None:
    records.db["cohorts"].update_one({"_id": drafted.hidden}, {"$set": {"state": "UPLOADED"}})
    answer = sign_as(cast, drafted.id, "statistician", "statistician")
    assert answer.status_code == 409
    assert "UPLOADED" in answer.json()["error"]["message"]


def test_a_locked_protocol_cannot_be_edited(
    cast: Cast, locked: Drafted, table_protocol: str
) -> None:
    answer = cast.ask(
        "statistician", "PUT", f"/studies/{locked.id}/protocol", json={"protocol": table_protocol}
    )
    assert answer.status_code == 409
    assert "amend" in answer.json()["error"]["cure"]


def test_amendment_makes_a_version_that_three_sign_again(
    cast: Cast, locked: Drafted, records: Records, table_protocol: str
) -> None:
    body = {"protocol": changed(table_protocol), "reason": "The goal was misprinted."}
    view = cast.must("statistician", "POST", f"/studies/{locked.id}/amendments", json=body)
    assert (view["state"], view["protocol_version"], view["signatures"]) == ("DRAFT", 2, [])
    assert view["amendments"][0]["reason"] == "The goal was misprinted."
    for part, role in SIGNERS:
        view = sign_as(cast, locked.id, part, role).json()
    assert view["state"] == "LOCKED"
    assert len(records.find("protocols", {"study": locked.id})) == 2


def test_after_staging_an_amendment_is_refused(
    cast: Cast, locked: Drafted, records: Records, table_protocol: str
) -> None:
    stage(records, locked.id)
    body = {"protocol": changed(table_protocol), "reason": "Too late."}
    answer = cast.ask("statistician", "POST", f"/studies/{locked.id}/amendments", json=body)
    assert answer.status_code == 409
    assert "deviation" in answer.json()["error"]["cure"]


def test_after_staging_a_deviation_is_recorded(
    cast: Cast, locked: Drafted, records: Records
) -> None:
    stage(records, locked.id)
    body = {"severity": "minor", "text": "One site delivered late."}
    cast.must("statistician", "POST", f"/studies/{locked.id}/deviations", json=body)
    view = cast.must("reviewer", "GET", f"/studies/{locked.id}")
    assert [one["severity"] for one in view["deviations"]] == ["minor"]


def test_before_staging_a_deviation_is_refused(cast: Cast, locked: Drafted) -> None:
    body = {"severity": "major", "text": "x"}
    answer = cast.ask("statistician", "POST", f"/studies/{locked.id}/deviations", json=body)
    assert answer.status_code == 409


def test_a_protocol_with_a_typo_answers_line_and_cure(
    cast: Cast, drafted: Drafted, table_protocol: str
) -> None:
    body = {"protocol": table_protocol.replace("seeds:", "seed:")}
    answer = cast.ask("statistician", "PUT", f"/studies/{drafted.id}/protocol", json=body)
    assert answer.status_code == 422
    problem = answer.json()["error"]["problems"][0]
    assert problem["cure"] == "Did you mean 'seeds'?"
    assert problem["line"] == body["protocol"][: body["protocol"].index("seed:")].count("\n") + 1


def test_statistician_may_not_name_the_vendor(
    cast: Cast, drafted: Drafted, table_protocol: str
) -> None:
    body = {
        "protocol": table_protocol,
        "cohort": drafted.hidden,
        "conformance_cohort": drafted.public,
        "vendor_org": cast.orgs["vendor"],
    }
    assert cast.ask("statistician", "POST", "/studies", json=body).status_code == 403
    del body["vendor_org"]
    study = cast.must("statistician", "POST", "/studies", json=body)["id"]
    named = {"vendor_org": cast.orgs["vendor"]}
    assert (
        cast.ask("statistician", "PUT", f"/studies/{study}/vendor", json=named).status_code == 403
    )
    assert cast.must("office", "PUT", f"/studies/{study}/vendor", json=named)["vendor"]


@pytest.mark.parametrize("part", ["statistician", "reviewer", "releaser"])
def test_masked_roles_cannot_find_the_vendor_in_a_study(
    cast: Cast, locked: Drafted, part: str
) -> None:
    text = json.dumps(cast.must(part, "GET", f"/studies/{locked.id}"))
    assert cast.orgs["vendor"] not in text
    assert "vendor company" not in text
    assert "Regulatory" not in text


def test_vendor_cannot_find_the_cohort_in_a_study(cast: Cast, locked: Drafted) -> None:
    view = cast.must("regulatory", "GET", f"/studies/{locked.id}")
    assert locked.hidden not in json.dumps(view)
    assert "partner company" not in json.dumps(view)


def bundle(**more: Any) -> bytes:
    description = {"name": "acme", "version": "1", "api": 1, "entry": "acme:sections"} | more
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("bundle.json", json.dumps(description))
    return content.getvalue()


def test_plugin_is_pinned_by_digest_and_signed_with_the_lock(
    cast: Cast, drafted: Drafted, records: Records
) -> None:
    before = cast.must("office", "GET", f"/studies/{drafted.id}")["lock_digest"]
    content = bundle()
    pinned = cast.must("office", "PUT", f"/studies/{drafted.id}/plugin", content=content)
    assert pinned["plugin"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert records.get_file(f"bundle:{pinned['plugin']}") == content
    assert cast.must("office", "GET", f"/studies/{drafted.id}")["lock_digest"] != before


def test_plugin_cannot_change_after_the_lock(cast: Cast, locked: Drafted) -> None:
    answer = cast.ask("office", "PUT", f"/studies/{locked.id}/plugin", content=bundle())
    assert answer.status_code == 409


@pytest.mark.parametrize("content", [b"no zip", bundle(api=2), b""])
def test_a_bundle_that_is_none_is_refused(cast: Cast, drafted: Drafted, content: bytes) -> None:
    answer = cast.ask("office", "PUT", f"/studies/{drafted.id}/plugin", content=content)
    assert answer.status_code == 422


def test_the_lock_stands_on_the_study_audit_chain(cast: Cast, locked: Drafted) -> None:
    trail = cast.must("reviewer", "GET", f"/audit/{locked.id}")
    kinds = [event["kind"] for event in trail["events"]]
    assert kinds == ["study.drafted", "study.signed", "study.signed", "study.locked"]
    assert PASSWORD not in json.dumps(trail)


def test_another_organisation_cannot_sign_for_the_owner_of_a_cohort(
    cast: Cast, drafted: Drafted, table_protocol: str
) -> None:
    body = {"protocol": table_protocol, "cohort": drafted.hidden}
    body |= {"conformance_cohort": drafted.public, "partner_org": cast.orgs["rival"]}
    answer = cast.ask("statistician", "POST", "/studies", json=body)
    assert answer.status_code == 422
    assert "another organisation" in answer.json()["error"]["message"]


def test_images_with_headers_that_the_protocol_does_not_grant_cannot_be_locked(
    cast: Cast, drafted: Drafted, records: Records
) -> None:
    granted = {"headers": ["Manufacturer"]}
    records.db["cohorts"].update_one({"_id": drafted.hidden}, {"$set": granted})
    answer = sign_as(cast, drafted.id, "statistician", "statistician")
    assert answer.status_code == 409
    assert "Manufacturer" in answer.json()["error"]["message"]
