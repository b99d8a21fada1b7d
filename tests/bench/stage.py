"""A whole stack with people, a locked study per cohort and trivial models, for entries to run."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.flow.lab import ROOT, Lab, rows

from proctor_backend.local import LocalStack

# A model that answers at once; PAUSE_S in the environment of its image makes it wait.
MODEL = """\
import os, time
from proctor_sdk.runtime import answer, cases
PAUSE = float(os.environ.get("PAUSE_S", "0"))
for case in cases():
    time.sleep(PAUSE) if PAUSE else None
    answer(case, scores={"died": case.inputs["x"]})
"""
SETTINGS = {
    "PROCTOR_DEMONSTRATION": "true",
}
SETTLE_S = 1500.0


def build_image(folder: Path, *, pause_s: float = 0.0, ballast_mb: int = 0) -> tuple[Path, str]:
    """Build the model's image; `ballast_mb` random megabytes stand for weights."""
    context = folder / f"model-{1000 * pause_s:.0f}ms-{ballast_mb}mb"
    context.mkdir(parents=True)
    (context / "model.py").write_text(MODEL)
    with (context / "weights.bin").open("wb") as weights:
        for _ in range(ballast_mb):
            weights.write(os.urandom(1 << 20))
    archive = context.with_suffix(".tar")
    builder = [sys.executable, str(ROOT / "infra" / "images" / "build.py")]
    words = ["--context", str(context), "--out", str(archive), "--env", f"PAUSE_S={pause_s}"]
    done = subprocess.run([*builder, *words], check=True, capture_output=True, text=True)
    return archive, str(json.loads(done.stdout)["config_digest"])


@dataclass(frozen=True, slots=True)
class Stage:
    """A running stack on which entries are timed."""

    lab: Lab
    folder: Path
    public: str

    @property
    def stack(self) -> LocalStack:
        """The stack itself."""
        return self.lab.stack

    def study(self, cases: int, **changes: Any) -> str:
        """Add a hidden cohort of `cases` rows and lock a study on it."""
        limits = {"memory_mb": 2048, "cpus": 1, "gpu": False, "tmp_mb": 256}
        times = {"seconds_per_case": 30, "seconds_total": 7200, "start_seconds": 120}
        return self.lab.study(
            self.lab.cohort(rows(cases), timeout_s=SETTLE_S),
            self.public,
            limits=limits | times,
            **changes,
        )

    def run(self, study: str, archive: Path) -> "EntryRun":
        """Enter the image, wait until it is decided, return what the records say."""
        entry = self.lab.submit(study, archive)
        view = self.lab.settle(entry, timeout_s=SETTLE_S)
        if view["state"] != "DECIDED":
            raise RuntimeError(f"the entry ended {view['state']}: {view}")
        return self.recorded(entry)

    def recorded(self, entry: str) -> "EntryRun":
        """Read an entry's history and its shards."""
        records = self.stack.admin_records()
        try:
            return EntryRun(records.get("entries", entry), records.find("shards", {"entry": entry}))
        finally:
            records.db.client.close()

    def anew(self, component: str) -> int:
        """Start a worker anew; return the process id under which its peak is counted."""
        self.stack.restart(component)
        return self.stack.pids[component]


@dataclass(frozen=True, slots=True)
class EntryRun:
    """One entry's history and shards, as recorded."""

    entry: dict[str, Any]
    shards: list[dict[str, Any]]

    def at(self, state: str) -> float:
        """When the entry reached a state, in seconds."""
        times = [one["at"] for one in self.entry["history"] if one["state"] == state]
        return datetime.fromisoformat(times[-1]).timestamp()

    def between(self, first: str, last: str) -> float:
        """Seconds from one state to another."""
        return self.at(last) - self.at(first)

    def summed(self, field: str) -> float:
        """Sum a field of the shards' summaries."""
        return float(sum(shard["summary"][field] for shard in self.shards))

    @property
    def platform_seconds(self) -> float:
        """UPLOADED to DECIDED, less containers' start and run and the image's load."""
        containers = self.summed("start_seconds") + self.summed("model_seconds")
        spent = self.between("UPLOADED", "DECIDED")
        return spent - containers - self.summed("image_load_seconds")


def peak_mb(pid: int) -> float:
    """Return a process's peak of resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} tells no peak")


def _nothing(_: str) -> None:
    """Say nothing."""


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def forget_peak(pid: int) -> None:
    """Have a process's peak begin again at what it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextlib.contextmanager
def staged(*, quiet: bool = False) -> Iterator[Stage]:
    """Start a stack in a temporary folder, and end it; `quiet` where crashes are meant."""
    with (
        tempfile.TemporaryDirectory(prefix="proctor-bench-") as name,
        LocalStack(
            Path(name, "stack"), settings=SETTINGS, report=_nothing if quiet else _tell
        ) as stack,
    ):
        folder = Path(name, "lab")
        folder.mkdir()
        lab = Lab(stack, folder)
        yield Stage(lab, folder, lab.cohort(rows(5), public=True))
