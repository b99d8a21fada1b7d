"""All data of one shard while its lease holds: lists, cases, files ahead, the upcoming shard's."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from proctor_sdk.cases import StagedCase
from proctor_sdk.sandbox.workspace import Workspace
from proctor_workers.runner.addresses import Addresses
from proctor_workers.runner.cache import Cache, now_ns
from proctor_workers.runner.case_lists import CaseList, NamedCase, named_cases, note_held, read_list
from proctor_workers.runner.contents import Contents
from proctor_workers.runner.fetch import Stager
from proctor_workers.runner.lease import Lease
from proctor_workers.runner.prefetch import Calm, Prefetch
from proctor_workers.runner.transfer import Transfers


class Supply:
    """What a shard is fed from; whatever is under way ends with it."""

    def __init__(self, cache: Cache, lease: Lease, grant: Mapping[str, Any]) -> None:
        """Fetch for the lease of a grant, through this host's cache."""
        self._cache = cache
        self._lease = lease
        self._grant = grant
        self._begun_ns = now_ns()
        self._calm = Calm()
        self._transfers = Transfers(lease.guard)
        self._contents = Contents(cache, self._transfers, lease.guard)
        self._addresses = Addresses(lease, cache.holds)
        self._prefetch = Prefetch(
            self._contents, self._addresses, self._calm, spare_ns=self._begun_ns
        )
        self._lists: list[CaseList] = []

    def __enter__(self) -> Self:
        """Nothing is fetched yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what is under way; note what of each block is in the cache now."""
        self._transfers.abort()
        self._prefetch.end()
        self._transfers.close()
        note_held(self._cache, [*self._prefetch.lists, *self._lists], self._begun_ns)

    def cases(self) -> list[NamedCase]:
        """Every case of the shard in the order of its names.

        Raises what `read_list` raises.
        """
        self._lists = [
            read_list(self._contents, self._addresses, block) for block in self._grant["blocks"]
        ]
        # Now already: what a killed runner leaves must be known by its block, to be forgotten.
        note_held(self._cache, self._lists, self._begun_ns)
        return named_cases(self._lists, self._grant)

    @contextlib.contextmanager
    def staged(
        self, cases: Sequence[NamedCase], workspace: Workspace
    ) -> Iterator[Iterator[StagedCase | None]]:
        """The cases as the contract takes them; beside them is fetched what follows."""
        for case in cases:
            self._addresses.expect(case.block, [file.sha256 for file in case.stored.files])
        stager = Stager(self._contents, self._addresses, self._calm, self._lease, workspace.staging)
        with contextlib.closing(stager.staged(cases)) as source:
            rest = (
                self._addresses.wanted(case.block, file.sha256, file.size)
                for case in cases
                for file in case.stored.files
            )
            self._prefetch.begin(rest, self._grant.get("upcoming"))
            yield source

    def moved(self) -> dict[str, int]:
        """Bytes by where they came from, for the shard's summary."""
        return self._contents.moved.as_dict()
