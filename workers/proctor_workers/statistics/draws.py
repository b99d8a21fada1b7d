"""Random draws that repeat on every machine: raw Philox words, mapped by our own code."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Halves, Ints, Times, Words, compiled
from proctor_workers.statistics.philox import HALVES_A_BLOCK, Key, fill_halves

LANES = 64  # resamples that are drawn, and seen by a statistic, side by side
_SIDE = 8  # bytes of a word: so many resamples are turned into lanes at once
_WORDS_AT_ONCE = 1 << 20  # 8 MiB: keeps memory flat at any cohort size
_BLOCKS_AT_ONCE = 128  # 4 KiB of halves: stays in the first cache


@dataclass(frozen=True, slots=True)
class Stream:
    """A named stream of random words: the protocol's seed and what it is used for."""

    seed: int
    name: str

    def words(self) -> np.random.Philox:
        """Start the stream from its beginning."""
        low, high = self.key()
        return np.random.Philox(key=int(low) + (int(high) << 64))

    def key(self) -> Key:
        """Return the low and the high half of the generator's key."""
        found = hashlib.sha256(f"{self.seed}/{self.name}".encode()).digest()[:16]
        low, high = int.from_bytes(found[8:], "big"), int.from_bytes(found[:8], "big")
        return np.uint64(low), np.uint64(high)

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


def drawn_times(
    stratum: Ints, resamples: int, stream: Stream, *, at_once: bool = False
) -> Iterator[tuple[int, Times]]:
    """Yield (first resample, how often each patient was drawn in each of `LANES` resamples).

    As many patients as a stratum (one entry a patient) has are drawn from it with replacement: the
    position-th patient in the strata's order by the position-th 32-bit half of the resample's own
    words, multiplied by the stratum's size and shifted (Lemire, ACM TOMACS 2019;29:3). Arrays are
    (patients, LANES), zero in lanes past the last resample. A patient counts in one byte: to be
    drawn more than 255 times has a chance below 1e-500. With `at_once` the arrays lie side by side
    in memory, for who keeps them all.
    """
    order, bounds = stratum_layout(stratum)
    patients = len(order)
    padded = -(-patients // _SIDE) * _SIDE
    # The rest of the last word of patients goes to a row that nobody sees.
    place = np.concatenate((order, np.full(padded - patients, patients)))
    rows = np.empty((LANES, padded), dtype=np.uint8)
    blocks = -(-resamples // LANES)
    store = np.empty((blocks if at_once else 0, patients + 1, LANES), dtype=np.uint8)
    for block, first in enumerate(range(0, resamples, LANES)):
        times = store[block] if at_once else np.empty((patients + 1, LANES), dtype=np.uint8)
        _draw_lanes(bounds, stream.key(), first, min(LANES, resamples - first), rows)
        _turn(rows.view(np.uint64), place, times.view(np.uint64))
        yield first, times[:patients]


@compiled
def _draw_lanes(bounds: Ints, key: Key, first: int, count: int, rows: Times) -> None:
    halves = np.empty(_BLOCKS_AT_ONCE * HALVES_A_BLOCK, dtype=np.uint32)
    for lane in range(LANES):
        rows[lane, :] = 0
        if lane < count:
            _draw_one(bounds, key, first + lane, halves, rows[lane])


@compiled
def _draw_one(bounds: Ints, key: Key, resample: int, halves: Halves, times: Times) -> None:
    patients = bounds[-1]
    part = 0
    position = 0
    for begin in range(0, patients, len(halves)):
        end = min(begin + len(halves), patients)
        blocks = (end - begin + HALVES_A_BLOCK - 1) // HALVES_A_BLOCK
        fill_halves(key, resample, begin // HALVES_A_BLOCK, blocks, halves)
        while position < end:
            start, stop = bounds[part], bounds[part + 1]
            size = np.uint64(stop - start)
            inside = times[start:stop]
            for half in halves[position - begin : min(stop, end) - begin]:
                inside[(half * size) >> np.uint64(32)] += 1
            position = min(stop, end)
            if position == stop:
                part += 1


@compiled
def _turn(rows: Words, place: Ints, lanes: Words) -> None:
    """Turn rows of bytes (LANES, patients) into (patients, LANES), both viewed as words of 8.

    Blocks of 8 x 8 bytes are transposed by swapping halves, quarters and eighths (Warren, Hacker's
    Delight, 2nd ed., section 7-3): five times as fast as byte by byte.
    """
    block = np.empty(_SIDE, dtype=np.uint64)
    for column in range(rows.shape[1]):
        for group in range(LANES // _SIDE):
            for row in range(_SIDE):
                block[row] = rows[group * _SIDE + row, column]
            for shift, mask in (
                (1, np.uint64(0x00FF00FF00FF00FF)),
                (2, np.uint64(0x0000FFFF0000FFFF)),
                (4, np.uint64(0x00000000FFFFFFFF)),
            ):
                bits = np.uint64(8 * shift)
                for row in range(_SIDE):
                    if not row & shift:
                        swap = ((block[row] >> bits) ^ block[row + shift]) & mask
                        block[row + shift] ^= swap
                        block[row] ^= swap << bits
            for row in range(_SIDE):
                lanes[place[_SIDE * column + row], group] = block[row]
