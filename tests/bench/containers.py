"""One container for all cases against one a case and against no container; a container's start."""

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Literal

from tests.bench.record import PAIRS, ROOT, Row, median_interval, paired
from tests.bench.stage import build_image

from proctor_sdk.cases import StagedCase, StoredCase, case_name, staged
from proctor_sdk.contracts.base import RunLimits, RunSummary
from proctor_sdk.contracts.proctor_v1 import ProctorV1
from proctor_sdk.predictions import TaskSpec
from proctor_sdk.sandbox.container import Exit
from proctor_sdk.sandbox.launcher import Launcher
from proctor_sdk.sandbox.podman import LoadedImage, Podman
from proctor_sdk.sandbox.policy import SandboxPolicy
from proctor_sdk.sandbox.workspace import Life, Workspace

SDK = ROOT / "sdk" / "src"
CASES = 1_000
CONTAINERS = 6  # one a case is slow: so many are run, and scaled
STREAMING_GOAL, IN_PROCESS_GOAL, START_GOAL_S = 200.0, 2.0, 0.5
TASK = {
    "contract": "proctor/v1",
    "task": "binary_classification",
    "classes": ["alive", "died"],
    "positive": "died",
    "operating_points": ["main"],
    "units": {},
}
INPUTS = {"x": 0.25} | {f"x{n}": n * 0.25 for n in range(11)}
# The same model and the same hand-over of cases, in a process that needs no container.
PLAIN = """\
import sys
from pathlib import Path
from proctor_sdk.runtime import answer, cases
for case in cases(Path(sys.argv[1])):
    answer(case, scores={"died": case.inputs["x"]}, root=Path(sys.argv[2]))
"""
# And without any hand-over: what the model's own work is.
BARE = """\
import json, sys, time
begun = time.perf_counter()
with open(sys.argv[2], "w") as answers:
    for line in open(sys.argv[1]):
        case = json.loads(line)
        found = {"case": case["case"], "status": "ok", "outputs": {"scores": {"died": 0.25}}}
        answers.write(json.dumps(found) + "\\n")
        answers.flush()
print(time.perf_counter() - begun)
"""


class PlainProcess:
    """A process on this host, in a container's place."""

    cid = "plain"

    def __init__(self, life: Life) -> None:
        folders = [str(life.input), str(life.output)]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", PLAIN, *folders], env={"PYTHONPATH": str(SDK)}
        )
        self._handle = os.pidfd_open(self._process.pid)

    def exited(self, wait_s: float = 0.0) -> bool:
        """Wait for the end, at most so long."""
        return bool(select.select([self._handle], [], [], wait_s)[0])

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def exit(self) -> Exit:
        """Why it ended."""
        return Exit(code=self._process.wait())

    def out_of_processes(self) -> bool:
        """It has no limit."""
        return False

    def has_device(self, path: str) -> bool:
        """It sees what the host sees."""
        return Path(path).exists()

    def log(self) -> str:
        """Nothing is kept."""
        return ""

    def remove(self) -> None:
        """Forget it."""
        self._process.kill()
        self._process.wait()
        os.close(self._handle)


class PlainLauncher(Launcher):
    """Starts a plain process instead of a container."""

    def start(self, life: Life) -> PlainProcess:
        """Start it."""
        return PlainProcess(life)


