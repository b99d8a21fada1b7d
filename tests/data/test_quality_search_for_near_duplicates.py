"""The search for pictures that look alike finds what comparing each with each finds."""

import numpy as np
import pytest

from proctor_workers.hidden_data.quality.near_duplicates import NEAR, near_pairs


def hashes(number: int, shared: int, seed: int) -> np.ndarray:
    """Distinct hashes whose first `shared` bits are the same nearly always, and near copies."""
    random = np.random.default_rng(seed)
    chance = np.where(np.arange(64) < shared, 0.03, 0.5)
    bits = random.random((number, 64)) < chance
    copies = bits[: number // 4].copy()
    for row in copies:
        row[random.choice(64, size=random.integers(1, 9), replace=False)] ^= True
    words = np.packbits(np.vstack([bits, copies]), axis=1).view(">u8").ravel().astype(np.uint64)
    return np.unique(words)


@pytest.mark.parametrize("shared", [0, 24, 48])
def test_every_pair_within_the_distance_is_found_and_no_other(shared: int) -> None:
    words = hashes(400, shared, seed=shared)
    apart = np.bitwise_count(words[:, None] ^ words[None, :])
    expected = np.argwhere(np.triu(apart <= NEAR, k=1))

    pairs, complete = near_pairs(words)

    assert complete
    assert len(expected) > 50
    assert pairs.tolist() == expected.tolist()


def test_the_search_stops_where_everything_looks_alike() -> None:
    words = np.arange(1 << 12, dtype=np.uint64)

    _, complete = near_pairs(words, most=100_000)

    assert not complete
