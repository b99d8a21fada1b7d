"""A shard's data from storage to the staging folder: through the cache, ahead, and never half."""

import base64
import contextlib
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proctor_backend.domain.errors import LeaseLostError
from proctor_sdk.cases import StagedCase
from proctor_sdk.sandbox.policy import SandboxPolicy
from proctor_sdk.sandbox.workspace import Workspace
from proctor_workers.runner.cache import Cache
from proctor_workers.runner.control import ControlClient
from proctor_workers.runner.fetch import CASES_AHEAD
from proctor_workers.runner.lease import Lease
from proctor_workers.runner.supply import Supply

from .conftest import TASK
from .control_double import ControlDouble

SIZE = 2000


@dataclass
class Site:
    """A runner without its container: it takes the cases and looks at them."""

    control: ControlDouble
    folder: Path
    limit: int = 1 << 30
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def cache(self) -> Cache:
        return Cache(self.folder / "cache", self.limit)

    def add_block(self, name: str, cases: int, *, files: int = 1, upcoming: bool = False) -> None:
        lines = []
        for number in range(cases):
            made = [self.add_file() for _ in range(files)]
            named = [one | {"name": f"{place}.dcm"} for place, one in enumerate(made)]
            lines.append({"case": f"cas_{name}_{number}", "files": named, "inputs": {}})
        self.control.add_block(name, lines, upcoming=upcoming)

    def add_file(self) -> dict[str, Any]:
        content = os.urandom(SIZE)
        line = self.control.add_file(content)
        self.contents[line["sha256"]] = content
        return line

    def run(self, look: Callable[[StagedCase], None] = lambda _: None) -> dict[str, int]:
        """Take every case; returns what was moved."""
        client = ControlClient(self.control.url, "runner")
        grant = client.claim(shard="shd_1")
        assert grant is not None
        with (
            contextlib.closing(client),
            Lease(client, grant) as lease,
            Supply(self.cache, lease, grant) as supply,
            self.workspace() as workspace,
            supply.staged(supply.cases(), workspace) as source,
        ):
            for case in source:
                if case is None:
                    time.sleep(0.002)
                    continue
                look(case)
        return supply.moved()

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Workspace]:
        with contextlib.closing(
            Workspace(self.folder / f"jobs-{time.monotonic_ns()}", SandboxPolicy())
        ) as workspace:
            yield workspace

    def holds(self, *, upcoming: bool) -> list[bool]:
        grant = self.control.grant()
        blocks = grant["upcoming"]["blocks"] if upcoming else grant["blocks"]
        return [self.cache.holds(block["sha256"]) for block in blocks]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    control = ControlDouble(None, TASK)
    yield Site(control, tmp_path)
    control.close()
    assert [t.name for t in threading.enumerate() if t.name.startswith(("fetch", "pre"))] == []


def test_staged_files_are_copies_that_tell_nothing(site: Site) -> None:
    site.add_block("b", 5, files=2)
    seen = []

    def look(case: StagedCase) -> None:
        assert case.folder is not None
        assert case.folder.name == case.name
        assert case.folder.stat().st_mtime_ns == 0
        for path in sorted(case.folder.iterdir()):
            state = path.stat()
            assert (state.st_nlink, state.st_mtime_ns, state.st_atime_ns) == (1, 0, 0)
            assert stat.S_IMODE(state.st_mode) == 0o444
            seen.append((path.name, path.read_bytes(), state.st_dev))

    site.run(look)
    site.run(look)  # from the cache
    assert {name for name, _, _ in seen} == {"0.dcm", "1.dcm"}
    assert {content for _, content, _ in seen} == set(site.contents.values())
    assert len(seen) == 20
    assert site.cache.folder.stat().st_dev not in {device for _, _, device in seen}


def test_second_evaluation_moves_no_byte_from_storage(site: Site) -> None:
    site.add_block("b1", 20)
    site.add_block("b2", 20)
    first = site.run()
    assert first["bytes_fetched"] == sum(site.control.served.values())
    assert (first["bytes_from_cache"], first["bytes_prefetched"]) == (0, 0)
    site.control.served.clear()
    second = site.run()
    assert sum(site.control.served.values()) == 0
    assert second == {
        "bytes_fetched": 0,
        "bytes_from_cache": first["bytes_fetched"],
        "bytes_prefetched": 0,
    }


def test_two_attempts_share_the_cache_and_no_name(site: Site) -> None:
    site.add_block("b", 10)
    names: list[set[str]] = []
    for key in (b"k" * 32, b"l" * 32):
        site.control.changes["attempt_key"] = base64.b64encode(key).decode()
        names.append(set())
        site.run(lambda case: names[-1].add(case.name))
    assert not names[0] & names[1]
    kept = {path.name for path in site.cache.folder.rglob("*")}
    assert not kept & (names[0] | names[1])


def test_damaged_file_of_the_cache_is_fetched_again(site: Site) -> None:
    site.add_block("b", 3)
    site.run()
    sha256 = next(iter(site.contents))
    (site.cache.folder / sha256[:2] / sha256).write_bytes(b"damaged")
    seen = []
    moved = site.run(lambda case: seen.extend(p.read_bytes() for p in case.folder.iterdir()))  # type: ignore[union-attr]
    assert set(seen) == set(site.contents.values())
    assert moved["bytes_fetched"] == SIZE


