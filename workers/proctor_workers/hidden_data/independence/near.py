"""Finds which of a cohort's pictures look like one of very many others, without comparing all.

Multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): of two hashes within 6 of 64 bits, at
least two of 8 bands are equal, so that only those that share one of 28 pairs of bands are compared.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from proctor_sdk.fingerprints.pixels import turned
from proctor_workers.hidden_data.quality.near_duplicates import NEAR

MOST_COMPARISONS = 20_000_000_000
_BANDS = 8
_KEYS = 1 << 16
_AT_ONCE = 4_000_000  # comparisons, to bound the memory
_ASKED_AT_ONCE = 100_000

Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]


class LookingAlike:
    """A cohort's perceptual hashes, and which of them were met in whatever position."""

    def __init__(self, hashes: Words) -> None:
        """Index the hashes (n,)."""
        self._hashes = hashes
        self.met: Bools = np.zeros(len(hashes), dtype=np.bool_)
        self.complete = True
        self._left = MOST_COMPARISONS
        self._order, self._begin = [], []
        for keys in _keys(hashes):
            self._order.append(np.argsort(keys, kind="stable").astype(np.uint32))
            begin = np.concatenate(([0], np.cumsum(np.bincount(keys, minlength=_KEYS))))
            self._begin.append(begin)

    def meet(self, others: Words) -> None:
        """Mark every hash that lies within `NEAR` bits of one of the others (m,)."""
        if not len(self._hashes):
            return
        for first in range(0, len(others), _ASKED_AT_ONCE):
            asked = np.unique(turned(others[first : first + _ASKED_AT_ONCE]))
            for order, begin, keys in zip(self._order, self._begin, _keys(asked), strict=True):
                if self._left <= 0:
                    self.complete = False
                    return
                self._compare(asked, order, begin[keys], begin[keys + 1] - begin[keys])

    def _compare(
        self,
        asked: Words,
        order: NDArray[np.uint32],
        begin: NDArray[np.int64],
        count: NDArray[np.int64],
    ) -> None:
        """Compare each asked hash with the `count` ones from `begin` on in the order."""
        totals = np.cumsum(count)
        self._left -= int(totals[-1])
        cuts = np.searchsorted(totals, np.arange(_AT_ONCE, totals[-1], _AT_ONCE))
        for part in np.split(np.arange(len(asked)), cuts):
            who = np.repeat(part, count[part])
            within = np.arange(len(who)) - np.repeat(
                np.cumsum(count[part]) - count[part], count[part]
            )
            known = order[begin[who] + within]
            near = np.bitwise_count(self._hashes[known] ^ asked[who]) <= NEAR
            self.met[known[near]] = True


def _keys(hashes: Words) -> Iterator[NDArray[np.int64]]:
    """Yield 16-bit keys for every pair of bands; neighbouring frequencies go to other bands."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    bands = [np.packbits(bits[:, band::_BANDS], axis=1)[:, 0] for band in range(_BANDS)]
    for one, other in combinations(bands, 2):
        yield (one.astype(np.int64) << 8) | other
