"""Podman, driven by its CLI: load an image, start containers under a policy, find orphans.

Its API is not used: through it device requests are dropped silently and the runtime is ignored.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.reasons import ReasonCode
from proctor_sdk.sandbox.cgroup import JobGroup
from proctor_sdk.sandbox.container import Container
from proctor_sdk.sandbox.policy import podman_arguments
from proctor_sdk.sandbox.workspace import mount_memory, mounts_below, remove_workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proctor_sdk.sandbox.policy import Mount, SandboxPolicy

LEASE_LABEL = "proctor.lease"
OWNER_LABEL = "proctor.owner"
COMMAND_LIMIT_S = 120
NOT_A_PROGRAM = (
    "executable file", "no such file or directory", "permission denied",
    "exec format", "no command",
)  # fmt: skip

_STORAGE = '[storage]\ndriver = "overlay"\nrunroot = "{home}/run"\ngraphroot = "{home}/root"\n'
# The host's own settings must not reach a foreign container: no hooks, no default environment.
_ENGINE = (
    '[containers]\nenv = []\n[engine]\nevents_logger = "none"\n{manager}'
    'hooks_dir = []\n[network]\nnetwork_config_dir = "{home}/net"\n'
)


class EngineError(ProctorSdkError):
    """The engine did not do what it was told; the platform's fault, not the image's."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__("engine_failed", message, cure=cure)


class ImageError(ProctorSdkError):
    """The image cannot be loaded, or is not the one that was declared."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(ReasonCode.IMAGE_INVALID, message, cure=cure)


class StartError(ProctorSdkError):
    """The engine cannot start this image: no such program, no such folder."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(ReasonCode.START_FAILED, message, cure=cure)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedImage:
    """An image in an engine's storage, named by its config digest."""

    config_digest: str
    env: tuple[str, ...]
    size: int


