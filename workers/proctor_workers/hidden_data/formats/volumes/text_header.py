"""What the text headers of NRRD and MetaImage have in common: lines, numbers, values as text."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import UnreadableFileError

_MOST_WORDS = 1 << 24  # each is an object in memory before it is a value
_LONGEST_NUMBER = 32  # characters with their blank, a value written as text
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def numbers(text: str, count: int | None = None) -> list[float]:
    """Return the numbers of a line, separated by blanks or commas.

    Raises:
        UnreadableFileError: one is no finite number, or there are not `count` of them.
    """
    words = text.replace(",", " ").split()
    if any(not _NUMBER.fullmatch(word) for word in words) or count not in {None, len(words)}:
        raise malformed()
    found = [float(word) for word in words]
    if not np.isfinite(found).all():
        raise malformed()
    return found


def whole_numbers(text: str) -> tuple[int, ...]:
    """Return the whole numbers of a line, each below 2^31.

    Raises:
        UnreadableFileError: one is none.
    """
    words = text.split()
    if any(not re.fullmatch(r"\d{1,10}", word) for word in words):
        raise malformed()
    return tuple(int(word) for word in words)


def from_text(content: bytes | memoryview, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `count` values that are written as text.

    Raises:
        UnreadableFileError: there are fewer or too many, or one is no value of the type.
    """
    if count > _MOST_WORDS:
        raise UnreadableFileError(
            "writes too many values as text", "Save it in binary form, raw or compressed."
        )
    words = bytes(content[: count * _LONGEST_NUMBER]).split(maxsplit=count)[:count]
    if len(words) < count:
        raise malformed()
    try:
        if dtype.kind == "f":
            return np.array([float(word) for word in words], dtype)
        return _whole([int(word) for word in words], dtype)
    except (ValueError, OverflowError) as exc:
        raise malformed() from exc


def _whole(values: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    if min(values) < limits.min or max(values) > limits.max:
        raise OverflowError("beyond the type")
    return np.array(values, dtype)


def malformed() -> UnreadableFileError:
    """Return the error of a header that cannot be understood."""
    return UnreadableFileError("has a header that cannot be understood", "Export it again.")
