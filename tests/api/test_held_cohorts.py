"""A cohort that its findings hold back: read by its owner, overridden by name, with a reason."""

import pytest

from proctor_backend.domain.cohort import blocking
from proctor_backend.records import Records

from .conftest import PASSWORD, Cast, make_ready


def finding(key: str, severity: str = "error") -> dict:
    return {
        "key": key,
        "code": key.partition(":")[0],
        "severity": severity,
        "count": 2,
        "message": "Two cases are alike.",
        "cure": "Leave one out.",
        "places": ["case c1"],
    }


FINDINGS = [finding("leak.artefact:canonical_bytes"), finding("duplicate.pixels"),
            finding("attribute.missing:sex", "warning")]  # fmt: skip


@pytest.fixture
def held(cast: Cast, records: Records) -> str:
    body = {"name": "Wards", "visibility": "hidden"}
    cohort = cast.must("partner", "POST", "/cohorts", json=body)["id"]
    make_ready(records, cohort)
    found = {"state": "HELD", "findings": FINDINGS}
    records.db["cohorts"].update_one({"_id": cohort}, {"$set": found})
    return cohort


def override(cast: Cast, cohort: str, key: str, part: str = "partner", password: str = PASSWORD):
    body = {"finding": key, "reason": "All come from one scanner.", "password": password}
    return cast.ask(part, "POST", f"/cohorts/{cohort}/overrides", json=body)


def test_errors_without_an_override_are_what_blocks() -> None:
    overrides = [{"finding": "duplicate.pixels"}]
    assert [one["key"] for one in blocking(FINDINGS, overrides)] == [FINDINGS[0]["key"]]


def test_the_last_override_makes_the_cohort_ready(cast: Cast, held: str) -> None:
    first = override(cast, held, "duplicate.pixels").json()
    assert first["state"] == "HELD"
    last = override(cast, held, "leak.artefact:canonical_bytes").json()
    assert last["state"] == "READY"
    assert [one["finding"] for one in last["overrides"]] == [
        "duplicate.pixels",
        "leak.artefact:canonical_bytes",
    ]
    assert last["overrides"][0]["reason"] == "All come from one scanner."
    assert last["overrides"][0]["person_name"]


@pytest.mark.parametrize("key", ["attribute.missing:sex", "no.such"])
def test_what_does_not_block_cannot_be_overridden(cast: Cast, held: str, key: str) -> None:
    assert override(cast, held, key).status_code == 409


def test_a_finding_is_overridden_once(cast: Cast, held: str) -> None:
    assert override(cast, held, "duplicate.pixels").status_code == 200
    assert override(cast, held, "duplicate.pixels").status_code == 409


def test_overriding_takes_the_password(cast: Cast, held: str) -> None:
    answer = override(cast, held, "duplicate.pixels", password="a wrong password")
    assert answer.status_code == 401


def test_nobody_but_the_owner_overrides(cast: Cast, held: str) -> None:
    assert override(cast, held, "duplicate.pixels", part="office").status_code == 404
    assert override(cast, held, "duplicate.pixels", part="statistician").status_code == 403


def test_a_held_cohort_cannot_be_locked(cast: Cast, drafted, records: Records) -> None:
    records.db["cohorts"].update_one({"_id": drafted.hidden}, {"$set": {"state": "HELD"}})
    shown = cast.must("statistician", "GET", f"/studies/{drafted.id}")
    assert "HELD" in shown["waits_for"]
    assert "HELD" not in cast.must("regulatory", "GET", f"/studies/{drafted.id}")["waits_for"]


def test_findings_are_for_the_owner(cast: Cast, held: str) -> None:
    assert cast.must("partner", "GET", f"/cohorts/{held}")["findings"] == FINDINGS
    for part in ("office", "statistician", "reviewer"):
        assert "findings" not in cast.must(part, "GET", f"/cohorts/{held}")


@pytest.mark.parametrize(("form", "kind"), [("json", "application/json"), ("html", "text/html")])
def test_the_owner_reads_the_quality_report(
    cast: Cast, held: str, records: Records, form: str, kind: str
) -> None:
    records.put_file(f"quality:{held}:{form}", b"{}")
    answer = cast.ask("partner", "GET", f"/cohorts/{held}/quality", params={"form": form})
    assert answer.content == b"{}"
    assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize("part", ["office", "statistician", "reviewer", "developer", "operator"])
def test_nobody_else_reads_the_quality_report(
    cast: Cast, held: str, records: Records, part: str
) -> None:
    records.put_file(f"quality:{held}:json", b"{}")
    assert cast.ask(part, "GET", f"/cohorts/{held}/quality").status_code in {403, 404}
