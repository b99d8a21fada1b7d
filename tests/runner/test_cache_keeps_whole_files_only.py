"""The cache on a host's disk: what it shows is whole, what it holds is bounded and closed."""

import contextlib
import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proctor_backend.domain.errors import DataError, PlatformError
from proctor_backend.settings import Settings
from proctor_workers.runner.cache import CHUNK, BeingFilledError, Cache, now_ns
from proctor_workers.runner.host import cache_of

ROOM = 1 << 30


class Bytes:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.got = bytearray()

    def write(self, view: memoryview, /) -> None:
        self.got += view

    def restart(self) -> None:
        self.got.clear()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(cache: Cache, content: bytes, **more: int) -> bool:
    filling = cache.begin(digest(content), len(content), **more)
    if filling is None:
        return False
    with filling:
        filling.write(memoryview(content))
        return filling.keep()


def get(cache: Cache, sha256: str) -> bytes | None:
    sink = Bytes()
    return bytes(sink.got) if cache.copy(sha256, sink, memoryview(bytearray(CHUNK))) else None


def path_of(cache: Cache, sha256: str) -> Path:
    return cache.folder / sha256[:2] / sha256


def used(cache: Cache) -> int:
    """Bytes on the disk while nobody makes room; a file may be renamed meanwhile."""
    sizes: dict[str, int] = {}
    with cache._ledger():
        for path in cache.folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                sizes[path.name[:64]] = path.stat().st_size
    return sum(sizes.values())


def content(number: int, size: int = 1000) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


def age(cache: Cache, sha256: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path_of(cache, sha256), (then, then))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", ROOM)


def test_file_comes_back_as_it_was(cache: Cache) -> None:
    whole = os.urandom(CHUNK * 2 + 17)
    assert put(cache, whole)
    assert get(cache, digest(whole)) == whole


def test_file_that_is_not_there_is_a_miss(cache: Cache) -> None:
    assert get(cache, "0" * 64) is None


def test_only_the_owner_can_read(cache: Cache) -> None:
    old = os.umask(0)
    try:
        put(cache, b"pixels")
        cache.note("0" * 64, [], 6, now_ns())
    finally:
        os.umask(old)
    modes = {
        stat.S_IMODE(path.stat().st_mode) for path in cache.folder.rglob("*") if path.is_file()
    }
    folders = [cache.folder, *(path for path in cache.folder.rglob("*") if path.is_dir())]
    assert modes == {0o600}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o755)
    assert stat.S_IMODE(Cache(tmp_path / "cache", ROOM).folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:0],
        lambda raw: bytes(len(raw)),
        lambda raw: raw + b"more",
    ],
    ids=["one bit", "half", "empty", "zeros", "longer"],
)
def test_damaged_file_is_removed_and_never_served(
    cache: Cache, damage: Callable[[bytes], bytes]
) -> None:
    whole = content(1)
    put(cache, whole)
    path_of(cache, digest(whole)).write_bytes(damage(whole))
    assert get(cache, digest(whole)) is None
    assert not path_of(cache, digest(whole)).exists()


def test_sink_forgets_the_bytes_of_a_damaged_file(cache: Cache) -> None:
    whole, sink = content(1), Bytes()
    put(cache, whole)
    path_of(cache, digest(whole)).write_bytes(b"other")
    cache.copy(digest(whole), sink, memoryview(bytearray(CHUNK)))
    assert sink.got == b""


def test_file_is_not_shown_before_it_is_kept(cache: Cache) -> None:
    whole = content(1)
    filling = cache.begin(digest(whole), len(whole))
    assert filling is not None
    with filling:
        filling.write(memoryview(whole))
        assert not cache.holds(digest(whole))
        assert get(cache, digest(whole)) is None


def test_file_that_was_given_up_leaves_nothing(cache: Cache) -> None:
    filling = cache.begin("ab" * 32, 100)
    assert filling is not None
    with filling:
        filling.write(memoryview(b"half"))
    assert list(cache.folder.glob("??/*")) == []


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 5000)
    contents = [content(n) for n in range(5)]
    for seconds, one in zip((50, 40, 30, 20, 10), contents, strict=True):
        put(cache, one)
        age(cache, digest(one), seconds)
    assert get(cache, digest(contents[0])) == contents[0]  # used now: the second is the oldest
    put(cache, content(9))
    assert [cache.holds(digest(one)) for one in contents] == [True, False, True, True, True]


def test_bound_holds_after_every_file(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 10_000)
    for number in range(100):
        assert put(cache, content(number))
        assert used(cache) <= 10_000


def test_file_larger_than_the_bound_is_not_kept(tmp_path: Path) -> None:
    assert not put(Cache(tmp_path / "cache", 999), content(1))


def test_bound_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 0)
    assert not put(cache, content(1))
    assert get(cache, digest(content(1))) is None


