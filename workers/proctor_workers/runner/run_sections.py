"""The outline of a client's sections: lease → unpack → run → put; the draft goes on either way."""

import base64
import hashlib
import io
import json
import logging
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import proctor_sdk
from proctor_backend.domain.errors import LeaseLostError, PlatformError
from proctor_backend.settings import Settings
from proctor_sdk.canonical import CanonicalError, strict_loads
from proctor_sdk.image import read_image
from proctor_sdk.sandbox.outputs import OutputError, read_output
from proctor_sdk.sandbox.podman import LEASE_LABEL, OWNER_LABEL, this_owner
from proctor_sdk.sandbox.policy import REPORT_POLICY, Mount
from proctor_sdk.sandbox.workspace import Workspace
from proctor_workers.runner.control import ControlClient
from proctor_workers.runner.host import Host
from proctor_workers.runner.images import HeldImage
from proctor_workers.runner.lease import CancelledError, Lease

LOG = logging.getLogger(__name__)
SECONDS = 5.0
LARGEST_BUNDLE = 64 << 20
LARGEST_OUTPUT = 1_000_000
ANSWER = "sections.json"
# A detached container has no standard input: contexts come from a file, the answer goes to one.
PROGRAM = (
    "import sys; sys.stdin = open('/input/context.json'); "
    "answer = open('/output/sections.json', 'w'); sys.stdout = answer; "
    "from proctor_sdk.report.run import main; status = main(['/bundle']); "
    "answer.flush(); sys.exit(status)"
)
SDK = Path(proctor_sdk.__file__).parent


class PluginError(Exception):
    """The client's plugin failed; its sentence goes to the report's author."""


def run_sections(settings: Settings, report_id: str) -> None:
    """Make a report's client sections, or say why there are none."""
    control = ControlClient(settings.control_url, settings.runner_token)
    try:
        grant = control.claim(report=report_id)
        if grant is None:
            LOG.info("report %s waits for no sections", report_id)
            return
        host = Host(settings.work_dir)
        host.sweep()
        with Lease(control, grant) as lease:
            try:
                lease.sections(_make(host, settings.report_image, lease, grant))
            except PluginError as error:
                lease.sections(None, str(error))
            except (LeaseLostError, CancelledError):
                LOG.warning("report %s: the lease is lost", report_id)
            except Exception as error:
                # The boundary of a job: a report without the client's sections is still a report.
                LOG.exception("report %s: no sections", report_id)
                lease.sections(
                    None, f"The platform could not run the plugin: {type(error).__name__}."
                )
    finally:
        control.close()


def _make(host: Host, archive: Path, lease: Lease, grant: Mapping[str, Any]) -> list[Any]:
    bundle = base64.b64decode(grant["bundle"]["content"])
    if hashlib.sha256(bundle).hexdigest() != grant["bundle"]["sha256"]:
        raise PlatformError("The plugin's bundle is not the one that was pinned.")
    if not archive.is_file():
        raise PlatformError(
            "The image that report plugins run in is missing.",
            cure="Build it with infra/images/build.py and name it in PROCTOR_REPORT_IMAGE.",
        )
    described = read_image(archive)
    with (
        host.images.held(described.config_digest, REPORT_POLICY.runtime, _Reader(archive)) as held,
        host.workspace(REPORT_POLICY) as workspace,
    ):
        return _run(held, workspace, lease, bundle, grant["context"])


def _run(
    held: HeldImage,
    workspace: Workspace,
    lease: Lease,
    bundle: bytes,
    context: Mapping[str, Any],
) -> list[Any]:
    unpacked = workspace.path / "bundle"
    unpack_bundle(bundle, unpacked)
    life = workspace.life({})
    (life.input / "context.json").write_text(json.dumps(context))
    mounts = [
        *life.mounts(),
        Mount(source=unpacked, target="/bundle"),
        Mount(source=SDK, target="/opt/proctor/proctor_sdk"),
    ]
    labels = {LEASE_LABEL: lease.id, OWNER_LABEL: this_owner()}
    command = ("python3", "-c", PROGRAM)
    container = held.engine.start(held.image, REPORT_POLICY, mounts, labels, command)
    try:
        held.engine.release(container)
        if not container.exited(SECONDS):
            raise PluginError(f"The plugin took longer than {SECONDS:.0f} s.")
        if code := container.exit().code:
            raise PluginError(f"The plugin ended with status {code}.")
        return _answer(life.output)
    finally:
        container.remove()
        workspace.close_life(life)


def _answer(output: Path) -> list[Any]:
    try:
        answer = strict_loads(read_output(output, ANSWER, cap=LARGEST_OUTPUT))
    except OutputError as error:
        raise PluginError(error.message) from error
    except CanonicalError as error:
        raise PluginError("The plugin's answer is not strict JSON.") from error
    if not isinstance(answer, list):
        raise PluginError("The plugin's answer is not a list of sections.")
    return answer


def unpack_bundle(bundle: bytes, folder: Path) -> None:
    """Write bundle.json and the wheels of a bundle, and nothing else; raises `PluginError`."""
    (folder / "wheels").mkdir(parents=True)
    try:
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if sum(member.file_size for member in members) > LARGEST_BUNDLE:
                raise PluginError("The bundle is too large when unpacked.")
            for member in members:
                _unpack(archive, member, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise PluginError("The bundle is not a readable zip file.") from error


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    path = PurePosixPath(member.filename)
    wheel = path.parts[:-1] == ("wheels",) and path.suffix == ".whl"
    if not (wheel or path.parts == ("bundle.json",)):
        raise PluginError("The bundle holds something other than bundle.json and wheels.")
    target = folder.joinpath(*path.parts)
    target.write_bytes(archive.read(member))
    os.chmod(target, 0o444)  # noqa: PTH101 - read by the container's user


@dataclass(frozen=True, slots=True)
class _Reader:
    """The chunks of a plain archive, anew at each call."""

    archive: Path

    def __call__(self) -> Iterator[bytes]:
        """Read it from the start."""
        with self.archive.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk
