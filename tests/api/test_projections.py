"""Every route, as every role and as nobody: who gets in, and what the others can tell from it."""

import re

import httpx
import pytest
from fastapi.routing import APIRoute

from proctor_backend.api.app import ROUTERS
from proctor_backend.api.permissions import API, RULES, TABLE, Rule

from .conftest import PASSWORD, ROLES, Cast, Drafted, Http

PARTS = [*ROLES, None]
# What of a cohort only its owner is shown; these tests' cohort has none of it yet.
OWNERS = ("/quality", "/compare", "/withdrawals")
UNKNOWN = {
    "study": "stu_" + "a" * 26,
    "cohort": "coh_" + "a" * 26,
    "entry": "ent_" + "a" * 26,
    "report": "rep_" + "a" * 26,
    "case": "cas_" + "a" * 26,
    "person": "per_" + "a" * 26,
    "binding": "bnd_" + "a" * 26,
    "token": "tok_" + "a" * 26,
    "chain": "stu_" + "a" * 26,
    "edition": "full",
    "query": "qry_" + "a" * 26,
    "comparison": "cmp_" + "a" * 26,
}


def unknown(rule: Rule) -> str:
    return rule.path.removeprefix(API).format(**UNKNOWN)


def bodies() -> dict[tuple[str, str], dict]:
    """A body of the right shape for each route that takes one."""
    password = {"password": PASSWORD}
    sha256 = "ab" * 32
    return {
        ("POST", "/persons/{person}/bindings"): {"role": "reviewer"},
        ("PUT", "/studies/{study}/protocol"): {"protocol": "a: 1"},
        ("PUT", "/studies/{study}/vendor"): {"vendor_org": "org_" + "a" * 26},
        ("POST", "/studies/{study}/signatures"): password
        | {"role": "statistician", "meaning": "m"},
        ("POST", "/studies/{study}/amendments"): {"protocol": "a: 1", "reason": "r"},
        ("POST", "/studies/{study}/deviations"): {"severity": "minor", "text": "t"},
        ("POST", "/cohorts/{cohort}/uploads"): {"files": [{"sha256": sha256, "size": 1}]},
        ("POST", "/cohorts/{cohort}/close"): {"index_sha256": sha256},
        ("PUT", "/cohorts/{cohort}/terms"): {
            "allowed_tasks": ["binary_classification"],
            "max_evaluations": 1,
            "expires_at": "2099-01-01",
            "agreement": "a",
            "contact": "c",
        },
        ("POST", "/cohorts/{cohort}/withdraw"): password | {"reason": "r"},
        ("POST", "/cohorts/{cohort}/overrides"): password | {"finding": "f", "reason": "r"},
        ("POST", "/cohorts/{cohort}/versions"): {},
        ("POST", "/cohorts/{cohort}/patients/withdraw"): password | {"patient": "p", "reason": "r"},
        ("POST", "/entries/{entry}/parts"): {"numbers": [1]},
        ("POST", "/entries/{entry}/close"): {
            "parts": [{"number": 1, "etag": "e", "sha256": sha256}],
            "sealed_sha256": sha256,
        },
        ("POST", "/reports/{report}/cases/{case}/category"): {"category": "other"},
        ("POST", "/reports/{report}/view"): {"case": UNKNOWN["case"]},
        ("POST", "/reports/{report}/queries"): {"case": UNKNOWN["case"], "question": "q"},
        ("POST", "/queries/{query}/answer"): {"answer": "stands"},
        ("POST", "/reports/{report}/sign"): password,
        ("PUT", "/reports/{report}/annex"): {},
        ("POST", "/reports/{report}/unmask"): password,
        ("POST", "/reports/{report}/editions/{edition}/clear"): password,
        ("POST", "/reports/{report}/release"): password,
    }


def ask(cast: Cast, part: str | None, rule: Rule, path: str) -> httpx.Response:
    body = bodies().get((rule.method, rule.path.removeprefix(API)))
    params = {"/cases": {"outcome": "false_positive"}, "/compare": {"with": UNKNOWN["cohort"]}}
    params = next((more for end, more in params.items() if path.endswith(end)), None)
    return cast.ask(part, rule.method, path, json=body, params=params)


def allowed(rule: Rule, part: str) -> bool:
    role = ROLES[part][1]
    return rule.own_account or role in {one.value for one in rule.roles or ()}


