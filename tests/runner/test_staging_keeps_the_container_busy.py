"""How long a container had no case at hand is measured, and stands in the shard's summary."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proctor_backend.settings import Settings
from proctor_workers.runner.host import Host
from proctor_workers.runner.run_shard import run_shard

from .conftest import TASK, BuiltImage
from .control_double import ControlDouble

pytestmark = pytest.mark.podman

CASES = 40
CASE_S = 0.03  # what the model naps


@pytest.fixture
def control(unruly: BuiltImage) -> Iterator[ControlDouble]:
    double = ControlDouble(unruly, TASK)
    yield double
    double.close()


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("runner")
    yield folder
    Host(folder).images.clear()


def ran(control: ControlDouble, work_dir: Path, file_s: float) -> dict[str, Any]:
    """Run a shard whose files take so long each; return its summary."""
    lines = [
        {"case": f"cas_{n}", "files": [control.add_file(os.urandom(1000))], "inputs": {"do": "nap"}}
        for n in range(CASES)
    ]
    control.add_block("b", lines)
    control.slow = {"files/": file_s}
    run_shard(Settings(control_url=control.url, runner_token="runner", work_dir=work_dir), "shd_1")
    assert control.ended["state"] == "DONE", control.ended
    summary: dict[str, Any] = control.ended["summary"]
    return summary


def test_container_does_not_wait_where_the_network_keeps_up(
    control: ControlDouble, work_dir: Path
) -> None:
    summary = ran(control, work_dir, CASE_S)
    assert summary["waiting_seconds"] < 0.25 * summary["model_seconds"]


def test_waiting_for_a_slow_network_is_told_and_is_not_the_models_time(
    control: ControlDouble, work_dir: Path
) -> None:
    file_s = 0.6
    summary = ran(control, work_dir, file_s)
    assert summary["waiting_seconds"] > file_s * (CASES / 8 - 2)
    assert summary["model_seconds"] < 3 * CASES * CASE_S
    assert summary["bytes_fetched"] > CASES * 1000
