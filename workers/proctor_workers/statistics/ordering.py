"""Rows in the order of a number: a radix sort, twice as fast as comparing them."""

import numpy as np

from proctor_workers.statistics.arrays import Floats, Halves, Words, compiled

_DIGIT_BITS = 8
_DIGITS = 64 // _DIGIT_BITS
_DIGIT_VALUES = 1 << _DIGIT_BITS
_SIGN = np.uint64(1 << 63)


def ascending(values: Floats) -> tuple[Words, Halves]:
    """Return (keys in ascending order, the rows that they come from); equal rows keep their order.

    A key is the number's bits, made to compare as unsigned integers as the numbers do; equal
    numbers, and the two zeros, have equal keys. NaN has no place in the order and is the caller's
    to refuse.
    """
    return _sorted(_bits(values), False)


def descending(values: Floats) -> tuple[Words, Halves]:
    """Return (keys, rows) from the highest number down; equal rows keep their order."""
    return _sorted(_bits(values), True)


def _bits(values: Floats) -> Words:
    bits: Words = (values + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
    return bits


@compiled
def _sorted(
    keys: Words,
    turned: bool,  # noqa: FBT001 - compiled loops take positions
) -> tuple[Words, Halves]:
    """Sort by one byte after the other, the lowest first; bytes that all keys share are skipped.

    `keys` comes as the bits of floats and is overwritten; `turned` asks for the highest first.
    """
    other_keys, other_rows = np.empty_like(keys), np.empty(len(keys), dtype=np.uint32)
    rows = np.empty(len(keys), dtype=np.uint32)
    counts = np.zeros((_DIGITS, _DIGIT_VALUES), dtype=np.int64)
    mask = np.uint64(_DIGIT_VALUES - 1)
    for row in range(len(keys)):
        bits = keys[row]
        key = ~bits if bits & _SIGN else bits | _SIGN
        if turned:
            key = ~key
        keys[row], rows[row] = key, row
        for digit in range(_DIGITS):
            counts[digit, (key >> np.uint64(digit * _DIGIT_BITS)) & mask] += 1
    for digit in range(_DIGITS):
        shift = np.uint64(digit * _DIGIT_BITS)
        place = counts[digit]
        if len(keys) == 0 or place[(keys[0] >> shift) & mask] == len(keys):
            continue
        total = 0
        for value in range(_DIGIT_VALUES):
            count = place[value]
            place[value] = total
            total += count
        for position in range(len(keys)):
            key = keys[position]
            slot = place[(key >> shift) & mask]
            place[(key >> shift) & mask] = slot + 1
            other_keys[slot] = key
            other_rows[slot] = rows[position]
        keys, other_keys = other_keys, keys
        rows, other_rows = other_rows, rows
    return keys, rows
