"""Runs an image over public cases with the runner's own driver and policy; says what to cure."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proctor_sdk.cases import StagedCase, StoredCase, case_name, parse_case, staged
from proctor_sdk.contracts.base import RunFailedError, RunLimits
from proctor_sdk.contracts.proctor_v1 import ProctorV1
from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.image import read_image
from proctor_sdk.manifest import task_fields
from proctor_sdk.predictions import Prediction, Status, TaskSpec
from proctor_sdk.reasons import ReasonCode
from proctor_sdk.sandbox.docker import Docker
from proctor_sdk.sandbox.launcher import Launcher, gpu_devices
from proctor_sdk.sandbox.podman import Podman
from proctor_sdk.sandbox.policy import SandboxPolicy
from proctor_sdk.sandbox.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proctor_sdk.manifest import Manifest

LOG_KB = 256
NOT_ROOT = "the sizes of /tmp and /output are not enforced here: run as root to have them enforced"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCase:
    """One public case and what came of it."""

    case: str
    status: str
    reason: str | None
    outputs: dict[str, Any]
    seconds: float


@dataclass(slots=True, kw_only=True)
class CheckReport:
    """What a check found; `ok` if the platform accepts the image on these cases."""

    engine: str
    differences: tuple[str, ...] = ()
    cases: list[CheckedCase] = field(default_factory=list)
    reason: ReasonCode | None = None
    detail: str = ""
    log: str = ""
    load_seconds: float = 0.0
    start_seconds: float = 0.0
    restarts: int = 0

    @property
    def ok(self) -> bool:
        """Whether every case was answered under the contract."""
        return self.reason is None

    def lines(self) -> list[str]:
        """The report as text."""
        counts = dict.fromkeys(Status, 0)
        for case in self.cases:
            counts[Status(case.status)] += 1
        told = ", ".join(f"{number} {status}" for status, number in counts.items())
        text = [
            f"{len(self.cases)} cases answered: {told}",
            f"image loaded in {self.load_seconds:.1f} s",
            f"started in {self.start_seconds:.1f} s, {self.restarts} restarts",
        ]
        if self.cases:
            slowest = max(self.cases, key=lambda case: case.seconds)
            text.append(f"slowest case: {slowest.case}, {slowest.seconds:.2f} s")
        text += [f"{c.case}: {c.status} ({c.reason})" for c in self.cases if c.status != Status.OK]
        text += [f"different from the platform: {line}" for line in self.differences]
        if self.reason is not None:
            text += [
                f"{self.reason}: {self.reason.sentence}",
                self.detail,
                f"cure: {self.reason.cure}",
            ]
        return text


def run_check(
    manifest: Manifest,
    archive: Path,
    cases: Path,
    engine: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Run the image on the public cases in a folder.

    Args:
        manifest: the checked manifest.
        archive: docker-archive or oci-archive.
        cases: folder with `cases.jsonl`, as in a block, and `files/` by digest or by name.
        engine: "podman", "docker", or "auto" for Podman where it is installed.
        progress: called with cases answered and cases in all.
    """
    chosen = _engine_name(engine)
    stored = read_public_cases(cases)
    with (
        tempfile.TemporaryDirectory(prefix="proctor-check-") as scratch,
        contextlib.ExitStack() as stack,
    ):
        # The engine's user must reach the folders below.
        Path(scratch).chmod(0o711)
        box = Docker() if chosen == "docker" else Podman(Path(scratch) / "engine", in_memory=False)
        stack.callback(box.remove)
        report = CheckReport(engine=chosen, differences=_differences(box))
        try:
            _run(manifest, archive, cases, stored, box, Path(scratch), report, progress)
        except RunFailedError as error:
            report.reason, report.detail, report.log = error.reason, error.detail, error.log
        except ProctorSdkError as error:
            if error.code not in list(ReasonCode):
                raise
            report.reason, report.detail = ReasonCode(error.code), f"{error.message} {error.cure}"
    return report


