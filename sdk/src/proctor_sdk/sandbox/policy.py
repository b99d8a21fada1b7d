"""What a foreign container may do, as one frozen value; starting it is the engine's matter.

The same policy holds for `proctor check`, conformance, hidden runs and report plugins, and is
written into the evidence.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

UID = 65532
Runtime = Literal["runc", "runsc", "crun"]
SECCOMP = Path(str(files("proctor_sdk.sandbox") / "seccomp.json"))
# Variables that let an image steer the loader or a host hook (CVE-2025-23266 came by LD_PRELOAD).
UNSAFE_ENV = re.compile(
    r"^(LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NVIDIA_.*|CUDA_INJECTION\w*|HOME|HOSTNAME|.*_PROXY|.*_proxy)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxPolicy:
    """Every limit of one container."""

    memory_mb: int = 2048
    cpus: float = 1.0
    pids: int = 256
    tmp_mb: int = 256
    output_mb: int = 64
    shm_mb: int = 64
    log_kb: int = 0
    open_files: int = 4096
    runtime: Runtime = "runc"
    devices: tuple[str, ...] = ()
    uid: int = UID
    network: Literal["none"] = field(default="none", init=False)

    @property
    def memory_bytes(self) -> int:
        """The kernel's limit: /tmp, /output and /dev/shm are memory too, and come on top."""
        return (self.memory_mb + self.tmp_mb + self.output_mb + self.shm_mb) << 20

    def as_dict(self) -> dict[str, Any]:
        """The policy as the evidence holds it."""
        return asdict(self) | {
            "devices": list(self.devices),
            "memory_limit_bytes": self.memory_bytes,
            "read_only_root": True,
            "capabilities": [],
            "new_privileges": False,
            "seccomp": SECCOMP.name,
        }


# A report plugin: no network, 5 s, 256 MB, 1 MB out; the seconds are the caller's.
REPORT_POLICY = SandboxPolicy(memory_mb=256, pids=64, tmp_mb=16, output_mb=1, shm_mb=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder of the host inside the container."""

    source: Path
    target: str
    writable: bool = False
    executable: bool = False

    def argument(self) -> str:
        """The value of `--volume`."""
        options = ["rw" if self.writable else "ro", "nosuid", "nodev", "rprivate"]
        if not self.executable:
            options.append("noexec")
        return f"{self.source}:{self.target}:{','.join(options)}"


def common_arguments(policy: SandboxPolicy, mounts: Sequence[Mount]) -> list[str]:
    """What Podman and Docker spell alike."""
    memory = str(policy.memory_bytes)
    arguments = [
        "--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
        f"--security-opt=seccomp={SECCOMP}", f"--user={policy.uid}:{policy.uid}",
        f"--memory={memory}", f"--memory-swap={memory}", f"--cpus={policy.cpus}",
        f"--pids-limit={policy.pids}", f"--ulimit=nofile={policy.open_files}:{policy.open_files}",
        f"--ulimit=nproc={policy.pids}:{policy.pids}", "--ulimit=core=0:0",
        f"--shm-size={policy.shm_mb}m", "--hostname=model", "--ipc=private",
        "--no-healthcheck", "--pull=never", "--env=HOME=/tmp",
    ]  # fmt: skip
    arguments += [f"--volume={mount.argument()}" for mount in mounts]
    return arguments


def podman_arguments(
    policy: SandboxPolicy,
    *,
    mounts: Sequence[Mount] = (),
    labels: Mapping[str, str] | None = None,
    image_env: Iterable[str] = (),
) -> list[str]:
    """Everything between `podman create` and the image's name."""
    arguments = [
        *common_arguments(policy, mounts),
        # Podman's own habits: writable tmpfs on a read-only root, volumes, systemd, host names.
        "--read-only-tmpfs=false", "--image-volume=ignore", "--systemd=false", "--no-hosts",
        "--http-proxy=false", "--pid=private", "--uts=private", "--cgroupns=private",
    ]  # fmt: skip
    if policy.log_kb:
        arguments += ["--log-driver=k8s-file", f"--log-opt=max-size={policy.log_kb}k"]
    else:
        arguments.append("--log-driver=none")
    arguments += [f"--unsetenv={name}" for name in unsafe_names(image_env)]
    arguments += [f"--device={device}" for device in policy.devices]
    arguments += [f"--label={name}={value}" for name, value in (labels or {}).items()]
    return arguments


def unsafe_names(image_env: Iterable[str]) -> list[str]:
    """Names of an image's variables that are taken away; HOME is set by the policy itself."""
    names = (line.partition("=")[0] for line in image_env)
    return sorted({name for name in names if UNSAFE_ENV.match(name)} - {"HOME", "HOSTNAME"})
