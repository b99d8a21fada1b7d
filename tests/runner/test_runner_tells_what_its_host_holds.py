"""The runner's word to control: what its cache holds, and what it hears it must forget."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proctor_backend.settings import Settings
from proctor_workers.runner import beat
from proctor_workers.runner.cache import Cache, now_ns

from .conftest import TASK
from .control_double import ControlDouble

BLOCK, FILE = "aa" * 32, "ab" * 32


@pytest.fixture
def control() -> Iterator[ControlDouble]:
    double = ControlDouble(None, TASK)
    yield double
    double.close()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "cache", 1 << 20)
    for sha256 in (BLOCK, FILE):
        filling = made.begin(sha256, 3)
        assert filling is not None
        with filling:
            filling.write(memoryview(b"abc"))
            filling.keep()
    made.note(BLOCK, [FILE], 6, now_ns())
    return made


@pytest.fixture
def beating(
    control: ControlDouble, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    over = threading.Event()
    monkeypatch.setattr(beat, "STOPPING", over)
    settings = Settings(control_url=control.url, runner_token="runner", work_dir=tmp_path)
    beat.Beat(settings, every_s=0.05).begin()
    yield
    over.set()
    await_(lambda: not [t for t in threading.enumerate() if t.name == "beat"])


def await_(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("beating")
def test_held_blocks_are_told_again_and_again(control: ControlDouble) -> None:
    await_(lambda: len(control.told) >= 3)
    assert control.told[-1]["held"] == {BLOCK: 6}
    assert len({told["runner"] for told in control.told}) == 1


@pytest.mark.usefixtures("beating")
def test_block_that_no_cohort_has_any_more_leaves_the_disk(
    control: ControlDouble, cache: Cache
) -> None:
    control.forget = [BLOCK]
    await_(lambda: bool(control.told) and control.told[-1]["held"] == {})
    assert not list(cache.folder.glob("??/*"))


@pytest.mark.usefixtures("beating")
def test_control_that_is_away_is_told_when_it_is_back(control: ControlDouble) -> None:
    control.away = 4
    told = len(control.told)
    await_(lambda: len(control.told) > told)
