"""A writer killed in the middle, a disk that is full: no half file is served, the work goes on."""

import contextlib
import hashlib
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.conftest import Site
from tests.chaos.storage import Storage

from proctor_workers.runner.cache import CHUNK, BeingFilledError, Cache

MEGABYTE = 1 << 20
# Fills files of pseudo-random bytes for ever, slowly, piece by piece.
WRITER = """
import hashlib, random, sys, time
from pathlib import Path
from proctor_workers.runner.cache import BeingFilledError, Cache
cache, draw = Cache(Path(sys.argv[1]), 1 << 20), random.Random()
print("ready", flush=True)
while True:
    content = random.Random(draw.randrange(12)).randbytes(200_000)
    try:
        filling = cache.begin(hashlib.sha256(content).hexdigest(), len(content))
    except BeingFilledError:
        continue
    with filling:
        for place in range(0, len(content), 20_000):
            filling.write(memoryview(content)[place:place + 20_000])
            time.sleep(0.0005)
        filling.keep()
"""
# Holds a part for ever.
HOLDER = """
import sys, time
from pathlib import Path
from proctor_workers.runner.cache import Cache
filling = Cache(Path(sys.argv[1]), 1 << 30).begin(sys.argv[2], 1000)
filling.write(memoryview(b"half"))
print("ready", flush=True)
time.sleep(60)
"""


def started(program: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


class Hash:
    def __init__(self) -> None:
        self.restart()

    def write(self, view: memoryview, /) -> None:
        self.digest.update(view)

    def restart(self) -> None:
        self.digest = hashlib.sha256()


def test_writers_killed_at_random_leave_whole_files_only(tmp_path: Path) -> None:
    folder, draw = tmp_path / "cache", random.Random(7)  # noqa: S311 - times of death
    cut = 0
    for _ in range(5):
        writers = [started(WRITER, str(folder)) for _ in range(2)]
        time.sleep(draw.uniform(0.01, 0.1))
        for writer in writers:
            killed(writer)
        cut += len(list(folder.glob("??/*.part")))
        for path in folder.glob("??/*"):
            if path.suffix != ".part":
                assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    assert cut  # some were in the middle indeed
    cache = Cache(folder, 1 << 20)
    cache.sweep()
    assert not list(folder.glob("??/*.part"))
    held = list(folder.glob("??/*"))
    assert held
    for path in held:
        sink = Hash()
        assert cache.copy(path.name, sink, memoryview(bytearray(CHUNK)))
        assert sink.digest.hexdigest() == path.name
    assert sum(path.stat().st_size for path in held) <= 1 << 20


def test_who_waits_for_a_writer_that_dies_fetches_the_file_itself(
    site: Site, storage: Storage
) -> None:
    content = os.urandom(1000)
    wanted = site.put(content)
    holder = started(HOLDER, str(site.cache.folder), wanted.sha256)
    with pytest.raises(BeingFilledError):
        site.cache.begin(wanted.sha256, 1000)
    killed(holder)
    assert site.stage(wanted).read_bytes() == content
    assert [path.name for path in site.cached()] == [wanted.sha256]


def test_who_waits_for_a_writer_that_hangs_fetches_without_the_cache(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor_workers.runner.contents.OTHERS_PATIENCE_S", 0.2)
    content = os.urandom(1000)
    wanted = site.put(content)
    holder = started(HOLDER, str(site.cache.folder), wanted.sha256)
    try:
        assert site.stage(wanted).read_bytes() == content
        assert not site.cache.holds(wanted.sha256)
    finally:
        killed(holder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root only")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "proctor-test", str(folder)], check=True
    )
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("free_bytes", [0, 1 << 30], ids=["to the last byte", "some kept free"])
def test_full_disk_costs_the_cache_and_no_case(
    storage: Storage,
    tmp_path: Path,
    small_disk: Path,
    caplog: pytest.LogCaptureFixture,
    free_bytes: int,
) -> None:
    cache = Cache(small_disk / "cache", 1 << 30, free_bytes=free_bytes)
    site = Site(storage, tmp_path, cache)
    contents = [os.urandom(MEGABYTE) for _ in range(8)]
    with contextlib.closing(site.transfers), caplog.at_level(logging.WARNING):
        staged = [site.stage(site.put(one)).read_bytes() for one in contents]
    assert staged == contents
    for path in site.cached():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    assert len(site.cached()) == (3 if free_bytes == 0 else 0)
    told = [record for record in caplog.records if "without the cache" in record.message]
    assert len(told) == (0 if free_bytes == 0 else 1)


def test_disk_filled_by_others_while_a_file_is_written_is_told_once(
    storage: Storage, tmp_path: Path, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(small_disk / "cache", 1 << 30, free_bytes=0)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            content = os.urandom(MEGABYTE)
            filling = cache.begin(hashlib.sha256(content).hexdigest(), len(content))
            assert filling is not None
            with filling:
                (small_disk / "ballast").unlink(missing_ok=True)
                fill(small_disk / "ballast")
                filling.write(memoryview(content))
                assert not filling.keep()
            (small_disk / "ballast").unlink()
            assert not list((small_disk / "cache").glob("??/*")), number
    assert len([r for r in caplog.records if "without the cache" in r.message]) == 1


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


LIMITED = """
import resource, sys
from pathlib import Path
from proctor_workers.runner.cache import Cache
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
cache = Cache(Path(sys.argv[1]), 1 << 30)
with cache.begin("ab" * 32, 200_000) as filling:
    filling.write(memoryview(bytes(200_000)))
    assert not filling.keep()
with cache.begin("cd" * 32, 50_000) as filling:
    filling.write(memoryview(bytes(50_000)))
    assert filling.keep()
assert not list(cache.folder.glob("??/*.part"))
"""


def test_file_above_the_systems_limit_is_not_kept(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
