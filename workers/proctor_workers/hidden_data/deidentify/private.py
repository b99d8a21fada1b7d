"""Keeps private elements that a plan names, if they hold numbers or codes (PS3.15 E.3.10)."""

import re
from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from proctor_workers.hidden_data.deidentify.readable import UNREADABLE
from proctor_workers.hidden_data.deidentify.values import ValueCleaner

_NAMED = re.compile(r"([0-9A-Fa-f]{3}[13579BDFbdf]),(?:xx)?([0-9A-Fa-f]{2}) (\S[ -~]{0,62}\S|\S)")
_BLOCKS = range(0x10, 0x100)


def private_element(named: str) -> tuple[int, int, str]:
    """Return group, element and creator of `GGGG,EE CREATOR`, as in the standard's own table.

    Raises:
        ValueError: it is not written so.
    """
    found = _NAMED.fullmatch(named)
    if not found:
        raise ValueError(f"{named!r} is not written as 'GGGG,EE CREATOR' with an odd group")
    return int(found[1], 16), int(found[2], 16), found[3]


def kept_private(
    source: Dataset, kept: Dataset, named: Iterable[str], cleaner: ValueCleaner
) -> int:
    """Copy the named private elements whose values are numbers or codes; return how many."""
    return sum(_copied(source, kept, *private_element(name), cleaner) for name in named)


def _copied(
    source: Dataset, kept: Dataset, group: int, element: int, creator: str, cleaner: ValueCleaner
) -> int:
    for block in _BLOCKS:
        tag = Tag(group, block << 8 | element)
        try:
            owner = source.get(Tag(group, block))
            if owner is None or str(owner.value).strip() != creator or tag not in source:
                continue
            found = source[tag]
            value = cleaner.private(found.VR, found.value)
        except UNREADABLE:
            continue
        if value is not None:
            kept.private_block(group, creator, create=True).add_new(element, found.VR, value)
            return 1
    return 0
