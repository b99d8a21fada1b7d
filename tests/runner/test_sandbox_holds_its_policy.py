"""What a container finds when it looks around: nothing to reach, keep or learn of its host."""

import json
from pathlib import Path
from typing import Any

import pytest

from proctor_sdk.sandbox.podman import LoadedImage, Podman
from proctor_sdk.sandbox.policy import SandboxPolicy, podman_arguments, unsafe_names

from .conftest import Run

pytestmark = pytest.mark.podman


@pytest.fixture
def found(run: Run) -> dict[str, Any]:
    log = run([{}], task={"at_end": "describe"}).log
    described: dict[str, Any] = json.loads(log.strip().splitlines()[-1])
    return described


def test_container_has_no_privilege_network_or_place_to_write(found: dict[str, Any]) -> None:
    assert found["caps"] == ["0000000000000000"]
    assert (found["no_new_privs"], found["seccomp"]) == ("1", "2")
    assert found["ids"][:2] == [65532, 65532]
    assert set(found["ids"][2]) <= {65532}
    assert found["interfaces"] == ["lo"]
    assert found["writable"] == ["/tmp", "/output"]  # noqa: S108


def test_container_learns_nothing_of_its_host(found: dict[str, Any]) -> None:
    assert found["hostname"] == "model"
    assert not {"sda", "vda", "kvm", "mem", "nvidia0"} & set(found["devices"])


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "GLIBC_TUNABLES", "NVIDIA_VISIBLE_DEVICES"]
)
def test_variable_that_steers_loader_or_hooks_is_taken_away(name: str) -> None:
    assert unsafe_names([f"{name}=x", "PATH=/bin"]) == [name]


def test_policy_in_the_evidence_names_what_the_engine_was_told() -> None:
    policy = SandboxPolicy(memory_mb=100, tmp_mb=10, output_mb=5, shm_mb=1)
    arguments = podman_arguments(policy)
    assert f"--memory={policy.as_dict()['memory_limit_bytes']}" in arguments
    assert f"--memory-swap={116 << 20}" in arguments
    assert "--network=none" in arguments


def test_image_that_preloads_a_library_runs_without_it(
    tmp_path: Path, engine: tuple[Podman, LoadedImage]
) -> None:
    from proctor_sdk.sandbox.launcher import Launcher
    from proctor_sdk.sandbox.workspace import Workspace

    from .conftest import ROOT, TASK, build

    built = build(
        ROOT / "tests" / "containers" / "unruly", tmp_path / "p.tar", "--env", "LD_PRELOAD=/evil.so"
    )
    podman = engine[0]
    image = podman.load(built.chunks(), built.config_digest)
    policy = SandboxPolicy(memory_mb=96, log_kb=64)
    workspace = Workspace(tmp_path / "w", policy)
    life = workspace.life(TASK | {"at_start": "describe"})
    life.end()
    container = Launcher(podman, image, policy, workspace, lease="lse_env").start(life)
    try:
        assert container.exited(10)
        assert "LD_PRELOAD" not in container.log()
    finally:
        container.remove()
        workspace.close_life(life)
        workspace.close()
