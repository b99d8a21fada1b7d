"""One unruly image, loaded once in an engine of its own; every test gets a fresh workspace."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proctor_sdk.cases import StoredCase, case_name, staged
from proctor_sdk.contracts.base import RunLimits, RunSummary
from proctor_sdk.contracts.proctor_v1 import ProctorV1
from proctor_sdk.predictions import Prediction, TaskSpec
from proctor_sdk.sandbox.launcher import Launcher
from proctor_sdk.sandbox.podman import LoadedImage, Podman
from proctor_sdk.sandbox.policy import SandboxPolicy
from proctor_sdk.sandbox.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
TASK = {
    "contract": "proctor/v1",
    "task": "binary_classification",
    "classes": ["alive", "died"],
    "positive": "died",
    "operating_points": ["main"],
    "indeterminate_reasons": [],
    "units": {},
}
KEY = b"k" * 32


@dataclass
class BuiltImage:
    archive: Path
    config_digest: str

    def chunks(self) -> Iterator[bytes]:
        with self.archive.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk


def build(context: Path, archive: Path, *more: str) -> BuiltImage:
    command = [sys.executable, str(ROOT / "infra" / "images" / "build.py")]
    done = subprocess.run(
        [*command, "--context", str(context), "--out", str(archive), *more],
        check=True,
        capture_output=True,
        text=True,
    )
    built = json.loads(done.stdout)
    return BuiltImage(archive, built["config_digest"])


@pytest.fixture(scope="session")
def unruly(tmp_path_factory: pytest.TempPathFactory) -> BuiltImage:
    folder = tmp_path_factory.mktemp("images")
    return build(ROOT / "tests" / "containers" / "unruly", folder / "unruly.tar")


@pytest.fixture(scope="session")
def engine(
    unruly: BuiltImage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Podman, LoadedImage]]:
    home = tmp_path_factory.mktemp("engine")
    podman = Podman(home)
    try:
        yield podman, podman.load(unruly.chunks(), unruly.config_digest)
    finally:
        podman.remove()


@dataclass
class Ran:
    """What a run left behind."""

    answers: list[Prediction] = field(default_factory=list)
    summary: RunSummary = field(default_factory=RunSummary)
    log: str = ""


Run = Callable[..., Ran]


@pytest.fixture
def run(engine: tuple[Podman, LoadedImage], tmp_path: Path) -> Iterator[Run]:
    """Run cases, given by their inputs, under small limits."""
    opened: list[Workspace] = []
    ran = Ran()

    def go(
        inputs: list[dict[str, Any]], *, policy: dict[str, Any] | None = None, **more: Any
    ) -> Ran:
        task = TASK | more.pop("task", {})
        chosen = SandboxPolicy(
            **{"memory_mb": 96, "pids": 32, "tmp_mb": 8, "output_mb": 2, "shm_mb": 1, "log_kb": 64}
            | (policy or {})
        )
        workspace = Workspace(tmp_path / "work", chosen)
        opened.append(workspace)
        limits = RunLimits(**{"seconds_per_case": 1, "start_seconds": 2, "exit_seconds": 1} | more)
        contract = ProctorV1(
            Launcher(engine[0], engine[1], chosen, workspace, lease="lse_test"),
            task,
            TaskSpec.from_documents(task),
            limits,
            lambda prediction, _: ran.answers.append(prediction),
            total=len(inputs),
        )
        ran.summary = contract.summary
        cases = [StoredCase(case=f"cas_{n}", inputs=one) for n, one in enumerate(inputs)]
        contract.run(iter([staged(case, name_of(n), None) for n, case in enumerate(cases)]))
        ran.log = contract.log
        return ran

    go.ran = ran  # type: ignore[attr-defined]
    yield go
    for workspace in opened:
        workspace.close()
    assert engine[0].owned() == []


def name_of(number: int) -> str:
    return case_name(KEY, f"cas_{number}")
