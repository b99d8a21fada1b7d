"""Random draws that repeat on every machine: raw Philox words, mapped by our own code."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Ints, Words, compiled

_WORDS_AT_ONCE = 1 << 20  # 8 MiB: keeps memory flat at any cohort size


@dataclass(frozen=True, slots=True)
class Stream:
    """A named stream of random words: the protocol's seed and what it is used for."""

    seed: int
    name: str

    def words(self) -> np.random.Philox:
        """Start the stream from its beginning."""
        key = hashlib.sha256(f"{self.seed}/{self.name}".encode()).digest()
        return np.random.Philox(key=int.from_bytes(key[:16], "big"))

    def batches(self, repeats: int, draws: int) -> Iterator[tuple[int, Words]]:
        """Yield (first repeat, words of shape (repeats in batch, ceil(draws / 2)))."""
        source = self.words()
        width = (draws + 1) // 2
        step = max(1, _WORDS_AT_ONCE // max(width, 1))
        for first in range(0, repeats, step):
            count = min(step, repeats - first)
            yield first, source.random_raw(count * width).reshape(count, width)


@compiled
def below(words: Words, position: int, limit: int) -> int:
    """Map the 32-bit half-word at `position` to 0..limit-1 by multiply and shift (Lemire 2019)."""
    word = words[position >> 1]
    half = word >> np.uint64(32) if position & 1 else word & np.uint64(0xFFFFFFFF)
    return int((half * np.uint64(limit)) >> np.uint64(32))


def stratum_layout(stratum: Ints) -> tuple[Ints, Ints]:
    """Return patients ordered by stratum and the strata's boundaries in that order."""
    order = np.argsort(stratum, kind="stable").astype(np.int64)
    _, counts = np.unique(stratum, return_counts=True)
    return order, np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
