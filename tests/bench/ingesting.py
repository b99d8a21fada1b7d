"""How fast, and in how much memory, `proctor-worker ingest` makes a cohort."""

import csv
import io
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from tests.bench.record import Row, median_interval

WORKER = Path(sys.executable).with_name("proctor-worker")
FILES, SIDE, RUNS = 1200, 512, 3
MANY, SMALL = 100_000, 24
SPEED_GOAL, MEMORY_GOAL_MB = 60.0, 1024.0
PLAN = "plan: 1\nname: Bench\ncases: cases.csv\nsources: [{folder: images}]\n"
PLAN += "deidentify: {burned_in: keep}\n"


def rows() -> list[Row]:
    """Ingest many slices with the Basic Profile and hashing, OCR apart; then very many small."""
    warnings.simplefilter("ignore")
    return [_speed(), _memory()]


def _speed() -> Row:
    with TemporaryDirectory(dir="/var/tmp") as folder:
        hospital(Path(folder), FILES, SIDE)
        rates = []
        for run in range(RUNS):
            started = time.monotonic()
            ingest(Path(folder), f"out{run}")
            rates.append(FILES / (time.monotonic() - started))
    interval = median_interval(rates)
    return Row(
        id="ingest_speed",
        what=f"{FILES:,} DICOM files of {SIDE}×{SIDE}×16 bit from a folder, Basic Profile, "
        "digests, perceptual hash, quality report, leak audit and start included; OCR apart; "
        f"two processes, {RUNS} runs",
        unit="files/s",
        ours=float(np.median(rates)),
        interval=interval,
        goal=f"≥ {SPEED_GOAL:g} files/s",
        met=interval[0] >= SPEED_GOAL,
    )


def _memory() -> Row:
    with TemporaryDirectory(dir="/var/tmp") as folder:
        hospital(Path(folder), MANY, SMALL)
        peak = ingest(Path(folder), "out")
    return Row(
        id="ingest_files_memory",
        what=f"peak resident memory of the largest process while {MANY:,} synthetic DICOM files of "
        f"{SMALL}×{SMALL} become a cohort of as many cases; one run",
        unit="MB",
        ours=peak,
        goal=f"< {MEMORY_GOAL_MB:g} MB",
        met=peak < MEMORY_GOAL_MB,
    )


def ingest(folder: Path, out: str) -> float:
    """Run the plan into another folder; return the peak memory in MB of any process of it."""
    (folder / "plan.yaml").write_text(f"{PLAN}out: {out}\n")
    done = subprocess.run(
        [str(WORKER), "ingest", str(folder / "plan.yaml")], check=False, capture_output=True
    )
    if done.returncode not in {0, 1} or not (folder / out / "cohort" / "index.json").exists():
        raise RuntimeError(done.stderr.decode()[-2000:])
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def hospital(folder: Path, files: int, side: int) -> None:
    """Write CT slices of random texture, each of another patient, and the table of cases."""
    draw = np.random.default_rng(1)
    texture = draw.normal(1000, 50, (side * 2, side * 2)).astype("<i2")
    before, after, uids = _template(side)
    rows = []
    for number in range(files):
        place = folder / "images" / f"{number // 1000:03d}"
        place.mkdir(parents=True, exist_ok=True)
        top, left = draw.integers(0, side, 2)
        pixels = np.roll(texture[top : top + side, left : left + side], number, axis=0)
        content = before + (pixels + number % 7).tobytes() + after
        for uid in uids:
            content = content.replace(
                uid, generate_uid().encode()[: len(uid)].ljust(len(uid), b"0")
            )
        (place / f"{number}.dcm").write_bytes(content)
        sex, age = "FM"[number // 2 % 2], 30 + number % 50
        rows.append((f"P{number}", number % 2, f"{place.name}/{number}.dcm", sex, age))
    with (folder / "cases.csv").open("w", newline="") as table:
        csv.writer(table).writerows(
            [("patient", "reference_value", "files", "attr.sex", "attr.age"), *rows]
        )


def _template(side: int) -> tuple[bytes, bytes, tuple[bytes, ...]]:
    """Return what stands before and after the pixels of a real CT slice, and its UIDs."""
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.Rows = dataset.Columns = side
    blank = bytes(side * side * 2)
    dataset.PixelData = blank
    out = io.BytesIO()
    dataset.save_as(out)
    content = out.getvalue()
    at = content.rindex(blank)
    names = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    return (
        content[:at],
        content[at + len(blank) :],
        tuple(str(dataset[n].value).encode() for n in names),
    )
