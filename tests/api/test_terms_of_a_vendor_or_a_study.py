"""Terms for one vendor or one study override the cohort's, and count their own entries."""

import pytest

from proctor_backend.domain.cohort import terms_of
from proctor_backend.records import Records

from .conftest import Cast, Drafted
from .test_cohorts import TERMS

COHORT = {
    "terms": {"agreement": "everybody"},
    "scoped_terms": [
        {"scope": {"vendor_org": "org_a"}, "agreement": "vendor"},
        {"scope": {"study": "stu_b"}, "agreement": "study"},
    ],
}


@pytest.mark.parametrize(
    ("study", "vendor", "governed"),
    [
        ("stu_b", "org_a", "study"),
        ("stu_c", "org_a", "vendor"),
        ("stu_c", "org_c", "everybody"),
        ("stu_c", None, "everybody"),
    ],
)
def test_the_narrowest_terms_govern(study: str, vendor: str | None, governed: str) -> None:
    found = terms_of(COHORT, {"_id": study, "vendor_org": vendor})
    assert found is not None
    assert found["agreement"] == governed


def test_a_cohort_without_terms_governs_nothing() -> None:
    assert terms_of({"terms": None}, {"_id": "stu_c", "vendor_org": "org_a"}) is None


def put(cast: Cast, cohort: str, **more: object):
    return cast.ask("partner", "PUT", f"/cohorts/{cohort}/terms", json=TERMS | more)


def test_terms_of_one_study_leave_the_cohorts_alone(cast: Cast, drafted: Drafted) -> None:
    put(cast, drafted.hidden)
    narrow = {"agreement": "For this one.", "scope": {"study": drafted.id}}
    shown = put(cast, drafted.hidden, **narrow).json()
    assert shown["terms"]["agreement"] == TERMS["agreement"]
    (scoped,) = shown["scoped_terms"]
    assert (scoped["scope"], scoped["agreement"]) == ({"study": drafted.id}, "For this one.")
    assert scoped["accepted"]["person"] == cast.persons["partner"]


def test_terms_put_again_replace_those_of_the_same_scope(cast: Cast, drafted: Drafted) -> None:
    scope = {"vendor_org": cast.orgs["vendor"]}
    put(cast, drafted.hidden, agreement="First.", scope=scope)
    shown = put(cast, drafted.hidden, agreement="Second.", scope=scope).json()
    assert [one["agreement"] for one in shown["scoped_terms"]] == ["Second."]


@pytest.mark.parametrize(
    "scope",
    [
        {"study": "stu_" + "a" * 26},
        {"vendor_org": "org_" + "a" * 26},
        {},
        {"study": "stu_" + "a" * 26, "vendor_org": "org_" + "a" * 26},
    ],
)
def test_terms_for_nobody_that_is_known_are_refused(
    cast: Cast, drafted: Drafted, scope: dict[str, str]
) -> None:
    assert put(cast, drafted.hidden, scope=scope).status_code == 422


def test_a_partners_own_organisation_is_no_vendor(cast: Cast, drafted: Drafted) -> None:
    asked = put(cast, drafted.hidden, scope={"vendor_org": cast.orgs["partner"]})
    assert asked.status_code == 422


def test_no_digits_at_all_cannot_be_asked_for(cast: Cast, drafted: Drafted) -> None:
    assert put(cast, drafted.hidden, precision=0).status_code == 422


def test_masked_roles_do_not_read_the_terms(cast: Cast, drafted: Drafted, records: Records) -> None:
    """A scope names a vendor's organisation."""
    put(cast, drafted.hidden, scope={"vendor_org": cast.orgs["vendor"]})
    for part in ("statistician", "reviewer", "releaser"):
        answer = cast.ask(part, "GET", f"/cohorts/{drafted.hidden}")
        assert cast.orgs["vendor"] not in answer.text
        assert "terms" not in answer.json()
