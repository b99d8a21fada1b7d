"""A reader that dies or never ends costs its own case; a store that is away ends the ingest."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from proctor_backend.domain.errors import PlatformError
from proctor_workers.hidden_data.ingest.case_pool import CasePool


@dataclass(frozen=True)
class Job:
    number: int
    deed: str


def work(setting: Path, job: Job) -> str:
    if job.deed == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.deed == "die once" and not (setting / "died").exists():
        (setting / "died").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    if job.deed == "hang":
        time.sleep(3600)
    if job.deed == "away":
        raise PlatformError("The object store does not answer.")
    return f"done {job.number}"


def lost(job: Job, what: str) -> str:
    return f"lost {job.number}: {what}"


def done(folder: Path, *deeds: str, seconds: float = 60.0) -> list[str]:
    jobs = [Job(number, deed) for number, deed in enumerate(deeds)]
    with CasePool(work, folder, lost, processes=2, seconds_a_case=seconds) as pool:
        return sorted(pool.done(jobs))


def test_a_case_that_kills_its_reader_is_named_and_all_others_are_done(tmp_path: Path) -> None:
    assert done(tmp_path, "work", "die", "work", "work") == [
        "done 0", "done 2", "done 3", "lost 1: makes its reader crash",
    ]  # fmt: skip


def test_a_case_whose_process_died_once_is_tried_again(tmp_path: Path) -> None:
    assert done(tmp_path, "die once", "work") == ["done 0", "done 1"]


def test_a_reader_that_never_ends_is_ended(tmp_path: Path) -> None:
    assert done(tmp_path, "hang", "work", seconds=2.0) == [
        "done 1", "lost 0: keeps its reader busy without end",
    ]  # fmt: skip


def test_a_store_that_is_away_ends_the_ingest(tmp_path: Path) -> None:
    with pytest.raises(PlatformError):
        done(tmp_path, "work", "away", "work")