def test_nothing_in_use_makes_room_for_what_is_fetched_ahead(tmp_path: Path) -> None:
    cache, since = Cache(tmp_path / "cache", 2000), now_ns()
    assert put(cache, content(1))
    assert put(cache, content(2))
    assert not put(cache, content(3), spare_ns=since)
    assert cache.holds(digest(content(1)))


def test_what_is_fetched_ahead_takes_the_room_of_what_is_not_in_use(tmp_path: Path) -> None:
    cache, since = Cache(tmp_path / "cache", 2000), now_ns()
    put(cache, content(1))
    age(cache, digest(content(1)), 3600)
    put(cache, content(2))
    assert put(cache, content(3), spare_ns=since)
    assert not cache.holds(digest(content(1)))


def test_block_counts_as_held_until_its_first_file_is_evicted(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 2000)
    for number, block in ((1, "aa" * 32), (2, "bb" * 32)):
        sha256 = digest(content(number))
        put(cache, content(number))
        age(cache, sha256, 102 - 2 * number)
        cache.note(block, [sha256], 1000, int((time.time() - 102.5 + 2 * number) * 1e9))
    put(cache, content(3))
    assert cache.noted() == {"bb" * 32: 1000, "aa" * 32: 0}


def test_forgotten_block_leaves_the_disk_but_for_what_another_has(cache: Cache) -> None:
    own, shared, listed = (content(number) for number in range(3))
    for one in (own, shared, listed):
        put(cache, one)
    cache.note(digest(listed), [digest(own), digest(shared)], 2000, now_ns())
    cache.note("bb" * 32, [digest(shared)], 1000, now_ns())
    cache.forget(digest(listed))
    assert [cache.holds(digest(one)) for one in (own, shared, listed)] == [False, True, False]
    assert cache.noted() == {"bb" * 32: 1000}


def test_second_writer_is_told_that_the_file_is_being_filled(cache: Cache) -> None:
    filling = cache.begin("ab" * 32, 100)
    assert filling is not None
    with filling, pytest.raises(BeingFilledError):
        cache.begin("ab" * 32, 100)


def test_file_that_came_in_between_is_not_fetched_again(cache: Cache) -> None:
    put(cache, content(1))
    with pytest.raises(BeingFilledError):
        cache.begin(digest(content(1)), 1000)


def test_part_without_a_writer_is_taken_over(cache: Cache) -> None:
    whole = content(1)
    left = path_of(cache, digest(whole)).with_suffix(".1000.part")
    left.parent.mkdir()
    left.write_bytes(b"\0" * 5000)
    assert put(cache, whole)
    assert get(cache, digest(whole)) == whole


def test_sweep_removes_parts_without_a_writer_only(cache: Cache) -> None:
    filling = cache.begin("ab" * 32, 100)
    assert filling is not None
    left = path_of(cache, "cd" * 32).with_suffix(".100.part")
    left.parent.mkdir()
    left.touch()
    with filling:
        cache.sweep()
        assert not left.exists()
        assert path_of(cache, "ab" * 32).with_suffix(".100.part").exists()


def test_many_writers_of_few_files_serve_no_wrong_byte(tmp_path: Path) -> None:
    caches = [Cache(tmp_path / "cache", 20_000) for _ in range(4)]
    contents = {digest(content(n, 2000)): content(n, 2000) for n in range(16)}
    wrong, above = [], []
    start = threading.Barrier(4)

    def hammer(cache: Cache) -> None:
        start.wait()
        for turn in range(150):
            sha256 = list(contents)[hash((turn, id(cache))) % len(contents)]
            got = get(cache, sha256)
            if got is None:
                try:
                    put(cache, contents[sha256])
                except BeingFilledError:
                    continue
            elif got != contents[sha256]:
                wrong.append(sha256)
            if used(cache) > 20_000:
                above.append(turn)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hammer, caches))
    assert (wrong, above) == ([], [])


def test_name_that_is_no_digest_is_refused(cache: Cache) -> None:
    for name in ("../../etc/passwd", "AB" * 32, "", "ab" * 31):
        with pytest.raises(DataError):
            cache.holds(name)


@pytest.mark.parametrize("inside", ["jobs", "jobs/1/input", "engine", "spool/x", "."])
def test_cache_where_containers_are_is_refused(tmp_path: Path, inside: str) -> None:
    settings = Settings(work_dir=tmp_path / "work", cache_dir=str(tmp_path / "work" / inside))
    with pytest.raises(PlatformError, match="containers"):
        cache_of(settings)


def test_cache_lies_in_the_work_folder_unless_told_otherwise(tmp_path: Path) -> None:
    assert cache_of(Settings(work_dir=tmp_path)).folder == tmp_path / "cache"
    elsewhere = Settings(work_dir=tmp_path / "work", cache_dir=str(tmp_path / "fast"))
    assert cache_of(elsewhere).folder == tmp_path / "fast"
