"""Which waiting shard a runner gets: pure, so that what it promises can be proven.

A wake-up names a shard, but it is a permit for any shard of its queue. A runner gets the shard that
has waited longest, less the time until its first case can run there: bytes that its host's cache
does not hold, an image that is not loaded. That time is capped, so a shard is overtaken only by
those that came at most `MOST_S` after it. A fresh shard is left for a moment to an idle runner
that holds more of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

BYTES_A_SECOND = 100e6
IMAGE_BYTES_A_SECOND = 90e6  # fetched, opened and loaded: 11 s a GB, see the page on performance
MOST_S = 60.0
# For so long after it came a shard is left to an idle runner that is so much quicker at it.
LEFT_FOR_S = 3.0
WORTH_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingShard:
    """A shard that may be claimed; `since` in seconds, blocks in bytes by the digest of a list."""

    id: str
    since: float
    blocks: Mapping[str, int]
    image: str = ""
    image_bytes: int = 0
    evaluation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A runner, what its host holds, and how many other runners of that host are at work."""

    id: str
    held: Mapping[str, int] = field(default_factory=dict)
    images: frozenset[str] = frozenset()
    load: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What follows from a wake-up: this shard, or none for now because others are quicker at it."""

    shard: str
    granted: bool


def seconds_to_begin(shard: WaitingShard, runner: Holder) -> float:
    """Estimate how long the shard's data and image take to reach this runner."""
    missing = sum(max(0, size - runner.held.get(b, 0)) for b, size in shard.blocks.items())
    image = 0 if shard.image in runner.images else shard.image_bytes
    spent = missing / BYTES_A_SECOND * (1 + runner.load) + image / IMAGE_BYTES_A_SECOND
    return min(spent, MOST_S)


def choose(
    waiting: Sequence[WaitingShard], runner: Holder, idle: Sequence[Holder], now: float
) -> Choice | None:
    """Return what a runner that was woken gets; None if nothing waits.

    Not granted is only said if there are no more shards waiting than idle runners, each of them
    quicker at one of the shards, which came less than `LEFT_FOR_S` ago.
    """
    if not waiting:
        return None
    left = _left_to_others(waiting, runner, idle, now)
    free = [shard for shard in waiting if shard.id not in left]
    if not free:
        return Choice(min(waiting, key=_age).id, granted=False)
    best = min(free, key=lambda s: (s.since + seconds_to_begin(s, runner), *_age(s)))
    return Choice(best.id, granted=True)


def upcoming(
    waiting: Iterable[WaitingShard], granted: WaitingShard, taken: Iterable[str]
) -> str | None:
    """Return which shard a runner shall fetch ahead while it runs the granted one.

    One of the same evaluation before another's; none that another runner fetches (`taken`).
    """
    others = set(taken) | {granted.id}
    free = [shard for shard in waiting if shard.id not in others]
    if not free:
        return None
    return min(free, key=lambda s: (s.evaluation != granted.evaluation, *_age(s))).id


def _left_to_others(
    waiting: Sequence[WaitingShard], runner: Holder, idle: Sequence[Holder], now: float
) -> set[str]:
    """Pair fresh shards with idle runners that are quicker at them, the quickest pair first."""
    pairs = []
    for shard in waiting:
        own = seconds_to_begin(shard, runner)
        if now - shard.since < LEFT_FOR_S:
            for other in idle:
                theirs = seconds_to_begin(shard, other)
                if other.id != runner.id and theirs + WORTH_S <= own:
                    pairs.append((theirs - own, shard.id, other.id))
    left: dict[str, str] = {}
    for _, shard_id, other_id in sorted(pairs, key=itemgetter(0, 1, 2)):
        if shard_id not in left and other_id not in left.values():
            left[shard_id] = other_id
    return set(left)


def _age(shard: WaitingShard) -> tuple[float, str]:
    return shard.since, shard.id
