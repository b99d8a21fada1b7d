"""Philox words inside compiled loops, equal word for word to `np.random.Philox`.

Philox4x64-10 (Salmon, Moraes, Dror & Shaw, SC 2011): a block cipher over a counter, so that any
word of any resample is found without those before it. NumPy's own generator costs a call and a
copy for each batch and half again as much time a word.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from proctor_workers.statistics.arrays import Halves, compiled

Key = tuple[np.uint64, np.uint64]  # the low and the high half

_ROUNDS = 10
_MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
_MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
_STEP_0 = np.uint64(0x9E3779B97F4A7C15)
_STEP_1 = np.uint64(0xBB67AE8584CAA73B)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
HALVES_A_BLOCK = 8


def _wide_product(typing: Any, one: Any, other: Any) -> tuple[Any, Any]:
    """Emit the 128-bit product of two words as (high, low): one machine instruction."""
    del typing, one, other
    signature = types.UniTuple(types.uint64, 2)(types.uint64, types.uint64)

    def emit(_context: Any, builder: Any, _signature: Any, words: Any) -> Any:
        word = words[0].type
        wide = type(word)(128)
        product = builder.mul(*(builder.zext(factor, wide) for factor in words))
        high = builder.trunc(builder.lshr(product, wide(64)), word)
        return cgutils.pack_array(builder, [high, builder.trunc(product, word)])

    return signature, emit


_product = intrinsic(_wide_product)


@compiled
def fill_halves(key: Key, resample: int, block: int, blocks: int, halves: Halves) -> None:
    """Write the 32-bit halves, low one first, of blocks from `block` on of one resample.

    They are those of `np.random.Philox(key=key[0] + (key[1] << 64), counter=resample << 64)`.
    """
    for step in range(blocks):
        # NumPy counts up before it draws: its first block is number 1.
        c0, c1 = np.uint64(block + step + 1), np.uint64(resample)
        c2, c3 = np.uint64(0), np.uint64(0)
        k0, k1 = key
        for _ in range(_ROUNDS):
            high_0, low_0 = _product(_MULTIPLIER_0, c0)
            high_1, low_1 = _product(_MULTIPLIER_1, c2)
            c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
            k0 += _STEP_0
            k1 += _STEP_1
        place = HALVES_A_BLOCK * step
        halves[place], halves[place + 1] = c0 & _LOW, c0 >> _HALF
        halves[place + 2], halves[place + 3] = c1 & _LOW, c1 >> _HALF
        halves[place + 4], halves[place + 5] = c2 & _LOW, c2 >> _HALF
        halves[place + 6], halves[place + 7] = c3 & _LOW, c3 >> _HALF
