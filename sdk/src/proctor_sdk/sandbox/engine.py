"""What launcher and contracts need of an engine and its containers: Podman's or Docker's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proctor_sdk.sandbox.container import Exit
    from proctor_sdk.sandbox.podman import LoadedImage
    from proctor_sdk.sandbox.policy import Mount, SandboxPolicy


class AnyContainer(Protocol):
    """One container from start to removal."""

    cid: str

    def exited(self, wait_s: float = 0.0) -> bool:
        """Wait for the end, at most so long."""

    def kill(self) -> None:
        """End every process in it."""

    def exit(self) -> Exit:
        """Why it ended."""

    def out_of_processes(self) -> bool:
        """Whether it reached the limit on processes."""

    def has_device(self, path: str) -> bool:
        """Whether it sees a device."""

    def log(self) -> str:
        """The last part of what it printed."""

    def remove(self) -> None:
        """Kill and forget it."""


class AnyEngine(Protocol):
    """Loads images, makes containers, lets them run."""

    def load(self, chunks: Iterable[bytes], config_digest: str) -> LoadedImage:
        """Load an archive as it arrives."""

    def start(
        self,
        image: LoadedImage,
        policy: SandboxPolicy,
        mounts: Sequence[Mount],
        labels: Mapping[str, str],
        command: Sequence[str] = (),
    ) -> Any:
        """Make a container and hold it."""

    def release(self, container: Any) -> None:
        """Let a held container run."""
