"""A store that misbehaves, a cache of its own for every test, and fetches that give up soon."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.chaos.storage import Storage

from proctor_workers.runner.cache import Cache
from proctor_workers.runner.contents import Contents
from proctor_workers.runner.transfer import Transfers, Wanted

PATIENCE_S, STALL_S = 0.5, 0.3


@dataclass
class Site:
    """One runner's way to its data."""

    storage: Storage
    folder: Path
    cache: Cache
    stop: list[BaseException] = field(default_factory=list)
    addresses: list[bool] = field(default_factory=list)  # whether a new one was asked for

    def __post_init__(self) -> None:
        self.transfers = Transfers(self.guard, patience_s=PATIENCE_S, stall_s=STALL_S)
        self.contents = Contents(self.cache, self.transfers, self.guard)

    def guard(self) -> None:
        if self.stop:
            raise self.stop[0]

    def put(self, content: bytes) -> Wanted:
        sha256 = hashlib.sha256(content).hexdigest()
        self.storage.objects[sha256] = content

        def address(*, fresh: bool) -> str:
            self.addresses.append(fresh)
            return f"{self.storage.url}/{sha256}?secret={len(self.addresses)}"

        return Wanted(sha256=sha256, size=len(content), address=address)

    def stage(self, wanted: Wanted) -> Path:
        path = self.folder / "staging" / os.urandom(8).hex()
        path.parent.mkdir(exist_ok=True)
        self.contents.stage(wanted, path)
        return path

    def cached(self) -> list[Path]:
        return sorted(self.cache.folder.glob("??/*"))


@pytest.fixture
def storage() -> Iterator[Storage]:
    storage = Storage()
    yield storage
    storage.close()


@pytest.fixture
def site(storage: Storage, tmp_path: Path) -> Iterator[Site]:
    made = Site(storage, tmp_path, Cache(tmp_path / "cache", 1 << 30))
    yield made
    made.transfers.close()
