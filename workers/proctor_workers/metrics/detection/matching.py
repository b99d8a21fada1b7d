"""Marks take lesions greedily, the highest score first; each lesion is hit once."""

from typing import Literal

import numpy as np

from proctor_workers.metrics.detection.hits import Pairs
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled

FALSE, NEUTRAL = -1, -2  # a mark that hits nothing; a mark that does not count
_EXACT = 1 - 1e-10  # an overlap of 1 may differ from it in its last bits


def by_score(score: Floats, place: Ints) -> Ints:
    """Return marks from the highest score down; equals by place, then as they were emitted.

    Rows of one place stand in their order of emission.
    """
    order = np.argsort(place, kind="stable")
    return order[np.argsort(-score[order], kind="stable")].astype(np.int64)


def matched(
    pairs: Pairs,
    order: Ints,
    ignored: Bools,
    *,
    extra: Literal["false", "neutral"],
) -> Ints:
    """Return the lesion that each mark hits, FALSE or NEUTRAL (marks,).

    A mark takes the closest lesion that is left. A mark that finds only lesions that are taken is
    an `extra` hit. A mark that finds only `ignored` regions (lesions,) is neutral, and leaves them
    to others.
    """
    found = np.full(pairs.marks, FALSE, dtype=np.int64)
    take(pairs.first, pairs.lesion, pairs.closeness, order, ignored, ignored, -np.inf, found)
    hit = found >= 0
    found[hit & ignored[np.maximum(found, 0)]] = NEUTRAL
    if extra == "neutral":
        found[(found == FALSE) & (np.diff(pairs.first) > 0)] = NEUTRAL
    return found


@compiled
def take(
    first: Ints,
    lesion: Ints,
    closeness: Floats,
    order: Ints,
    ignored: Bools,
    shared: Bools,
    least: float,
    found: Ints,
) -> None:
    """Write the lesion each mark takes into `found`, FALSE where it finds none.

    Lesions that count go before `ignored` ones; `shared` ones are never used up; of equally close
    lesions the last is taken. These are COCO's rules (Lin et al., ECCV 2014).
    """
    taken = np.zeros(len(ignored), dtype=np.bool_)
    for mark in order:
        best, chosen = min(least, _EXACT), -1
        for place in range(first[mark], first[mark + 1]):
            one = lesion[place]
            if not ignored[one] and not taken[one] and closeness[place] >= best:
                best, chosen = closeness[place], one
        if chosen < 0:
            for place in range(first[mark], first[mark + 1]):
                one = lesion[place]
                free = shared[one] or not taken[one]
                if ignored[one] and free and closeness[place] >= best:
                    best, chosen = closeness[place], one
        found[mark] = chosen
        if chosen >= 0:
            taken[chosen] = True
