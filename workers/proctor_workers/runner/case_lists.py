"""The lists of cases of a shard's blocks: what is to be staged, under which name."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proctor_backend.domain.errors import DataError
from proctor_sdk.cases import StoredCase, case_name, parse_case
from proctor_workers.runner.addresses import Addresses
from proctor_workers.runner.cache import DIGEST, Cache
from proctor_workers.runner.contents import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseList:
    """One block's cases, as the record pins them by digest."""

    block: str
    sha256: str
    size: int
    cases: tuple[StoredCase, ...]

    def files(self) -> dict[str, int]:
        """Bytes by digest, in the block's order."""
        return {file.sha256: file.size for case in self.cases for file in case.files}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCase:
    """A stored case under its name of this attempt."""

    name: str
    block: str
    stored: StoredCase


def read_list(
    contents: Contents,
    addresses: Addresses,
    block: Mapping[str, Any],
    *,
    upcoming: bool = False,
) -> CaseList:
    """Read a block's list, from the cache or from S3.

    Raises:
        DataError: it is not as it was recorded.
        CaseLineError: a line is not a case's.
    """
    wanted = addresses.wanted(block["block"], block["sha256"], None)
    content = contents.read(wanted, upcoming=upcoming)
    lines = content.splitlines()
    if len(lines) != block["cases"]:
        raise DataError("A block holds another number of cases than recorded.")
    found = CaseList(
        block=block["block"],
        sha256=block["sha256"],
        size=len(content),
        cases=tuple(parse_case(line) for line in lines),
    )
    if not all(map(DIGEST.fullmatch, found.files())):
        raise DataError("A file is named by something that is no digest.")
    return found


def named_cases(lists: Iterable[CaseList], grant: Mapping[str, Any]) -> list[NamedCase]:
    """Every case of the shard in the order of its names, with the inputs that the terms grant."""
    key = base64.b64decode(grant["attempt_key"])
    granted = set(grant["inputs"]) if "inputs" in grant else None
    found = [
        NamedCase(name=case_name(key, case.case), block=one.block, stored=_granted(case, granted))
        for one in lists
        for case in one.cases
    ]
    return sorted(found, key=lambda case: case.name)


def note_held(cache: Cache, lists: Sequence[CaseList], since_ns: int) -> None:
    """Note what the cache holds of these blocks, all of it used since `since_ns`."""
    for one in lists:
        sizes = one.files() | {one.sha256: one.size}
        held = sum(size for sha256, size in sizes.items() if cache.holds(sha256))
        cache.note(one.sha256, one.files(), held, since_ns)


def _granted(case: StoredCase, granted: set[str] | None) -> StoredCase:
    if granted is None:
        return case
    shown = {name: value for name, value in case.inputs.items() if name in granted}
    return replace(case, inputs=shown)
