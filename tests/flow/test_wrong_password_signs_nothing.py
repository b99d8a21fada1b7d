"""A wrong password at a signature or at the release: refused, and nothing has changed."""

import pytest
from tests.flow.lab import PASSWORD, Lab, protocol_text, rows

pytestmark = pytest.mark.podman
WRONG = {"password": "not the passphrase at all"}


@pytest.fixture(scope="module")
def report(lab: Lab, public_cohort, unruly_archive):
    study = lab.study(lab.cohort(rows(12)), public_cohort)
    return lab.settle(lab.submit(study, unruly_archive))["report"]


def state(lab: Lab, report: str) -> str:
    return lab["releaser"].get(f"/reports/{report}")["state"]


def test_study_is_not_signed(lab, public_cohort):
    drafted = {
        "protocol": protocol_text(), "cohort": lab.cohort(rows(12)),
        "conformance_cohort": public_cohort,
    }  # fmt: skip
    study = lab["statistician"].post("/studies", drafted)["id"]
    lab.office.do("PUT", f"/studies/{study}/vendor", {"vendor_org": lab.orgs["vendor"]})
    signature = WRONG | {"role": "statistician", "meaning": "I agree."}
    answer = lab["statistician"].ask("POST", f"/studies/{study}/signatures", json=signature)
    assert answer.status_code == 401
    assert lab["statistician"].get(f"/studies/{study}")["signatures"] == []


def test_results_are_not_signed(lab, report):
    signature = WRONG | {"meaning": "I approve."}
    answer = lab["reviewer"].ask("POST", f"/reports/{report}/sign", json=signature)
    assert (answer.status_code, state(lab, report)) == (401, "DRAFT")


@pytest.fixture(scope="module")
def cleared(lab, report):
    word = {"password": PASSWORD}
    lab["reviewer"].post(f"/reports/{report}/sign", word | {"meaning": "I approve."})
    lab["vendor_regulatory"].do("PUT", f"/reports/{report}/annex", {"intended_use": "Ours."})
    lab["releaser"].post(f"/reports/{report}/unmask", word)
    for edition in ("full", "submission", "public"):
        lab["data_partner"].post(f"/reports/{report}/editions/{edition}/clear", word)
    return report


def test_report_is_not_released(lab, cleared):
    before = state(lab, cleared)
    answer = lab["releaser"].ask("POST", f"/reports/{cleared}/release", json=WRONG)
    assert (answer.status_code, state(lab, cleared)) == (401, before)
