"""`down` after a runner was killed in the middle of a run: no mount and no process stays."""

import subprocess
from pathlib import Path

import pytest
from tests.flow.lab import Lab, rows
from tests.flow.record import running_hidden

from proctor_backend.local import LocalStack

pytestmark = pytest.mark.podman
CASES = 1000


@pytest.fixture(scope="module")
def home(tmp_path_factory, unruly_archive):
    """Bring a stack of its own down while a container runs; return its folder."""
    from tests.conftest import QUICK

    folder = tmp_path_factory.mktemp("down")
    with LocalStack(folder / "home", settings=QUICK) as stack:
        lab = Lab(stack, folder)
        hidden = rows(CASES, do=dict.fromkeys(range(CASES), "nap"))
        study = lab.study(lab.cohort(hidden), lab.cohort(rows(5), public=True))
        running_hidden(lab, lab.submit(study, unruly_archive))
        assert mounts(folder)
        assert processes(folder)
        stack.kill("runner")
    return folder


def mounts(folder: Path) -> list[str]:
    return [
        line for line in Path("/proc/self/mounts").read_text().splitlines() if str(folder) in line
    ]


def processes(folder: Path) -> list[str]:
    done = subprocess.run(
        ["pgrep", "-af", str(folder)], capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines()


def test_no_mount_stays(home):
    assert mounts(home) == []


def test_no_process_stays(home):
    assert processes(home) == []
