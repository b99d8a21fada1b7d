"""`proctor check` runs the platform's own driver and answers in reason codes with their cures."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proctor_sdk.check import CheckReport, run_check
from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.manifest import parse_manifest
from proctor_sdk.reasons import ReasonCode

from .conftest import BuiltImage

pytestmark = pytest.mark.podman

MANIFEST = """
contract = "proctor/v1"
[model]
name = "m"
version = "1"
vendor = "v"
description = "d"
training_data = "t"
[image]
archive = "image.tar"
[task]
kind = "binary_classification"
positive = "died"
negative = "alive"
[[operating_points]]
id = "main"
threshold = 0.5
comparator = ">="
chosen = "on training data"
[inputs]
kind = "table"
attributes = ["x"]
[resources]
memory_mb = 128
cpus = 1
gpu = false
tmp_mb = 16
seconds_per_case = 2
seconds_total = 60
start_seconds = 5
[indeterminate]
reasons = []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def write(*inputs: dict[str, Any]) -> Path:
        lines = [
            json.dumps({"case": f"cas_{n}", "files": [], "inputs": one})
            for n, one in enumerate(inputs)
        ]
        (tmp_path / "cases.jsonl").write_text("\n".join(lines) + "\n")
        return tmp_path

    return write


def check(unruly: BuiltImage, cases: Path, **more: Any) -> CheckReport:
    return run_check(parse_manifest(MANIFEST), unruly.archive, cases, **more)


def test_good_image_is_reported_case_by_case(
    unruly: BuiltImage, folder: Callable[..., Path]
) -> None:
    seen = []
    report = check(unruly, folder({"x": 1}, {"x": 2}), progress=lambda n, of: seen.append((n, of)))
    assert report.ok
    assert {case.case for case in report.cases} == {"cas_0", "cas_1"}
    assert seen == [(1, 2), (2, 2)]


def test_invalid_answer_names_its_cure(unruly: BuiltImage, folder: Callable[..., Path]) -> None:
    report = check(unruly, folder({"write": "nan"}))
    assert report.reason is ReasonCode.OUTPUT_INVALID
    assert any(line.startswith("cure:") for line in report.lines())


def test_missing_cases_say_what_to_give(unruly: BuiltImage, tmp_path: Path) -> None:
    with pytest.raises(ProctorSdkError, match="--cases"):
        check(unruly, tmp_path)


def test_docker_runs_the_same_policy_and_prints_what_differs(
    unruly: BuiltImage, folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Podman speaks Docker's command line; the host's own settings name a runtime that works here.
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    podman = shutil.which("podman")
    home = Path(tempfile.mkdtemp(prefix="d"))  # Podman refuses a runroot of over 50 characters
    program.write_text(
        f'#!/bin/sh\nexec {podman} --runtime=runc --root={home}/root --runroot={home}/run "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    try:
        report = check(unruly, folder({"x": 1}), engine="docker")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    assert report.ok
    assert any("Docker" in line for line in report.lines())
