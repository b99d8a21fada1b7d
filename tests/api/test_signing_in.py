"""Passwords, tokens and sessions against the real database."""

import datetime as dt
import statistics
import time
from typing import Any

import pytest
from argon2 import PasswordHasher

from proctor_backend.domain.errors import (
    ForbiddenError,
    InvalidInputError,
    NotSignedInError,
    StateConflictError,
    TooManyRequestsError,
)
from proctor_backend.domain.ids import format_utc
from proctor_backend.records import Records
from proctor_backend.services import passwords, people, tokens

from .conftest import Cast, Http

PASSWORD = "a long enough password"
NOW = "2026-11-21T08:00:00.000Z"
pytestmark = pytest.mark.usefixtures("quick_hashes")


def later(**more: Any) -> str:
    return format_utc(dt.datetime.now(dt.UTC) + dt.timedelta(**more))


@pytest.fixture
def admin(records: Records) -> str:
    return people.first_admin(records, email="A@x.test", password=PASSWORD, name="A")


def test_first_admin_is_office_and_operator(records: Records, admin: str) -> None:
    actor = people.actor_from_session(records, people.login(records, "a@x.test", PASSWORD))
    assert {role.value for role in actor.roles()} == {"study_office", "operator"}


def test_a_second_first_admin_is_refused(records: Records, admin: str) -> None:
    with pytest.raises(StateConflictError):
        people.first_admin(records, email="b@x.test", password=PASSWORD, name="B")


def test_password_is_kept_as_argon2id(records: Records, admin: str) -> None:
    assert records.get("persons", admin)["password"].startswith("$argon2id$")


def test_short_password_is_refused(records: Records) -> None:
    with pytest.raises(InvalidInputError):
        passwords.hash_password("short")


def test_wrong_password_and_unknown_person_get_the_same_answer(
    records: Records, admin: str
) -> None:
    told = []
    for email in ("a@x.test", "nobody@x.test"):
        with pytest.raises(NotSignedInError) as caught:
            people.login(records, email, "wrong password")
        told.append(caught.value.as_dict())
    assert told[0] == told[1]


def test_wrong_password_and_unknown_person_take_the_same_time(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher())
    passwords._decoy.cache_clear()
    people.first_admin(records, email="a@x.test", password=PASSWORD, name="A")

    def seconds(email: str) -> float:
        begun = time.process_time()
        with pytest.raises(NotSignedInError):
            people.login(records, email, "wrong password")
        return time.process_time() - begun

    seconds("warm@x.test")
    known, unknown = [], []
    for turn in range(4):
        known.append(seconds("a@x.test"))
        unknown.append(seconds(f"nobody{turn}@x.test"))
    assert 0.4 < statistics.median(known) / statistics.median(unknown) < 2.5


def test_repeated_failures_lock_the_account_even_for_the_right_password(
    records: Records, admin: str
) -> None:
    for _ in range(passwords.FREE_FAILURES):
        with pytest.raises(NotSignedInError):
            people.login(records, "a@x.test", "wrong password", NOW)
    with pytest.raises(TooManyRequestsError):
        people.login(records, "a@x.test", PASSWORD, NOW)


def test_the_wait_grows_with_every_further_failure(records: Records, admin: str) -> None:
    moment = dt.datetime.now(dt.UTC)
    waits = []
    for _ in range(passwords.FREE_FAILURES + 3):
        with pytest.raises(NotSignedInError):
            people.login(records, "a@x.test", "wrong password", format_utc(moment))
        until = records.db["attempts"].find_one({})["until"]
        if until > format_utc(moment):
            waits.append((dt.datetime.fromisoformat(until) - moment).total_seconds())
            moment = dt.datetime.fromisoformat(until)
    assert [round(wait) for wait in waits] == [2, 4, 8, 16]


def test_an_unknown_person_is_locked_out_like_a_known_one(records: Records, admin: str) -> None:
    for _ in range(passwords.FREE_FAILURES):
        with pytest.raises(NotSignedInError):
            people.login(records, "nobody@x.test", "wrong password", NOW)
    with pytest.raises(TooManyRequestsError):
        people.login(records, "nobody@x.test", "wrong password", NOW)


