"""A cohort made on the partner's machine is sent, and made again from what was received."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.flow.lab import Lab, wait

from proctor_sdk.canonical import canonical_bytes, sha256_hex, strict_loads
from proctor_sdk.client import ApiClient
from proctor_sdk.cohort_table import CohortFile
from proctor_sdk.cohort_upload import send_files

WORKER = Path(sys.executable).with_name("proctor-worker")
ENDED = {"READY", "HELD", "REJECTED"}


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    draw = np.random.default_rng(5)
    rows = []
    for number in range(12):
        pixels = draw.integers(0, 255, (48, 40), dtype=np.uint8)
        (tmp_path / f"{number}.png").parent.mkdir(exist_ok=True)
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
        rows.append((f"patient-{number}", number % 2, f"{number}.png", "FM"[number // 2 % 2]))
    with (tmp_path / "cases.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("patient", "reference_value", "files", "attr.sex"), *rows])
    (tmp_path / "plan.yaml").write_text(
        "plan: 1\nname: Pictures\ncases: cases.csv\nsources: [{folder: images}]\n"
    )
    return tmp_path


def prepare(lab: Lab, folder: Path, *words: str) -> str:
    partner = lab["data_partner"]
    env = os.environ | {"PROCTOR_URL": partner.url, "PROCTOR_TOKEN": partner.token}
    command = [str(WORKER), "ingest", str(folder / "plan.yaml"), *words]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()[-1]


def test_cohort_has_the_root_that_its_partner_computed(lab: Lab, hospital: Path) -> None:
    cohort = prepare(lab, hospital, "--send")

    view = wait(lambda: lab["data_partner"].get(f"/cohorts/{cohort}"), ENDED)

    index = strict_loads((hospital / "prepared" / "cohort" / "index.json").read_bytes())
    assert view["state"] == "READY", view
    assert view["root"] == index["report"]["root"]
    assert view["cases"] == 12
    assert prepare(lab, hospital, "--send") == cohort  # twice the same patients is one cohort


def test_cohort_whose_root_does_not_follow_is_refused(lab: Lab, hospital: Path) -> None:
    prepare(lab, hospital)
    sent = hospital / "prepared" / "cohort"
    index = strict_loads((sent / "index.json").read_bytes())
    index["report"]["root"] = "0" * 64

    view = closed(lab, sent, index)

    assert view["state"] == "REJECTED"
    assert "root" in view["problems"][0]["what"]


def closed(lab: Lab, sent: Path, index: dict) -> dict:
    """Send what lies in `sent` under another index, as a partner's own program might."""
    partner = lab["data_partner"]
    (sent / "index.json").write_bytes(canonical_bytes(index))
    files = [path for path in sent.rglob("*") if path.is_file()]
    sources = {
        path: CohortFile(
            path=path.name, sha256=sha256_hex(path.read_bytes()), size=path.stat().st_size
        )
        for path in files
    }
    with ApiClient(partner.url, partner.token) as client:
        request = {"name": "Forged", "visibility": "hidden", "description": {}}
        cohort = client.post("/cohorts", request)["id"]
        send_files(client, cohort, sources, lambda _count: None)
        named = sources[sent / "index.json"].sha256
        client.post(f"/cohorts/{cohort}/close", {"index_sha256": named})
    return wait(lambda: partner.get(f"/cohorts/{cohort}"), ENDED, timeout_s=120)