@dataclass(frozen=True, slots=True)
class Bed:
    """An image, loaded once, and room for many runs of it."""

    engine: Podman
    image: LoadedImage
    folder: Path
    numbers: "count[int]"

    def run(
        self,
        cases: int,
        *,
        isolation: Literal["run", "case"] = "run",
        launcher: type[Launcher] = Launcher,
    ) -> tuple[RunSummary, float]:
        """Have `cases` answered; return the summary and the seconds it took in all."""
        policy = SandboxPolicy(memory_mb=128, output_mb=64)
        workspace = Workspace(self.folder / f"work{next(self.numbers)}", policy)
        try:
            contract = ProctorV1(
                launcher(self.engine, self.image, policy, workspace, lease="bench"),
                TASK,
                TaskSpec.from_documents(TASK),
                RunLimits(isolation=isolation),
                lambda *_: None,
                total=cases,
            )
            begun = time.perf_counter()
            summary = contract.run(source(cases))
            return summary, time.perf_counter() - begun
        finally:
            workspace.close()

    def streamed(self) -> float:
        """Seconds a case in one container for all, its start included."""
        return self.run(CASES)[1] / CASES

    def contained(self) -> float:
        """Seconds a case with one container for each."""
        return self.run(CONTAINERS, isolation="case")[1] / CONTAINERS

    def in_process(self) -> float:
        """Seconds a case with the same program as a plain process, its start included."""
        return self.run(CASES, launcher=PlainLauncher)[1] / CASES

    def bare(self) -> float:
        """Seconds a case of a loop over a file of cases, without hand-over or start."""
        lines, answers = (self.folder / f"bare{next(self.numbers)}" for _ in range(2))
        lines.write_bytes(b"".join(case.line + b"\n" for case in source(CASES)))
        command = [sys.executable, "-c", BARE, str(lines), str(answers)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(done.stdout) / CASES


def rows() -> list[Row]:
    """Measure on one loaded image."""
    with _bed() as bed:
        return [_streaming(bed), _beside_in_process(bed), _start(bed)]


def source(cases: int) -> Iterator[StagedCase]:
    """Yield small table cases under hidden names."""
    key = os.urandom(32)
    for number in range(cases):
        case = StoredCase(case=f"cas_{number}", inputs=INPUTS)
        yield staged(case, case_name(key, case.case), None)


def _streaming(bed: Bed) -> Row:
    found = paired(bed.streamed, bed.contained)
    return Row(
        id="streaming",
        what=f"a trivial case in one container for {CASES:,} (start included)",
        unit="ms",
        ours=1000 * found.ours,
        reference=1000 * found.reference,
        reference_name=f"one container a case, {CONTAINERS} run and scaled",
        ratio=found.ratio,
        interval=found.interval,
        goal=f"≥ {STREAMING_GOAL:g} x",
        met=found.interval[1] >= STREAMING_GOAL,
    )


def _beside_in_process(bed: Bed) -> Row:
    found = paired(bed.streamed, bed.in_process)
    bare = 1000 * median(bed.bare() for _ in range(PAIRS))
    slower = [1 / bound for bound in reversed(found.interval)]
    return Row(
        id="streaming_in_process",
        what=f"a trivial case in one container for {CASES:,}, start included; ratio: times slower; "
        f"a bare loop over a file, without platform or start, takes {bare:.2f} ms",
        unit="ms",
        ours=1000 * found.ours,
        reference=1000 * found.reference,
        reference_name="the same program and hand-over as a plain process, start included",
        ratio=1 / found.ratio,
        interval=(slower[0], slower[1]),
        goal=f"≤ {IN_PROCESS_GOAL:g} x",
        met=slower[0] <= IN_PROCESS_GOAL,
    )


def _start(bed: Bed) -> Row:
    seconds = [bed.run(1)[0].start_seconds for _ in range(2 * PAIRS)]
    interval = median_interval(seconds)
    return Row(
        id="sandbox_start",
        what=f"start of a sealed container under runc, median of {2 * PAIRS}",
        unit="s",
        ours=median(seconds),
        interval=interval,
        goal=f"≤ {START_GOAL_S:g} s",
        met=interval[1] <= START_GOAL_S,
    )


@contextlib.contextmanager
def _bed() -> Iterator[Bed]:
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as name:
        folder = Path(name)
        archive, config = build_image(folder)
        engine = Podman(folder / "engine")
        try:
            with archive.open("rb") as stream:
                image = engine.load(iter(lambda: stream.read(1 << 20), b""), config)
            yield Bed(engine, image, folder, count())
        finally:
            engine.remove()