class Podman:
    """One storage of Podman under `home`, in memory where this process may mount."""

    name = "podman"
    differences: tuple[str, ...] = ()

    def __init__(self, home: Path, *, runtime: str = "runc", in_memory: bool = True) -> None:
        self.home = home
        self._is_root = os.geteuid() == 0
        self._program = shutil.which("podman") or ""
        if not self._program:
            raise EngineError("Podman is not installed.", "apt-get install podman runc")
        home.mkdir(parents=True, exist_ok=True)
        if in_memory and os.geteuid() == 0 and not mounts_below(home):
            mount_memory(home)
        for name in ("run", "root", "tmp", "load", "net"):
            (home / name).mkdir(exist_ok=True)
        self._settings = {
            "CONTAINERS_STORAGE_CONF": _written(home / "storage.conf", _STORAGE, home),
            "CONTAINERS_CONF": _written(home / "containers.conf", _ENGINE, home),
            "TMPDIR": str(home / "load"),
        }
        self._global = [f"--runtime={runtime}", f"--tmpdir={home / 'tmp'}"]
        if runtime == "runsc":
            # kvm hung where it was tried; ptrace holds and keeps the memory limit.
            self._global += ["--runtime-flag=platform=ptrace", "--runtime-flag=network=none"]

    def load(self, chunks: Iterable[bytes], config_digest: str) -> LoadedImage:
        """Load an archive as it arrives and prove that it is the declared image.

        Raises:
            ImageError: the archive cannot be read or holds another image.
        """
        with subprocess.Popen(
            self._command("load", "--quiet"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self._environment(), cwd=self.home,
        ) as process:  # fmt: skip
            failed = _pour(chunks, process)
            said = process.stdout.read() if process.stdout else b""
        if process.returncode or failed:
            raise ImageError(
                "The engine cannot load the archive.",
                "Save it again as docker-archive or oci-archive: "
                + said.decode(errors="replace")[-300:].strip(),
            )
        return self.image(config_digest)

    def image(self, config_digest: str) -> LoadedImage:
        """The image with this config digest; raises `ImageError` if it is not here."""
        wanted = config_digest.removeprefix("sha256:")
        try:
            found = json.loads(self.run("image", "inspect", wanted))[0]
        except EngineError as error:
            raise ImageError("The archive holds another image than declared.") from error
        if found["Id"].removeprefix("sha256:") != wanted:
            raise ImageError("The archive holds another image than declared.")
        return LoadedImage(
            config_digest=config_digest,
            env=tuple(found.get("Config", {}).get("Env") or ()),
            size=int(found.get("Size", 0)),
        )

    def start(
        self,
        image: LoadedImage,
        policy: SandboxPolicy,
        mounts: Sequence[Mount],
        labels: Mapping[str, str],
        command: Sequence[str] = (),
    ) -> Container:
        """Make a container, hold it before its first instruction, let it go.

        Raises:
            StartError: the image's program cannot be started.
        """
        group = JobGroup(secrets.token_hex(8))
        if self._is_root:
            group.make()
        pidfile = self.home / f"{group.name}.pid"
        entry = [f"--entrypoint={json.dumps(list(command))}"] if command else []
        try:
            cid = self.run(
                "create", f"--name=proctor-{group.name}", f"--pidfile={pidfile}", *entry,
                *([f"--cgroup-parent={group.parent}"] if self._is_root else []),
                *podman_arguments(policy, mounts=mounts, labels=labels, image_env=image.env),
                image.config_digest.removeprefix("sha256:"),
            ).strip()  # fmt: skip
            self.run("init", cid)
            container = Container(self, cid, int(pidfile.read_text()), policy, group)
        except EngineError as error:
            self.run("rm", "--force", "--time=0", f"proctor-{group.name}", quiet=True)
            group.remove()
            raise _start_error(error) from error
        finally:
            pidfile.unlink(missing_ok=True)
        return container

    def release(self, container: Container) -> None:
        """Let a held container run."""
        try:
            self.run("start", container.cid)
        except EngineError as error:
            raise _start_error(error) from error

    def owned(self) -> list[tuple[str, str]]:
        """Every container of ours here: its id and the process that owned it."""
        rows = self.run(
            "ps", "--all", "--no-trunc", f"--filter=label={OWNER_LABEL}",
            f'--format={{{{.ID}}}} {{{{index .Labels "{OWNER_LABEL}"}}}}',
        )  # fmt: skip
        return [(row.partition(" ")[0], row.partition(" ")[2]) for row in rows.splitlines()]

    def kill_orphans(self) -> int:
        """Remove the containers whose owner is dead; returns how many."""
        orphans = [cid for cid, owner in self.owned() if not owner_lives(owner)]
        if orphans:
            self.run("rm", "--force", "--time=0", *orphans)
        return len(orphans)

    def remove(self) -> None:
        """Remove every container and image here, and the storage itself."""
        self.run("rm", "--force", "--time=0", "--all", quiet=True)
        if not mounts_below(self.home):
            self.run("rmi", "--force", "--all", quiet=True)
        remove_workspace(self.home)

    def run(self, *arguments: str, quiet: bool = False) -> str:
        """Run one command; raises `EngineError` unless `quiet`."""
        done = subprocess.run(
            self._command(*arguments),
            capture_output=True,
            env=self._environment(),
            cwd=self.home,  # the monitor leaves a file where it stands when memory ran out
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        if done.returncode and not quiet:
            said = done.stderr.decode(errors="replace").strip()
            raise EngineError(f"podman {arguments[0]} failed: {said[-500:]}")
        output = done.stdout + done.stderr if arguments[0] == "logs" else done.stdout
        return output.decode(errors="replace")

    def _command(self, *arguments: str) -> list[str]:
        return [self._program, *self._global, *arguments]

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | self._settings


def this_owner() -> str:
    """This process, so that another can tell whether it still lives."""
    return f"{os.getpid()}-{_start_time(os.getpid())}"


def owner_lives(owner: str) -> bool:
    """Whether the process that `this_owner` named still runs; a reused pid does not count."""
    pid, _, started = owner.partition("-")
    return pid.isdigit() and bool(started) and _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _pour(chunks: Iterable[bytes], process: subprocess.Popen[bytes]) -> bool:
    """Write the archive to the engine; true if the engine stopped reading."""
    if process.stdin is None:
        return True
    try:
        for chunk in chunks:
            process.stdin.write(chunk)
        process.stdin.close()
    except BrokenPipeError:
        return True
    except BaseException:
        process.kill()
        raise
    return False


def _written(path: Path, text: str, home: Path) -> str:
    # Without root only systemd may make control groups, and the engine knows how to ask it.
    manager = 'cgroup_manager = "cgroupfs"\n' if os.geteuid() == 0 else ""
    path.write_text(text.replace("{home}", str(home)).replace("{manager}", manager))
    return str(path)


def _start_error(error: EngineError) -> ProctorSdkError:
    """The image's fault if its program is missing or no program; else the engine's own error."""
    if any(words in error.message for words in NOT_A_PROGRAM):
        return StartError(
            "The container's program cannot be started.",
            "Look at ENTRYPOINT and CMD: the file must exist, be executable, and fit linux/amd64.",
        )
    return error
