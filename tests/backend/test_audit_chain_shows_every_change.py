import copy

import pytest

from proctor_backend.domain.audit import (
    HASHED_FIELDS,
    Event,
    Head,
    commitment,
    link,
    public_view,
    verify_chain,
)
from proctor_backend.domain.errors import TamperedError

CHAIN = "ent_chain"
WATCHED = (*HASHED_FIELDS, "digest", "private", "private_key")


@pytest.fixture(scope="module")
def chain():
    head, events = Head.empty(CHAIN), []
    for number in range(4):
        event = Event(
            kind="entry.changed",
            chain=CHAIN,
            actor="per_a",
            public={"number": number, "shown": "yes"},
            private={"reason": "hidden", "cases": [1, 2]},
        )
        events.append(link(event, head, f"2026-11-21T08:00:0{number}.000Z"))
        head = Head(CHAIN, events[-1]["seq"], events[-1]["digest"])
    return events


def flips(value):
    """Yield the value with one byte changed, at every place that holds one."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (value | {name: changed} for changed in flips(inner))
            renamed = {k: v for k, v in value.items() if k != name}
            yield from (renamed | {other: inner} for other in flips(name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ([*value[:place], new, *value[place + 1 :]] for new in flips(inner))
    elif isinstance(value, int):
        yield value ^ 1
    else:
        for place, letter in enumerate(value):
            yield value[:place] + chr(ord(letter) ^ 1) + value[place + 1 :]


def test_an_untouched_chain_verifies_to_its_head(chain):
    assert verify_chain(chain) == Head(CHAIN, 4, chain[-1]["digest"])


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("name", WATCHED)
def test_any_changed_byte_of_any_event_names_the_event(chain, place, name):
    for changed in flips(chain[place][name]):
        forged = copy.deepcopy(chain)
        forged[place][name] = changed
        with pytest.raises(TamperedError) as caught:
            verify_chain(forged)
        # A changed number is met where it stands; whatever else is changed is named outright.
        if name not in {"seq", "chain"}:
            assert f"chain {CHAIN}, event {place + 1}:" in str(caught.value)


@pytest.mark.parametrize("name", sorted({*HASHED_FIELDS} - {"chain", "seq", "prev"}))
def test_a_field_taken_out_names_the_event(chain, name):
    forged = copy.deepcopy(chain)
    del forged[2][name]
    with pytest.raises(TamperedError, match="event 3"):
        verify_chain(forged)


@pytest.mark.parametrize(
    "forge",
    [
        lambda events: events[:1] + events[2:],
        lambda events: [events[1], events[0], *events[2:]],
        lambda events: [events[0], events[0], *events[1:]],
        lambda events: events[1:],
    ],
    ids=["removed", "swapped", "repeated", "first removed"],
)
def test_a_chain_with_a_link_removed_swapped_or_repeated_is_refused(chain, forge):
    with pytest.raises(TamperedError):
        verify_chain(forge(chain))


@pytest.mark.parametrize("kept", range(4))
def test_a_truncated_tail_is_found_against_a_head(chain, kept):
    head = Head(CHAIN, 4, chain[-1]["digest"])
    with pytest.raises(TamperedError, match=f"ends at event {kept}, the checkpoint says 4"):
        verify_chain(chain[:kept], expected=head)


def test_a_tail_that_was_written_anew_is_found_against_a_head(chain):
    head = Head(CHAIN, 4, chain[-1]["digest"])
    old = chain[2]
    other = link(
        Event(kind="entry.other", chain=CHAIN, actor="per_a"), Head(CHAIN, 3, old["digest"]), "now"
    )
    with pytest.raises(TamperedError, match="event 4: differs from the signed checkpoint"):
        verify_chain([*chain[:3], other], expected=head)


def test_erasing_a_private_body_leaves_the_chain_verifiable(chain):
    erased = [event | {"private": None, "private_key": None} for event in chain]
    assert verify_chain(erased) == verify_chain(chain)


def test_what_leaves_verifies_without_the_private_bodies(chain):
    views = [public_view(event) for event in chain]
    assert all("private" not in view and "private_key" not in view for view in views)
    assert verify_chain(views) == verify_chain(chain)


@pytest.mark.parametrize("gone", ["private", "private_key"])
def test_a_body_without_its_key_or_a_key_without_its_body_is_refused(chain, gone):
    forged = copy.deepcopy(chain)
    forged[1][gone] = None
    with pytest.raises(TamperedError, match="event 2: its private body was changed"):
        verify_chain(forged)


def test_a_commitment_matches_no_other_body_and_no_other_key(chain):
    key = bytes.fromhex(chain[0]["private_key"])
    committed = commitment(key, {"reason": "hidden"})
    assert committed == commitment(key, {"reason": "hidden"})
    assert committed != commitment(key, {"reason": "hiddem"})
    assert committed != commitment(bytes(32), {"reason": "hidden"})


def test_equal_bodies_are_committed_to_unequally(chain):
    assert len({event["commitment"] for event in chain}) == len(chain)