def read_public_cases(folder: Path) -> list[StoredCase]:
    """Read a folder of public cases; raises `ProctorSdkError` naming what is missing."""
    try:
        lines = (folder / "cases.jsonl").read_bytes().splitlines()
    except OSError as error:
        raise ProctorSdkError(
            "cases_missing",
            f"There is no {folder / 'cases.jsonl'}.",
            cure="Give the folder of the study's public conformance set with --cases.",
        ) from error
    return [parse_case(line) for line in lines if line.strip()]


def _run(
    manifest: Manifest,
    archive: Path,
    folder: Path,
    stored: list[StoredCase],
    box: Podman | Docker,
    scratch: Path,
    report: CheckReport,
    progress: Callable[[int, int], None] | None,
) -> None:
    described = read_image(archive)
    begun = time.monotonic()
    image = box.load(_chunks(archive), described.config_digest)
    report.load_seconds = time.monotonic() - begun
    policy = _policy(manifest)
    workspace = Workspace(scratch / "run", policy)
    key = os.urandom(32)
    names = {case_name(key, case.case): case.case for case in stored}
    last = time.monotonic()

    def sink(prediction: Prediction, _: bytes) -> None:
        nonlocal last
        now = time.monotonic()
        report.cases.append(
            CheckedCase(
                case=names[prediction.case],
                status=str(prediction.status),
                reason=prediction.reason,
                outputs=dict(prediction.outputs),
                seconds=now - last,
            )
        )
        last = now
        if progress:
            progress(len(report.cases), len(stored))

    task = task_document(manifest)
    contract = ProctorV1(
        Launcher(box, image, policy, workspace, lease="check"), task,
        TaskSpec.from_documents(task), _limits(manifest), sink, total=len(stored),
    )  # fmt: skip
    try:
        contract.run(_staged(stored, key, folder, workspace.staging))
    finally:
        report.restarts = contract.summary.restarts
        report.start_seconds = contract.summary.start_seconds
        workspace.close()


def task_document(manifest: Manifest) -> dict[str, Any]:
    """/input/task.json for a manifest."""
    return {
        "contract": manifest.contract,
        **task_fields(asdict(manifest.task)),
        "operating_points": [point.id for point in manifest.operating_points],
        "indeterminate_reasons": list(manifest.indeterminate.reasons),
        "units": {},
    }


def _staged(
    stored: list[StoredCase], key: bytes, folder: Path, staging: Path
) -> Iterator[StagedCase]:
    for name, case in sorted((case_name(key, case.case), case) for case in stored):
        place = None
        if case.files:
            place = staging / name
            place.mkdir()
            for file in case.files:
                shutil.copyfile(_public_file(folder, file.sha256, file.name), place / file.name)
        yield staged(case, name, place)


def _public_file(folder: Path, sha256: str, name: str) -> Path:
    for path in (folder / "files" / sha256, folder / sha256, folder / "files" / name):
        if path.is_file():
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() == sha256:
                    return path
    raise ProctorSdkError(
        "cases_missing", f"The file {name} of a public case is missing or altered.",
        cure=f"Put it at {folder / 'files' / sha256}.",
    )  # fmt: skip


def _policy(manifest: Manifest) -> SandboxPolicy:
    asked = manifest.resources
    return SandboxPolicy(
        memory_mb=asked.memory_mb,
        cpus=min(asked.cpus, float(os.cpu_count() or 1)),
        tmp_mb=asked.tmp_mb,
        log_kb=LOG_KB,
        devices=gpu_devices(wanted=asked.gpu),
    )


def _limits(manifest: Manifest) -> RunLimits:
    asked = manifest.resources
    return RunLimits(
        seconds_per_case=asked.seconds_per_case,
        seconds_total=asked.seconds_total,
        start_seconds=asked.start_seconds,
    )


def _engine_name(engine: str) -> str:
    if engine != "auto":
        return engine
    return "podman" if shutil.which("podman") or not shutil.which("docker") else "docker"


def _differences(box: Podman | Docker) -> tuple[str, ...]:
    return box.differences if os.geteuid() == 0 else (*box.differences, NOT_ROOT)


def _chunks(archive: Path) -> Iterator[bytes]:
    with archive.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            yield chunk
