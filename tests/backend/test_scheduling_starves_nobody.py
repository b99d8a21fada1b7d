"""The choice of a shard for a woken runner, as a pure function: what it promises for any input."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_backend.domain.scheduling import (
    BYTES_A_SECOND,
    LEFT_FOR_S,
    MOST_S,
    Holder,
    WaitingShard,
    choose,
    seconds_to_begin,
    upcoming,
)

NOW = 1_000.0
BLOCKS = ["b0", "b1", "b2"]
SIZES = st.sampled_from([0, 1, 10**6, 10**9, 4 * 10**9])
HELD = st.dictionaries(st.sampled_from(BLOCKS), SIZES)
IMAGES = st.frozensets(st.sampled_from("xy"))


def shard(number, since=NOW, blocks=None, image="", image_bytes=0, evaluation="e"):
    return WaitingShard(
        id=f"s{number}",
        since=since,
        blocks=blocks or {},
        image=image,
        image_bytes=image_bytes,
        evaluation=evaluation,
    )


@st.composite
def shards(draw, least=0):
    return [
        shard(
            number,
            NOW - draw(st.floats(0, 200)),
            draw(st.dictionaries(st.sampled_from(BLOCKS), SIZES)),
            draw(st.sampled_from("xyz")),
            draw(SIZES),
            draw(st.sampled_from("ef")),
        )
        for number in range(draw(st.integers(least, 6)))
    ]


@st.composite
def holders(draw, most=4):
    return [
        Holder(id=f"r{n}", held=draw(HELD), images=draw(IMAGES), load=draw(st.integers(0, 3)))
        for n in range(draw(st.integers(0, most)))
    ]


ASKER = st.builds(Holder, id=st.just("me"), held=HELD, images=IMAGES, load=st.integers(0, 3))


@given(shards(), ASKER, holders(), st.randoms(use_true_random=False))
def test_choice_does_not_depend_on_the_order_it_is_told_in(waiting, asker, idle, shuffler):
    first = choose(waiting, asker, idle, NOW)
    shuffler.shuffle(waiting)
    shuffler.shuffle(idle)
    assert choose(waiting, asker, idle, NOW) == first


@given(shards(least=1), ASKER)
def test_only_idle_runner_always_gets_a_shard(waiting, asker):
    found = choose(waiting, asker, [], NOW)
    assert found is not None
    assert found.granted


@given(shards(least=1), ASKER, holders())
def test_runner_is_sent_away_only_if_as_many_quicker_ones_are_idle(waiting, asker, idle):
    found = choose(waiting, asker, idle, NOW)
    assert found is not None
    if not found.granted:
        assert len(waiting) <= len(idle)
        for one in waiting:
            assert NOW - one.since < LEFT_FOR_S
            own = seconds_to_begin(one, asker)
            assert any(seconds_to_begin(one, other) < own for other in idle)


@given(shards(least=1), ASKER, holders())
def test_shard_that_waited_is_left_to_nobody(waiting, asker, idle):
    found = choose(waiting, asker, idle, NOW + LEFT_FOR_S)
    assert found is not None
    assert found.granted


@given(shards(least=1), ASKER, holders())
def test_shard_is_overtaken_only_by_those_that_came_soon_after_it(waiting, asker, idle):
    found = choose(waiting, asker, idle, NOW + LEFT_FOR_S)
    granted = next(one for one in waiting if one.id == found.shard)
    for other in waiting:
        assert granted.since <= other.since + MOST_S


@given(shards(), ASKER)
def test_time_to_begin_is_bounded(waiting, asker):
    assert all(0 <= seconds_to_begin(one, asker) <= MOST_S for one in waiting)


def test_nothing_waits_nothing_is_chosen():
    assert choose([], Holder(id="me"), [], NOW) is None


def test_held_data_comes_first():
    big = {"b0": 10**9}
    waiting = [shard(0, blocks={"b1": 10**9}), shard(1, blocks=big)]
    assert choose(waiting, Holder(id="me", held=big), [], NOW).shard == "s1"


def test_loaded_image_comes_first_where_the_data_is_the_same():
    big = {"b0": 10**9}
    waiting = [shard(n, blocks=big, image=image, image_bytes=10**9) for n, image in enumerate("xy")]
    found = choose(waiting, Holder(id="me", held=big, images=frozenset("y")), [], NOW)
    assert found.shard == "s1"


def test_held_data_weighs_more_on_a_busy_host():
    one = shard(0, blocks={"b0": 10**9})
    alone, busy = Holder(id="a"), Holder(id="b", load=2)
    assert seconds_to_begin(one, busy) == 3 * seconds_to_begin(one, alone)


def test_shard_that_waited_longer_than_a_fetch_takes_comes_before_held_ones():
    fetch_s = 10**9 / BYTES_A_SECOND
    waiting = [
        shard(0, NOW - fetch_s - 1, {"b1": 10**9}),
        shard(1, NOW, {"b0": 10**9}),
    ]
    assert choose(waiting, Holder(id="me", held={"b0": 10**9}), [], NOW).shard == "s0"


def test_fresh_shard_is_left_to_the_idle_runner_that_holds_it():
    big = {"b0": 10**9}
    found = choose([shard(0, blocks=big)], Holder(id="me"), [Holder(id="r", held=big)], NOW)
    assert found.granted is False


def test_idle_runner_is_left_one_shard_not_all():
    big = {"b0": 10**9}
    waiting = [shard(n, blocks=big) for n in range(2)]
    found = choose(waiting, Holder(id="me"), [Holder(id="r", held=big)], NOW)
    assert found.granted


@pytest.mark.parametrize(("taken", "expected"), [([], "s1"), (["s1"], "s2"), (["s1", "s2"], None)])
def test_what_is_fetched_ahead_is_of_the_same_evaluation_first(taken, expected):
    waiting = [shard(0), shard(2, NOW - 9, evaluation="f"), shard(1)]
    assert upcoming(waiting, waiting[0], taken) == expected


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_shard_runs_and_no_wake_up_is_lost(data):
    """Runners that claim, end, die and hold anything, wake-ups in any order: all is run at last."""
    runners = [
        Holder(id=f"r{n}", held=data.draw(HELD)) for n in range(data.draw(st.integers(1, 4)))
    ]
    waiting = {one.id: one for one in data.draw(shards(least=1))}
    wakes, busy, alive = sorted(waiting), {}, {runner.id for runner in runners}
    clock = itertools.count()
    for _ in range(400):
        now = NOW + 0.3 * next(clock)
        assert len(wakes) >= len(waiting)  # no shard waits without a wake-up
        free = [runner for runner in runners if runner.id in alive - set(busy)]
        act = data.draw(st.sampled_from(["wake", "wake", "end", "die"]))
        if act == "die" and len(alive) > 1:
            dead = data.draw(st.sampled_from(sorted(alive)))
            alive.discard(dead)
            if dead in busy:  # its lease expires, the sweeper wakes somebody
                lost = busy.pop(dead)
                waiting[lost.id] = lost
                wakes.append(lost.id)
        elif act == "end" and busy:
            busy.pop(data.draw(st.sampled_from(sorted(busy))))
        elif wakes and free:
            asker = data.draw(st.sampled_from(free))
            wakes.pop(data.draw(st.integers(0, len(wakes) - 1)))
            idle = [one for one in runners if one.id not in busy and one.id != asker.id]
            found = choose(list(waiting.values()), asker, idle, now)  # the dead look idle for long
            if found is not None and found.granted:
                busy[asker.id] = waiting.pop(found.shard)
            elif found is not None:
                wakes.append(found.shard)
    for _ in range(400):  # whoever is left goes on
        busy.clear()
        if not waiting:
            break
        asker = next(runner for runner in runners if runner.id in alive)
        wakes.pop()
        found = choose(list(waiting.values()), asker, [], NOW + 0.3 * next(clock))
        waiting.pop(found.shard)
    assert not waiting