def test_every_route_stands_in_the_table_and_the_other_way_round() -> None:
    declared = {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert declared == set(TABLE)


def test_the_description_lists_every_route(http: Http) -> None:
    paths = http.get(f"{API}/openapi.json").json()["paths"]
    listed = {(method.upper(), path) for path, verbs in paths.items() for method in verbs}
    assert listed == set(TABLE)


def test_nobody_gets_in_without_a_token(cast: Cast) -> None:
    for rule in RULES:
        if rule.roles is not None:
            assert ask(cast, None, rule, unknown(rule)).status_code == 401, rule


def test_a_made_up_token_is_nobody(cast: Cast) -> None:
    cast.secrets["forger"] = "proctor_" + "x" * 43
    assert cast.ask("forger", "GET", "/studies").status_code == 401


@pytest.mark.parametrize("part", ROLES)
def test_each_role_is_let_in_where_the_table_says_and_nowhere_else(cast: Cast, part: str) -> None:
    wrong = []
    for rule in RULES:
        if rule.roles is None:
            continue
        status = ask(cast, part, rule, unknown(rule)).status_code
        if (status != 403) != allowed(rule, part):
            wrong.append((rule.method, rule.path, status))
    assert wrong == []


@pytest.mark.parametrize("part", ROLES)
def test_what_may_not_be_seen_looks_like_what_does_not_exist(
    cast: Cast, locked: Drafted, part: str
) -> None:
    """Another party's study and cohort answer as an unknown id does, down to the sentence."""
    own = {"study": locked.id, "cohort": locked.hidden}
    for rule in RULES:
        names = re.findall(r"{(\w+)}", rule.path)
        if rule.method != "GET" or names not in (["study"], ["cohort"]):
            continue
        real = ask(cast, part, rule, rule.path.removeprefix(API).format(**own))
        made_up = ask(cast, part, rule, unknown(rule))
        noun = "own cohort" if rule.path.endswith(OWNERS) else names[0]
        if real.status_code == 200 or (part, noun) == ("partner", "own cohort"):
            assert sees(part, noun), (part, rule)
            continue
        assert not sees(part, noun), (part, rule, real.text)
        assert real.status_code == made_up.status_code
        assert real.text.replace(own[names[0]], UNKNOWN[names[0]]) == made_up.text


def sees(part: str, noun: str) -> bool:
    if noun == "own cohort":
        return part == "partner"
    staff = {"office", "partner", "statistician", "reviewer", "releaser"}
    return part in (staff | {"developer", "regulatory"} if noun == "study" else staff)


def test_lists_hold_only_what_may_be_seen(cast: Cast, locked: Drafted) -> None:
    for part in ("rival",):
        assert cast.must(part, "GET", "/studies")["studies"] == []
        cohorts = cast.must(part, "GET", "/cohorts")["cohorts"]
        assert [one["id"] for one in cohorts] == [locked.public]


@pytest.mark.parametrize("part", ["developer", "regulatory", "rival"])
def test_no_answer_to_a_vendor_names_the_hidden_cohort(
    cast: Cast, locked: Drafted, part: str
) -> None:
    for path in ("/studies", f"/studies/{locked.id}", "/cohorts", "/entries", "/reports", "/me"):
        assert locked.hidden not in cast.ask(part, "GET", path).text


@pytest.mark.parametrize("part", ["statistician", "reviewer", "releaser", "operator"])
def test_no_answer_to_a_masked_role_names_the_vendor(
    cast: Cast, locked: Drafted, part: str
) -> None:
    for path in ("/studies", f"/studies/{locked.id}", "/cohorts", "/entries", "/reports",
                 f"/audit/{locked.id}", "/audit/platform"):  # fmt: skip
        text = cast.ask(part, "GET", path).text
        assert "vendor company" not in text
        assert cast.orgs["vendor"] not in text or part == "operator"


def test_operator_reads_the_trail_but_no_content(cast: Cast, locked: Drafted) -> None:
    assert cast.ask("operator", "GET", f"/audit/{locked.id}").status_code == 200
    assert cast.ask("operator", "GET", f"/studies/{locked.id}").status_code == 403


def test_trail_shows_no_private_fields(cast: Cast, locked: Drafted) -> None:
    events = cast.must("operator", "GET", f"/audit/{locked.id}")["events"]
    assert all("private" not in event and "private_key" not in event for event in events)
