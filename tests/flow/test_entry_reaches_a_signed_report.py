"""The main line on a small table: upload, run, measure, review, release, verify, recompute."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.flow.lab import VENDOR, Lab, rows

from proctor_sdk.encrypt import decode_key
from proctor_sdk.trust import trust_document


@pytest.fixture(scope="module")
def released(lab: Lab, public_cohort: str, unruly_archive):
    study = lab.study(lab.cohort(rows(240)), public_cohort)
    entry = lab.submit(study, unruly_archive)
    view = lab.settle(entry)
    assert view["state"] == "DECIDED", view
    report = view["report"]
    before = (
        lab["reviewer"].get(f"/reports/{report}"),
        lab["reviewer"].get(f"/reports/{report}/body"),
    )
    lab.release(report)
    return lab, study, entry, report, before


@pytest.mark.podman
def test_reviewer_cannot_learn_the_vendor_before_signing(released):
    *_, before = released
    assert VENDOR not in json.dumps(before)
    assert "secret-product" not in json.dumps(before)


@pytest.mark.podman
@pytest.mark.parametrize("edition", ["full", "submission", "public"])
def test_every_edition_verifies_offline(released, edition, tmp_path):
    lab, _, _, report, _ = released
    role = {"full": "data_partner", "submission": "vendor_regulatory"}.get(
        edition, "vendor_developer"
    )
    package = tmp_path / "package.zip"
    lab[role].cli("report", report, "--edition", edition, "-o", str(package))
    trust = tmp_path / "trust.json"
    keys = lab.office.get("/platform")["signing_public_keys"]
    pinned = trust_document(decode_key(key["public_key"]) for key in keys)
    trust.write_text(json.dumps(pinned))
    done = lab.office.cli("verify", str(package), "--trust", str(trust))
    assert "signed by the pinned key" in done.stdout


@pytest.mark.podman
def test_recompute_gives_the_same_bytes(released, tmp_path):
    lab, _, _, report, _ = released
    content = lab["data_partner"].ask("GET", f"/reports/{report}/editions/full").content
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        package.extractall(tmp_path)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("proctor-worker")),
            "recompute",
            str(tmp_path / "evidence"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
