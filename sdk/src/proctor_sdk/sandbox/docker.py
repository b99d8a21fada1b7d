"""Docker for `proctor check` on a vendor's laptop; the platform itself runs Podman only."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
from typing import TYPE_CHECKING

from proctor_sdk.sandbox.container import Exit
from proctor_sdk.sandbox.podman import EngineError, ImageError, LoadedImage, StartError
from proctor_sdk.sandbox.policy import common_arguments, unsafe_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proctor_sdk.sandbox.policy import Mount, SandboxPolicy


class Docker:
    """The same policy through Docker's CLI, as far as Docker has the words."""

    name = "docker"
    differences = (
        "volumes that the image declares are writable; on the platform they are ignored",
        "variables that steer the loader are emptied, not removed",
        "out-of-memory is told by Docker, not read from the kernel's counters",
        "the limit on processes is enforced, but reaching it is not told apart from other crashes",
        "the image lies in Docker's own storage, not in memory",
    )

    def __init__(self, program: str = "docker") -> None:
        self._program = shutil.which(program) or ""
        if not self._program:
            raise EngineError("Docker is not installed.", "Install it, or use --engine podman.")
        self._loaded: list[str] = []

    def load(self, chunks: Iterable[bytes], config_digest: str) -> LoadedImage:  # noqa: ARG002
        """Load an archive; raises `ImageError`. Docker may name an image by another digest."""
        with subprocess.Popen(
            [self._program, "load", "--quiet"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            with contextlib.suppress(BrokenPipeError):
                for chunk in chunks:
                    process.stdin.write(chunk)  # type: ignore[union-attr]
                process.stdin.close()  # type: ignore[union-attr]
            said = process.stdout.read().decode(errors="replace")  # type: ignore[union-attr]
        if process.returncode:
            raise ImageError("Docker cannot load the archive.", said[-300:])
        name = said.strip().rpartition("\n")[2].partition(": ")[2]
        found = json.loads(self.run("image", "inspect", name))[0]
        self._loaded.append(name)
        env = tuple(found.get("Config", {}).get("Env") or ())
        return LoadedImage(config_digest=found["Id"], env=env, size=int(found.get("Size", 0)))

    def start(
        self,
        image: LoadedImage,
        policy: SandboxPolicy,
        mounts: Sequence[Mount],
        labels: Mapping[str, str],
        command: Sequence[str] = (),
    ) -> DockerContainer:
        """Make a container; `release` lets it run."""
        plain = [
            f"{mount.source}:{mount.target}{'' if mount.writable else ':ro'}" for mount in mounts
        ]
        arguments = [word for word in common_arguments(policy, ()) if not word.startswith("--pull")]
        try:
            cid = self.run(
                "create", f"--name=proctor-{secrets.token_hex(8)}", *arguments,
                *(f"--volume={volume}" for volume in plain),
                *(f"--env={name}=" for name in unsafe_names(image.env)),
                *(f"--label={name}={value}" for name, value in labels.items()),
                image.config_digest, *command,
            ).strip()  # fmt: skip
        except EngineError as error:
            raise StartError("Docker cannot make the container.", error.message) from error
        return DockerContainer(self, cid, policy)

    def release(self, container: DockerContainer) -> None:
        """Let it run."""
        try:
            self.run("start", container.cid)
        except EngineError as error:
            container.remove()
            raise StartError("The container's program cannot be started.", error.message) from error
        container.watch(self._program)

    def remove(self) -> None:
        """Remove the images that were loaded here."""
        for name in self._loaded:
            self.run("image", "rm", "--force", name, quiet=True)

    def run(self, *arguments: str, quiet: bool = False) -> str:
        """Run one command; raises `EngineError` unless `quiet`."""
        done = subprocess.run(
            [self._program, *arguments], capture_output=True, timeout=120, check=False
        )
        if done.returncode and not quiet:
            raise EngineError(
                f"docker {arguments[0]}: {done.stderr.decode(errors='replace')[-500:]}"
            )
        output = done.stdout + done.stderr if arguments[0] == "logs" else done.stdout
        return output.decode(errors="replace")


class DockerContainer:
    """A container watched by `docker wait`: on a laptop its process may be in another machine."""

    def __init__(self, engine: Docker, cid: str, policy: SandboxPolicy) -> None:
        self.cid = cid
        self.policy = policy
        self._engine = engine
        self._waiter: subprocess.Popen[bytes] | None = None

    def watch(self, program: str) -> None:
        """Begin to wait for its end."""
        self._waiter = subprocess.Popen(
            [program, "wait", self.cid], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def exited(self, wait_s: float = 0.0) -> bool:
        """Wait for the end, at most so long."""
        if self._waiter is None:
            return True
        try:
            self._waiter.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End every process in it."""
        self._engine.run("kill", self.cid, quiet=True)

    def exit(self) -> Exit:
        """Why it ended, as Docker says."""
        code, _, memory = self._engine.run(
            "inspect", "--format={{.State.ExitCode}} {{.State.OOMKilled}}", self.cid
        ).partition(" ")
        return Exit(code=int(code), out_of_memory=memory.strip() == "true")

    def out_of_processes(self) -> bool:
        """Docker does not tell."""
        return False

    def has_device(self, path: str) -> bool:
        """Whether the device is on this host, which is as far as Docker lets one look."""
        return os.path.exists(path)  # noqa: PTH110 - never resolve it

    def log(self) -> str:
        """The last part of what it printed."""
        return self._engine.run("logs", self.cid, quiet=True)[-self.policy.log_kb * 1024 :]

    def remove(self) -> None:
        """Kill it if it runs and forget it."""
        self._engine.run("rm", "--force", self.cid, quiet=True)
        if self._waiter is not None:
            self._waiter.kill()
            self._waiter.wait()
            self._waiter = None
