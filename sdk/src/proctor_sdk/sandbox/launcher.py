"""Starts containers of one image under one policy; proves that an accelerator is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from proctor_sdk.sandbox.podman import LEASE_LABEL, OWNER_LABEL, EngineError, this_owner

if TYPE_CHECKING:
    from proctor_sdk.sandbox.engine import AnyContainer, AnyEngine
    from proctor_sdk.sandbox.podman import LoadedImage
    from proctor_sdk.sandbox.policy import SandboxPolicy
    from proctor_sdk.sandbox.workspace import Life, Workspace

CDI_DEVICE = "nvidia.com/gpu=all"
CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))
GPU_NODES = ("/dev/nvidia0", "/dev/nvidiactl")


class Launcher:
    """All that a contract needs to open another container."""

    def __init__(
        self,
        engine: AnyEngine,
        image: LoadedImage,
        policy: SandboxPolicy,
        workspace: Workspace,
        *,
        lease: str,
    ) -> None:
        self.policy = policy
        self.workspace = workspace
        self.gpu_seen: bool | None = None
        self._engine = engine
        self._image = image
        self._labels = {LEASE_LABEL: lease, OWNER_LABEL: this_owner()}

    def start(self, life: Life) -> AnyContainer:
        """Start one container; with a GPU in the policy, only if the container sees it."""
        container: AnyContainer = self._engine.start(
            self._image, self.policy, life.mounts(), self._labels
        )
        try:
            self._require_gpu(container)
            self._engine.release(container)
        except BaseException:
            container.remove()
            raise
        return container

    def _require_gpu(self, container: AnyContainer) -> None:
        if not self.policy.devices:
            return
        self.gpu_seen = any(container.has_device(node) for node in GPU_NODES)
        if not self.gpu_seen:
            raise EngineError(
                "The accelerator is missing inside the container.",
                "Write the CDI file anew: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
            )


def gpu_devices(*, wanted: bool) -> tuple[str, ...]:
    """The CDI device for the policy, if a GPU is asked for and this host describes one."""
    described = any(True for folder in CDI_FOLDERS for _ in folder.glob("*nvidia*"))
    return (CDI_DEVICE,) if wanted and described else ()