def test_the_right_password_after_the_wait_opens_the_account_again(
    records: Records, admin: str
) -> None:
    for _ in range(passwords.FREE_FAILURES):
        with pytest.raises(NotSignedInError):
            people.login(records, "a@x.test", "wrong password", NOW)
    assert people.login(records, "a@x.test", PASSWORD, "2026-11-21T08:16:00.000Z")


def test_reauthentication_refuses_a_wrong_password(records: Records, admin: str) -> None:
    people.reauthenticate(records, admin, PASSWORD)
    with pytest.raises(NotSignedInError):
        people.reauthenticate(records, admin, "wrong password")


def test_a_session_left_alone_ends(records: Records, admin: str) -> None:
    secret = people.login(records, "a@x.test", PASSWORD)
    with pytest.raises(NotSignedInError):
        people.actor_from_session(records, secret, later(seconds=people.IDLE_S + 1))


def test_a_session_in_use_ends_after_the_day(records: Records, admin: str) -> None:
    secret = people.login(records, "a@x.test", PASSWORD)
    for minutes in range(20, 12 * 60, 20):
        people.actor_from_session(records, secret, later(minutes=minutes))
    with pytest.raises(NotSignedInError):
        people.actor_from_session(records, secret, later(hours=12, minutes=1))


def test_logout_ends_the_session(records: Records, admin: str) -> None:
    secret = people.login(records, "a@x.test", PASSWORD)
    people.logout(records, secret)
    with pytest.raises(NotSignedInError):
        people.actor_from_session(records, secret)


def test_csrf_token_of_another_session_is_refused(records: Records, admin: str) -> None:
    one, other = (people.login(records, "a@x.test", PASSWORD) for _ in range(2))
    people.check_csrf(one, people.csrf_token(one))
    with pytest.raises(NotSignedInError):
        people.check_csrf(one, people.csrf_token(other))


def test_no_secret_is_kept(records: Records, admin: str) -> None:
    session = people.login(records, "a@x.test", PASSWORD)
    token = tokens.make_token(records, email="a@x.test", password=PASSWORD, name="t")["token"]
    kept = str([list(records.db[name].find()) for name in records.db.list_collection_names()])
    assert session not in kept
    assert token not in kept
    assert PASSWORD not in kept


def test_changing_the_password_ends_all_tokens(records: Records, admin: str) -> None:
    token = tokens.make_token(records, email="a@x.test", password=PASSWORD, name="t")["token"]
    actor = people.actor_from_token(records, token)
    people.change_password(records, actor, old=PASSWORD, new="another long password")
    with pytest.raises(NotSignedInError):
        people.actor_from_token(records, token)


def test_changing_the_password_ends_all_sessions(records: Records, admin: str) -> None:
    secret = people.login(records, "a@x.test", PASSWORD)
    actor = people.actor_from_session(records, secret)
    people.change_password(records, actor, old=PASSWORD, new="another long password")
    with pytest.raises(NotSignedInError):
        people.actor_from_session(records, secret)
    assert people.login(records, "a@x.test", "another long password")


def test_expired_token_is_refused(records: Records, admin: str) -> None:
    made = tokens.make_token(records, email="a@x.test", password=PASSWORD, name="t", days=1)
    people.actor_from_token(records, made["token"])
    with pytest.raises(NotSignedInError):
        people.actor_from_token(records, made["token"], later(days=1, minutes=1))


def test_revoked_token_is_refused(cast: Cast) -> None:
    listed = cast.must("developer", "GET", "/tokens")["tokens"]
    assert cast.ask("developer", "DELETE", f"/tokens/{listed[0]['id']}").status_code == 204
    assert cast.ask("developer", "GET", "/me").status_code == 401


def test_a_token_of_another_person_cannot_be_revoked(cast: Cast) -> None:
    listed = cast.must("developer", "GET", "/tokens")["tokens"]
    assert cast.ask("office", "DELETE", f"/tokens/{listed[0]['id']}").status_code == 404


