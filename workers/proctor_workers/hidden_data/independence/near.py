"""Finds which of a cohort's pictures look like one of very many others, without comparing all.

Multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): of two hashes within 6 of 64 bits, at
least two of 8 bands are equal, so that only those that share one of 28 pairs of bands are compared.
Pictures of one kind share their low frequencies, whoever they are of: of 19,900 pairs of made
chests 0.1 % lie within 6 bits. So a picture is alike only if it lies within 32 of 256 bits too,
which no such pair did (the nearest of 7,140 lay at 18 %, 46 bits); copies as JPEG of quality 90, or
in other sizes, mostly do (nine in ten within 11 %), ones in a narrow window do not.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from proctor_sdk.fingerprints.pixels import DETAILS, FREQUENCIES, packed, turned
from proctor_workers.hidden_data.quality.near_duplicates import NEAR, NEAR_IN_DETAIL

MOST_COMPARISONS = 20_000_000_000
_BANDS = 8
_KEYS = 1 << 16
_AT_ONCE = 4_000_000  # comparisons, to bound the memory
_ASKED_AT_ONCE = 100_000

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Bools = NDArray[np.bool_]


class LookingAlike:
    """A cohort's looks, and which of them were met in whatever position."""

    def __init__(self, looks: Sequence[str]) -> None:
        """Index looks, each a perceptual and a detail hash as hex."""
        self._hashes, self._details = _parts(looks)
        self.met: Bools = np.zeros(len(looks), dtype=np.bool_)
        self.complete = True
        self._left = MOST_COMPARISONS
        self._index = []
        for keys in _keys(self._hashes):
            begin = np.concatenate(([0], np.cumsum(np.bincount(keys, minlength=_KEYS))))
            self._index.append((np.argsort(keys, kind="stable").astype(np.uint32), begin))

    def meet(self, looks: Sequence[str]) -> None:
        """Mark every look that one of these is near."""
        for first in range(0, len(looks), _ASKED_AT_ONCE):
            hashes, details = _parts(looks[first : first + _ASKED_AT_ONCE])
            asked = turned(hashes, FREQUENCIES).reshape(-1, hashes.shape[1])
            turns = _words(turned(details, DETAILS).reshape(-1, details.shape[1]))
            for (order, begin), keys in zip(self._index, _keys(asked), strict=True):
                if self._left <= 0:
                    self.complete = False
                    return
                for who, known in self._pairs(order, begin[keys], np.diff(begin)[keys]):
                    self._compare(_words(asked), turns, who, known)

    def _pairs(
        self, order: NDArray[np.uint32], begin: Numbers, count: Numbers
    ) -> Iterator[tuple[Numbers, NDArray[np.uint32]]]:
        """Yield asked looks beside each of the `count` known ones from `begin` on in the order."""
        totals = np.cumsum(count)
        self._left -= int(totals[-1])
        cuts = np.searchsorted(totals, np.arange(_AT_ONCE, totals[-1], _AT_ONCE))
        for part in np.split(np.arange(len(count)), cuts):
            many = count[part]
            who = np.repeat(part, many)
            within = np.arange(len(who)) - np.repeat(np.cumsum(many) - many, many)
            yield who, order[begin[who] + within]

    def _compare(self, asked: Words, turns: Words, who: Numbers, known: NDArray[np.uint32]) -> None:
        hashes = _words(self._hashes)[:, 0]
        near = np.bitwise_count(hashes[known] ^ asked[who, 0]) <= NEAR
        who, known = who[near], known[near]
        apart = np.bitwise_count(_words(self._details)[known] ^ turns[who])
        self.met[known[apart.sum(axis=1, dtype=np.int64) <= NEAR_IN_DETAIL]] = True


def _parts(looks: Sequence[str]) -> tuple[Bytes, Bytes]:
    digits = len(FREQUENCIES) // 4
    hashes = packed([look[:digits] for look in looks], FREQUENCIES)
    return hashes, packed([look[digits:] for look in looks], DETAILS)


def _words(hashes: Bytes) -> Words:
    return np.ascontiguousarray(hashes).view(np.uint64)


def _keys(hashes: Bytes) -> Iterator[Numbers]:
    """Yield 16-bit keys for every pair of bands; neighbouring frequencies go to other bands."""
    bits = np.unpackbits(hashes, axis=1)
    bands = [np.packbits(bits[:, band::_BANDS], axis=1)[:, 0] for band in range(_BANDS)]
    for one, other in combinations(bands, 2):
        yield (one.astype(np.int64) << 8) | other
