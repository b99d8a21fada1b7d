"""A cohort after ingest: held back and overridden, a further version, a patient withdrawn."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.flow.lab import PASSWORD, Lab, rows, wait
from tests.flow.record import find

from proctor_sdk.encrypt import decode_key
from proctor_sdk.trust import trust_document

pytestmark = pytest.mark.podman
REASON = "Two visits of one patient look alike on purpose."
SENTENCE = "Not recomputable: a patient was withdrawn."


def upload(lab: Lab, cases: list[dict], *words: str) -> str:
    return lab["data_partner"].cli(*words, str(lab.table(cases))).stdout.split()[-1]


def settled(lab: Lab, cohort: str) -> dict:
    ended = {"READY", "HELD", "REJECTED"}
    return wait(lambda: lab["data_partner"].get(f"/cohorts/{cohort}"), ended)


@pytest.fixture(scope="module")
def first(lab: Lab) -> str:
    return lab.cohort(rows(120, clustered=True))


@pytest.fixture(scope="module")
def second(lab: Lab, first: str) -> dict:
    """A version with one label changed, one case more and one case less."""
    cases = rows(121, clustered=True)
    cases[3]["reference_value"] = 1 - cases[3]["reference_value"]
    del cases[0]
    made = upload(lab, cases, "cohort", "version", first)
    return settled(lab, made)


def test_a_changed_label_is_a_new_version_under_a_new_root(lab, first, second):
    before = lab["data_partner"].get(f"/cohorts/{first}")
    assert second["state"] == "READY", second
    assert (second["version"], second["previous"]) == (2, first)
    assert second["root"] != before["root"]
    assert before["state"] == "READY"


def test_a_new_version_keeps_the_terms(lab, first, second):
    before = lab["data_partner"].get(f"/cohorts/{first}")
    assert second["terms"] == before["terms"]


def test_two_versions_are_compared_by_case_and_column(lab, first, second):
    found = lab["data_partner"].get(f"/cohorts/{first}/compare?with={second['id']}")
    assert found["counts"] == {
        "added": 1, "removed": 1, "files": 0, "reference": 1, "attributes": 0, "inputs": 0,
    }  # fmt: skip
    assert found["columns"] == {"reference_value": 1}
    assert found["older"]["id"] == first
    told = lab["data_partner"].cli("cohort", "compare", first, second["id"]).stdout
    assert "version 1 to version 2" in told
    assert "reference_value: 1 cases" in told


def test_a_version_may_be_the_one_before_without_some_cases(lab, second):
    words = ("cohort", "version", second["id"], "--without", "c5", "c6")
    made = settled(lab, lab["data_partner"].cli(*words).stdout.split()[-1])
    assert made["state"] == "READY", made
    assert made["cases"] == second["cases"] - 2


@pytest.fixture(scope="module")
def examined(lab: Lab, public_cohort: str, unruly_archive: Path) -> tuple[str, str, str, str]:
    """A released report on a cohort, and another study locked on it where nothing has begun."""
    cohort = lab.cohort(rows(60, seed=3))
    study, idle = (lab.study(cohort, public_cohort) for _ in range(2))
    view = lab.settle(lab.submit(study, unruly_archive))
    assert view["state"] == "DECIDED", view
    question(lab, view["report"])
    lab.release(view["report"])
    return cohort, view["report"], view["id"], idle


def question(lab: Lab, report: str) -> None:
    """Question an error and a concordant case; have the first answered."""
    for outcome in ("false_positive", "as_reference"):
        cases = lab["reviewer"].get(f"/reports/{report}/cases?outcome={outcome}")["cases"]
        body = {"case": cases[0]["case"], "question": f"Is this so ({outcome})?"}
        lab["reviewer"].post(f"/reports/{report}/queries", body)
    asked = json.loads(lab["data_partner"].cli("cohort", "queries", "--json").stdout)
    first = next(one["id"] for one in asked if "false_positive" in one["question"])
    lab["data_partner"].cli("cohort", "answer", first, "stands", "--text", "Seen twice.")


@pytest.fixture(scope="module")
def withdrawn(lab: Lab, examined: tuple[str, str, str, str]) -> dict:
    cohort, *_ = examined
    words = ("cohort", "withdraw-patient", cohort, "--reason", "Consent was taken back.")
    lab["data_partner"].cli(*words, "--password-stdin", input=f"p7\n{PASSWORD}\n")

    def asked() -> dict:
        found = lab["data_partner"].cli("cohort", "withdrawals", cohort, "--json").stdout
        return json.loads(found)[0]

    return wait(asked, {"ERASED", "REFUSED"})


def test_a_withdrawn_patient_leaves_a_version_without_and_a_tombstone(lab, examined, withdrawn):
    assert withdrawn["state"] == "ERASED", withdrawn
    made = lab["data_partner"].get(f"/cohorts/{withdrawn['made']}")
    assert (made["state"], made["cases"], made["patients"]) == ("READY", 59, 59)
    assert [(one["patients"], one["cases"]) for one in made["tombstones"]] == [(1, 1)]
    assert lab["data_partner"].get(f"/cohorts/{examined[0]}")["state"] == "WITHDRAWN"


def test_the_evidence_holds_one_case_less(lab, examined, withdrawn):
    (evaluation,) = find(lab, "evaluations", entry=examined[2], kind="hidden")
    records = find(lab, "shards", evaluation=evaluation["_id"])
    lines = 0
    for part in (part for shard in records for part in shard["parts"]):
        content = (lab.stack.home.buckets / "predictions" / part["key"]).read_bytes()
        lines += len(content.splitlines())
    assert lines == 59


def test_only_the_full_edition_counts_the_questions(lab, examined):
    counts = {"asked": 2, "stands": 1, "will_change": 0, "open": 1, "concordant": 1}
    for role, edition in (("data_partner", "full"), ("vendor_regulatory", "submission")):
        content = lab[role].ask("GET", f"/reports/{examined[1]}/editions/{edition}").content
        document = json.loads(zipfile.ZipFile(io.BytesIO(content)).read("edition.json"))
        assert document["queries"] == (counts if edition == "full" else None)
        text = zipfile.ZipFile(io.BytesIO(content)).read("report.html").decode()
        assert ("Questions on the reference standard" in text) == (edition == "full")
        assert "For this laboratory." in text  # the agreement that the terms name


def test_the_signed_results_stay_and_the_report_is_marked(lab, examined, withdrawn, tmp_path):
    report = lab["reviewer"].get(f"/reports/{examined[1]}")
    assert report["state"] == "RELEASED"
    assert report["not_recomputable"] == SENTENCE
    package = tmp_path / "package.zip"
    lab["data_partner"].cli("report", examined[1], "--edition", "full", "-o", str(package))
    names = zipfile.ZipFile(package).namelist()
    assert "evidence/withdrawn.json" in names
    assert "evidence/observations.parquet" not in names
    keys = lab.office.get("/platform")["signing_public_keys"]
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(trust_document(decode_key(one["public_key"]) for one in keys)))
    assert SENTENCE in lab.office.cli("verify", str(package), "--trust", str(trust)).stdout


def test_recompute_says_that_a_patient_was_withdrawn(lab, examined, withdrawn, tmp_path):
    content = lab["data_partner"].ask("GET", f"/reports/{examined[1]}/editions/full").content
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    command = [str(Path(sys.executable).with_name("proctor-worker")), "recompute"]
    done = subprocess.run(
        [*command, str(tmp_path / "evidence")], check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert SENTENCE in done.stderr


def test_a_study_that_has_not_begun_must_amend_to_the_new_version(
    lab, examined, withdrawn, unruly_archive
):
    idle = examined[3]
    assert lab.settle(lab.submit(idle, unruly_archive))["state"] in {"FAILED", "CANCELLED"}
    text = lab["statistician"].get(f"/studies/{idle}")["protocol"]["source"]
    body = {"protocol": text, "reason": "A patient was withdrawn.", "cohort": withdrawn["made"]}
    amended = lab["statistician"].post(f"/studies/{idle}/amendments", body)
    assert amended["cohort"] == withdrawn["made"]
    for role in ("statistician", "vendor_regulatory", "data_partner"):
        signature = {"role": role, "password": PASSWORD, "meaning": "I agree."}
        view = lab[role].post(f"/studies/{idle}/signatures", signature)
    assert view["state"] == "LOCKED"


def test_an_unknown_patient_is_refused(lab, withdrawn):
    made = withdrawn["made"]
    body = {"patient": "nobody", "reason": "A mistake.", "password": PASSWORD}
    lab["data_partner"].post(f"/cohorts/{made}/patients/withdraw", body)

    def asked() -> dict:
        return lab["data_partner"].get(f"/cohorts/{made}/withdrawals")["withdrawals"][-1]

    assert wait(asked, {"ERASED", "REFUSED"})["state"] == "REFUSED"
    assert lab["data_partner"].get(f"/cohorts/{made}")["state"] == "READY"