def test_token_without_the_scope_is_refused(cast: Cast) -> None:
    made = cast.ask(
        None,
        "POST",
        "/tokens",
        json={"email": "office@x.test", "password": PASSWORD, "name": "r", "scopes": ["read"]},
    ).json()
    cast.secrets["reader"] = made["token"]
    assert cast.ask("reader", "GET", "/persons").status_code == 200
    answer = cast.ask("reader", "POST", "/organisations", json={"name": "N", "kind": "vendor"})
    assert answer.status_code == 403
    assert "scope" in answer.json()["error"]["message"]


def test_last_use_of_a_token_is_noted(cast: Cast, records: Records) -> None:
    cast.must("developer", "GET", "/me")
    assert cast.must("developer", "GET", "/tokens")["tokens"][0]["used_at"] is not None


def test_sign_ins_of_one_address_are_throttled(http: Http, quick_hashes: None) -> None:
    body = {"email": "x@x.test", "password": "wrong password", "name": "t"}
    codes = {http.post("/api/v1/tokens", json=body | {"email": f"{n}@x.test"}).status_code
             for n in range(62)}  # fmt: skip
    assert codes == {401, 429}


def test_a_wrong_password_is_not_sent_back(http: Http) -> None:
    body = {"email": "x@x.test", "password": ["top secret"], "name": "t"}
    answer = http.post("/api/v1/tokens", json=body)
    assert answer.status_code == 422
    assert "top secret" not in answer.text


def test_a_vendor_cannot_be_made_reviewer(cast: Cast) -> None:
    answer = cast.ask(
        "office",
        "POST",
        f"/persons/{cast.persons['developer']}/bindings",
        json={"role": "reviewer"},
    )
    assert answer.status_code == 422


def test_a_reviewer_cannot_also_release(cast: Cast) -> None:
    answer = cast.ask(
        "office", "POST", f"/persons/{cast.persons['reviewer']}/bindings", json={"role": "releaser"}
    )
    assert answer.status_code == 409


def test_a_role_that_was_taken_ends_with_the_next_request(cast: Cast) -> None:
    persons = cast.must("office", "GET", "/persons")["persons"]
    held = next(one for one in persons if one["id"] == cast.persons["statistician"])["bindings"]
    assert cast.ask("statistician", "GET", "/studies").status_code == 200
    assert cast.ask("office", "DELETE", f"/bindings/{held[0]['id']}").status_code == 204
    assert cast.ask("statistician", "GET", "/studies").status_code == 403


def test_role_in_one_study_does_not_reach_another(records: Records, admin: str) -> None:
    actor = people.Actor(
        person="per_x",
        org="org_x",
        bindings=frozenset({people.Binding(people.Role.REVIEWER, "stu_a")}),
    )
    actor.require("reviewer", "stu_a")
    with pytest.raises(ForbiddenError):
        actor.require("reviewer", "stu_b")


def test_one_e_mail_belongs_to_one_person(cast: Cast) -> None:
    body = {"org": cast.orgs["vendor"], "email": "Office@x.test", "name": "N", "password": PASSWORD}
    assert cast.ask("office", "POST", "/persons", json=body).status_code == 422


def test_password_of_the_study_office_signs_nothing(records: Records, admin: str) -> None:
    office = people.actor_from_session(records, people.login(records, "a@x.test", PASSWORD))
    person = people.create_person(
        records, office, org=office.org, email="b@x.test", name="B", password="given by the office"
    )
    with pytest.raises(StateConflictError, match="study office knows"):
        people.reauthenticate(records, person, "given by the office")
    session = people.login(records, "b@x.test", "given by the office")
    actor = people.actor_from_session(records, session)
    with pytest.raises(InvalidInputError):
        people.change_password(records, actor, old="given by the office", new="given by the office")
    people.change_password(records, actor, old="given by the office", new="known to nobody else")
    people.reauthenticate(records, person, "known to nobody else")