def test_case_comes_only_with_all_its_files(site: Site) -> None:
    site.add_block("b", 6, files=4)
    site.control.slow = {f"files/{sha}": 0.3 for sha in list(site.contents)[::4]}
    counts: list[int] = []
    site.run(lambda case: counts.append(len(list(case.folder.iterdir()))))  # type: ignore[union-attr]
    assert counts == [4] * 6


def test_no_more_cases_are_staged_ahead_than_allowed(site: Site) -> None:
    site.add_block("b", CASES_AHEAD * 2)
    most = []

    def look(case: StagedCase) -> None:
        assert case.folder is not None
        most.append(len(list(case.folder.parent.iterdir())))
        shutil.rmtree(case.folder)
        time.sleep(0.005)

    site.run(look)
    assert max(most) <= CASES_AHEAD + 1


def test_addresses_are_asked_for_many_at_a_time(site: Site) -> None:
    site.add_block("b", 100, files=3)
    asked = []
    answer = site.control._files
    site.control._files = lambda body: asked.append(body) or answer(body)  # type: ignore[method-assign, func-returns-value]
    site.run()
    assert len(asked) <= 6
    asked.clear()
    site.run()
    assert asked == []


def test_addresses_that_grew_old_are_asked_for_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor_workers.runner.addresses.YOUNG_S", 0.0)
    site.add_block("b", 10)
    assert site.run()["bytes_fetched"] > 10 * SIZE


def test_next_shard_is_fetched_while_this_one_runs(site: Site) -> None:
    site.add_block("now", 10)
    site.add_block("next", 20, upcoming=True)
    moved = site.run(lambda _: time.sleep(0.1))
    grant = site.control.grant()
    assert moved["bytes_prefetched"] > 20 * SIZE
    assert site.cache.noted().keys() == {
        block["sha256"] for block in [*grant["blocks"], *grant["upcoming"]["blocks"]]
    }
    site.control._blocks = grant["upcoming"]["blocks"]
    del site.control.changes["upcoming"]
    site.control.served.clear()
    assert site.run()["bytes_fetched"] == 0
    assert not site.control.served


def test_what_comes_next_never_delays_what_is_waited_for(site: Site) -> None:
    site.add_block("now", 40)
    now = {f"files/{sha}" for sha in site.contents}
    site.add_block("next", 10, upcoming=True)
    site.control.slow = dict.fromkeys(now, 0.03)
    site.run()  # asks for the next case at once: something is waited for until the last is here
    order = [key in now for key in site.control.asked if key.startswith("files/")]
    assert False not in order[: len(now)]


def test_rest_of_the_shard_comes_before_the_next_one(site: Site) -> None:
    site.add_block("now", CASES_AHEAD * 2)
    now = {f"files/{sha}" for sha in site.contents}
    site.add_block("next", 5, upcoming=True)
    site.run(lambda _: time.sleep(0.02))
    order = [key in now for key in site.control.asked if key.startswith("files/")]
    assert order == sorted(order, reverse=True)
    assert len(order) == len(site.contents)


def test_what_comes_next_takes_no_room_from_what_is_in_use(tmp_path: Path, site: Site) -> None:
    site.limit = 16 * SIZE
    site.add_block("now", 10)
    now = set(site.contents)
    site.add_block("next", 30, upcoming=True)
    site.run(lambda _: time.sleep(0.03))
    assert all(site.cache.holds(sha256) for sha256 in now)
    assert sum(p.stat().st_size for p in site.cache.folder.glob("??/*")) <= site.limit


def test_cache_of_no_size_stages_all_the_same(site: Site) -> None:
    site.limit = 0
    site.add_block("now", 5)
    site.add_block("next", 5, upcoming=True)
    moved = site.run()
    assert moved["bytes_prefetched"] == moved["bytes_from_cache"] == 0
    assert not list(site.cache.folder.glob("??/*"))


def test_lost_lease_ends_what_is_being_fetched(site: Site) -> None:
    site.add_block("now", 4)
    site.control.slow = {"files/": 8.0}
    threading.Timer(0.5, lambda: setattr(site.control, "lost", True)).start()
    begun = time.monotonic()
    with pytest.raises(LeaseLostError):
        site.run()
    assert time.monotonic() - begun < 2.5
    assert not list(site.cache.folder.glob("??/*.part"))


def test_runners_of_one_host_fetch_a_file_once(site: Site) -> None:
    site.add_block("b", 20)
    site.control.slow = {"files/": 0.02}
    start = threading.Barrier(2)
    site.control.__dict__["_renew"] = lambda _: (200, {"expires_at": "", "cancelled": False})
    moved: list[dict[str, int]] = []
    grant = site.control.grant()

    def run(number: int) -> None:
        client = ControlClient(site.control.url, "runner")
        start.wait()
        with (
            contextlib.closing(client),
            Lease(client, grant) as lease,
            Supply(site.cache, lease, grant) as supply,
            contextlib.closing(
                Workspace(site.folder / f"work-{number}", SandboxPolicy())
            ) as workspace,
            supply.staged(supply.cases(), workspace) as source,
        ):
            for case in source:
                time.sleep(0.002 if case is None else 0)
        moved.append(supply.moved())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.control.served["files"] == 20 * SIZE
    assert sum(one["bytes_from_cache"] for one in moved) >= 20 * SIZE
