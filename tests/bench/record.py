"""What a measurement says, and where it is kept: build/bench.json and the reference page."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tests.bench.machine import described

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "bench.json"
PAGE = ROOT / "docs" / "reference" / "performance.md"
PAIRS = 7
RESAMPLES = 4000
SEED = 20261121


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of ours, what it is held against, and whether its goal is met.

    `interval` belongs to the ratio where there is one, else to `ours`. `met` is None where no goal
    is set.
    """

    id: str
    what: str
    unit: str
    ours: float
    reference: float | None = None
    reference_name: str = ""
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of interleaved pairs, with the bootstrap interval of that median."""

    ours: float
    reference: float
    ratio: float
    interval: tuple[float, float]


def paired(
    ours: Callable[[], float], reference: Callable[[], float], *, pairs: int = PAIRS
) -> Ratio:
    """Measure both in turn, `pairs` times; the ratio is reference by ours: how much faster."""
    measured = [(ours(), reference()) for _ in range(pairs)]
    ratios = [theirs / mine for mine, theirs in measured]
    return Ratio(
        median(mine for mine, _ in measured),
        median(theirs for _, theirs in measured),
        median(ratios),
        median_interval(ratios),
    )


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a median."""
    draws = np.random.default_rng(SEED).choice(values, (RESAMPLES, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return float(low), float(high)


def keep(rows: Iterable[Row], order: Sequence[str]) -> list[dict[str, Any]]:
    """Put the rows in the place of earlier ones with the same id and write both files."""
    found: dict[str, dict[str, Any]] = {}
    if KEPT.exists():
        found = {row["id"]: row for row in json.loads(KEPT.read_text())}
    machine = described()
    for row in rows:
        found[row.id] = _rounded(asdict(row)) | {"machine": machine}
    known = {name: place for place, name in enumerate(order)}
    kept = sorted((r for r in found.values() if r["id"] in known), key=lambda r: known[r["id"]])
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(page(kept))
    return kept


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("ours", "reference", "ratio"):
        if row[name] is not None:
            row[name] = _short(row[name])
    if row["interval"]:
        row["interval"] = [_short(bound) for bound in row["interval"]]
    return row


def _short(value: float) -> float:
    return float(f"{value:.4g}")


HEAD = """# Performance

Written by `make bench` (`make bench ONLY=id` measures one row again and keeps the others).

{machines}

| id | what | ours | held against | ratio | 95 % interval | goal | met |
|--|--|--|--|--|--|--|--|
"""
HOW = """
## How it is measured

A ratio says how many times faster or smaller we are: the median of at least seven interleaved
pairs, with the bootstrap interval of that median; a row that had fewer says so. Where there is no
ratio, the interval belongs to our own median. A goal is met when the interval reaches it; without
an interval, when the number does.

- **Entries** go through a whole stack (MongoDB, S3, RabbitMQ, every process) on this machine, over
  the API and the command line, with a table cohort and a model that answers a constant. Times come
  from the records' own histories, from `UPLOADED` to `DECIDED`; the container's start and run and
  the image's load come from the shards' summaries. Upload is before `UPLOADED`.
- **A case's share** is the slope between two cohorts, and nothing is taken off: it contains the
  trivial model's own time, the measurement with 2,000 resamples, and the draft.
- **Memory** is the kernel's peak of resident memory (`VmHWM`), set back before each run, of a
  worker that was started anew for it. The API's is its peak during the load; a password check,
  which takes argon2's memory for a moment, is not among the requests.
- **Interruptions** kill the runner's process with signal 9 half way through a cohort of slow cases;
  the count of repeated cases is cases given to containers less cases of the cohort.
- **Containers** are compared on one loaded image; the plain process runs the same program, fed and
  read in the same way at window 1.
- **Staging** reads from an S3 server (rclone) on the same cores into an emptied folder on the same
  disk, signing of addresses included. Where CPU seconds are given they are those of client and
  server together.
- **Slow comparators** run few resamples and are scaled, as their rows say.
"""


def page(rows: Sequence[dict[str, Any]]) -> str:
    """Return the reference page."""
    machines = dict.fromkeys(f"Machine: {row['machine']}." for row in rows)
    lines = [_line(row) for row in rows]
    return HEAD.format(machines="\n".join(machines)) + "\n".join(lines) + "\n" + HOW


def _line(row: dict[str, Any]) -> str:
    interval = " to ".join(f"{bound:g}" for bound in row["interval"]) if row["interval"] else ""
    reference = ""
    if row["reference"] is not None:
        reference = f"{row['reference']:g} {row['unit']} ({row['reference_name']})"
    ratio = f"{row['ratio']:g} x" if row["ratio"] is not None else ""
    met = {True: "yes", False: "**no**", None: ""}[row["met"]]
    cells = (
        *(f"`{row['id']}`", row["what"], f"{row['ours']:g} {row['unit']}", reference),
        *(ratio, interval, row["goal"], met),
    )
    return "| " + " | ".join(cells) + " |"
