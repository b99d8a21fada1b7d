"""What every answer keeps: one form of error, nothing of our insides, headers, a cap on bodies."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from pymongo.errors import AutoReconnect

from proctor_backend.records import Records
from proctor_backend.services import studies

from .conftest import Cast, Drafted, Http


def error(answer: httpx.Response) -> dict:
    found = answer.json()["error"]
    assert set(found) == {"code", "message", "cure", "problems"}
    return found


def test_platform_shows_its_public_keys(http: Http) -> None:
    shown = http.get("/api/v1/platform").json()
    assert shown["contract"] == "proctor/v1"
    assert len(shown["encryption_public_key"]) == 44
    assert shown["signing_public_keys"][0]["keyid"]


def test_health_asks_the_database(http: Http) -> None:
    assert http.get("/api/v1/health").json() == {"ok": True}


def test_a_mistake_of_ours_answers_a_number_and_nothing_else(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("secret path /data/hidden/7")

    monkeypatch.setattr(studies, "list_studies", broken)
    answer = cast.ask("office", "GET", "/studies")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    number = error(answer)["message"].split()[-1].rstrip(".")
    assert number in caplog.text


def test_a_database_that_is_away_answers_503_with_a_cure(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object) -> None:
        raise AutoReconnect("10.0.0.7:27017 connection refused")

    monkeypatch.setattr(studies, "list_studies", away)
    answer = cast.ask("office", "GET", "/studies")
    assert answer.status_code == 503
    assert "10.0.0.7" not in answer.text
    assert error(answer)["cure"]


def test_an_unknown_field_is_named(cast: Cast) -> None:
    answer = cast.ask(
        "office", "POST", "/organisations", json={"name": "N", "kind": "vendor", "x": 1}
    )
    assert answer.status_code == 422
    assert error(answer)["problems"][0]["field"] == "x"


def test_an_unknown_route_answers_in_the_same_form(http: Http) -> None:
    answer = http.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert error(answer)["code"] == "not_found"


def test_a_stated_length_above_the_cap_is_refused(cast: Cast) -> None:
    answer = cast.ask("office", "POST", "/organisations", content=b"x" * (2**20 + 1))
    assert answer.status_code == 413
    assert error(answer)["code"] == "too_large"


def test_a_body_above_the_cap_is_cut_off_though_its_length_is_not_stated(cast: Cast) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 2**17

    answer = cast.ask("office", "POST", "/organisations", content=stream())
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/health", "/nothing", "/studies"])
def test_every_answer_carries_the_security_headers(http: Http, path: str) -> None:
    headers = http.get(f"/api/v1{path}").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_the_schema_of_a_protocol_is_served(http: Http) -> None:
    schema = http.get("/api/v1/schemas/protocol").json()
    assert "endpoints" in schema["properties"]


def test_a_protocol_can_be_checked_without_being_saved(
    cast: Cast, table_protocol: str, records: Records
) -> None:
    body = {"protocol": table_protocol.replace("alpha:", "alfa:")}
    found = cast.must("statistician", "POST", "/protocols/check", json=body)["problems"]
    assert found[0]["cure"] == "Did you mean 'alpha'?"
    assert records.find("studies", {}) == []


def test_nothing_is_signed_in_the_clear(cast: Cast, locked: Drafted, records: Records) -> None:
    kept = json.dumps(list(records.db["audit_events"].find({}, {"_id": 0})), default=str)
    assert "a long enough password" not in kept
