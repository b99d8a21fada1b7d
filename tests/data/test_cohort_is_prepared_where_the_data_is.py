"""`proctor-worker ingest PLAN`: a partner's machine makes the cohort; what leaves tells nobody."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from generate import plan, table_row
from radiograph import radiograph
from write_dicom import dicom_bytes

from proctor_sdk.canonical import strict_loads

WORKER = Path(sys.executable).with_name("proctor-worker")
PLAN = """\
plan: 1
name: Radiographs
cases: cases.csv
sources: [{folder: images}]
deidentify: {burned_in: keep}
"""


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Radiographs of 40 patients in folders with their names, as a hospital has them."""
    folder = tmp_path_factory.mktemp("hospital")
    rows = []
    for phantom in plan(per_sex=20, seed=7):
        pixels = radiograph(np.random.default_rng(phantom.seed), phantom.subject.sex, phantom.score)
        path = folder / "images" / phantom.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            dicom_bytes(pixels, phantom.subject, phantom.syntax, inverted=phantom.inverted)
        )
        rows.append(table_row(phantom))
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    (folder / "cases.csv").write_text("\n".join(lines) + "\n")
    (folder / "plan.yaml").write_text(PLAN)
    (folder / "images" / "unrelated.txt").write_text("not of this cohort")
    return folder


@pytest.fixture
def copy(hospital: Path, tmp_path: Path) -> Path:
    """The same hospital with an own place to write; its key is the same."""
    (tmp_path / "images").symlink_to(hospital / "images")
    shutil.copy(hospital / "cases.csv", tmp_path)
    key = hospital / "cohort.key"
    if key.exists():
        shutil.copy(key, tmp_path)
    text = PLAN.replace("folder: images", f"folder: {hospital / 'images'}")
    (tmp_path / "plan.yaml").write_text(text)
    return tmp_path


def worker(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(WORKER), "ingest", str(folder / "plan.yaml"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def prepared(hospital: Path) -> Path:
    done = worker(hospital)
    assert done.returncode == 0, done.stdout + done.stderr
    return hospital / "prepared"


def root_of(prepared: Path) -> str:
    return str(strict_loads((prepared / "cohort" / "index.json").read_bytes())["report"]["root"])


def test_what_leaves_names_nobody_and_the_map_stays(hospital: Path, prepared: Path) -> None:
    sent = b"".join(p.read_bytes() for p in (prepared / "cohort").rglob("*") if p.is_file())
    names = {
        row["patient_name"]
        for row in pq.read_table(prepared / "private" / "map.parquet").to_pylist()
    }

    assert len(names) == 40
    for planted in (
        *(name.encode() for name in names),
        b"PHANTOM",
        b"MRN",
        b"1.2.826",
    ):
        assert planted not in sent, planted
    tables = (prepared / "cohort" / "reference").glob("*.parquet")
    told = " ".join(str(pq.read_table(path).to_pylist()) for path in tables)
    for planted in (*names, "ROOM", "MRN", "1.2.826"):  # stations are ROOM0 to ROOM6
        assert planted not in told, planted
    assert (prepared / "private").stat().st_mode & 0o077 == 0
    assert (hospital / "cohort.key").stat().st_mode & 0o077 == 0


def test_a_dry_run_changes_nothing_and_prints_the_quality_report(copy: Path) -> None:
    before = sorted(copy.rglob("*"))

    done = worker(copy, "--dry-run")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "CAN BE PUBLISHED" in done.stdout
    assert sorted(copy.rglob("*")) == before


def test_ingested_again_it_has_the_same_root_and_reads_no_image(
    hospital: Path, prepared: Path
) -> None:
    root = root_of(prepared)
    started = time.monotonic()

    assert worker(hospital).returncode == 0
    assert root_of(prepared) == root
    journal = (prepared / "private" / "journal.jsonl").read_bytes()
    assert len(journal.splitlines()) == 40  # nothing was done a second time
    assert time.monotonic() - started < 120


def test_interrupted_at_random_and_resumed_it_has_the_same_root(prepared: Path, copy: Path) -> None:
    draw = random.Random(11)  # noqa: S311 - when to interrupt
    for _ in range(4):
        running = subprocess.Popen(
            [str(WORKER), "ingest", str(copy / "plan.yaml")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(2.5 + draw.random() * 2)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()

    done = worker(copy)

    assert done.returncode == 0, done.stdout + done.stderr
    assert root_of(copy / "prepared") == root_of(prepared)


def test_a_mistake_in_the_table_is_named_and_nothing_is_kept(copy: Path) -> None:
    table = (copy / "cases.csv").read_text()
    (copy / "cases.csv").write_text(re.sub(r"[^,\s]+\.dcm", "missing.dcm", table, count=1))

    done = worker(copy)

    assert done.returncode == 1
    assert "row 1, files: names a file that is not there" in done.stdout
    assert not (copy / "prepared" / "cohort").exists()


def test_a_broken_file_holds_the_cohort_back_and_costs_no_other_case(
    hospital: Path, prepared: Path, tmp_path: Path
) -> None:
    shutil.copytree(hospital / "images", tmp_path / "images")
    for name in ("cases.csv", "plan.yaml", "cohort.key"):
        shutil.copy(hospital / name, tmp_path)
    broken = min((tmp_path / "images").rglob("*.dcm"))
    broken.write_bytes(broken.read_bytes()[:2000])

    done = worker(tmp_path)

    report = strict_loads((tmp_path / "prepared" / "cohort" / "index.json").read_bytes())["report"]
    assert done.returncode == 1
    assert report["cases"] == 39
    assert report["left_out"] == {"file.unreadable": 1}
    assert broken.name in (tmp_path / "prepared" / "quality.html").read_text()
    assert broken.name not in (tmp_path / "prepared" / "cohort" / "index.json").read_text()
