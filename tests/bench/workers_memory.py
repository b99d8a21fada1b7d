"""Whether the memory of ingest, runner and measure worker grows with the number of cases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.record import Row
from tests.bench.stage import Stage, build_image, peak_mb, staged

SIZES = (1_000, 10_000, 100_000)
WORKERS = {
    "runner": "runner_memory",
    "measure": "measure_memory",
    "ingest": "ingest_memory",
}
# "Flat" in numbers: a hundred times the cases in less than half as much memory again.
FLAT = 1.5
BOUND = {"runner", "measure"}  # ingest holds a cohort's rows; it has no goal
# Few results: here the question is what a case costs to carry, not what the statistics cost.
FEW: Mapping[str, Any] = {"subgroups": []}


def rows() -> list[Row]:
    """Take one cohort of each size through, with workers started anew for each."""
    with staged() as stage:
        archive, _ = build_image(stage.folder / "memory")
        peaks = [_peaks(stage, archive, size) for size in SIZES]
    return [
        _row(worker, name, [peak[worker] for peak in peaks]) for worker, name in WORKERS.items()
    ]


def _peaks(stage: Stage, archive: Path, size: int) -> dict[str, float]:
    pids = {worker: stage.anew(worker) for worker in WORKERS}
    study = stage.study(size, **FEW)
    stage.run(study, archive)
    if pids != {worker: stage.stack.pids[worker] for worker in WORKERS}:
        raise RuntimeError("a worker was started again while it was measured")
    return {worker: peak_mb(pid) for worker, pid in pids.items()}


def _row(worker: str, name: str, peaks: list[float]) -> Row:
    told = ", ".join(f"{peak:.0f} MB at {size:,}" for peak, size in zip(peaks, SIZES, strict=True))
    return Row(
        id=name,
        what=f"peak resident memory of the {worker} worker: {told} cases; one run each",
        unit="MB",
        ours=peaks[-1],
        reference=peaks[0],
        reference_name=f"at {SIZES[0]:,} cases",
        ratio=peaks[-1] / peaks[0],
        goal=f"flat: ≤ {FLAT:g} x" if worker in BOUND else "",
        met=peaks[-1] / peaks[0] <= FLAT if worker in BOUND else None,
    )
