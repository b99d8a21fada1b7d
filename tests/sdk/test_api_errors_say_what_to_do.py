import json

import httpx
import pytest
from fastapi import Response

from proctor_sdk.client import ApiClient, ApiError

from .conftest import TOKEN, Platform, refusal


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor_sdk.client._FIRST_PAUSE_S", 0.001)


def asked(platform: Platform, answer: Response) -> ApiError:
    platform.answers["POST /api/v1/things"] = [answer]
    with ApiClient(platform.url, TOKEN) as client, pytest.raises(ApiError) as caught:
        client.post("/things", {})
    return caught.value


def test_our_own_errors_keep_code_sentence_and_cure(platform: Platform) -> None:
    error = asked(platform, refusal(409, "state_conflict", "Too late.", cure="Amend."))
    assert (error.code, error.status) == ("state_conflict", 409)
    assert str(error) == "Too late.\ncure: Amend."


def test_problems_keep_their_lines(platform: Platform) -> None:
    problem = {"line": 7, "field": "alpha", "what": "is above 1", "cure": "Write 0.05."}
    error = asked(platform, refusal(422, "invalid", "One problem.", problems=[problem]))
    assert str(error.problems[0]) == "7: alpha: is above 1\n    cure: Write 0.05."


@pytest.mark.parametrize(
    ("status", "cure"), [(401, "login"), (403, "role"), (404, "id"), (413, "less"), (500, "again")]
)
def test_an_answer_of_a_proxy_still_gets_a_cure(platform: Platform, status: int, cure: str) -> None:
    error = asked(platform, Response("<html>no</html>", status))
    assert error.status == status
    assert cure in error.cure


@pytest.mark.parametrize("body", ["[]", '{"error": 3}', '{"error": {"problems": [1]}}', ""])
def test_a_malformed_error_does_not_break_the_client(platform: Platform, body: str) -> None:
    assert asked(platform, Response(body, 400)).message == "The platform refused (HTTP 400)."


def test_a_closed_port_is_told_with_its_address() -> None:
    with ApiClient("http://127.0.0.1:9") as client, pytest.raises(ApiError) as caught:
        client.get("/health")
    assert caught.value.message == "Nothing answers at http://127.0.0.1:9."
    assert "PROCTOR_URL" in caught.value.cure


def test_an_address_without_a_scheme_is_told() -> None:
    with ApiClient("proctor.example") as client, pytest.raises(ApiError, match="http"):
        client.get("/health")


def test_a_busy_platform_is_asked_again(platform: Platform) -> None:
    busy = [refusal(503, "unavailable", "Later."), refusal(503, "unavailable", "Later.")]
    platform.answers["GET /api/v1/me"] = list(busy)
    with ApiClient(platform.url, TOKEN) as client:
        assert client.get("/me")["name"] == "Vera Vendor"


def test_a_request_that_acts_is_not_sent_twice(platform: Platform) -> None:
    asked(platform, refusal(503, "unavailable", "Later."))
    sent = [path for method, path, _ in platform.seen if method == "POST"]
    assert sent == ["/api/v1/things"]


def test_with_an_idempotency_key_it_may_be_sent_again() -> None:
    keys = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise httpx.ReadError("broken")
        return httpx.Response(200, json={"keys": keys})

    with ApiClient("http://p", transport=httpx.MockTransport(answer)) as client:
        assert client.post("/things", {}, idempotency_key="k1") == {"keys": ["k1", "k1"]}


def test_a_connection_that_breaks_while_acting_is_told() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("broken")

    transport = httpx.MockTransport(answer)
    with ApiClient("http://p", transport=transport) as client, pytest.raises(ApiError) as caught:
        client.post("/things", {})
    assert caught.value.code == "unreachable"
    assert json.dumps(caught.value.message)


def test_another_site_at_the_address_is_told(platform: Platform) -> None:
    platform.answers["GET /api/v1/me"] = [Response("<html>welcome</html>", 200)]
    with ApiClient(platform.url, TOKEN) as client, pytest.raises(ApiError, match="not Proctor"):
        client.get("/me")
