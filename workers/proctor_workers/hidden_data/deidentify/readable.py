"""Reads values of foreign data sets, of which some break the standard."""

import struct

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException

# What a value that breaks the standard makes pydicom raise.
UNREADABLE = (
    AttributeError, BytesLengthException, KeyError, NotImplementedError, OverflowError,
    RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip


def text_of(source: Dataset, keyword: str) -> str:
    """Return a value as text; empty where there is none, or none that can be read."""
    try:
        return str(source.get(keyword) or "")
    except UNREADABLE:
        return ""
